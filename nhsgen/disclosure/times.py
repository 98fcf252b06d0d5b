"""What may be shown of how long people live: a step of a curve is as safe as the number of people it stands for."""

import math
from collections.abc import Sequence

from nhsgen.disclosure.cells import Asked, Written, figures
from nhsgen.disclosure.policies import Policy
from nhsgen.estimates import Survival, SurvivalGroup
from nhsgen.results import Cell, Suppressed, Table, Value

__all__ = ["survival"]


def survival(estimate: Survival, asked: Asked) -> Written:
    """Curves by group, and hazard ratios. A ratio is shown only where the groups it compares are, with deaths enough to show."""
    policy = asked.policy
    rows: list[tuple[Cell, ...]] = []
    for group in estimate.groups:
        if _told(group, policy):
            rows += _curve(group, estimate.starts, policy)
        elif policy.zeros_shown:  # elsewhere, that a group is listed says that somebody is in it
            rows.append((Value(group.group), Value(0), *[Suppressed(policy.rule)] * 4))
    notes = [
        "The share alive is shown as so many of the group's people, rounded as people are; its interval is Peto's, from what is shown."
    ]
    drawn = {group.group for group in estimate.groups if _told(group, policy)}
    told = {group.group for group in estimate.groups if group.group in drawn and not policy.hides(sum(group.deaths))}
    everybody = {group.group for group in estimate.groups}
    if estimate.log_rank_p is not None and told == everybody:
        notes.append(f"Log-rank test, stratified by site: p {figures(estimate.log_rank_p, 2):g}.")
    for hazard in estimate.hazards:
        compared = set(hazard.term.split(" against ")) if " against " in hazard.term else everybody
        if not policy.zeros_shown and not compared <= drawn:
            continue
        if hazard.reason or not compared <= told:
            # Of a hidden group even the reason says something: that nobody in it died, say.
            why = _NO_RATIO.get(hazard.reason, policy.rule) if compared <= told else policy.rule
            notes.append(f"{hazard.term}: no hazard ratio, because {why}.")
            continue
        ratio, low, high = (figures(x, 3) for x in (hazard.ratio, hazard.low, hazard.high))
        notes.append(f"{hazard.term}: hazard ratio {ratio:g} (95 % {low:g} to {high:g}), p {figures(hazard.p, 2):g}.")
    return Table(("group", "time", "at risk", "survival", "low", "high"), tuple(rows)), notes


_NO_RATIO = {
    "nobody": "nobody is left to compare",
    "no deaths": "nobody died",
    "constant": "within each site everybody is the same in it",
    "collinear": "other terms say the same",
    "monotone": "all who died are at one end of it",
}


def _told(group: SurvivalGroup, policy: Policy) -> bool:
    return bool(group.at_risk and group.at_risk[0]) and not policy.hides(group.at_risk[0])


def _curve(group: SurvivalGroup, starts: Sequence[int], policy: Policy) -> list[tuple[Cell, ...]]:
    """Kaplan and Meier's curve when each step begins, until too few are at risk. The share alive stands for so many of the group's
    people; where those who are not are too few to show, it is hidden."""
    people = group.at_risk[0]
    rows: list[tuple[Cell, ...]] = []
    lives, shown = 1.0, 1.0
    for start, at_risk, deaths in zip(starts, group.at_risk, group.deaths, strict=True):
        if not at_risk or policy.hides(at_risk):
            break
        gone = round(people * (1.0 - lives))
        told: list[Cell] = [Suppressed(policy.rule)] * 3
        if not policy.hides(gone):
            shown = min(shown, 1.0 - policy.rounded(gone) / policy.rounded(people))
            low, high = _log_log(shown, (1.0 - shown) / (max(shown, 1e-9) * policy.rounded(at_risk)))
            told = [Value(figures(x, 3)) for x in (shown, low, high)]
        rows.append((Value(group.group), Value(start), Value(policy.rounded(at_risk)), *told))
        lives *= 1.0 - deaths / at_risk
    return rows


def _log_log(lives: float, variance: float) -> tuple[float, float]:
    """95 % limits, symmetrical about log(-log S); variance: of log S (Peto et al., Br J Cancer 1977: (1 - S) / (S n))."""
    if not 0 < lives < 1:
        return lives, lives
    spread = 1.959963984540054 * math.sqrt(variance) / math.log(lives)
    return lives ** math.exp(-spread), lives ** math.exp(spread)

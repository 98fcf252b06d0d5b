"""What may be shown of how long people live: a step of a curve is as safe as the number of people it stands for, a ratio of hazards as
the fewest people, deaths and survivors on any side of it.

An attacker knows some of the people, asks twice, and takes one answer from the other. So medians and mean times are worked out from
the curve as it is shown and add nothing to it. A ratio, its interval and its p come from exact sums, in few figures, and all but
tell the deaths of a small group (the variance of the logarithm is nearly 1 / deaths): both sides of a term must have enough people,
enough of them dead and enough alive, and so must every group that the term is adjusted for, or else leaving that group out of the
question would tell it. A measurement has two sides, above and below its mean: one person with a strange value is a side of one.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from nhsgen.disclosure.cells import Asked, Written, figures, number
from nhsgen.disclosure.policies import Policy
from nhsgen.estimates import Hazard, Hazards, Survival, SurvivalGroup
from nhsgen.results import Cell, NotRun, Suppressed, Table, Value

__all__ = ["hazards", "survival"]

Row = tuple[Cell, ...]

_NORMAL = 1.959963984540054
_NO_RATIO = {
    "nobody": "nobody is left to compare",
    "no deaths": "nobody {died}",
    "constant": "within each site everybody is the same in it",
    "collinear": "other terms say the same",
    "monotone": "all who {died} are at one end of it",
}


def survival(estimate: Survival, asked: Asked) -> Written:
    """Curves by group, and hazard ratios. A ratio is shown only where the groups it compares are, with deaths enough to show."""
    policy = asked.policy
    told = [group for group in estimate.groups if _first(group, policy) is not None]
    begin = max([_first(group, policy, _ENOUGH) or 0 for group in told], default=0) if estimate.late else 0
    rows: list[Row] = []
    curves: dict[str, list[Row]] = {}
    for group in estimate.groups:
        if group in told:
            curve = (_late if estimate.late else _curve)(group, estimate.starts, policy, begin)
            curves[group.group] = curve
            rows += curve
        elif policy.zeros_shown:  # elsewhere, that a group is listed says that somebody is in it
            rows.append((Value(group.group), Value(0), *[Suppressed(policy.rule)] * 4))
    notes = [*_how_to_read(estimate, begin, asked), *_medians_and_means(curves, asked), *_ratios(estimate, asked)]
    return Table(("group", "time", "at risk", "survival", "low", "high"), tuple(rows)), notes


def hazards(estimate: Hazards, asked: Asked) -> Written:
    """A row a term: its ratio, whether that holds at all times, or why there is none."""
    policy, rows = asked.policy, []
    for hazard in estimate.rows:
        if _enough(hazard, policy):
            rows.append((Value(hazard.term), *_told(hazard, asked)))
        elif policy.zeros_shown or not any(policy.hides(people) for people, _ in hazard.sides):
            rows.append((Value(hazard.term), *[Suppressed(policy.rule)] * 6))
    notes = []
    if not policy.hides(estimate.people) and not policy.hides(estimate.ended, estimate.people):
        people, ended = policy.rounded(estimate.people), policy.rounded(estimate.ended)
        notes.append(f"Of about {people:,} people, of whom about {ended:,} {_died(asked)}." if ended
                     else f"Of about {people:,} people; nobody {_died(asked)}.")  # fmt: skip
    if not estimate.rows:
        notes.append("All people are in one group: there is nothing to compare.")
    if rows:
        notes.append(
            "Proportional p: where it is small, the ratio is another early than late, and one number does not describe it."
        )
    if any(isinstance(row[1], Suppressed) for row in rows):
        notes.append(
            "A term is hidden with every group that is too small, be it one of its own or one that it is adjusted for."
        )
    columns = ("term", "hazard ratio", "low", "high", "p", "proportional p", "reason")
    return Table(columns, tuple(rows)), [*notes, *_beware(asked)]


# -- Ratios -----------------------------------------------------------------------------------------------------------


def _enough(hazard: Hazard, policy: Policy) -> bool:
    return not any(policy.hides(people) or policy.hides(ended, people) for people, ended in hazard.sides)


def _told(hazard: Hazard, asked: Asked) -> Row:
    if hazard.reason:
        why = _why(hazard, asked)
        return *[NotRun(why)] * 5, Value(why)
    ratio = [Value(figures(x, 3)) for x in (hazard.ratio, hazard.low, hazard.high)]
    holds = number(hazard.proportional_p, 2, "the deaths are not far enough apart in time")
    return *ratio, Value(figures(hazard.p, 2)), holds, Value("")


def _why(hazard: Hazard, asked: Asked) -> str:
    return _NO_RATIO.get(hazard.reason, asked.policy.rule).format(died=_died(asked))


def _ratios(estimate: Survival, asked: Asked) -> list[str]:
    """The log-rank test and the ratios below the curves: of groups that are drawn, with deaths enough to show."""
    policy, notes = asked.policy, []
    drawn = {group.group for group in estimate.groups if _first(group, policy) is not None}
    told = {group.group for group in estimate.groups if group.group in drawn and not policy.hides(sum(group.deaths))}
    everybody = {group.group for group in estimate.groups}
    if estimate.log_rank_p is not None and told == everybody:
        notes.append(f"Log-rank test, stratified by site: p {figures(estimate.log_rank_p, 2):g}.")
    for hazard in estimate.hazards:
        compared = set(hazard.term.split(" against ")) if " against " in hazard.term else everybody
        if not policy.zeros_shown and not compared <= drawn:
            continue
        enough = compared <= told and _enough(hazard, policy)
        if hazard.reason or not enough:
            # Of a hidden group even the reason says something: that nobody in it died, say.
            notes.append(f"{hazard.term}: no hazard ratio, because {_why(hazard, asked) if enough else policy.rule}.")
            continue
        ratio, low, high = (figures(x, 3) for x in (hazard.ratio, hazard.low, hazard.high))
        notes.append(f"{hazard.term}: hazard ratio {ratio:g} (95 % {low:g} to {high:g}), p {figures(hazard.p, 2):g}.")
    return notes


def _died(asked: Asked, *, done: bool = False) -> str:
    return "died" if "until" not in asked.question else "had it" if done else "came to it"


# -- Curves -----------------------------------------------------------------------------------------------------------


_ENOUGH = 0.25
"""Of the most who are ever at risk in a group. A curve that begins among a handful falls by half when two of them die."""


def _first(group: SurvivalGroup, policy: Policy, share: float = 0.0) -> int | None:
    """The step in which enough of a group are at risk for the first time; None when they never are."""
    least = share * policy.rounded(max(group.at_risk, default=0))
    enough = (people and not policy.hides(people) and policy.rounded(people) >= least for people in group.at_risk)
    return next((step for step, so in enumerate(enough) if so), None)


def _curve(group: SurvivalGroup, starts: Sequence[int], policy: Policy, _: int) -> list[Row]:
    """Kaplan and Meier's curve when each step begins, until too few are at risk. The share alive stands for so many of the group's
    people; where those who are not are too few to show, it is hidden."""
    people = group.at_risk[0]
    rows: list[Row] = []
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


def _late(group: SurvivalGroup, starts: Sequence[int], policy: Policy, begin: int) -> list[Row]:
    """The curve of people who come under observation as time goes on, from the step `begin`: exp(-H), where H adds up deaths over
    those at risk (Nelson and Aalen). Both are rounded first, the deaths as they have run up since `begin`: among few at risk one
    more death would be seen in the curve."""
    rows: list[Row] = []
    gone, shown_gone, hazard, variance = 0, 0, 0.0, 0.0
    followed: list[int] = []
    for step in range(begin, len(starts)):
        at_risk = group.at_risk[step]
        if not at_risk or policy.hides(at_risk):
            break
        told: list[Cell] = [Suppressed(policy.rule)] * 3
        if not policy.hides(gone):
            more = policy.rounded(gone) - shown_gone
            if more:
                mean = sum(followed) / len(followed)
                hazard, variance = hazard + more / mean, variance + more / mean**2
                shown_gone, followed = shown_gone + more, []
            lives = math.exp(-hazard)
            told = [Value(figures(x, 3)) for x in (lives, *_log_log(lives, variance))]
        rows.append((Value(group.group), Value(starts[step]), Value(policy.rounded(at_risk)), *told))
        followed.append(policy.rounded(at_risk))
        gone += group.deaths[step]
    return rows


def _log_log(lives: float, variance: float) -> tuple[float, float]:
    """95 % limits, symmetrical about log(-log S); variance: of log S (Peto et al., Br J Cancer 1977: (1 - S) / (S n))."""
    if not 0 < lives < 1:
        return lives, lives
    spread = _NORMAL * math.sqrt(variance) / math.log(lives)
    return lives ** math.exp(-spread), lives ** math.exp(spread)


def _how_to_read(estimate: Survival, begin: int, asked: Asked) -> list[str]:
    share = "without it" if "until" in asked.question else "alive"
    if not estimate.late:
        shown = f"The share {share} is shown as so many of the group's people, rounded as people are; its interval is Peto's, from"
        return [f"{shown} what is shown.", *_beware(asked)]
    notes = [
        f"The share {share} is worked out from rounded numbers of people at risk and of those who {_died(asked)} by then."
    ]
    if begin:
        notes.append(f"Curves begin at {_time(estimate.starts[begin], asked)}, when enough people are followed in every group that is "
                     "shown, and speak of those who come so far.")  # fmt: skip
    return [*notes, *_beware(asked)]


def _beware(asked: Asked) -> list[str]:
    """What a reader easily overlooks: immortal time, and that who dies first can no longer have the event."""
    question, notes = asked.question, []
    if _ages(asked) and "entry" not in question and "everyone" not in question.get("cohort", {}):
        notes.append("Who is in the cohort because of something that came later than their first record cannot have died before it: "
                     "if so, follow people from then, by entry, or they seem to live too long.")  # fmt: skip
    if "until" in question:
        notes.append("Who dies first is followed until that day (a competing risk): this says how fast it comes to those who live, "
                     "and not how many will have it in the end.")  # fmt: skip
    return notes


# -- Medians and means, from what is shown ------------------------------------------------------------------------------


def _medians_and_means(curves: Mapping[str, Sequence[Row]], asked: Asked) -> list[str]:
    """When half of a group have died, and how long of the same stretch of time each lives on average (restricted mean)."""
    known = {name: [step for step in map(_numbers, rows) if step is not None] for name, rows in curves.items()}
    known = {name: steps for name, steps in known.items() if len(steps) > 1}
    horizon = min((steps[-1][0] for steps in known.values()), default=0.0)
    notes = []
    for name, steps in known.items():
        notes.append(f"{name}: {_median(steps, asked)}.")
        if horizon > steps[0][0]:
            notes.append(f"{name}: {_restricted(steps, horizon, asked)}.")
    return notes


def _numbers(row: Row) -> tuple[float, ...] | None:
    """Time, people at risk, share, low and high, where all of them are shown."""
    numbers = tuple(float(cell.value) for cell in row[1:] if isinstance(cell, Value))
    return numbers if len(numbers) == len(row) - 1 else None


def _median(steps: Sequence[tuple[float, ...]], asked: Asked) -> str:
    middle, low, high = (next((step[0] for step in steps if step[at] <= 0.5), None) for at in (2, 3, 4))
    if middle is None or low is None:
        return f"fewer than half have {_died(asked, done=True)} by {_time(steps[-1][0], asked)}, the last shown"
    until = "not reached" if high is None else f"{_units(high, asked):g}"
    return f"half have {_died(asked, done=True)} by {_time(middle, asked)} (95 % {_units(low, asked):g} to {until})"


def _restricted(steps: Sequence[tuple[float, ...]], horizon: float, asked: Asked) -> str:
    begin, share = steps[0][0], "without it" if "until" in asked.question else "alive"
    mean, low, high = (figures(_units(x, asked), 3) for x in _mean(steps, horizon))
    stretch = f"{_units(horizon - begin, asked):g} {'years' if _ages(asked) else 'months'}"
    which = f"the {stretch} after {_time(begin, asked)}" if begin else f"the first {stretch}"
    return f"of {which}, {mean:g} {share} on average (95 % {low:g} to {high:g})"


def _mean(steps: Sequence[tuple[float, ...]], horizon: float) -> tuple[float, float, float]:
    """The area under the curve to the horizon, straight between its points, and its 95 % limits (Irwin, J Hyg 1949): who dies in a
    step dies in the middle of it, and loses the area from there on."""
    kept = [step for step in steps if step[0] <= horizon]
    area, variance = 0.0, 0.0
    for (start, at_risk, lives, *_), (end, _, after, *_) in reversed(list(pairwise(kept))):
        died = 1 - after / lives if lives else 0.0
        if 0 < died < 1:
            variance += (area + (end - start) * after / 2) ** 2 * died / (at_risk * (1 - died))
        area += (end - start) * (lives + after) / 2
    width = _NORMAL * math.sqrt(variance)
    return area, max(0.0, area - width), min(horizon - kept[0][0], area + width)


def _ages(asked: Asked) -> bool:
    return asked.question.get("since") == "birth"


def _units(months: float, asked: Asked) -> float:
    return months / 12 if _ages(asked) else months


def _time(months: float, asked: Asked) -> str:
    return f"the age of {months / 12:g}" if _ages(asked) else f"{months:g} months"

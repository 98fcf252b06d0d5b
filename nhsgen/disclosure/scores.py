"""What may be shown of polygenic scores: how many people lie on each step of a public scale, and what follows from those numbers.

Decided, and why:

- Steps are joined with the next until nobody's neighbourhood is too small to show: each number shown is of people enough, rounded.
  Where steps were joined says no more than a suppressed cell would.
- Mean, deviation, median, AUC and odds ratio are worked out from the numbers shown. From exact sums of scores two cohorts that differ
  by one person would tell that person's score; and whoever writes the weights of a score chooses what its mean tells, the copies
  of one rare allele, say. So sites send no sums of scores at all.
- An allele with few copies in all sites together is left out, and looks like one that is nowhere: that a rare allele was found says
  that somebody has it.
- Groups that add up with a hidden one to a number that may be asked for are hidden with it (`protect`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist

from nhsgen.disclosure.cells import Asked, Written, enough, figures
from nhsgen.disclosure.policies import Policy
from nhsgen.disclosure.recoverable import Margin, protect
from nhsgen.estimates import Scores
from nhsgen.methods import METHODS
from nhsgen.results import Cell, NotRun, Suppressed, Table, Value

__all__ = ["scores"]

COLUMNS = ("group", "people", "mean", "sd", "median", "from", "to", "people there")
FEWEST_STEPS = 3
"""Of fewer no mean and deviation can be made."""

_NORMAL, _FAR = NormalDist(), 40.0
_REACH = _NORMAL.inv_cdf(0.975)


@dataclass(frozen=True)
class Step:
    """So many people, rounded, from here to there; the outermost steps have no end."""

    low: float
    high: float
    people: int


@dataclass(frozen=True)
class Spread:
    """A group as a normal distribution. error: standard error of its mean, in its standard deviations, rounding included."""

    people: int
    mean: float
    sd: float
    error: float


def scores(estimate: Scores, asked: Asked) -> Written:
    """A step of a group a row; of cases and controls, how far they lie apart. NotSafe when cases or controls are too few."""
    policy = asked.policy
    numbers = [sum(group.steps) for group in estimate.groups]
    if estimate.compared:
        cases = sum(n for group, n in zip(estimate.groups, numbers, strict=True) if group.group == "cases")
        enough(sum(numbers), cases, policy)
    low, high = policy.meaning(policy.rounded(sum(numbers)))
    few = {i for i, n in enumerate(numbers) if policy.hides(n)}
    hidden = protect(numbers, few, [Margin(tuple(range(len(numbers))), low, high)], policy)
    rows: list[tuple[Cell, ...]] = []
    spreads: dict[str, Spread] = {}
    for place, group in enumerate(estimate.groups):
        if place in hidden:
            if policy.zeros_shown:  # elsewhere, that a group is listed says that somebody is in it
                rows.append((Value(group.group), *[Suppressed(policy.rule)] * (len(COLUMNS) - 1)))
            continue
        people = Value(policy.rounded(numbers[place]))
        steps = joined(group.steps, estimate.edges, policy)
        if len(steps) < FEWEST_STEPS:
            rows.append((Value(group.group), people, *[Suppressed(policy.rule)] * (len(COLUMNS) - 2)))
            continue
        spread = spreads[group.group] = normal(steps, policy.round_to)
        middle = [Value(_hundredths(spread.mean)), Value(_hundredths(spread.sd)), _median(steps)]
        rows += [
            (Value(group.group), people, *middle, Value(step.low), Value(step.high), Value(step.people))
            for step in steps
        ]
    notes = [
        "Scores are in standard deviations that the alleles' frequencies in all people here let one expect, from the mean that they do. "
        f"Who lies beyond {estimate.edges[-1]:g} of them counts at the end; steps with too few people are joined.",
        "Mean and sd are of the normal distribution that fits the numbers of people on the steps best; the median is within its step.",
        _used(estimate),
    ]
    if estimate.compared:
        notes += _compared(spreads, policy)
    if estimate.largest > 0.5:
        notes.append(
            "One allele makes more than half of the score's variance, so scores are in clumps and these numbers are rough."
        )
    return Table(COLUMNS, tuple(rows)), notes


def joined(steps: Sequence[int], edges: Sequence[float], policy: Policy) -> list[Step]:
    """Steps from the lowest up, each joined with the next until there are people enough on it; too few at the end join the last.

    >>> from nhsgen.disclosure.policies import PRESETS
    >>> [(step.low, step.high, step.people) for step in joined([2, 9, 30, 8, 3], [-2, -1, 0, 1, 2, 3], PRESETS["nhs"])]
    [(-2, 0, 10), (0, 1, 30), (1, 3, 10)]
    """
    found: list[list[int]] = []  # first step, step after the last, people
    start = people = 0
    for place, number in enumerate(steps):
        people += number
        if people and not policy.hides(people):
            found.append([start, place + 1, people])
            start, people = place + 1, 0
    if found:
        found[-1][1:] = [len(steps), found[-1][2] + people]
    return [Step(edges[first], edges[last], policy.rounded(number)) for first, last, number in found]


def normal(steps: Sequence[Step], round_to: int = 1) -> Spread:
    """The normal distribution of greatest likelihood of what was counted on steps, the outermost of them open
    (Dempster, Laird and Rubin, J R Stat Soc B 1977: grouped data)."""
    edges = [-math.inf, *(step.high for step in steps[:-1]), math.inf]
    people = [step.people for step in steps]
    total, mean, sd = sum(people), 0.0, 1.0
    for _ in range(500):
        at = [max(-_FAR, min(_FAR, (edge - mean) / sd)) for edge in edges]
        density, below = [_NORMAL.pdf(z) for z in at], [_NORMAL.cdf(z) for z in at]
        share = [max(high - low, 1e-300) for low, high in pairwise(below)]
        first = [(low - high) / p for low, high, p in zip(density[:-1], density[1:], share, strict=True)]
        moment = [z * f for z, f in zip(at, density, strict=True)]
        second = [1 + (low - high) / p for low, high, p in zip(moment[:-1], moment[1:], share, strict=True)]
        shift = sum(n * x for n, x in zip(people, first, strict=True)) / total
        square = sum(n * x for n, x in zip(people, second, strict=True)) / total - shift**2
        mean, sd = mean + sd * shift, sd * math.sqrt(max(square, 1e-12))
        if abs(shift) + abs(square - 1) < 1e-9:
            break
    known = sum(x**2 * p for x, p in zip(first, share, strict=True))
    rounding = round_to**2 / 12 * sum(x**2 for x in first) / total**2 if round_to > 1 else 0.0
    return Spread(total, mean, sd, math.sqrt(1 / (total * max(known, 1e-9)) + rounding))


def _median(steps: Sequence[Step]) -> Cell:
    """Between the ends of the step that holds it, as if people were spread evenly over it."""
    half, below = sum(step.people for step in steps) / 2, 0
    for step in steps:
        if below + step.people >= half:
            if step in (steps[0], steps[-1]):
                return NotRun("it lies on an outermost step")
            return Value(_hundredths(step.low + (step.high - step.low) * (half - below) / step.people))
        below += step.people
    return NotRun("nobody is shown")


def _hundredths(x: float) -> float:
    return round(x, 2) + 0.0  # -0.0 is 0.0


def _compared(spreads: dict[str, Spread], policy: Policy) -> list[str]:
    """AUC and odds ratio a standard deviation, of two normal distributions with one deviation (Efron, JASA 1975)."""
    if not {"cases", "controls"} <= spreads.keys():
        return [f"No AUC and no odds ratio: {policy.rule}."]
    cases, controls = spreads["cases"], spreads["controls"]
    both = cases.people + controls.people
    within = math.sqrt((cases.people * cases.sd**2 + controls.people * controls.sd**2) / both)
    apart = (cases.mean - controls.mean) / within
    error = math.sqrt(
        (cases.error * cases.sd / within) ** 2 + (controls.error * controls.sd / within) ** 2 + apart**2 / (2 * both)
    )
    ends = (apart, apart - _REACH * error, apart + _REACH * error)
    ratio, low, high = (figures(math.exp(x), 3) for x in ends)
    steepness = within / math.hypot(cases.sd, controls.sd)
    auc, worse, better = (round(_NORMAL.cdf(x * steepness), 3) for x in ends)
    p = 2 * _NORMAL.cdf(-abs(apart) / error)
    return [
        f"Odds ratio for each standard deviation within cases and controls: {ratio:g} (95 % {low:g} to {high:g}), p {figures(p, 2):g}.",
        f"The chance that a case has a higher score than a control (AUC): {auc:g} (95 % {worse:g} to {better:g}).",
        "Both take the scores of cases and of controls to be normally distributed.",
    ]


def _used(estimate: Scores) -> str:
    """How many alleles were used, and why not the others."""
    ways = {"same": "as listed", "reversed": "the other way round", "flipped": "from the other strand",
            "flipped and reversed": "from the other strand, the other way round"}  # fmt: skip
    least = METHODS["polygenic"].least
    rare = {"not among the variants": f"at no site, or with fewer than {least} copies in all sites together"}
    used = [f"{n:,} {ways[said]}" for said, n in estimate.alleles.items() if said in ways]
    left = [f"{n:,} {rare.get(said, said)}" for said, n in estimate.alleles.items() if said not in ways]
    total, found = sum(estimate.alleles.values()), sum(n for said, n in estimate.alleles.items() if said in ways)
    without = f" Left out: {', '.join(left)}." if left else ""
    return f"Alleles of the score that are used: {found:,} of {total:,} ({', '.join(used) or 'none'}).{without}"

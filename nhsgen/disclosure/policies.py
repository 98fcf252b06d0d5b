"""The disclosure rules in force at the places whose data this is, as data; and the strictest of several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from nhsgen.errors import BadInput

__all__ = ["PRESETS", "Policy", "dominated", "strictest"]


@dataclass(frozen=True)
class Policy:
    """One set of rules. Every number is of distinct people unless said otherwise.

    suppress_at_most: a group of 1 to this many is not shown, nor one that leaves out 1 to this many.
    round_to: what remains is rounded to the nearest multiple, halves up; 1 rounds nothing.
    midpoint: round to the middle of a stretch of `round_to` instead: with 6, 7 to 12 are all shown as 9.
    zeros_shown: whether "nobody" may be said; if not, nobody looks like a group too small to show.
    top_two_share, next_share: a sum over people is dominated when the two largest make up that share of it, or when all but the
        two largest make up less than that share of the largest.
    pooled: whether the thresholds are applied to the sum over sites (a choice each site records) or at each site before adding.
    contributors: the fewest sites whose small counts may be pooled; a site knows its own, so fewer would give each other away.
    people_per_variant: a list of allele frequencies needs this many people for each allele on it.
    af_decimals: decimals of an allele frequency.
    af_carriers: the fewest carriers of an allele whose frequency is shown.
    source: whose rule it is.
    """

    name: str
    suppress_at_most: int
    round_to: int
    midpoint: bool = False
    zeros_shown: bool = True
    top_two_share: float = 0.9
    next_share: float = 0.1
    pooled: bool = False
    contributors: int = 3
    people_per_variant: int = 10
    af_decimals: int = 2
    af_carriers: int = 8
    source: str = ""

    def __post_init__(self) -> None:
        if self.suppress_at_most < 0 or self.round_to < 1 or self.contributors < 2:
            raise BadInput(
                f"reading the disclosure policy '{self.name}'", "a threshold makes no sense", "start from a preset"
            )

    @property
    def least(self) -> int:
        """The smallest group that is shown.

        Rounding may not undo the threshold: when 1 to 5 are hidden and the rest is rounded to 5, a 5 can only mean 6 or 7. So the
        threshold is raised until the smallest number shown stands for as many counts as any other.

        >>> PRESETS["nhs"].least, Policy("old", 5, 5).least
        (8, 8)
        """
        first = self.suppress_at_most + 1
        low, high = self.meaning(self.rounded(first))
        return first if low == first else high + 1

    @property
    def open_counts(self) -> int:
        """How many counts a hidden number must still be able to be: as many as a shown one, or all that are hidden."""
        hidden = self.least - 1
        return hidden if self.round_to == 1 else min(hidden, self.round_to)

    def hides(self, people: int, whole: int | None = None) -> bool:
        """Whether a group of `people` out of `whole` is too small to show, or leaves out too few.

        >>> nhs = PRESETS["nhs"]
        >>> [nhs.hides(n) for n in (0, 1, 7, 8)], nhs.hides(997, 1000), nhs.hides(1000, 1000)
        ([False, True, True, False], True, False)
        """
        return self._few(people) or (whole is not None and self._few(whole - people))

    def _few(self, people: int) -> bool:
        return 0 < people < self.least or (people == 0 and not self.zeros_shown)

    def rounded(self, people: int) -> int:
        """What is shown for a count that may be shown.

        >>> [PRESETS["nhs"].rounded(n) for n in (0, 8, 12, 13)], [PRESETS["opensafely-midpoint6"].rounded(n) for n in (0, 7, 13)]
        ([0, 10, 10, 15], [0, 9, 15])
        """
        if people == 0:
            return 0
        if self.midpoint:
            return -(-people // self.round_to) * self.round_to - self.round_to // 2
        return (people + self.round_to // 2) // self.round_to * self.round_to

    def meaning(self, shown: int) -> tuple[int, int]:
        """The smallest and the largest count that is shown as `shown`; thresholds apart.

        >>> PRESETS["nhs"].meaning(10), PRESETS["opensafely-midpoint6"].meaning(9), PRESETS["gel"].meaning(9)
        ((8, 12), (7, 12), (9, 9))
        """
        if self.midpoint:
            return shown - (self.round_to - 1) // 2, shown + self.round_to // 2
        return max(0, shown - self.round_to // 2), shown + (self.round_to - 1) // 2

    @property
    def rule(self) -> str:
        """Why a cell is suppressed. One sentence for every reason, so that it cannot tell them apart."""
        few = f"fewer than {self.least} people" + ("" if self.zeros_shown else ", or nobody")
        return f"{few}, or all but so few, or needed to keep such a group hidden"

    def describe(self) -> str:
        """The rules in a sentence for the reader of a table."""
        if self.round_to == 1:
            return f"Groups of fewer than {self.least} people are not shown."
        how = f"the middle of stretches of {self.round_to}" if self.midpoint else f"the nearest {self.round_to}"
        return f"Groups of fewer than {self.least} people are not shown; other counts are rounded to {how}."


PRESETS: Mapping[str, Policy] = {
    policy.name: policy
    for policy in (
        Policy("nhs", 7, 5, source="NHS England, HES and ECDS analysis guide, since September 2018"),
        Policy("opensafely", 7, 5, source="OpenSAFELY, docs/outputs/sdc.md, August 2026"),
        Policy(
            "opensafely-midpoint6",
            6,
            6,
            midpoint=True,
            source="OpenSAFELY, docs/outputs/sdc.md, August 2026: midpoint 6",
        ),
        Policy("gel", 4, 1, source="Genomics England, Airlock rules"),
        Policy("acro", 9, 5, zeros_shown=False, source="ACRO 1.0.2, default.yaml"),
        Policy("allofus", 20, 1, source="All of Us, Data and Statistics Dissemination Policy"),
        Policy("hdr", 9, 10, zeros_shown=False, source="HDR UK Cohort Discovery, hutch-bunny's defaults"),
    )
}


def strictest(policies: Sequence[Policy]) -> Policy:
    """The strictest of all in every field; and pooled as soon as one site's small counts may be in the sum.

    >>> strictest([PRESETS["nhs"], PRESETS["gel"]]).name, strictest([PRESETS["nhs"], PRESETS["allofus"]]).name
    ('nhs', 'strictest of allofus, nhs')
    """
    if not policies:
        raise BadInput("choosing the strictest policy", "there is none to choose from", "name at least one")
    names = sorted({policy.name for policy in policies})
    coarsest = max(policies, key=lambda policy: (policy.round_to, not policy.midpoint))
    strict = Policy(
        name=names[0] if len(names) == 1 else f"strictest of {', '.join(names)}",
        suppress_at_most=max(policy.suppress_at_most for policy in policies),
        round_to=coarsest.round_to,
        midpoint=coarsest.midpoint,
        zeros_shown=all(policy.zeros_shown for policy in policies),
        top_two_share=min(policy.top_two_share for policy in policies),
        next_share=max(policy.next_share for policy in policies),
        pooled=any(policy.pooled for policy in policies),
        contributors=max(policy.contributors for policy in policies),
        people_per_variant=max(policy.people_per_variant for policy in policies),
        af_decimals=min(policy.af_decimals for policy in policies),
        af_carriers=max(policy.af_carriers for policy in policies),
        source="; ".join(sorted({policy.source for policy in policies})),
    )
    same = [policy for policy in policies if replace(strict, name=policy.name, source=policy.source) == policy]
    return same[0] if same else strict


def dominated(contributions: Sequence[float], policy: Policy) -> bool:
    """Whether a sum says too much about its largest contributors: the nk rule or the p-ratio rule (ACRO's defaults).

    Each rule finds what the other misses, so both are applied.

    >>> dominated([900] + [1] * 99, PRESETS["acro"]), dominated([450, 440] + [1] * 110, PRESETS["acro"])
    (True, False)
    """
    sizes = sorted((abs(x) for x in contributions), reverse=True)
    total, largest, top_two = sum(sizes), sum(sizes[:1]), sum(sizes[:2])
    return total > 0 and (top_two >= policy.top_two_share * total or total - top_two < policy.next_share * largest)

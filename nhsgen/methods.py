"""What may be asked: each method, what it needs, the settings it takes, what a site sends for it and what one person can change.

One table for everybody: a study is checked against it, the gate takes its minimums from it, and `nhsgen study methods` prints it
for stewards.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from nhsgen.errors import BadStudy

__all__ = ["GROUPS", "METHODS", "SITE", "VARIANT_GROUPS", "Method", "Option", "unknown"]

SITE = "site"
VARIANT_GROUPS = ("gene", "impact", "consequence")

GROUPS: Mapping[str, str] = {
    "affected": "affected or unaffected by what the family was recruited for",
    "age_band": "age on joining, in bands of ten years; 90 and over together",
    "ancestry": "ancestry group, as the site names it",
    "birth_decade": "decade of birth, such as 1950s",
    "family_role": "proband, mother, father, sibling or other",
    "sex": "female or male",
}


@dataclass(frozen=True)
class Option:
    """One setting. default: what it is when nobody says. choices: the texts it may be; low, high: its limits when it is a number.

    free: a list of texts that only the sites can judge (names of measurements, say).
    """

    default: Any
    says: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    free: bool = False

    def check(self, name: str, value: Any) -> Any:
        """The value, or BadStudy with what it may be."""
        if self.free:
            if not isinstance(value, list | tuple) or not all(isinstance(each, str) and each.strip() for each in value):
                raise _wrong(name, 'write a list of texts, like ["sex", "birth_year"]')
            return tuple(value)
        if self.choices:
            if value not in self.choices:
                raise _wrong(name, f"use {' or '.join(self.choices)}")
            return value
        whole = isinstance(self.default, int)
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise _wrong(name, "give a whole number" if whole else "give a number")
        if not self.low <= value <= self.high:
            raise _wrong(name, f"give a number from {self.low:g} to {self.high:g}")
        return value if whole else float(value)


def _wrong(name: str, do_next: str) -> BadStudy:
    return BadStudy("reading a study", f"the option '{name}' is not one of what it may be", do_next)


@dataclass(frozen=True)
class Method:
    """One kind of question.

    asks: what it asks, in plain words. needs_variants: None where they may be left out.
    sends: the numbers a site sends, by name. row: what one entry of them is about. rounds: how often a site is asked, at most.
    changes: by how much one person can change one of these numbers, the measure of what it can say about anybody; "covariates"
        where that is as far as their own covariates or genotypes lie from the mean.
    least: people (or copies of an allele) that there must be in all sites together before anything of a row is shown, whatever a
        study asks for; 0: the sites' disclosure policy alone decides.
    groups: what its answer may be split by.
    compares: cases with controls; "traits" means with either cases and controls or measurements. since: it counts time from an event.
    """

    asks: str
    needs_variants: bool | None
    sends: tuple[str, ...]
    row: str
    rounds: int = 1
    changes: int | str = 1
    least: int = 0
    groups: tuple[str, ...] = ()
    compares: bool = False
    traits: bool = False
    since: bool = False
    options: Mapping[str, Option] = field(default_factory=dict)


_COVARIATES = Option((), "sex, birth_year, or the name of a measurement, whose latest value is taken", free=True)
_RELATIVES = Option("drop", "whether parents, children, brothers and sisters of somebody who takes part are left out, cases kept first",
                    choices=("drop", "keep"))  # fmt: skip
_SITE_EFFECT = Option("intercept", "whether each site has a level of its own", choices=("intercept", "none"))
_TRAIT = "covariates"

METHODS: Mapping[str, Method] = {
    "counts": Method(
        "How many people are there in each group", False, ("people", "of"), "a group of people", groups=(*GROUPS, SITE)
    ),
    "carriers": Method(
        "How many of the cohort's people carry such a variant", True, ("people",),
        "a gene, a consequence or a group of people", groups=(*VARIANT_GROUPS, *GROUPS, SITE),
    ),
    "frequencies": Method(
        "How common is each such allele in the cohort", True,
        ("alternate", "called", "carriers", "homozygous", "people"), "an allele", changes=2,
    ),
    "burden": Method(
        "In which genes do cases carry such variants more often than controls", True,
        ("case_carriers", "cases", "control_carriers", "controls"), "a gene", compares=True,
    ),
    "association": Method(
        "Which alleles go with the trait", True,
        ("counts", "men", "gq", "gr", "qq", "qr", "rr", "u", "gwg", "gwx", "mu", "mwx", "called", "copies", "case_copies", "slope",
         "information", "third"),
        "an allele and a trait", 200, _TRAIT, 20, compares=True, traits=True,
        options={
            "covariates": _COVARIATES,
            "site_effect": _SITE_EFFECT,
            "relatives": _RELATIVES,
            "min_count": Option(20, "an allele needs as many copies in all sites together", low=10, high=10_000),
            "firth_below": Option(0.01, "cases and controls: approximate Firth where the score test's p is below", high=1.0),
        },
    ),
    "gene_tests": Method(
        "In which genes do rare variants go with the trait", True,
        ("u", "copies", "gwx", "gwg", "carriers", "xwx", "people"), "a gene", 200, _TRAIT, compares=True, traits=True,
        options={
            "covariates": _COVARIATES,
            "site_effect": _SITE_EFFECT,
            "relatives": _RELATIVES,
            "max_af": Option(0.01, "a variant counts when its frequency in all sites together is at most", low=1e-6, high=0.5),
            "min_carriers": Option(10, "a gene needs as many people who carry such a variant", low=5, high=10_000),
        },
    ),
    "survival": Method(
        "How long do people live after the event", None,
        ("people", "at_risk", "deaths", "differences", "score", "information", "log_likelihood"), "a group and a step of time; a covariate",
        60, _TRAIT, groups=(*GROUPS, SITE), since=True,
        options={
            "months": Option(3, "time is counted in steps of so many months", low=1, high=60),
            "years": Option(10, "for so many years", low=1, high=50),
            "covariates": _COVARIATES,
        },
    ),
    "families": Method(
        "In how many families is there a candidate variant, by gene, inheritance and tier", True,
        ("families", "all_families"), "a gene, a tier and an inheritance",
    ),
    "structure": Method(
        "How do people group by their genomes", True,
        ("alternate", "called", "xy", "product", "people"), "an allele and a direction; then a square of a grid", 60, _TRAIT,
        options={
            "components": Option(4, "how many principal components are found; the first two are drawn", low=2, high=20),
            "min_af": Option(0.05, "only alleles at least this common in all sites together", low=0.01, high=0.5),
            "max_r2": Option(0.2, "of two linked alleles (r2 above it) one is left out; 1 keeps all", low=0.01, high=1.0),
        },
    ),
}  # fmt: skip


def unknown(what: str, name: object, known: Iterable[str]) -> BadStudy:
    """The error for a word nobody knows, with the nearest one that somebody does."""
    choices = sorted(known)
    near = get_close_matches(str(name), choices, n=1)
    return BadStudy(
        "reading a study",
        f"the {what} '{name}' is unknown",
        f"did you mean '{near[0]}'?" if near else f"use one of {', '.join(choices) or 'none'}",
    )

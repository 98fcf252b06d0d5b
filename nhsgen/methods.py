"""What may be asked: each method, what it needs, the settings it takes, what a site sends for it and what one person can change.

One table for everybody: a study is checked against it, the gate takes its minimums from it, and `nhsgen study methods` prints it
for stewards.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from nhsgen.errors import BadStudy

__all__ = ["GROUPS", "METHODS", "SITE", "VARIANT_GROUPS", "Method", "Option", "unknown"]

SITE = "site"
BIRTH, DEATH = "birth", "death"
ORIGIN, FIRST_RECORD, JOINED = "origin", "first record", "joined"
VARIANT_GROUPS = ("gene", "impact", "consequence")

GROUPS: Mapping[str, str] = {
    "affected": "affected or unaffected by what the family was recruited for",
    "age_band": "age on joining, in bands of ten years; 90 and over together",
    "ancestry": "ancestry group, as the site names it",
    "birth_decade": "decade of birth, such as 1950s",
    "family_role": "proband, mother, father, sibling or other",
    "sex": "female or male",
}


ENTRIES: Mapping[str, str] = {
    FIRST_RECORD: "the first day on which anything is recorded of them",
    JOINED: "the day on which they joined the programme",
    ORIGIN: "the start of time, as if nobody who died unseen were missing",
}
"""From when people are followed. Who is found only because they lived until some day cannot have died before it: to count the years
before that day (immortal time) makes everybody seem to live longer, and most those who waited longest to be found."""


@dataclass(frozen=True)
class Option:
    """One setting. default: what it is when nobody says. choices: the texts or numbers it may be; low, high: its limits when it is a number.

    free: a list of texts that only the sites can judge (names of measurements, say), or where the default is a text, one, or "".
    of_cases: it is about cases and controls, and stays what it is where measurements are explained.
    many: a list of such settings, each once; one may be said without a list.
    """

    default: Any
    says: str
    choices: tuple[str | float, ...] = ()
    low: float = 0.0
    high: float = 0.0
    free: bool = False
    of_cases: bool = False
    many: bool = False

    def check(self, name: str, value: Any) -> Any:
        """The value, or BadStudy with what it may be."""
        if self.free and isinstance(self.default, str):
            if not isinstance(value, str) or not value.isprintable() or value != value.strip():
                raise _wrong(name, "write it as one line of text")
            return value
        if self.free:
            if not isinstance(value, list | tuple) or not all(isinstance(each, str) and each.strip() for each in value):
                raise _wrong(name, 'write a list of texts, like ["sex", "birth_year"]')
            return tuple(value)
        if self.many:
            one = replace(self, default=self.default[0], many=False)
            each = tuple(one.check(name, part) for part in (value if isinstance(value, list | tuple) else [value]))
            if not each or len(set(each)) < len(each):
                raise _wrong(name, "write a list of them, each once")
            return each
        if self.choices:
            if value not in self.choices:
                raise _wrong(name, f"use {' or '.join(map(str, self.choices))}")
            return self.choices[self.choices.index(value)]
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
        where that is as far as their own covariates or genotypes lie from the mean, "relatives" where it is as many as they have.
    least: people (or copies of an allele) that there must be in all sites together before anything of a row is shown, whatever a
        study asks for; 0: the sites' disclosure policy alone decides.
    groups: what its answer may be split by.
    compares: cases with controls; "traits" means with either cases and controls or measurements; "diseases" with several
        diseases' cases at once, too. since: it counts time from an event.
    score: it is about a polygenic score. reference: it is about a public panel.
    tumours: it is about what tumours have acquired. genes: the fewest and the most genes that its variants must name; 0: any.
    presets: what each choice of its option 'preset' sets.
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
    diseases: bool = False
    since: bool = False
    score: bool = False
    reference: bool = False
    tumours: bool = False
    genes: tuple[int, int] = (0, 0)
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    options: Mapping[str, Option] = field(default_factory=dict)


_COVARIATES = Option((), "sex, birth_year, or the name of a measurement, whose latest value is taken", free=True)
_RELATIVES = Option("drop", "whether parents, children, brothers and sisters of somebody who takes part are left out, cases kept first",
                    choices=("drop", "keep"))  # fmt: skip
_PENETRANCE = Option("complete", "whether everybody with the genotype is ill; incomplete asks nothing of people who are well",
                     choices=("complete", "incomplete"))  # fmt: skip
_OFFSET = Option("", "the measurement that holds what is predicted of the trait, on its scale or in log odds (step 1 of REGENIE)",
                 free=True)  # fmt: skip
_SITE_EFFECT = Option(
    "intercept", "whether each site has a level of its own; if so, a hub learns how many people of each site take part, and their copies "
    "of each allele", choices=("intercept", "none"),
)  # fmt: skip
_TRAIT = "covariates"

_COUNTED = ("alternate", "called", "carriers", "homozygous", "people", "listed_female", "listed_male", "listed_unknown")
"""Of an allele: its copies, and the people of a site that lists it."""
_PAIRED = ("n", "x", "y", "xx", "yy", "xy")
"""Of two alleles in the people in whom both are called."""
_FITTED = ("cases", "total", "squares", "together", "products", "haploid", "qq", "qr", "rr", "gradient", "information", "log_likelihood",
           "third", "fourth", "augmented")  # fmt: skip
"""Of the model of a trait without alleles."""

METHODS: Mapping[str, Method] = {
    "counts": Method(
        "How many people are there in each group", False, ("people", "of"), "a group of people", groups=(*GROUPS, SITE)
    ),
    "carriers": Method(
        "How many of the cohort's people carry such a variant", True, ("carriers", "people"),
        "a gene, a consequence or a group of people", groups=(*VARIANT_GROUPS, *GROUPS, SITE),
    ),
    "frequencies": Method(
        "How common is each such allele in the cohort", True,
        _COUNTED, "an allele, in a group of people where there are groups", changes=2,
        groups=(*GROUPS, SITE),
    ),
    "variant_quality": Method(
        "Which alleles are called in few people, or not in Hardy-Weinberg proportions", True,
        ("listed_female", "listed_male", "listed_unknown", "het", "hom_alt", "paired", "hemizygous", "single", "people"), "an allele", least=20,
    ),
    "sample_quality": Method(
        "How do people's genotypes differ in quality", True,
        (*_COUNTED, "of", "het", "hom_alt"), "an allele; then a measure and a step of its scale", 3, 2,
    ),
    "linkage": Method(
        "Which alleles go with each other", True,
        (*_COUNTED, *_PAIRED),
        "an allele; then a pair of alleles", 2, 4, 20,
        options={
            "kb": Option(250, "pairs of alleles at most so many thousand bases apart", low=1, high=2_000),
            "lead": Option("", "only pairs with this allele, such as 16-20356368-C-T; nothing: all pairs", free=True),
        },
    ),
    "relatedness": Method(
        "How many people have relatives among the others at their site", True,
        (*_COUNTED, "pairs"), "an allele; then a degree of kinship", 2, "relatives",
        groups=(SITE,),
        options={
            "min_af": Option(0.05, "only alleles at least this common in all sites together", low=0.01, high=0.4),
        },
    ),
    "burden": Method(
        "In which genes do cases carry such variants more often than controls", True,
        ("case_carriers", "cases", "control_carriers", "controls", "listed_cases", "listed_controls", "strata", "variance", "r", "s",
         "pr", "ps_qr", "qs"),
        "a gene", compares=True,
        presets={"geneBurdenRD": {"alternative": "greater", "min_cases": 5, "min_carriers": 4, "min_case_carriers": 1}},
        options={
            "preset": Option("none", "geneBurdenRD: one-sided, with the minimums of Cipriani et al., Nature 2025",
                             choices=("none", "geneBurdenRD")),
            "min_cases": Option(1, "a gene is tested where there are as many cases", low=1, high=100_000),
            "min_carriers": Option(1, "a gene is tested where as many people carry such a variant", low=1, high=100_000),
            "min_case_carriers": Option(0, "a gene is tested where as many cases carry such a variant", high=100_000),
            "strata": Option("none", "site: each site's cases are compared with its own controls (Mantel, Haenszel); strata to qs are sent then",
                             choices=("none", "site")),
        },
    ),
    "association": Method(
        "Which alleles go with the trait", True,
        (*_COUNTED, *_FITTED, "counts", "men", "gq", "gr", "mq", "mr", "u", "gwg", "gwx", "mu", "mwx", "case_called", "copies", "case_copies",
         "slope", "cumulant", "curvature", "edge", "log_edge", "product", *_PAIRED),
        "an allele and a trait", 300, _TRAIT, 20, compares=True, traits=True, diseases=True,
        options={
            "covariates": _COVARIATES,
            "components": Option(0, "so many principal components of the study's common, unlinked alleles are covariates too", high=20),
            "offset": _OFFSET,
            "site_effect": _SITE_EFFECT,
            "relatives": _RELATIVES,
            "min_count": Option(20, "an allele needs as many copies in all sites together", low=10, high=10_000),
            "missing": Option("complete", "who was not called at an allele is left out of it, or has the mean of all others; to score tests "
                              "and saddlepoints they always have the mean", choices=("complete", "mean")),
            "test": Option("score", "cases and controls: score with approximate Firth; or Wald, full Firth; or saddlepoint, for rare diseases",
                           choices=("score", "wald", "firth", "saddlepoint"), of_cases=True),
            "firth_below": Option(0.01, "cases and controls: approximate Firth where the score test's p is below", high=1.0, of_cases=True),
            "clump_r2": Option(0.0, "alleles whose r2 with a stronger one near it is above this are the same signal; 0 does not ask", high=1.0),
            "clump_kb": Option(250, "a signal reaches so many thousand bases", low=1, high=10_000),
            "clump_p": Option(1e-4, "the p that leads a signal is at most", low=1e-12, high=0.01),
        },
    ),
    "gene_tests": Method(
        "In which genes do rare variants go with the trait", True,
        (*_COUNTED, *_FITTED, "sites", "u", "copies", "gwx", "gwg", "xwx"), "an allele; then a gene", 200, _TRAIT, compares=True, traits=True,
        options={
            "covariates": _COVARIATES,
            "offset": _OFFSET,
            "site_effect": _SITE_EFFECT,
            "relatives": _RELATIVES,
            "impacts": Option(("all",), "which of the variants count, by their impact; a test for each", many=True,
                              choices=("all", "high", "moderate", "low", "high+moderate", "high+moderate+low")),
            "max_afs": Option((0.01,), "a variant counts when its frequency in all sites together is at most; a test for each",
                              low=1e-6, high=0.5, many=True),
            "weights": Option("beta(1,25)", "rarer variants weigh more, by this density of their frequency, or all equally",
                              choices=("beta(1,25)", "equal")),
            "min_carriers": Option(10, "a gene needs as many people who carry such a variant", low=5, high=10_000),
        },
    ),
    "survival": Method(
        "How long do people live after the event, or stay free of another", None,
        ("people", "at_risk", "deaths", "left_out", "observed", "expected", "variance", "ended", "values", "above", "above_ended", "score",
         "information", "log_likelihood"), "a group and a step of time; a covariate",
        60, _TRAIT, groups=(*GROUPS, SITE), since=True,
        options={
            "months": Option(3, "time is counted in steps of so many months", low=1, high=60),
            "years": Option(10, "for so many years; from birth no further than to 90, for few are older", low=1, high=90),
            "covariates": _COVARIATES,
        },
    ),
    "hazards": Method(
        "By how much do carriers, groups or measurements multiply the rate of death, or of another event", None,
        ("people", "at_risk", "deaths", "left_out", "ended", "values", "above", "above_ended", "score", "information", "log_likelihood",
         "mixed", "drift"),
        "a group and a step of time; a term", 70, _TRAIT, groups=(*GROUPS, SITE), since=True,
        options={
            "covariates": _COVARIATES,
            "strata": Option("site", "whether each site's people are compared with each other only; none: groups alone, by months",
                             choices=("site", "none")),
            "months": Option(3, "deaths are counted in steps of so many months, without strata and to test whether ratios hold",
                             low=1, high=60),
        },
    ),
    "families": Method(
        "In how many families is there a candidate variant, by gene, inheritance and tier", True,
        ("families", "first", "all_families"), "a gene, a tier and an inheritance",
        options={
            "preset": Option("genomics-england-grch38", "whose limits of frequency and whose tiers are used",
                             choices=("genomics-england-grch38",)),
            "penetrance": _PENETRANCE,
            "ranked": Option("no", "whether it is also counted in how many families the gene is among the first, by its tier and by how "
                             "well the ill children's HPO terms fit it", choices=("no", "phenotype")),
            "first": Option(3, "the first so many genes of a family, when they are ranked", low=1, high=10),
        },
    ),
    "segregation": Method(
        "In how many families does a variant pass from parents to child in each way", True,
        ("families", "all_families"), "a gene or variant, the genotypes of mother, father and child, and whether the child is affected",
        options={"each": Option("gene", "whether families are counted by gene, or by variant", choices=("gene", "variant"))},
    ),
    "cosegregation": Method(
        "In how many families does a variant go with the illness, by gene and model of inheritance", True,
        ("families", "all_families"), "a gene and a model of inheritance", options={"penetrance": _PENETRANCE},
    ),
    "trio_quality": Method(
        "Are the families' genotypes to be trusted", True,
        ("people", "of", "errors", "checked"), "a bin of trios; for the errors, all trios together", changes="genotypes",
    ),
    "similarity": Method(
        "How alike are groups of people by their phenotypes", False,
        ("people",), "a group of people and an HPO term, each person counted under their terms and all broader ones",
        groups=(*GROUPS, SITE), compares=True,
    ),
    "phenotype_match": Method(
        "Which genes or diseases fit the phenotypes of the cohort's people best", False,
        ("carriers", "people"), "a gene or disease",
        options={
            "to": Option("genes", "whether people are matched to genes, or to the diseases of OMIM", choices=("genes", "diseases")),
            "among": Option((), "only among these genes (SCN1A) or diseases (OMIM:607208); among all of HPO when none is named", free=True),
            "first": Option(10, "it counts for a person when it is among the first so many", low=1, high=100),
        },
    ),
    "structure": Method(
        "How do people group by their genomes", True,
        (*_COUNTED, *_PAIRED, "product", "of"), "an allele, a pair of them, or one and a direction; then a square of a grid", 60, _TRAIT,
        options={
            "components": Option(4, "how many principal components are found; the first two are drawn", low=2, high=20),
            "min_af": Option(0.05, "only alleles at least this common in all sites together", low=0.01, high=0.5),
            "max_r2": Option(0.2, "of two linked alleles (r2 above it) one is left out; 1 keeps all", low=0.01, high=1.0),
        },
    ),
    "ancestry": Method(
        "To which group of a public panel do people's genomes come nearest", False,
        ("people", "of"), "a group of people", groups=(*GROUPS, SITE), reference=True,
        options={"least": Option(0.8, "who belongs to a group with less than this probability is unassigned", low=0.34, high=0.99)},
    ),
    "meta_analysis": Method(
        "Which alleles go with the trait, by the sites' own answers combined (not by all people together)", True,
        ("beta", "se"), "an allele and a trait", 300, _TRAIT, 20, compares=True, traits=True,
        options={
            "model": Option("fixed", "one effect at all sites, or effects that differ between them (random effects)",
                            choices=("fixed", "dersimonian_laird", "reml")),
            "covariates": _COVARIATES,
            "relatives": _RELATIVES,
            "min_count": Option(20, "an allele needs as many copies at a site", low=10, high=10_000),
            "firth_below": Option(0.01, "cases and controls: approximate Firth where the score test's p is below", high=1.0),
        },
    ),
    "polygenic": Method(
        "Do cases have a higher polygenic score, or how does it differ between groups", False,
        (*_COUNTED, "steps"), "an allele of the score; then a group and a step of its scale", 2,
        changes=2, least=20, groups=(*GROUPS, SITE), compares=True, score=True,
        options={
            "ambiguous": Option("drop", "A/T and C/G alleles, which look alike on both strands: left out, told apart by how common they are, "
                                "or taken as they stand", choices=("drop", "frequency", "keep")),
            "relatives": _RELATIVES,
        },
    ),
    "drivers": Method(
        "In how many tumours is each gene mutated, and what do the mutations do to it", True, ("mutated", "people"),
        "a gene and what its gravest mutation does", tumours=True,
    ),
    "mutation_patterns": Method(
        "Which of these genes do tumours have mutated together, and which instead of each other", True, ("mutated", "people"),
        "a set of genes, exactly those that a tumour has mutated", tumours=True, genes=(2, 10),
    ),
    "tumour_burden": Method(
        "How many mutations do tumours have, by megabase of coding sequence", True, ("people", "of"),
        "a step of mutations by megabase and a group of people", groups=(*GROUPS, SITE), tumours=True,
        options={
            "megabases": Option(32.61, "of coding sequence that was looked at: of a genome as Genomics England has it, an exome or a panel",
                                choices=(32.61, 38.0, 1.1, 0.8)),
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

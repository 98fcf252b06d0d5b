"""What each method sends out of a site, as a table that documents, stewards and the gate can read."""

from collections.abc import Mapping
from dataclasses import dataclass

from nhsgen.statistics import burden, carriers, counts, frequencies

__all__ = ["METHODS", "Method"]


@dataclass(frozen=True)
class Method:
    """sends: the measures or arrays of its sums. rounds: how often a site is asked, at most. row: what a row or an entry stands for.

    most: by how much one person can change one number, the measure of what it can say about anybody; "covariates" where that is
        as far as their own covariates or genotypes lie from the mean.
    least: people (or copies of an allele) that there must be in all sites together before anything of a row is shown; 0: the
        policy of the sites alone decides.
    """

    sends: tuple[str, ...]
    rounds: int
    row: str
    most: int | str
    least: int = 0


_COVARIATES = "covariates"

METHODS: Mapping[str, Method] = {
    "counts": Method(counts.MEASURES, 1, "a group of people", 1),
    "carriers": Method(carriers.MEASURES, 1, "a gene, a consequence or a group of people", 1),
    "frequencies": Method(frequencies.MEASURES, 1, "an allele", 2),
    "burden": Method(burden.MEASURES, 1, "a gene", 1),
    "families": Method(("families", "all_families"), 1, "a gene, a tier and an inheritance", 1),
    "similarity": Method(("people",), 1, "a group of people and an HPO term", 1),
    "drivers": Method(("mutated", "people"), 1, "a gene and a class of mutation", 1),
    "association": Method(("counts", "men", "gq", "gr", "qq", "qr", "rr"), 5, "an allele and a measurement", _COVARIATES, 20),
    "cases against controls": Method(("u", "gwg", "gwx", "mu", "mwx", "called", "copies", "case_copies", "slope", "information", "third"),
                                     150, "an allele and a disease", _COVARIATES, 20),
    "gene_tests": Method(("u", "copies", "gwx", "gwg", "carriers", "xwx", "people"), 60, "a gene", _COVARIATES, 10),
    "structure": Method(("product",), 60, "an allele and a direction; then a square of a grid", _COVARIATES),
    "survival": Method(("at_risk", "deaths", "score", "information", "log_likelihood"), 60, "a group and a step; a covariate", _COVARIATES),
    "polygenic": Method(("people", "sum", "squares", "steps"), 1, "a group and a step of the score", 1, 20),
}  # fmt: skip

"""Whether trios are what they are said to be: genotypes that break Mendel's law, and alleles that are new in a child. For analysts.

A child has some sixty new alleles in its whole genome, few of them in genes, and one genotype in some thousands is read wrongly. A child
with hundreds of new alleles, or with errors at one in twenty of the alleles that the three have, is seldom the child of both parents:
samples were swapped.
A row of a trio stays at the site; what leaves is how many trios lie in each of a few fixed bins, and all errors together.
"""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nhsgen.estimates import TrioQuality
from nhsgen.statistics.summary import BACKGROUND, Summary, label, parts
from nhsgen.statistics.trios import Trios, mendelian, new_alleles

__all__ = ["BINS", "ERRORS", "MEASURES", "NEW", "Counted", "count", "estimate", "summarise"]

Ints = npt.NDArray[np.int64]
Copies = npt.NDArray[np.uint8]

MEASURES = ("people", "of", "errors", "checked")
ERRORS, NEW = "Mendelian errors, of the alleles of the three", "alleles new in the child"
BINS = {
    ERRORS: (("none", 0.0), ("up to 0.1 %", 0.001), ("0.1 to 1 %", 0.01), ("1 to 5 %", 0.05), ("above 5 %", 1.0)),
    NEW: (("0", 0.0), ("1", 1.0), ("2", 2.0), ("3 to 5", 5.0), ("6 to 20", 20.0), ("above 20", float("inf"))),
}
"""What is counted of a trio; and the bins, each with the highest number that is in it."""


@dataclass(frozen=True, eq=False)
class Counted:
    """An int64 a trio: errors among the alleles checked, which are those that one of the three has, and new alleles.

    It adds up over alleles and stays at the site.
    """

    errors: Ints
    checked: Ints
    new: Ints

    @classmethod
    def nothing(cls, trios: Trios) -> "Counted":
        return cls(*np.zeros((3, len(trios)), dtype=np.int64))

    def __add__(self, other: "Counted") -> "Counted":
        return Counted(self.errors + other.errors, self.checked + other.checked, self.new + other.new)


def count(copies: Copies, place: Copies, trios: Trios) -> Counted:
    """Of each trio, at the alleles that one of the three has: what they all lack, one site lists and another does not.

    copies, place: as for `trios.mendelian`. What is new in a child is an error too, as bcftools has it.
    """
    judged = mendelian(copies, place, trios, of_carried=True).trios
    errors, fits = judged["errors"].to_numpy(), judged["ok"].to_numpy()
    return Counted(errors, errors + fits, new_alleles(copies, place, trios))


def summarise(counted: Counted) -> Summary:
    """One site's trios in each bin, and all their errors. One child changes two rows by one, and the row of all by its own errors."""
    trios = len(counted.errors)
    shares = counted.errors / np.maximum(counted.checked, 1)
    bins = Counter((ERRORS, _bin(ERRORS, share)) for share in shares)
    bins += Counter((NEW, _bin(NEW, number)) for number in counted.new)
    rows = {label(bin_): [people, trios, 0, 0] for bin_, people in bins.items()}
    whole = {label(["all"]): [trios, trios, int(counted.errors.sum()), int(counted.checked.sum())]} if trios else {}
    return Summary.from_rows(MEASURES, rows | whole | {BACKGROUND: [0, trios, 0, 0]})


def estimate(total: Summary) -> TrioQuality:
    """Every bin, in order; a bin without a trio is a zero."""
    found = {parts(name): row["people"] for name, row in total.rows()}
    cells = {what: {name: found.get((what, name), 0) for name, _ in bins} for what, bins in BINS.items()}
    whole = total.row(label(["all"]))
    return TrioQuality(cells, whole["people"], whole["errors"], whole["checked"])


def _bin(what: str, number: float) -> str:
    names, highest = zip(*BINS[what], strict=True)
    return str(names[bisect_left(highest, float(number))])

"""Quality of calls: whose genotypes, and which variants, are good enough to be asked about.

An analyst reads it before an association or a picture of structure: somebody with few calls, too many heterozygotes or too many
singletons is a spoilt sample; a variant called in few people is a spoilt assay. Variants are counted over all sites, since their
counts add up. People are measured where they are, with what the sum said about the variants, and what leaves is how many people
fall into each step of a fixed, public scale (`binned`).

    known = estimate(total(summarise(site) for site in sites))        once, from everybody
    people = of_people(site, known, changes(ref, alt))                at each site, and it stays there
    binned("call rate", people.call_rate, edges)                      adds up like every summary

Blocks are variants x people, uint8: 0, 1, 2 copies of the allele, 3 where nothing was called.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from nhsgen.errors import BadInput
from nhsgen.statistics import counts
from nhsgen.statistics.summary import Summary, label
from nhsgen.statistics.sums import Floats, Sums

__all__ = [
    "OTHER",
    "TRANSITION",
    "TRANSVERSION",
    "People",
    "TiTv",
    "Variants",
    "binned",
    "bins",
    "changes",
    "checked",
    "estimate",
    "of_people",
    "summarise",
    "ti_tv",
]

Copies = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.str_]
Function = TypeVar("Function", bound=Callable[..., object])

NOT_CALLED = 3
OTHER, TRANSITION, TRANSVERSION = 0, 1, 2

_TRANSITIONS = ("AG", "GA", "CT", "TC")


def _compiled(function: Function) -> Function:
    return cast(Function, njit(cache=True, nogil=True)(function))


def checked(blocks: Iterable[Copies]) -> Iterator[Copies]:
    """The blocks, each seen to hold nothing but copies, and all of the same people; BadInput otherwise."""
    people = None
    for block in blocks:
        if block.ndim != 2 or block.dtype != np.uint8 or (block.size and block.max() > NOT_CALLED):
            found, do_next = "a block is not variants x people of 0, 1, 2 or 3", "give copies as uint8, without marks"
            raise BadInput("reading genotypes", found, do_next)
        if people not in {None, block.shape[1]}:
            raise BadInput("reading genotypes", "blocks are of different people", "choose people once for all blocks")
        people = block.shape[1]
        yield np.ascontiguousarray(block)


# -- Variants ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Variants:
    """A row a variant, all sites together. reason: "" for a variant to calculate with, or why not.

    people: everybody. het, hom_alt, called: int64, people. frequency: of the allele, nan where nobody was called.
    """

    people: int
    het: Ints
    hom_alt: Ints
    called: Ints

    @property
    def copies(self) -> Ints:
        return self.het + 2 * self.hom_alt

    @property
    def frequency(self) -> Floats:
        return _share(self.copies, 2 * self.called)

    @property
    def call_rate(self) -> Floats:
        return _share(self.called, np.full_like(self.called, self.people))

    @property
    def reason(self) -> Texts:
        """ "nobody called", "monomorphic", or ""."""
        monomorphic = (self.copies == 0) | (self.copies == 2 * self.called)
        return np.where(self.called == 0, "nobody called", np.where(monomorphic, "monomorphic", ""))


def summarise(blocks: Iterable[Copies]) -> Sums:
    """One site's genotype counts: people (a number), and het, hom_alt and called, one each a variant.

    One person changes each number by one at most.
    """
    found, people = [np.empty((0, 4), dtype=np.int64)], 0
    for block in checked(blocks):
        people = block.shape[1]
        found.append(_genotypes(block))
    _, het, hom_alt, missing = np.concatenate(found).T
    return Sums.of(people=people, het=het, hom_alt=hom_alt, called=people - missing)


def estimate(total: Sums) -> Variants:
    het, hom_alt, called = (np.rint(total[name]).astype(np.int64) for name in ("het", "hom_alt", "called"))
    return Variants(round(float(total["people"])), het, hom_alt, called)


@_compiled
def _genotypes(block: Copies) -> Ints:
    counts = np.zeros((block.shape[0], 4), dtype=np.int64)
    for row in range(block.shape[0]):
        het = hom_alt = missing = 0
        for code in block[row]:
            het += code == 1
            hom_alt += code == 2
            missing += code == 3
        counts[row, 1], counts[row, 2], counts[row, 3] = het, hom_alt, missing
        counts[row, 0] = block.shape[1] - het - hom_alt - missing
    return counts


# -- Kinds of change --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TiTv:
    """Transitions to transversions of a set of alleles: about 2.0-2.1 genome-wide, 3 in exons, 0.5 in noise."""

    transitions: int
    transversions: int

    @property
    def ratio(self) -> float:
        return self.transitions / self.transversions if self.transversions else float("nan")

    @property
    def reason(self) -> str:
        return "" if self.transversions else "no transversions"


def changes(ref: Sequence[str], alt: Sequence[str]) -> Copies:
    """`TRANSITION` (A-G, C-T), `TRANSVERSION` (any other single letter for another), or `OTHER`; uint8.

    >>> changes(["A", "A", "A", "a"], ["G", "C", "AG", "g"]).tolist()
    [1, 2, 0, 1]
    """
    kinds = []
    for one, other in zip(ref, alt, strict=True):
        pair = (one + other).upper()
        letters = len(one) == len(other) == 1 and set(pair) <= set("ACGT") and pair[0] != pair[1]
        kinds.append((TRANSITION if pair in _TRANSITIONS else TRANSVERSION) if letters else OTHER)
    return np.array(kinds, dtype=np.uint8)


def ti_tv(kinds: Copies) -> TiTv:
    """
    >>> ti_tv(changes(["A", "C", "G"], ["G", "T", "T"])).ratio
    2.0
    """
    return TiTv(int((kinds == TRANSITION).sum()), int((kinds == TRANSVERSION).sum()))


# -- People -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class People:
    """A row a person, at their own site. These are rows about people: they are for choosing people there, and never leave.

    called, missing, hom_ref, het, hom_alt: variants. singletons: alleles that nobody else carries, at any site.
    transitions, transversions: variants of that kind which the person carries. expected_hom: homozygotes to be expected by the
    frequencies of everybody, at the variants called in this person.
    """

    missing: Ints
    hom_ref: Ints
    het: Ints
    hom_alt: Ints
    singletons: Ints
    transitions: Ints
    transversions: Ints
    expected_hom: Floats

    @property
    def called(self) -> Ints:
        return self.hom_ref + self.het + self.hom_alt

    @property
    def call_rate(self) -> Floats:
        return _share(self.called, self.called + self.missing)

    @property
    def het_hom(self) -> Floats:
        """Heterozygotes to homozygotes of the allele; nan without homozygotes."""
        return _share(self.het, self.hom_alt)

    @property
    def ti_tv(self) -> Floats:
        return _share(self.transitions, self.transversions)

    @property
    def inbreeding(self) -> Floats:
        """F = (homozygotes - expected) / (called - expected), as plink2 --het (Purcell et al., AJHG 2007)."""
        return _share(self.hom_ref + self.hom_alt - self.expected_hom, self.called - self.expected_hom)

    @property
    def reason(self) -> Texts:
        return np.where(self.called == 0, "nothing called", "")

    def __add__(self, other: "People") -> "People":
        """The same people at more variants."""
        return People(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


def of_people(blocks: Iterable[Copies], known: Variants, kinds: Copies) -> People:
    """What each of a site's people has at the variants of `known`; as plink2 --sample-counts, --missing and --het.

    known: of everybody, at the same variants in the same order. kinds: `changes` of them.
    """
    unlike = BadInput("counting people's genotypes", "variants and genotypes are not as many", "give both of one set")
    if len(kinds) != len(known.called):
        raise unlike
    alone = known.het + known.hom_alt == 1
    frequency = np.nan_to_num(known.frequency)
    expected = 1.0 - 2.0 * frequency * (1.0 - frequency)
    at, table, homozygous = 0, np.zeros((7, 0), dtype=np.int64), np.zeros(0)
    for block in checked(blocks):
        rows = slice(at, at := at + len(block))
        if at > len(kinds):
            raise unlike
        if not table.size:
            table, homozygous = np.zeros((7, block.shape[1]), dtype=np.int64), np.zeros(block.shape[1])
        _tally(block, kinds[rows], alone[rows], expected[rows], table, homozygous)
    if at != len(kinds):
        raise unlike
    hom_ref, het, hom_alt, missing, singletons, transitions, transversions = table
    return People(missing, hom_ref, het, hom_alt, singletons, transitions, transversions, homozygous)


@_compiled
def _tally(block: Copies, kinds: Copies, alone: Mask, expected: Floats, table: Ints, homozygous: Floats) -> None:
    """Add to a column a person; rows are hom_ref, het, hom_alt, missing, singletons, transitions, transversions."""
    for row in range(block.shape[0]):
        for person in range(block.shape[1]):
            code = block[row, person]
            table[code, person] += 1
            if code == 3:
                continue
            homozygous[person] += expected[row]
            if code > 0 and alone[row]:
                table[4, person] += 1
            if code > 0 and kinds[row] > 0:
                table[4 + kinds[row], person] += 1


# -- What may leave ---------------------------------------------------------------------------------------------------------


def bins(values: npt.ArrayLike, edges: npt.ArrayLike) -> list[str | None]:
    """The middle of the step each value falls into, as text; None for what is not a number.

    A step holds its lower edge; what is beyond the outermost edges counts in the outermost steps.

    >>> bins([0.2, 1.0, 7.0, float("nan")], [0.0, 1.0, 2.0])
    ['0.5', '1.5', '1.5', None]
    """
    given, steps = np.asarray(values, dtype=np.float64), np.asarray(edges, dtype=np.float64)
    if steps.ndim != 1 or len(steps) < 2 or not (np.diff(steps) > 0).all():
        raise BadInput(
            "counting people on a scale", "its edges do not ascend", "give two edges at least, from low to high"
        )
    middles = [f"{middle:.6g}" for middle in (steps[:-1] + steps[1:]) / 2]
    places = np.clip(np.searchsorted(steps, given, side="right") - 1, 0, len(middles) - 1)
    return [middles[place] if known else None for place, known in zip(places, np.isfinite(given), strict=True)]


def binned(measure: str, values: npt.ArrayLike, edges: npt.ArrayLike) -> Summary:
    """How many of a site's people are on each step of a scale; `counts.estimate(total, ["measure", "value"])` reads the total.

    edges: ascending, fixed before anybody looked, and the same at every site. One person changes one number by one.

    >>> binned("call rate", [0.991, 0.999, 0.92], [0.9, 0.95, 1.0]).to_dict()["rows"]
    {'call rate\\x1f0.925': [1, 0], 'call rate\\x1f0.975': [2, 0]}
    """
    found = Counter(label([measure, value]) for value in bins(values, edges))
    return Summary.from_rows(counts.MEASURES, {name: [people, 0] for name, people in found.items()})


def _share(part: npt.NDArray[np.generic], whole: npt.NDArray[np.generic]) -> Floats:
    above, below = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)

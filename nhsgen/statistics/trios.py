"""Trios: which alleles of a child its parents' genotypes explain, and which could explain its illness. For rare-disease analysts.

Whole columns at once: alleles x samples in, a row for each candidate out. What one child, one mother and one father say about
an allele is a rule, and the rules are tables (`judged`, `found`) that a loop over all alleles and trios only looks up.

Both parents are taken to be well, and an allele that a well parent has in the state that makes the child ill is no candidate
(complete penetrance). A parent who was not called, or is unknown, rules nothing out: missing genotypes do not exclude. For ill
parents, siblings and larger families see pedigrees.py. Mosaics are not modelled. Candidates are about single people: they
stay inside the wall (tiering.py makes sums of them).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from nhsgen.errors import BadInput
from nhsgen.genome import Assembly, ploidy

__all__ = [
    "INHERITANCES",
    "NOT_CALLED",
    "PLACES",
    "Mendelian",
    "Trios",
    "candidates",
    "mendelian",
    "new_alleles",
    "places",
]

Ints = npt.NDArray[np.int64]
Copies = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Function = TypeVar("Function", bound=Callable[..., object])

NOT_CALLED = 3

PLACES = ("autosome", "X", "Y", "MT")
"""Where alleles are inherited alike; the pseudo-autosomal regions of X are "autosome", other contigs too."""
AUTOSOME, X, Y, MT = range(4)

INHERITANCES = (
    "dominant",
    "recessive",
    "compound heterozygous",
    "X-linked dominant",
    "X-linked recessive",
    "Y-linked",
    "mitochondrial",
)
"""How one allele, or a pair of them in one gene, may make its carrier ill. What is new in the child is marked `de_novo`."""

FITS, ERROR, SKIPPED = range(3)

# What `found` says of an allele: bit i for INHERITANCES[i], where the third means "as one of a pair"; and whether it is new.
_PAIR = 1 << INHERITANCES.index("compound heterozygous")
_NEW = 1 << len(INHERITANCES)


@dataclass(frozen=True, eq=False)
class Trios:
    """Sample numbers of each child, its mother and its father, and whether the child has one X.

    child, mother, father: int64 of one length; -1 for a parent who is unknown or not sequenced.
    male: the children with one X chromosome, by what was sequenced rather than by what is recorded.
    """

    child: Ints
    mother: Ints
    father: Ints
    male: Mask

    def __post_init__(self) -> None:
        for name in ("child", "mother", "father"):
            object.__setattr__(self, name, np.array(getattr(self, name), dtype=np.int64))
        object.__setattr__(self, "male", np.array(self.male, dtype=np.bool_))
        shapes = {array.shape for array in (self.child, self.mother, self.father, self.male)}
        if len(shapes) > 1 or self.child.ndim != 1:
            raise _bad("child, mother, father and male are not of one length", "give one of each for every trio")
        if (self.child < 0).any() or min(self.mother.min(initial=-1), self.father.min(initial=-1)) < -1:
            raise _bad("a child is unknown, or a number is below -1", "number people by their columns, from 0")
        same_parent = (self.mother == self.father) & (self.mother >= 0)
        if ((self.child == self.mother) | (self.child == self.father) | same_parent).any():
            raise _bad("somebody is two of child, mother and father", "look at that family's pedigree")

    def __len__(self) -> int:
        return len(self.child)

    @property
    def whole(self) -> "Trios":
        """Those of whom both parents were sequenced."""
        both = (self.mother >= 0) & (self.father >= 0)
        return Trios(self.child[both], self.mother[both], self.father[both], self.male[both])


@dataclass(frozen=True, eq=False)
class Mendelian:
    """How many trios an allele fits, and how many alleles a trio fits.

    variants: ok, errors, skipped; a row an allele. It adds up over sites.
    trios: the same three, a row a trio; it stays at the site. A trio with many errors is seldom a trio.
    """

    variants: pl.DataFrame
    trios: pl.DataFrame


def places(variants: pl.DataFrame, assembly: Assembly) -> Copies:
    """The number in `PLACES` of each row of `variants` (chrom, and pos: 1-based)."""
    chroms = variants["chrom"]
    where = np.full(len(variants), AUTOSOME, dtype=np.uint8)
    where[(chroms == "Y").to_numpy()] = Y
    where[(chroms == "MT").to_numpy()] = MT
    for row in np.flatnonzero((chroms == "X").to_numpy()):
        where[row] = X if ploidy("X", variants["pos"][int(row)], "male", assembly) == 1 else AUTOSOME
    return where


def mendelian(copies: Copies, place: Copies, trios: Trios, *, of_carried: bool = False) -> Mendelian:
    """Can the child's genotype be made of one allele from each parent who gives one? As bcftools +mendelian counts.

    copies: alleles x samples, 0, 1, 2 copies or 3 where nothing was called; only the low two bits are looked at. Give 3 for half
        a call (./0) as well, or a parent of whom little is known passes for one without the allele.
    place: a number of `PLACES` for each allele.
    A parent who was not called may have given either allele; skipped are children who were not called, and daughters on Y.
    Other ALTs of the record count as "not this allele", so a record is wrong when one of its alleles is.
    of_carried: what none of the three has is skipped, so that it does not matter which alleles a file lists.
    """
    _check(copies, place, trios)
    by_variant = np.zeros((len(copies), 3), dtype=np.int64)
    by_trio = np.zeros((len(trios), 3), dtype=np.int64)
    _judge_all(
        copies,
        place,
        trios.child,
        trios.mother,
        trios.father,
        trios.male,
        _JUDGED_CARRIED if of_carried else _JUDGED,
        by_variant,
        by_trio,
    )
    names = ["ok", "errors", "skipped"]
    return Mendelian(pl.DataFrame(by_variant, schema=names), pl.DataFrame(by_trio, schema=names))


def new_alleles(copies: Copies, place: Copies, trios: Trios) -> Ints:
    """How many alleles each child has that every parent who could have given them was called without: an int64 a trio."""
    _check(copies, place, trios)
    size = _list_found(copies, place, trios.child, trios.mother, trios.father, trios.male, _IS_NEW, None, None)
    at, codes = np.empty((size, 5), dtype=np.int64), np.empty(size, dtype=np.uint8)
    _list_found(copies, place, trios.child, trios.mother, trios.father, trios.male, _IS_NEW, at, codes)
    return np.bincount(at[:, 1], minlength=len(trios)).astype(np.int64)


def candidates(copies: Copies, place: Copies, trios: Trios, genes: pl.Series) -> pl.DataFrame:
    """Every allele, and every pair of alleles in a gene, that could make a child of well parents ill.

    copies, place: as for `mendelian`; choose rare and damaging alleles first, for pairs are many where alleles are.
    genes: the gene of each allele, or null; an allele that stands in two genes has two rows.

    A row a candidate: trio, variant and partner (numbers of trios and of rows; partner is null except in a pair), gene,
    inheritance, de_novo, and note: "" when all is known, "parent not called", "phase unknown" (a pair of which it is not known
    that one allele came from each parent) or "not Mendelian" (two copies, but only one parent has it: a deletion, or both
    chromosomes of one parent).
    """
    _check(copies, place, trios)
    if len(genes) != len(copies):
        raise _bad("there is not a gene, or null, for each allele", "give a row of both for each")
    size = _list_found(copies, place, trios.child, trios.mother, trios.father, trios.male, _FOUND, None, None)
    at, codes = np.empty((size, 5), dtype=np.int64), np.empty(size, dtype=np.uint8)
    _list_found(copies, place, trios.child, trios.mother, trios.father, trios.male, _FOUND, at, codes)
    rows = pl.DataFrame(at, schema=["variant", "trio", "child", "mother", "father"]).with_columns(
        pl.Series("code", codes, dtype=pl.UInt8),
        pl.Series("gene", genes.cast(pl.String).gather(at[:, 0]), dtype=pl.String),
        pl.Series("male", trios.male[at[:, 1]]),
        pl.Series("place", place[at[:, 0]]),
    )
    alone = [
        rows.filter((pl.col("code") & 1 << bit) > 0).select(
            "trio",
            "variant",
            pl.lit(None, dtype=pl.Int64).alias("partner"),
            "gene",
            pl.lit(inheritance).alias("inheritance"),
            ((pl.col("code") & _NEW) > 0).alias("de_novo"),
            _note(),
        )
        for bit, inheritance in enumerate(INHERITANCES)
        if 1 << bit != _PAIR
    ]
    halves = rows.filter((pl.col("code") & _PAIR) > 0)
    order = ("trio", "variant", "partner", "inheritance")
    return pl.concat([*alone, _pairs(halves)]).sort(order, nulls_last=False)


def _pairs(halves: pl.DataFrame) -> pl.DataFrame:
    """Pairs of alleles in one gene of a child who has one copy of each: compound heterozygotes, unless they are known not to be.

    halves: trio, variant, gene, mother and father (their copies), and code, which says what is new.
    A well parent who has both alleles has them on one chromosome, and so rules the pair out: the child got both of them from
    there, or the other parent has both as well. Otherwise the alleles are on two chromosomes when one came from each parent.
    """
    one = halves.filter(pl.col("gene").is_not_null())
    both = one.join(one, on=["trio", "gene"], suffix="_2").filter(pl.col("variant") < pl.col("variant_2"))

    def carries(parent: str) -> pl.Expr:
        return pl.col(parent) == 1

    def came_from(giver: str, other: str, end: str) -> pl.Expr:
        return carries(f"{giver}{end}") & (pl.col(f"{other}{end}") == 0)

    in_trans = (came_from("mother", "father", "") & came_from("father", "mother", "_2")) | (
        came_from("father", "mother", "") & came_from("mother", "father", "_2")
    )
    return both.filter(*(~(carries(parent) & carries(f"{parent}_2")) for parent in ("mother", "father"))).select(
        "trio",
        "variant",
        pl.col("variant_2").alias("partner"),
        "gene",
        pl.lit("compound heterozygous").alias("inheritance"),
        (((pl.col("code") | pl.col("code_2")) & _NEW) > 0).alias("de_novo"),
        pl.when(in_trans).then(pl.lit("")).otherwise(pl.lit("phase unknown")).alias("note"),
    )


def _note() -> pl.Expr:
    mother, father = pl.col("mother"), pl.col("father")
    gives_mother = pl.col("place") != Y
    gives_father = (pl.col("place") != MT) & ~((pl.col("place") == X) & pl.col("male"))
    odd = (pl.col("child") == 2) & gives_mother & gives_father & ((mother == 0) | (father == 0))
    unknown = (gives_mother & (mother == NOT_CALLED)) | (gives_father & (father == NOT_CALLED))
    return (
        pl.when(odd).then(pl.lit("not Mendelian")).when(unknown).then(pl.lit("parent not called")).otherwise(pl.lit(""))
    ).alias("note")


def _check(copies: Copies, place: Copies, trios: Trios) -> None:
    if copies.ndim != 2 or copies.dtype != np.uint8:
        raise _bad("copies are not a table of bytes", "give uint8, alleles x samples")
    if place.shape != copies.shape[:1] or place.dtype != np.uint8 or (place >= len(PLACES)).any():
        raise _bad("there is not a place for each allele", "make them with `places`")
    if max(array.max(initial=-1) for array in (trios.child, trios.mother, trios.father)) >= copies.shape[1]:
        raise _bad("a sample number is beyond the last column", "number people by the columns of copies")


def _bad(found: str, do_next: str) -> BadInput:
    return BadInput("looking at trios", found, do_next)


# -- The rules -----------------------------------------------------------------------------------------------------------


def judged(place: int, male: bool, child: int, mother: int, father: int) -> int:
    """FITS, ERROR or SKIPPED for the copies of three people (Mendel's first law)."""
    if child == NOT_CALLED or (place == Y and not male):
        return SKIPPED
    one_x = place == X and male
    given = {0: {0}, 1: {0, 1}, 2: {1}, NOT_CALLED: {0, 1}}
    haploid = given | {1: {1}}
    if place == AUTOSOME:
        possible = {a + b for a in given[mother] for b in given[father]}
    elif place == X and not male:
        possible = {a + b for a in given[mother] for b in haploid[father]}
    else:
        child = min(child, 1)
        possible = given[mother] if one_x else haploid[father if place == Y else mother]
    return FITS if child in possible else ERROR


def judged_carried(place: int, male: bool, child: int, mother: int, father: int) -> int:
    """The same; SKIPPED when none of the three is known to have the allele."""
    return judged(place, male, child, mother, father) if {child, mother, father} & {1, 2} else SKIPPED


def found(place: int, male: bool, child: int, mother: int, father: int) -> int:
    """What an allele can do to the child of well parents, in bits; 0 when it can do nothing."""
    if child in (0, NOT_CALLED) or (place == Y and not male):
        return 0
    one_x = place == X and male
    mother_has, father_has = mother in (1, 2), father in (1, 2)
    ill_with_two = child == 2 or one_x
    well_with_one = mother != 2 and not (father_has if place == X else father == 2)
    ways = {
        "dominant": place == AUTOSOME and not (mother_has or father_has),
        "recessive": place == AUTOSOME and ill_with_two and well_with_one,
        "compound heterozygous": place in (AUTOSOME, X) and not ill_with_two and well_with_one,
        "X-linked dominant": place == X and not (mother_has or father_has),
        "X-linked recessive": place == X and ill_with_two and well_with_one,
        "Y-linked": place == Y and not father_has,
        "mitochondrial": place == MT,  # a mother who is well may have it in few of her mitochondria
    }
    bits = sum(1 << INHERITANCES.index(inheritance) for inheritance, may in ways.items() if may)
    return bits | _NEW * new(place, male, child, mother, father) if bits else 0


def new(place: int, male: bool, child: int, mother: int, father: int) -> bool:
    """Whether the child has an allele that every parent who could have given it was called without."""
    if child in (0, NOT_CALLED) or (place == Y and not male):
        return False
    givers = [mother] * (place != Y) + [father] * (place != MT and not (place == X and male))
    return givers.count(0) == len(givers)


def _table(rule: Callable[[int, bool, int, int, int], int]) -> Copies:
    """A rule for every place, sex and three numbers of copies."""
    table = np.zeros((len(PLACES), 2, 4, 4, 4), dtype=np.uint8)
    for place, male, child, mother, father in np.ndindex(*table.shape):
        table[place, male, child, mother, father] = rule(place, bool(male), child, mother, father)
    return table


_JUDGED, _JUDGED_CARRIED, _FOUND = _table(judged), _table(judged_carried), _table(found)
_IS_NEW = _table(new)


# -- Kernels -------------------------------------------------------------------------------------------------------------


def _compiled(function: Function) -> Function:
    return cast(Function, njit(cache=True, nogil=True)(function))


@_compiled
def _judge_all(
    copies: Copies,
    place: Copies,
    child: Ints,
    mother: Ints,
    father: Ints,
    male: Mask,
    rule: Copies,
    by_variant: Ints,
    by_trio: Ints,
) -> None:
    for row in range(copies.shape[0]):
        of = rule[place[row]]
        for trio in range(child.size):
            m = copies[row, mother[trio]] & 3 if mother[trio] >= 0 else 3
            f = copies[row, father[trio]] & 3 if father[trio] >= 0 else 3
            verdict = of[int(male[trio]), copies[row, child[trio]] & 3, m, f]
            by_variant[row, verdict] += 1
            by_trio[trio, verdict] += 1


@_compiled
def _list_found(
    copies: Copies,
    place: Copies,
    child: Ints,
    mother: Ints,
    father: Ints,
    male: Mask,
    rule: Copies,
    at: Ints | None,
    codes: Copies | None,
) -> int:
    """How many alleles of a child are worth a row; and, given where to, the rows: allele, trio, the three people's copies."""
    size = 0
    for row in range(copies.shape[0]):
        of = rule[place[row]]
        for trio in range(child.size):
            c = copies[row, child[trio]] & 3
            if not 0 < c < 3:
                continue
            m = copies[row, mother[trio]] & 3 if mother[trio] >= 0 else 3
            f = copies[row, father[trio]] & 3 if father[trio] >= 0 else 3
            code = of[int(male[trio]), c, m, f]
            if code:
                if at is not None and codes is not None:
                    at[size, 0], at[size, 1], at[size, 2], at[size, 3], at[size, 4] = row, trio, c, m, f
                    codes[size] = code
                size += 1
    return size

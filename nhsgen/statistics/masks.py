"""Which rare variants are tested together, gene by gene, and how much each weighs: what burden, SKAT and ACAT start from.

Variants are chosen and weighed by how common they are among all people, so this takes a round of its own: each site counts its
alleles (`summarise`), the total says which variants make up which set (`choose`), and only then are a site's sums of `skat` asked.
Genotypes are lists of carriers (`Carried`): of rare variants almost nobody has any.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from nhsgen.errors import BadInput
from nhsgen.statistics.sums import Floats, Sums

__all__ = ["MISSING", "Carried", "Mask", "Sets", "beta_weights", "choose", "laid_out", "summarise"]

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

MISSING = 3
"""In the place of the number of copies: nothing was called."""


@dataclass(frozen=True, eq=False)
class Carried:
    """Genotypes as lists: variant v is about `person[starts[v]:starts[v + 1]]`, ascending, who have so many `copies` of its
    alternate allele (1, 2, or 3 for not called); all others of the `people` have none.

    starts: int64 (variants + 1,). person: int32, copies: uint8, both (entries,).
    """

    people: int
    starts: Ints
    person: npt.NDArray[np.int32]
    copies: Bytes

    def __post_init__(self) -> None:
        starts, person = self.starts, self.person
        if len(starts) < 1 or starts[0] != 0 or starts[-1] != len(person) or (np.diff(starts) < 0).any():
            raise _bad("the lists do not begin where they should", "give the start of each variant's list, and the end")
        if len(person) != len(self.copies) or (len(person) and not 0 <= person.min() <= person.max() < self.people):
            raise _bad("somebody on the lists is nobody", "number the people from 0")
        if len(person) and not 1 <= self.copies.min() <= self.copies.max() <= MISSING:
            raise _bad("a number of copies is not 1, 2 or 3", "leave those without copies off the lists")
        inside = np.ones(len(person), dtype=bool)
        inside[starts[:-1][starts[:-1] < len(person)]] = False
        if (np.diff(person)[inside[1:]] <= 0).any():
            raise _bad("a list is not in order, or somebody is on it twice", "sort the people of each variant")

    @classmethod
    def of(cls, copies: npt.ArrayLike) -> "Carried":
        """From a whole table, uint8, variants x people: 0, 1, 2 copies, 3 for not called.

        >>> Carried.of([[0, 1, 0, 2], [0, 0, 0, 0], [3, 0, 0, 0]]).person.tolist()
        [1, 3, 0]
        """
        table = np.asarray(copies)
        if table.ndim != 2 or table.dtype.kind not in "iu" or (table.size and not 0 <= table.min() <= table.max() <= 3):
            raise _bad("the genotypes are not a table of 0, 1, 2 and 3", "give variants x people, 3 for not called")
        variant, person = np.nonzero(table)
        starts = np.searchsorted(variant, np.arange(len(table) + 1))
        return cls(table.shape[1], starts, person.astype(np.int32), table[variant, person].astype(np.uint8))


def summarise(carried: Carried) -> Sums:
    """Round 1, one site's alleles: `alternate` and `called`, each (variants,); everybody called has two alleles.

    >>> total = summarise(Carried.of([[0, 1, 3], [2, 0, 0]]))
    >>> total["alternate"].tolist(), total["called"].tolist()
    ([1.0, 2.0], [4.0, 6.0])
    """
    variants = len(carried.starts) - 1
    variant = np.repeat(np.arange(variants), np.diff(carried.starts))
    missing = carried.copies == MISSING
    alternate = np.bincount(variant, np.where(missing, 0, carried.copies), variants)
    called = 2 * (carried.people - np.bincount(variant, missing, variants))
    return Sums.of(alternate=alternate, called=called)


@dataclass(frozen=True)
class Mask:
    """Variants with one of these consequences (any, when there are none) whose rarer allele is at most so common."""

    name: str = ""
    consequences: tuple[str, ...] = ()
    max_af: float = 0.01


@dataclass(frozen=True, eq=False)
class Sets:
    """Which variants each set tests, as rows: set s has rows `rows[s]` to `rows[s + 1]`, row r has the variants
    `variants[members[r]:members[r + 1]]`: one, or those so rare that together they count as one.

    names: of the sets. mean: (all variants,) copies of the rarer allele among those called, which stands in for a call that
    is missing. turned: (all variants,) whether the rarer allele is the reference.
    """

    names: tuple[str, ...]
    rows: Ints
    members: Ints
    variants: Ints
    mean: Floats
    turned: npt.NDArray[np.bool_]

    @property
    def sizes(self) -> Ints:
        """How many rows each set has."""
        return np.diff(self.rows)

    @property
    def variant_counts(self) -> Ints:
        """How many variants each set has."""
        return np.diff(self.members[self.rows])


def choose(annotated: pl.DataFrame, total: Sums, masks: Sequence[Mask], *, collapse_below: int = 3) -> Sets:
    """The sets of each gene under each mask, named "gene" or "gene mask", in order of name.

    annotated: variant (its number among the counted ones), gene, consequence; a variant may have several rows, and counts once
        a set. total: the sum of `summarise` over the sites.
    collapse_below: variants with fewer copies of the rarer allele are one row, somebody's copies being the most they have of
        any (SAIGE-GENE+: Zhou et al., Nature Genetics 2022); 0 leaves each by itself.
    A variant that nobody has, or nobody was called for, is in no set; a set without variants is left out.

    >>> total = Sums.of(alternate=[1, 9, 1, 60], called=[200, 200, 200, 200])
    >>> annotated = pl.DataFrame({"variant": [0, 1, 2, 3], "gene": ["PKD1"] * 4, "consequence": ["stop_gained"] * 4})
    >>> sets = choose(annotated, total, [Mask(max_af=0.05)])
    >>> sets.names, sets.sizes.tolist(), sets.variants.tolist()
    (('PKD1',), [2], [1, 0, 2])
    """
    alternate, called = np.rint(total["alternate"]), np.rint(total["called"])
    rarer = np.minimum(alternate, called - alternate)
    frequency = np.divide(rarer, called, out=np.zeros_like(rarer), where=called > 0)
    facts = pl.DataFrame({"variant": np.arange(len(rarer)), "rarer": rarer, "frequency": frequency})
    found = annotated.with_columns(pl.col("variant").cast(pl.Int64)).join(facts, on="variant")
    parts = []
    for mask in masks:
        part = found.filter(pl.col("frequency") <= mask.max_af, pl.col("rarer") > 0, pl.col("gene").is_not_null())
        if mask.consequences:
            part = part.filter(pl.col("consequence").is_in(mask.consequences))
        name = pl.col("gene") + pl.lit(f" {mask.name}" if mask.name else "")
        parts.append(part.select(name.alias("set"), "variant", (pl.col("rarer") < collapse_below).alias("few")))
    if not parts:
        raise _bad("there is no mask", "say which variants are to be tested together")
    chosen = pl.concat(parts).unique().sort("set", "few", "variant")
    return laid_out(chosen, total)


def laid_out(chosen: pl.DataFrame, total: Sums) -> Sets:
    """Sets from rows of set, few, variant, sorted so; those of a set that are `few` are one row."""
    alternate, called = np.rint(total["alternate"]), np.rint(total["called"])
    turned = 2.0 * alternate > called
    rarer = np.where(turned, called - alternate, alternate)
    mean = np.divide(2.0 * rarer, called, out=np.zeros_like(rarer), where=called > 0)
    new_set = (chosen["set"] != chosen["set"].shift()).fill_null(True).to_numpy()
    few = chosen["few"].to_numpy()
    joins = few & np.concatenate([[False], few[:-1]]) & ~new_set
    row_starts = np.flatnonzero(~joins)
    return Sets(
        names=tuple(chosen["set"].to_numpy()[new_set].tolist()),
        rows=np.append(np.searchsorted(row_starts, np.flatnonzero(new_set)), len(row_starts)),
        members=np.append(row_starts, chosen.height),
        variants=chosen["variant"].to_numpy().astype(np.int64),
        mean=mean,
        turned=turned,
    )


def beta_weights(maf: npt.ArrayLike, a: float = 1.0, b: float = 25.0) -> Floats:
    """The density of Beta(a, b) at each frequency: how much a variant weighs (Wu et al., AJHG 2011); 0 for one nobody has.

    >>> beta_weights([0.0, 0.001, 0.05]).round(4).tolist()
    [0.0, 24.4068, 7.2997]
    """
    values = np.asarray(maf, dtype=np.float64)
    if (values < 0.0).any() or (values > 1.0).any() or a <= 0.0 or b <= 0.0:
        raise _bad("a frequency is not between 0 and 1, or a parameter not above 0", "give frequencies as shares")
    inside = (values > 0.0) & (values < 1.0)
    safe = np.where(inside, values, 0.5)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return np.where(inside, np.exp(scale + (a - 1.0) * np.log(safe) + (b - 1.0) * np.log1p(-safe)), 0.0)


def _bad(found: str, do_next: str) -> BadInput:
    return BadInput("choosing rare variants", found, do_next)

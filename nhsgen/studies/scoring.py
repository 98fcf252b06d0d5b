"""The polygenic score that a study is about: the alleles and weights themselves, so that they are what is hashed, approved and sent.

    Score.read("PGS000004_hmPOS_GRCh38.txt.gz").describe()       'PGS000004 (PRS313_BC): 313 alleles on GRCh38'

A study's file may name such a file, which is read beside it; the study holds what was in it.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from nhsgen.errors import BadInput, BadStudy
from nhsgen.genome import Assembly, chromosome
from nhsgen.statistics import polygenic
from nhsgen.variants import VariantFilter
from nhsgen.variants.normalise import trim

__all__ = ["MOST_ALLELES", "Score"]

MOST_ALLELES = 100_000
_PAIRS = {"A": "T", "C": "G", "G": "C", "T": "A"}
_COLUMNS = {
    "chrom": pl.String, "pos": pl.Int64, "effect": pl.String, "other": pl.String, "weight": pl.Float64, "frequency": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True)
class Score:
    """One published score. unused: lines of its file that say nothing usable (no place or weight, not on an autosome, not additive).

    alleles: "chrom pos effect other weight", and the effect allele's frequency where the file says it; "." for an other allele that
        it does not say. Places are 1-based, on `assembly`.

    >>> Score("PGS1", "toy", Assembly.GRCh38, ("10 112998590 T C 0.3",)).describe()
    'PGS1 (toy): 1 allele on GRCh38'
    """

    id: str
    name: str
    assembly: Assembly
    alleles: tuple[str, ...]
    unused: int = 0

    def __post_init__(self) -> None:
        if not all(isinstance(text, str) and text.isprintable() and len(text) <= 200 for text in (self.id, self.name)):
            raise _bad("its id or name is not one line of text", "say both in a few words")
        if not isinstance(self.unused, int) or self.unused < 0:
            raise _bad("the number of its unused lines is no number", "leave it out")
        if not self.alleles:
            raise _bad(
                "it has no allele with a place and a weight",
                "fetch the file that the PGS Catalog harmonised to your assembly",
            )
        if len(self.alleles) > MOST_ALLELES:
            raise _bad(
                f"it has {len(self.alleles):,} alleles",
                f"choose a score of at most {MOST_ALLELES:,}, clumped or thresholded",
            )
        object.__setattr__(self, "alleles", tuple(map(_written, self.alleles)))

    @classmethod
    def read(cls, path: str | Path) -> "Score":
        """From a PGS Catalog scoring file (format 2.0), plain or gzipped."""
        source = Path(path)
        scoring = polygenic.read(source)
        if scoring.assembly is None:
            raise BadInput(
                "reading a scoring file", "it does not say which assembly its places are on", _HARMONISED, file=source
            )
        usable = scoring.alleles.filter(
            (pl.col("reason") == "") & pl.col("chrom").is_not_null() & pl.col("pos").is_not_null()
        )
        usable = usable.filter(pl.col("other").is_not_null() | (pl.col("effect").str.len_chars() == 1))
        said = scoring.header
        try:
            return cls(
                said.get("pgs_id", source.name.partition(".")[0]),
                said.get("pgs_name", said.get("trait_reported", ""))[:200],
                scoring.assembly,
                tuple(_line(*row) for row in usable.select(*_COLUMNS).iter_rows()),
                len(scoring.alleles) - len(usable),
            )
        except BadInput as error:
            raise type(error)(error.tried, error.found, error.do_next, file=source) from error

    def to_dict(self) -> dict[str, Any]:
        """Plain, complete, in one order."""
        return {
            "id": self.id, "name": self.name, "assembly": str(self.assembly), "unused": self.unused, "alleles": list(self.alleles),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, plain: Any) -> "Score":
        """The inverse of `to_dict`."""
        if not isinstance(plain, Mapping) or not _NEEDED <= set(plain) <= _KNOWN:
            raise _bad(
                "it is neither a scoring file beside the study's file nor id, name, assembly and alleles",
                'write score = "PGS000001.txt.gz"',
            )
        if not isinstance(plain["alleles"], list | tuple):
            raise _bad("its alleles are not a list", 'write them like ["10 112998590 T C 0.3"]')
        try:
            assembly = Assembly(plain["assembly"])
        except ValueError as error:
            raise _bad("its assembly is unknown", f"use {' or '.join(map(str, Assembly))}") from error
        return cls(plain["id"], plain.get("name", ""), assembly, tuple(plain["alleles"]), plain.get("unused", 0))

    def describe(self) -> str:
        """In a few words."""
        many = f"{len(self.alleles):,} allele{'' if len(self.alleles) == 1 else 's'} on {self.assembly}"
        without = f", and {self.unused:,} lines of its file that cannot be used" if self.unused else ""
        return f"{self.id}{f' ({self.name})' if self.name else ''}: {many}{without}"

    @cached_property
    def scoring(self) -> polygenic.Scoring:
        """As the statistics take it."""
        rows = [_parts(line) for line in self.alleles]
        frame = pl.DataFrame(rows, schema=_COLUMNS, orient="row")
        return polygenic.Scoring({}, self.assembly, frame.with_columns(rsid=pl.lit(None, pl.String), reason=pl.lit("")))

    @cached_property
    def variants(self) -> VariantFilter:
        """Every variant that one of its alleles can be: either allele may be the reference, and either strand may be meant."""
        return VariantFilter(keys=tuple({key for line in self.alleles for key in _keys(line)}))


_NEEDED, _KNOWN = {"id", "assembly", "alleles"}, {"id", "name", "assembly", "unused", "alleles"}
_HARMONISED = "fetch the file that the PGS Catalog harmonised (hmPOS)"


def _bad(found: str, do_next: str) -> BadStudy:
    return BadStudy("reading a polygenic score", found, do_next)


def _line(chrom: str, pos: int, effect: str, other: str | None, weight: float, frequency: float | None) -> str:
    known = f" {frequency!r}" if frequency is not None else ""
    return f"{chrom} {pos} {effect} {other or '.'} {weight!r}{known}"


def _written(line: str) -> str:
    """The line as it is kept: bases that both alleles share are no part of them."""
    try:
        chrom, pos, effect, other, weight, frequency = _parts(line)
        bases = set(effect) | set(other or "A") <= set(_PAIRS) and effect != other and (other or len(effect) == 1)
        if not (bases and pos > 0 and math.isfinite(weight) and (frequency is None or 0 <= frequency <= 1)):
            raise ValueError
    except (ValueError, AttributeError) as error:
        raise _bad(
            "an allele of it is not written as it should be",
            'write chrom pos effect other weight: "10 112998590 T C 0.3"',
        ) from error
    if other is not None:
        pos, other, effect = trim(pos, other, effect)
    return _line(chromosome(chrom), pos, effect, other, weight, frequency)


def _parts(line: str) -> tuple[str, int, str, str | None, float, float | None]:
    chrom, pos, effect, other, weight, *frequency = line.split()
    (known,) = frequency or ("",)
    return (
        chrom,
        int(pos),
        effect.upper(),
        None if other == "." else other.upper(),
        float(weight),
        float(known) if known else None,
    )


def _keys(line: str) -> Iterator[str]:
    chrom, pos, effect, other, *_ = _parts(line)
    for one in [other] if other else [base for base in _PAIRS if base != effect]:
        for ref, alt in ((one, effect), (effect, one)):
            yield f"{chrom}-{pos}-{ref}-{alt}"
            if len(ref) == len(alt) == 1:
                yield f"{chrom}-{pos}-{_PAIRS[ref]}-{_PAIRS[alt]}"

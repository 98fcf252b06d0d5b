"""Whose sample is whose: the tables that link samples to people, against the samples the variant files really hold.

A sample that belongs to nobody known would be counted for nobody, or could not be withdrawn; so it stops the extract. People
whose sample has no variants (yet) are only counted. Numbers are reported, never an id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nhsgen.contracts import Sample, Words
from nhsgen.workspace import known_people

__all__ = ["Links", "compare"]


@dataclass(frozen=True)
class Links:
    """How many distinct people and samples there are, and what stands in the way, one sentence each.

    people: everybody the extract knows. linked: samples in the link tables. sequenced: those with variants.
    """

    people: int
    linked: int
    sequenced: int
    problems: tuple[str, ...] = ()


def compare(words: Words, tables: Mapping[str, Path], samples: Sequence[str] | None) -> Links:
    """Compare the link tables (Parquet, by view name) with the `samples` of the variant files; None when there are no such files."""
    people = known_people(words, tables)
    link = _link(words.samples, tables)
    named = frozenset(link["sample"])
    if samples is None:
        return Links(len(people), len(named), 0)
    owners = link.group_by("sample").agg(pl.col("person").drop_nulls().unique())
    with_variants = owners.filter(pl.col("sample").is_in(list(samples)))
    known = pl.col("person").list.eval(pl.element().is_in(people)).list.all()
    found: Sequence[tuple[int, str]] = (
        (len(samples) - len(set(samples)), "sample names are in the variant files more than once"),
        (len(frozenset(samples) - named), "samples of the variant files are in no table that links samples to people"),
        (_count(with_variants, pl.col("person").list.len() == 0), "samples of the variant files are linked to nobody"),
        (
            _count(with_variants, pl.col("person").list.len() > 1),
            "samples of the variant files are linked to several people",
        ),
        (_count(with_variants, ~known), "samples of the variant files are linked to people no table of people lists"),
    )
    problems = tuple(f"{number:,} {says}" for number, says in found if number)
    return Links(len(people), len(named), len(named & frozenset(samples)), problems)


def _link(bindings: Sequence[Sample], tables: Mapping[str, Path]) -> pl.DataFrame:
    """All link tables under one another: sample and person, both as text; rows without a sample are not links."""
    parts = [
        pl.scan_parquet(tables[link.table]).select(
            pl.col(link.sample).cast(pl.String).alias("sample"), pl.col(link.person).cast(pl.String).alias("person")
        )
        for link in bindings
    ]
    nobody = pl.LazyFrame(schema={"sample": pl.String, "person": pl.String})
    return pl.concat([nobody, *parts]).drop_nulls("sample").unique().collect()


def _count(owners: pl.DataFrame, wrong: pl.Expr) -> int:
    return owners.filter(wrong).height

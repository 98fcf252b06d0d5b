"""Whose sample is whose: the tables that link samples to people, against the samples the variant files really hold.

A sample that belongs to nobody known would be counted for nobody, or could not be withdrawn; so it stops the extract. So does a
tumour's sample that is also said to be somebody's own: its mutations would pass for what they were born with. People whose sample
has no variants (yet) are only counted. Numbers are reported, never an id.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nhsgen.contracts import Sample, Words
from nhsgen.workspace import known_people

__all__ = ["Links", "compare"]


@dataclass(frozen=True)
class Links:
    """How many distinct people and samples there are, and what stands in the way, one sentence each.

    people: everybody the extract knows. linked: samples in the link tables. sequenced: those with variants. tumours: the tumours'
    samples with variants.
    """

    people: int
    linked: int
    sequenced: int
    tumours: int
    problems: tuple[str, ...] = ()


def compare(
    words: Words, tables: Mapping[str, Path], samples: Sequence[str] | None, tumours: Sequence[str] | None = None
) -> Links:
    """Compare the link tables (Parquet, by view name) with the `samples` of the variant files, and the tumours' tables with the
    samples of theirs; None when there are no such files."""
    people = known_people(words, tables)
    own, of_tumours = _link(words.samples, tables), _link(words.tumour_samples, tables)
    named, both = frozenset(own["sample"]), own.join(of_tumours, on="sample", how="semi")["sample"].n_unique()
    problems = (
        *_problems(own, people, samples, ""),
        *_problems(of_tumours, people, tumours, "tumours' "),
        *([f"{both:,} samples are said to be somebody's own and a tumour's"] if both else []),
    )
    return Links(
        len(people),
        len(named),
        len(named.intersection(samples or ())),
        len(frozenset(of_tumours["sample"]).intersection(tumours or ())),
        problems,
    )


def _problems(link: pl.DataFrame, people: Collection[str], samples: Sequence[str] | None, whose: str) -> Iterator[str]:
    """What is wrong between one kind of samples and people."""
    if samples is None:
        return
    owners = link.group_by("sample").agg(pl.col("person").drop_nulls().unique())
    with_variants = owners.filter(pl.col("sample").is_in(list(samples)))
    known = pl.col("person").list.eval(pl.element().is_in(people)).list.all()
    the_files = f"samples of the {whose}variant files are"
    found: Sequence[tuple[int, str]] = (
        (len(samples) - len(set(samples)), f"sample names are in the {whose}variant files more than once"),
        (
            len(frozenset(samples) - frozenset(link["sample"])),
            f"{the_files} in no table that links {whose}samples to people",
        ),
        (_count(with_variants, pl.col("person").list.len() == 0), f"{the_files} linked to nobody"),
        (_count(with_variants, pl.col("person").list.len() > 1), f"{the_files} linked to several people"),
        (_count(with_variants, ~known), f"{the_files} linked to people no table of people lists"),
    )
    yield from (f"{number:,} {says}" for number, says in found if number)


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

"""Whom a question about time follows, from when until when, and what became of them: rows that stay at a site.

Time runs in days from an event, or from birth, to death or to another event. Nobody is followed before the day on which they
could be seen to die: the first record, the day of joining, or an event of the study's own. Who was found because they lived until
2016 cannot have died in 2012; to count those years (immortal time) makes all seem to live longer.
"""

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import polars as pl

from nhsgen.cohorts import Happening, NotBound
from nhsgen.cohorts.facts import births, deaths, first_days, first_seen_days, joinings, last_days
from nhsgen.cohorts.sql import Query
from nhsgen.contracts.words import Words
from nhsgen.methods import BIRTH, JOINED, ORIGIN
from nhsgen.studies.question import Study
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter

__all__ = ["CARRIERS", "CARRYING", "EVERYBODY", "OTHERS", "enters_late", "followed"]

CARRIERS, OTHERS, EVERYBODY = "carriers", "others", "everybody"
CARRYING = "carrying"
"""The column that says which of CARRIERS and OTHERS somebody is."""


def followed(study: Study, data: SiteData, variants: VariantFilter) -> pl.DataFrame:
    """Of the cohort's people who were followed at all: person_id, enter and days (from the start of time), ended (1: it came to the
    end that is asked about; 0: they were followed so far), `CARRYING` when the study has variants, and its groups."""
    cohort = data.people(study.cohort) if study.variants is None else data.sequenced(study.cohort)
    found = pl.DataFrame({"person_id": cohort})
    for name, query in _days(study, data.release.words):
        days = data.sandbox.query(query.sql, query.params).select("person_id", pl.col("day").cast(pl.Date).alias(name))
        found = found.join(days, on="person_id", how="left")
    people = _timed(found, study).filter(pl.col("days") >= 0, pl.col("days") > pl.col("enter"))
    if study.variants is not None:
        carrying = data.carriers(people["person_id"], variants)["person_id"].unique().implode()
        said = pl.when(pl.col("person_id").is_in(carrying)).then(pl.lit(CARRIERS)).otherwise(pl.lit(OTHERS))
        people = people.with_columns(said.alias(CARRYING))
    if study.by:
        people = people.join(data.groups(people["person_id"], study.by), on="person_id")
    return people.sort("person_id")


def enters_late(study: Study) -> bool:
    """Whether people may come under observation after time has started. A first record never comes after the event it holds."""
    return study.entry != ORIGIN and (study.since == BIRTH or study.entry is not None)


def _days(study: Study, words: Words) -> Iterator[tuple[str, Query]]:
    """Each day that matters and who has it when."""
    assert study.since is not None  # a study that follows people always has it
    yield "start", births(words) if isinstance(study.since, str) else first_days(study.since, words)
    yield "last", last_days(words)
    if not isinstance(study.until, Happening):
        yield "death", deaths(words)
    else:
        yield "end", first_days(study.until, words)
        with suppress(NotBound):  # who dies is then followed to their last record, as who leaves
            yield "death", deaths(words)
    if enters_late(study):
        if study.entry is None:
            yield "entry", first_seen_days(words)
        elif study.entry == JOINED:
            yield "entry", joinings(words)
        elif not isinstance(study.entry, str):
            yield "entry", first_days(study.entry, words)


def _timed(found: pl.DataFrame, study: Study) -> pl.DataFrame:
    """person_id, enter, days, ended: in days from the start, of those who have one. Who had the end by then is not followed to it."""
    death = pl.col("death") if "death" in found.columns else pl.lit(None, pl.Date)
    end = death if study.until is None else pl.when(death.is_null() | (pl.col("end") <= death)).then(pl.col("end"))
    if study.until is not None:
        found = found.filter(~(pl.col("end") <= pl.col("start")).fill_null(False))
    # Only the year of birth is known: who died in its first half lived for a time, however short.
    least = 0.0 if study.since == BIRTH else None
    days = (pl.coalesce(end, death, "last") - pl.col("start")).dt.total_days().cast(pl.Float64).clip(least)
    entry = pl.col("entry") - pl.col("start") if "entry" in found.columns else None
    return found.select(
        "person_id",
        enter=pl.lit(-np.inf) if entry is None else entry.dt.total_days().cast(pl.Float64),
        days=days,
        ended=end.is_not_null().cast(pl.Float64),
    )

"""How many people there are in each group."""

from collections.abc import Sequence

import polars as pl

from nhsgen.results import Counts
from nhsgen.statistics.summary import Summary, label, parts

__all__ = ["MEASURES", "estimate", "summarise"]

MEASURES = ("people",)


def summarise(groups: pl.DataFrame, by: Sequence[str]) -> Summary:
    """Distinct people by group. `groups`: person_id and the columns of `by`; a repeated row counts once.

    >>> frame = pl.DataFrame({"person_id": [1, 1, 2], "sex": ["female", "female", "male"]})
    >>> summarise(frame, ["sex"]).to_dict()["rows"]
    {'female': [1], 'male': [1]}
    """
    if not by:
        return Summary.from_rows(MEASURES, {label(()): [groups["person_id"].n_unique()]})
    found = groups.group_by(list(by)).agg(pl.col("person_id").n_unique().cast(pl.Int64))
    return Summary.from_rows(MEASURES, {label(group): [people] for *group, people in found.iter_rows()})


def estimate(total: Summary, by: Sequence[str]) -> Counts:
    return Counts(tuple(by), {parts(name): row["people"] for name, row in total.rows()})

"""How many people there are in each group."""

from collections.abc import Sequence

import polars as pl

from nhsgen.estimates import Counts
from nhsgen.statistics.summary import Summary, label, parts

__all__ = ["MEASURES", "estimate", "summarise"]

MEASURES = ("people", "of")


def summarise(groups: pl.DataFrame, by: Sequence[str], everybody: pl.DataFrame | None = None) -> Summary:
    """Distinct people by group, and among how many; a repeated row counts once.

    groups: person_id and the columns of `by`, of the people to count.
    everybody: the same of all people there are, so that an empty group is a zero and all but a few of one are seen to be that;
        None when the people to count are all people there are, and leave nobody out.

    >>> frame = pl.DataFrame({"person_id": [1, 1, 2], "sex": ["female", "female", "male"]})
    >>> summarise(frame, ["sex"]).to_dict()["rows"]
    {'female': [1, 0], 'male': [1, 0]}
    """
    people = _people(groups, by)
    of = {} if everybody is None else _people(everybody, by)
    return Summary.from_rows(MEASURES, {name: [people.get(name, 0), of.get(name, 0)] for name in {*people, *of}})


def estimate(total: Summary, by: Sequence[str]) -> Counts:
    rows = [(parts(name), row) for name, row in total.rows()]
    return Counts(
        tuple(by),
        {group: row["people"] for group, row in rows},
        {group: row["of"] for group, row in rows if row["of"]},
    )


def _people(groups: pl.DataFrame, by: Sequence[str]) -> dict[str, int]:
    if not by:
        return {label(()): groups["person_id"].n_unique()}
    found = groups.group_by(list(by)).agg(pl.col("person_id").n_unique().cast(pl.Int64))
    return {label(group): people for *group, people in found.iter_rows()}

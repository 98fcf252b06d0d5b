"""By what people can be split, and which samples are theirs."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches

from nhsgen.cohorts.binding import NotBound, as_text, fact_table, question, rows
from nhsgen.cohorts.events import comparable
from nhsgen.cohorts.persons import ROLES, SEXES, affected_rows
from nhsgen.cohorts.sql import Query, Sql, fill, juxtaposed, named, union, value
from nhsgen.contracts.words import Sample, Words
from nhsgen.errors import BadStudy
from nhsgen.methods import GROUPS

__all__ = ["GROUPS", "NOT_RECORDED", "SEVERAL", "groups", "samples", "tumour_samples"]

NOT_RECORDED = "not recorded"
SEVERAL = "more than one recorded"


def groups(by: Sequence[str], words: Words) -> Query:
    """One row per person who may be asked about: person_id, and a column of labels for each of `by` (see GROUPS).

    Every person is in exactly one group: who has no value is "not recorded", who has two is "more than one recorded".
    NotBound when the contract binds nothing to one of them.
    """
    for name in by:
        if name not in GROUPS:
            near = get_close_matches(name, GROUPS, n=1)
            raise BadStudy(
                f"splitting people by '{name}'",
                "there is no such group",
                f"did you mean {near[0]}?" if near else f"use {', '.join(GROUPS)}",
            )
    parts = {f"labels_{place}": LABELS[name](words) for place, name in enumerate(by)}
    select = "p.who AS person_id" + "".join(
        f", coalesce(labels_{place}.label, '{NOT_RECORDED}') AS {name}" for place, name in enumerate(by)
    )
    joins = "".join(f" LEFT JOIN ({{{part}}}) {part} ON {part}.who = p.who" for part in parts)
    everyone = f'{select} FROM (SELECT DISTINCT who FROM "every one") p'
    return question(fill(everyone + joins, **parts), Sql("true"), words).query()


def samples(words: Words) -> Query:
    """One row per sample of the people who may be asked about: person_id, sample (text); NotBound without a sample table."""
    return _samples(words.samples, "samples", words)


def tumour_samples(words: Words) -> Query:
    """The same of their tumours' samples, which are no `samples`: what a tumour has acquired, nobody was born with."""
    return _samples(words.tumour_samples, "tumour samples", words)


def _samples(bound: Sequence[Sample], called: str, words: Words) -> Query:
    if not bound:
        raise NotBound(called)
    links = union(
        rows(link, Sql("true"), fill(", {sample} AS sample", sample=as_text(named(link.sample)))) for link in bound
    )
    select = 'DISTINCT p.who AS person_id, links.sample FROM "every one" p JOIN ({links}) links ON links.who = p.who'
    return question(fill(select, links=comparable(links)), Sql("links.sample IS NOT NULL"), words).query()


def _one(labels: Sql, several: str = f"'{SEVERAL}'") -> Sql:
    """A relation of `who` and `label`, one row a person, from a relation that may have more."""
    return fill(
        f"SELECT who, CASE WHEN min(label) = max(label) THEN min(label) ELSE {several} END AS label "
        "FROM ({labels}) WHERE label <> '' GROUP BY who",
        labels=comparable(labels),
    )


def _of_fact(word: str, called: str, label: str) -> Callable[[Words], Sql]:
    """`label` is SQL over `fact`, the stored value."""

    def labels(words: Words) -> Sql:
        return _one(fill(f"SELECT who, {label} AS label FROM ({{facts}})", facts=fact_table(words, word, called)))

    return labels


def _sex(words: Words) -> Sql:
    mapping = next((people.sex_values for people in words.people if people.sex is not None), {})
    label = _translated(Sql("CAST(fact AS VARCHAR)"), mapping, SEXES)
    return _one(fill("SELECT who, {label} AS label FROM ({facts})", label=label, facts=fact_table(words, "sex", "sex")))


def _family_role(words: Words) -> Sql:
    bound = [(family, family.role) for family in words.family if family.role is not None]
    if not bound:
        raise NotBound("family roles")
    return _one(
        union(
            rows(family, Sql("true"), fill(", {label} AS label", label=_translated(as_text(named(role)), family.role_values, ROLES)))
            for family, role in bound
        )
    )  # fmt: skip


def _affected(words: Words) -> Sql:
    yes, no = affected_rows(words, True), affected_rows(words, False)
    labels = fill(
        "SELECT who, 'affected' AS label FROM ({yes}) UNION ALL SELECT who, 'unaffected' FROM ({no})", yes=yes, no=no
    )
    return _one(labels, several="'affected'")  # as `affected()` and `unaffected()` have it


def _translated(stored: Sql, mapping: Mapping[str, str], known: Sequence[str]) -> Sql:
    """Our word for the stored text; NULL when it has none."""
    pairs = mapping.items() if mapping else [(word, word) for word in known]
    cases = [
        fill(" WHEN {stored} = {it} THEN {word}", stored=stored, it=value(it), word=value(word)) for it, word in pairs
    ]
    return fill("CASE{cases} END", cases=juxtaposed(cases))


LABELS: Mapping[str, Callable[[Words], Sql]] = {
    "affected": _affected,
    "age_band": _of_fact(
        "age",
        "age on joining",
        "CASE WHEN TRY_CAST(fact AS DOUBLE) >= 90 THEN '90 and over' "
        "ELSE printf('%d-%d', 10 * floor(TRY_CAST(fact AS DOUBLE) / 10)::INTEGER, "
        "10 * floor(TRY_CAST(fact AS DOUBLE) / 10)::INTEGER + 9) END",
    ),
    "ancestry": _of_fact("ancestry", "ancestry", "CAST(fact AS VARCHAR)"),
    "birth_decade": _of_fact("birth_year", "year of birth", "(TRY_CAST(fact AS INTEGER) // 10 * 10)::VARCHAR || 's'"),
    "family_role": _family_role,
    "sex": _sex,
}

"""What happens to the invented people in hospital: episodes, phenotypes, laboratory results, drugs, deaths.

Conditions come at the ages at which they come (conditions.csv); the planted effects of signals.py come on top. All tables name a
person by number; how a hospital stores them is for extracts.py. Dates are days since 1970-01-01, already shifted per person.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib import resources
from math import erf, sqrt

import numpy as np
import numpy.typing as npt
import polars as pl
import polars.selectors as cs

from nhsgen.demo.genotypes import Genotypes, common_copies
from nhsgen.demo.laboratory import blood_tests
from nhsgen.demo.people import EARLIEST_BIRTH, THIS_YEAR, People
from nhsgen.demo.signals import COMMON_EFFECTS, DISEASES, SURVIVAL, Carried, Disease

__all__ = ["Condition", "Episode", "Records", "conditions", "table", "write_records"]

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_EPOCH = date(1970, 1, 1)
_FIRST, _LAST = ((date(year, 1, 1) - _EPOCH).days for year in (2016, THIS_YEAR))
_RECRUITED = (date(2019, 1, 1) - _EPOCH).days  # everybody was alive then
_MARGIN = 90  # the largest shift of a person's dates


@dataclass(frozen=True)
class Condition:
    """One row of conditions.csv. risk: ever; onset: median age; share: of those with it who have the procedure."""

    icd10: str
    name: str
    omop: int
    risk: float
    onset: int
    sex: str
    admitted: str
    procedure: str
    share: float
    drug: str


@dataclass(frozen=True)
class Episode:
    """One finished consultant episode; `diagnoses` as stored (no dot), the main one first."""

    person: int
    start: int
    end: int
    emergency: bool
    diagnoses: tuple[str, ...]
    procedures: tuple[str, ...]


@dataclass(frozen=True)
class Records:
    """phenotypes: person, hpo_id, present. laboratory: person, test, value, unit, day. drugs: person, drug, start, end.
    died: day of death by person number, or -1. having: who has each disease of signals.DISEASES."""

    episodes: tuple[Episode, ...]
    phenotypes: pl.DataFrame
    laboratory: pl.DataFrame
    drugs: pl.DataFrame
    died: Numbers
    having: Mapping[str, Numbers]


@cache
def table(name: str) -> pl.DataFrame:
    """A table of this folder: conditions.csv, concepts.csv, phenotypes.csv."""
    with resources.files("nhsgen.demo").joinpath(name).open("rb") as file:
        return pl.read_csv(file).with_columns(cs.string().fill_null(""))


@cache
def conditions() -> Mapping[str, Condition]:
    """The rows of conditions.csv by ICD-10 code as stored.

    >>> conditions()["E119"].name
    'Type 2 diabetes mellitus'
    """
    return {row["icd10"]: Condition(**row) for row in table("conditions.csv").iter_rows(named=True)}


def write_records(
    people: People,
    birth_year: Numbers,
    genotypes: Genotypes,
    carried: tuple[Carried, ...],
    having: Mapping[str, Numbers],
    rng: np.random.Generator,
) -> Records:
    """Everybody's records. birth_year: as it will be released; no event stands before it."""
    earliest = np.maximum(_FIRST, _day_of(np.maximum(people.born, birth_year) + 1)) + _MARGIN
    chronic = _chronic(people, genotypes, rng)
    diseases = dict(_known_by(people, having, rng))
    diagnosed = _diagnosed(having, earliest, rng)
    died = _deaths(people, carried, diagnosed, rng)
    last = np.where(died < 0, _LAST - _MARGIN, died - 1)
    for name, codes in diseases.items():
        for person, code in codes.icd10.items():
            chronic[person].append(code)
            if name == "cystic kidneys" and people.age[person] > 55 and rng.random() < 0.4:
                chronic[person].append("N185")
    episodes = tuple(_episodes(chronic, diseases, diagnosed, earliest, last, rng))
    laboratory = blood_tests(people, genotypes, chronic, having["cystic kidneys"], (earliest, last), rng)
    drugs = _drugs(chronic, earliest, last, rng)
    phenotypes = _phenotypes(people, diseases, having, rng)
    shift = people.shift
    return Records(
        tuple(_shifted(one, int(shift[one.person])) for one in episodes),
        phenotypes,
        laboratory.with_columns(day=pl.col("day") + pl.Series(shift).gather(laboratory["person"])),
        drugs.with_columns(
            start=pl.col("start") + pl.Series(shift).gather(drugs["person"]),
            end=pl.col("end") + pl.Series(shift).gather(drugs["person"]),
        ),
        np.where(died < 0, -1, _middle_of_a_month(died + shift)),
        having,
    )


def _middle_of_a_month(day: Numbers) -> Numbers:
    """The next fifteenth: a day of death alone may tell who died."""
    month = day.astype("datetime64[D]").astype("datetime64[M]")
    this, following = ((month + later).astype("datetime64[D]").astype(np.int64) + 14 for later in (0, 1))
    return np.where(this >= day, this, following)


def _shifted(episode: Episode, days: int) -> Episode:
    return replace(episode, start=episode.start + days, end=episode.end + days)


def _day_of(year: Numbers) -> Numbers:
    """The first day of each year, in days since 1970."""
    starts = {int(one): (date(int(one), 1, 1) - _EPOCH).days for one in np.unique(year)}
    return np.array([starts[int(one)] for one in year])


def _chronic(people: People, genotypes: Genotypes, rng: np.random.Generator) -> list[list[str]]:
    """Each person's conditions: the chance to have one by now rises around its median age of onset."""
    odds = {one.trait: one for one in COMMON_EFFECTS if one.unit == "log odds"}
    found: list[list[str]] = [[] for _ in range(len(people))]
    for condition in conditions().values():
        if not condition.risk:
            continue
        by_now = np.array([0.5 * (1 + erf((age - condition.onset) / 12 / sqrt(2))) for age in range(120)])
        chance = condition.risk * by_now[people.age]
        if condition.sex != "any":
            chance = chance * (people.male == (condition.sex == "male"))
        if condition.icd10 in odds:
            effect = odds[condition.icd10]
            copies, extra = common_copies(genotypes, effect.gene, people)
            safe = np.clip(chance, 1e-9, 1 - 1e-9)
            chance = 1 / (1 + (1 - safe) / safe * np.exp(-effect.per_copy * extra))
            having = _in_proportion(chance, copies, rng)
        else:
            having = np.flatnonzero(rng.random(len(people)) < chance)
        for person in having.tolist():
            found[person].append(condition.icd10)
    return found


def _in_proportion(chance: Floats, group: Numbers, rng: np.random.Generator) -> Numbers:
    """Draw people with these chances, but in each group as many as its chances add up to: without luck.

    Systematic sampling (Madow 1949): people stand in a line by group, and every whole step along the summed chances hits one.
    """
    line = np.lexsort((rng.random(len(chance)), group))
    steps = np.floor(np.cumsum(chance[line]) + 0.5)
    return line[np.diff(steps, prepend=0) > 0]


@dataclass(frozen=True)
class _Known:
    """How each person with a disease is known to have it: a phenotype term, an ICD-10 code, or both."""

    hpo: dict[int, str]
    icd10: dict[int, str]


def _known_by(people: People, having: Mapping[str, Numbers], rng: np.random.Generator) -> Iterator[tuple[str, _Known]]:
    for name, persons in having.items():
        disease, known = DISEASES[name], _Known({}, {})
        for person in persons.tolist():
            tenth = int(rng.integers(10))
            term, code = str(rng.choice(disease.hpo or ("",))), str(rng.choice(disease.icd10))
            phenotyped = bool(disease.hpo) and people.role[person] == "proband"
            if phenotyped and tenth >= disease.by_icd10:
                known.hpo[person] = term
            if not phenotyped or tenth < disease.by_icd10 or tenth >= disease.by_icd10 + disease.by_hpo:
                known.icd10[person] = code
        yield name, known


def _diagnosed(
    having: Mapping[str, Numbers], earliest: Numbers, rng: np.random.Generator
) -> Mapping[str, dict[int, int]]:
    """The day of the first episode of everybody with each disease: in the first half of the years their records cover."""
    return {
        name: {
            person: int(earliest[person] + rng.random() * 0.5 * (_LAST - _MARGIN - earliest[person]))
            for person in persons.tolist()
        }
        for name, persons in having.items()
    }


def _even(count: int, rng: np.random.Generator) -> Floats:
    """Uniform numbers without luck: the middles of `count` equal parts of 0..1, shuffled."""
    return rng.permutation((np.arange(count) + 0.5) / max(count, 1))


def _deaths(
    people: People, carried: tuple[Carried, ...], diagnosed: Mapping[str, dict[int, int]], rng: np.random.Generator
) -> Numbers:
    """Day of death, or -1. Mortality doubles every eight years or so (Gompertz); after the disease of SURVIVAL it is its own."""
    a_year = 2.5e-5 * np.exp(0.09 * (THIS_YEAR - np.maximum(people.born, EARLIEST_BIRTH)))
    days = _RECRUITED - np.log1p(-rng.random(len(people))) / a_year * 365.25
    days[people.age < 40] = _LAST
    persons, since = (np.array(column) for column in zip(*diagnosed[SURVIVAL.disease].items(), strict=True))
    carriers = np.concatenate([one.person for one in carried if one.planted.gene == SURVIVAL.gene])
    for carrier in (True, False):
        group = np.flatnonzero(np.isin(persons, carriers) == carrier)
        hazard = SURVIVAL.deaths_a_year * (SURVIVAL.hazard_ratio if carrier else 1.0)
        days[persons[group]] = since[group] + 60 - np.log1p(-_even(len(group), rng)) / hazard * 365.25
    return np.where(days < _LAST - _MARGIN, days, -1).astype(np.int64)


def _episodes(
    chronic: list[list[str]],
    diseases: Mapping[str, _Known],
    diagnosed: Mapping[str, dict[int, int]],
    earliest: Numbers,
    last: Numbers,
    rng: np.random.Generator,
) -> Iterator[Episode]:
    """One episode for most conditions and each coded disease, with the other conditions as comorbidities, and some for nothing new."""
    treated: dict[int, list[tuple[str, int, Disease]]] = {}
    for name, known in diseases.items():
        for person, code in known.icd10.items():
            treated.setdefault(person, []).append((code, diagnosed[name][person], DISEASES[name]))
    for person, own in enumerate(chronic):
        begin, end = int(earliest[person]), max(int(last[person]), int(earliest[person]) + 1)
        since = {code: day for code, day, _ in treated.get(person, [])}
        plans = [
            (day, False, code, _disease_procedures(disease, rng)) for code, day, disease in treated.get(person, [])
        ]
        for code in own:
            if code in since or rng.random() < 0.25:
                continue
            condition = conditions()[code]
            done: tuple[str, ...] = (
                (condition.procedure,) if condition.procedure and rng.random() < condition.share else ()
            )
            plans.append((int(rng.integers(begin, end)), condition.admitted == "emergency", code, done))
        for _ in range(int(rng.poisson(0.4))):
            plans.append((int(rng.integers(begin, end)), rng.random() < 0.5, str(rng.choice(("R074", "R104"))), ()))
        for day, emergency, main, operations in plans:
            others = [code for code in own if code != main and since.get(code, day) <= day and rng.random() < 0.6]
            stay = int(rng.geometric(0.25)) if emergency else int(rng.integers(0, 3))
            yield Episode(person, min(day, end), min(day + stay, end), emergency, (main, *others)[:20], operations)


def _disease_procedures(disease: Disease, rng: np.random.Generator) -> tuple[str, ...]:
    if not disease.procedures:
        return ()
    if disease.who == "women":
        return (str(rng.choice(disease.procedures)),)
    return (str(rng.choice(disease.procedures)),) if rng.random() < 0.3 else ()


def _drugs(chronic: list[list[str]], earliest: Numbers, last: Numbers, rng: np.random.Generator) -> pl.DataFrame:
    rows = []
    for person, codes in enumerate(chronic):
        begin, end = int(earliest[person]), max(int(last[person]), int(earliest[person]) + 1)
        for drug in sorted({conditions()[code].drug for code in codes} - {""}):
            start = int(rng.integers(begin, end))
            rows.append((person, drug, start, min(start + int(rng.choice((28, 56, 84))), end)))
    return pl.DataFrame(
        rows, schema={"person": pl.Int64, "drug": pl.String, "start": pl.Int64, "end": pl.Int64}, orient="row"
    )


def _phenotypes(
    people: People, diseases: Mapping[str, _Known], having: Mapping[str, Numbers], rng: np.random.Generator
) -> pl.DataFrame:
    """HPO terms of probands: what brought them to clinic, and what was looked for and not found."""
    terms = table("phenotypes.csv")
    by_clinic = {
        str(clinic): group["hpo_id"].to_list() for (clinic,), group in terms.group_by("clinic", maintain_order=True)
    }
    clinics = sorted(set(by_clinic) - {"planted"})
    looked_for = {name: disease.hpo[0] for name, disease in DISEASES.items() if disease.hpo}
    ill = {name: set(persons.tolist()) for name, persons in having.items()}
    rows: list[tuple[int, str, str]] = []
    for person in np.flatnonzero(people.role == "proband").tolist():
        found = {known.hpo[person] for known in diseases.values() if person in known.hpo}
        clinic = clinics[int(rng.integers(len(clinics)))]
        seen = rng.permutation(by_clinic[clinic])[: int(rng.integers(1, 5))].tolist()
        rows += [(person, term, "Yes") for term in sorted(found | set(seen))]
        for name, term in looked_for.items():
            if person not in ill[name] and rng.random() < 0.12:
                rows.append((person, term, "No" if rng.random() < 0.85 else "Unknown"))
    return pl.DataFrame(rows, schema={"person": pl.Int64, "hpo_id": pl.String, "present": pl.String}, orient="row")

"""Blood tests of the invented people: kidney function and a few others, in the units in which British laboratories report."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from nhsgen.demo.genotypes import Genotypes, common_copies
from nhsgen.demo.people import People
from nhsgen.demo.signals import COMMON_EFFECTS

__all__ = ["blood_tests"]

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def blood_tests(
    people: People,
    genotypes: Genotypes,
    chronic: Sequence[Sequence[str]],
    cystic: Numbers,
    between: tuple[Numbers, Numbers],
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Results of people of sixteen and over, as person, test, value, unit, day: a level a person, and a little noise a visit.

    chronic: each person's ICD-10 codes; cystic: who has cystic kidneys; between: each person's first and last day.
    """
    first, last = between
    measured = np.flatnonzero((people.age >= 16) & (rng.random(len(people)) < 0.88))
    visits = 1 + rng.poisson(2.2, size=len(measured))
    person = np.repeat(measured, visits)
    day = (first[person] + rng.random(len(person)) * np.maximum(last[person] - first[person], 1)).astype(np.int64)

    egfr = _kidney_function(people, genotypes, chronic, cystic, measured, rng)
    now = np.clip(egfr[person] + rng.normal(0, 3, len(person)), 4, 150)
    # The MDRD equation (Levey 2006), turned round; 88.4 from mg/dL to umol/L.
    creatinine = 88.4 * (175 * people.age[person] ** -0.203 * np.where(people.male[person], 1, 0.742) / now) ** (
        1 / 1.154
    )
    parts = [
        _results(person, day, "eGFR", now.round(0), "mL/min/1.73m2"),
        _results(person, day, "creatinine", creatinine.round(0), "umol/L"),
    ]
    everybody = len(people)
    haemoglobin = rng.normal(np.where(people.male, 147, 133), 10) - 22 * _with("D509", chronic) - 15 * (egfr < 30)
    for test, level, spread, unit, digits in (
        ("potassium", rng.normal(4.3, 0.3, everybody) + 0.4 * (egfr < 30), 0.2, "mmol/L", 1),
        ("haemoglobin", haemoglobin, 4.0, "g/L", 0),
        ("HbA1c", rng.normal(37, 3.5, everybody) + 21 * _with("E119", chronic), 2.0, "mmol/mol", 0),
        ("cholesterol", rng.normal(5.0, 0.9, everybody), 0.3, "mmol/L", 1),
    ):
        done = rng.random(len(person)) < 0.45
        value = (level[person] + rng.normal(0, spread, len(person))).round(digits)
        parts.append(_results(person[done], day[done], test, value[done], unit))
    return pl.concat(parts).sort("person", "day", "test")


def _kidney_function(
    people: People,
    genotypes: Genotypes,
    chronic: Sequence[Sequence[str]],
    cystic: Numbers,
    measured: Numbers,
    rng: np.random.Generator,
) -> Floats:
    """Everybody's eGFR in mL/min/1.73m2: it falls with age, with kidney disease, and with each copy of a common allele.

    What is chance in it is made uncorrelated with that allele at each site, so that the effect is what the table says: without luck.
    """
    effect = next(one for one in COMMON_EFFECTS if one.trait == "eGFR")
    _, extra = common_copies(genotypes, effect.gene, people)
    chance = rng.normal(0, 11, size=len(people))
    for site in np.unique(people.site):
        here = measured[people.site[measured] == site]
        centred = extra[here] - extra[here].mean()
        chance[here] -= centred * (centred @ chance[here]) / (centred @ centred)
    egfr = 112 - 0.62 * people.age + effect.per_copy * extra + chance
    egfr -= 14 * _with("N183", chronic) + 30 * _with("N184", chronic)
    egfr[cystic] -= 12
    return np.where(_with("N185", chronic), 11 + 0.05 * chance, np.clip(egfr, 6, 145))


def _with(code: str, chronic: Sequence[Sequence[str]]) -> npt.NDArray[np.bool_]:
    return np.array([code in codes for codes in chronic])


def _results(person: Numbers, day: Numbers, test: str, value: Floats, unit: str) -> pl.DataFrame:
    return pl.DataFrame({"person": person, "day": day, "value": value}).select(
        "person", pl.lit(test).alias("test"), "value", pl.lit(unit).alias("unit"), "day"
    )

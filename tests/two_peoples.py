"""Two peoples, invented, of whom three hospitals see different shares. Both their alleles and their traits differ, so that a scan which
does not know of them is inflated; one allele has an effect, and eleven near it go with it."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from four_hospitals import OPEN, RESULTS, release, rows, staffed
from scipy.special import expit
from variant_files import CSQ, csq, record, vcf, write

from nhsgen.contracts import shipped
from nhsgen.statistics import logistic
from nhsgen.workspace import Site, Workspace

Floats = npt.NDArray[np.float64]
Copies = npt.NDArray[np.uint8]

LENGTHS = {"1": 248956422, "2": 242193529, "16": 90338345}

# -- Invented people --------------------------------------------------------------------------------------------------

PEOPLE, ALONE, LINKED = 400, 220, 12
KEYS = (
    *(f"{1 + n // 140}-{1_000_000 * (1 + n % 140)}-A-G" for n in range(ALONE)),
    *(f"16-{20_000_000 + 4000 * n}-C-T" for n in range(LINKED)),
)
LEAD = KEYS[ALONE]
GENES = {key: "UMOD" if key.startswith("16-") else "" for key in KEYS}


class Everybody:
    """All records in one place."""

    def __init__(self) -> None:
        chance = np.random.default_rng(23)
        self.other = chance.random(PEOPLE) < 0.4  # of the second people
        first = chance.uniform(0.1, 0.5, len(KEYS))
        second = np.clip(first + chance.normal(0, 0.12, len(KEYS)), 0.06, 0.94)
        frequency = np.where(self.other, second[:, None], first[:, None])
        copies = chance.binomial(2, frequency).astype(np.uint8)
        for near in range(ALONE + 1, len(KEYS)):
            kept = chance.random(PEOPLE) < 0.99 - 0.05 * (near - ALONE)
            copies[near] = np.where(kept, copies[ALONE], copies[near])
        self.man = (chance.random(PEOPLE) < 0.5).astype(np.float64)
        self.age = chance.integers(20, 90, PEOPLE).astype(np.float64)
        self.predicted = chance.normal(0, 2, PEOPLE).round(3)
        dose = copies[ALONE].astype(np.float64)
        self.height = (
            170 + 7 * self.man - 4 * self.other + 2.5 * dose + self.predicted + chance.normal(0, 5, PEOPLE)
        ).round(3)
        self.height[chance.random(PEOPLE) < 0.05] = np.nan
        odds = -2.6 + 0.9 * self.other + 0.9 * dose + 0.3 * self.predicted + 0.01 * (self.age - 50)
        self.diabetes = (chance.random(PEOPLE) < expit(odds)).astype(np.float64)
        self.epilepsy = (chance.random(PEOPLE) < 0.06).astype(np.float64)
        self.predicted[chance.random(PEOPLE) < 0.05] = np.nan
        copies[chance.random(copies.shape) < 0.02] = 3
        self.copies: Copies = copies
        self.hospital = np.where(chance.random(PEOPLE) < 0.15, 2, (chance.random(PEOPLE) < 0.3 + 0.4 * self.other) + 0)

    @property
    def results(self) -> Mapping[str, Floats]:
        """By the name of the test."""
        unforeseen = (self.height - self.predicted).round(3)
        return {"height": self.height, "age": self.age, "predicted": self.predicted, "unforeseen": unforeseen}

    @property
    def covariates(self) -> Floats:
        return np.column_stack([self.man, self.age])

    def people(self, *diseases: Floats, offset: Any = 0.0, more: Any = ()) -> logistic.People:
        """For logistic regression, on one scale."""
        x = np.column_stack([np.ones(PEOPLE), self.covariates, *more])
        people = logistic.People.of(x, np.column_stack(diseases), offset)
        return people.scaled(logistic.Scale.of(logistic.moments(people)))


def hospital(workspace: Workspace, name: str, of: Everybody, here: npt.NDArray[np.int64]) -> Site:
    """A site with these people."""
    site = workspace.add_site(name, pooled=True, by="dana")
    staffed(site)
    folder, contract = workspace.path / f"from-{name}", workspace.path / f"{name}.odcs.yaml"
    folder.mkdir()
    contract.write_text(OPEN + RESULTS, encoding="utf-8")
    ids = {int(at): f"p{at:04}x" for at in here}
    sexes = [(ids[at], "male" if of.man[at] else "female", "") for at in ids]
    rows(folder / "people.csv", "person,sex,ancestry", sexes)
    ill = [(ids[at], code) for at in ids for code, who in (("E11.9", of.diabetes), ("G40", of.epilepsy)) if who[at]]
    rows(folder / "diagnoses.csv", "person,code", ill)
    rows(folder / "samples.csv", "sample,person", [(f"S{ids[at]}", ids[at]) for at in ids])
    told = [
        (ids[at], test, f"{values[at]}", "2020-01-01")
        for at in ids
        for test, values in of.results.items()
        if not math.isnan(values[at])
    ]
    rows(folder / "results.csv", "person,test,value,day", told)
    calls = np.array(["0/0", "0/1", "1/1", "./."])[of.copies[:, here]]
    records = [
        record(
            key.replace("-", " "), " ".join(row), info=f"CSQ={csq(key[-1], 'missense_variant', 'MODERATE', GENES[key])}"
        )
        for key, row in zip(KEYS, calls, strict=True)
    ]
    samples = [f"S{ids[at]}" for at in ids]
    write(folder / "all.vcf.gz", vcf(*records, samples=samples, contigs=LENGTHS, info=[CSQ]))
    return release(site, folder, contract, shipped("variants_vep"))

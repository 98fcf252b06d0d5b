"""Where there is nothing to find, nothing is found: permuted traits on a public genome-wide file, and traits drawn apart from genotypes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from oracles import CHR22, GENOME_WIDE, Subject, report

from nhsgen.settings import Settings
from nhsgen.statistics import firth, genotype_blocks, inflation, linear, logistic
from nhsgen.variants import variants

TRAITS = 20
SETTINGS = Settings(threads=2)
LINE = -np.log10(5e-8)


@pytest.fixture(scope="module")
def genotypes(subject: Callable[[str], Subject]) -> tuple[npt.NDArray[np.uint64], int]:
    """The common alleles of 1,092 people, packed."""
    store = subject(GENOME_WIDE).store
    words = np.concatenate([packed for _, packed, _ in store.packed(variants())])
    counted = genotype_blocks.count(words, genotype_blocks.membership(np.ones(len(store.samples), dtype=bool)))
    share = (counted[:, 0] + 2 * counted[:, 1]) / (2 * (len(store.samples) - counted[:, 2]))
    return words[np.minimum(share, 1 - share) >= 0.05], len(store.samples)


def calibrated(log10_p: npt.NDArray[np.float64]) -> None:
    """log10_p: alleles x traits."""
    assert 0.97 <= np.mean([inflation.genomic_inflation(column) for column in log10_p.T]) <= 1.03
    assert 0.0007 <= np.mean(log10_p > 3) <= 0.0013
    assert log10_p.max() < LINE


def test_a_permuted_measurement_goes_with_nothing(genotypes: tuple[npt.NDArray[np.uint64], int]) -> None:
    words, people = genotypes
    traits = np.random.default_rng(1).normal(size=(people, TRAITS))
    design = linear.Design(np.arange(people), traits, np.empty((people, 0)))
    calibrated(linear.scan(lambda a, b: words[a:b], len(words), design, settings=SETTINGS).log10_p)


def test_a_permuted_disease_of_one_in_twenty_goes_with_nothing(genotypes: tuple[npt.NDArray[np.uint64], int]) -> None:
    words, people = genotypes
    chance = np.random.default_rng(2)
    ill = np.stack([chance.permutation(people) < people // 20 for _ in range(TRAITS)], axis=1).astype(np.float64)

    def read(start: int, stop: int) -> npt.NDArray[np.uint8]:
        return genotype_blocks.copies(words[start:stop], people)

    found = firth.scan(read, len(words), logistic.People.of(np.ones((people, 1)), ill), settings=SETTINGS)
    calibrated(np.concatenate([part.effects.log10_p for part in found]))


def test_phenotypes_drawn_apart_from_genotypes_go_with_nothing(
    subject: Callable[[str], Subject], shared_data: Path
) -> None:
    """CINECA UK1's height, body mass and diabetes on 1000 Genomes' people, chromosome 22, at the line of a whole genome."""
    store = subject(CHR22).store
    told = report(shared_data / "stats" / "plink2_oracle_chr22" / "pheno.txt").rename(str.lower)
    rows = pl.DataFrame({"iid": store.samples}).join(told, on="iid", maintain_order="left")
    numbers = rows.select(pl.col("bmi", "height", "diab").cast(pl.Float64, strict=False).fill_null(np.nan)).to_numpy()
    words = np.concatenate([packed for _, packed, _ in store.packed(variants(min_af=0.01))])
    people = len(store.samples)
    measured = linear.Design(np.arange(people), numbers[:, :2], np.empty((people, 0)))
    found = linear.scan(lambda a, b: words[a:b], len(words), measured, settings=SETTINGS)
    assert np.nanmax(found.log10_p) < LINE

    ill = numbers[:, 2:] - np.nanmin(numbers[:, 2:])
    scans = firth.scan(
        lambda a, b: genotype_blocks.copies(words[a:b], people), len(words), logistic.People.of(np.ones((people, 1)), ill),
        settings=SETTINGS,
    )  # fmt: skip
    assert np.nanmax(np.concatenate([part.effects.log10_p for part in scans])) < LINE

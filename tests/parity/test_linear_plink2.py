"""Linear association says what plink2 --glm says: on public genotypes with their files' phenotypes, and with missing calls."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from oracles import CHR22, Subject, as_written, report

from nhsgen.settings import Settings
from nhsgen.statistics.genotype_blocks import pack
from nhsgen.statistics.linear import Associations, Design, scan
from nhsgen.variants import variants

Floats = npt.NDArray[np.float64]
SIX_DIGITS = 6e-6
PEOPLE, VARIANTS = 300, 120


def number(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Float64, strict=False).fill_null(np.nan)


def test_the_public_chromosome(subject: Callable[[str], Subject], shared_data: Path) -> None:
    """BMI and height of CINECA UK1 on chromosome 22, sex the covariate."""
    store = subject(CHR22).store
    folder = shared_data / "stats" / "plink2_oracle_chr22"
    people = report(folder / "pheno.txt").rename(str.lower)
    sex = dict(report(shared_data / "pedigree" / "20130606_g1k.ped").select("individual id", "gender").iter_rows())
    rows = pl.DataFrame({"iid": store.samples}).join(people, on="iid", maintain_order="left")
    assert len(rows) == len(store.samples)
    design = Design(
        np.arange(len(rows)),
        rows.select(number("bmi"), number("height")).to_numpy(),
        np.array([[float(sex[who])] for who in store.samples]),
    )
    parts = list(store.packed(variants()))
    words = np.concatenate([packed for _, packed, *_ in parts])
    keys = pl.concat([alleles for alleles, *_ in parts])
    found = scan(lambda a, b: words[a:b], len(words), design, settings=Settings(threads=2))
    for column, name in enumerate(("BMI", "HEIGHT")):
        theirs = as_written(report(folder / f"{name}.glm.linear.tsv.gz"))
        places = {key: place for place, key in enumerate(as_written(keys)["key"].to_list())}
        at = np.array([places[key] for key in theirs["key"]])
        assert len(at) == 610
        same(found, at, column, theirs)


def same(found: Associations, at: npt.NDArray[np.intp], column: int, theirs: pl.DataFrame) -> None:
    """Six digits of what plink2 printed, which it did for the rarer allele."""
    sign = np.where(theirs["a1"] == theirs["alt"], 1, -1)
    for ours, name in (("beta", "beta"), ("se", "se"), ("t", "t_stat"), ("p", "p")):
        wanted = theirs.select(number(name)).to_series().to_numpy()
        signed = sign if ours in {"beta", "t"} else 1
        np.testing.assert_allclose(
            getattr(found, ours)[at, column] * signed, wanted, rtol=SIX_DIGITS, atol=1e-12, err_msg=name
        )
    assert found.people[at, column].tolist() == theirs["obs_ct"].cast(pl.Int64).to_list()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[npt.NDArray[np.uint8], Floats, Floats, Path]:
    """Copies with missing calls, two phenotypes, covariates, and plink2's answer; the second phenotype is not known of everybody."""
    if shutil.which("plink2") is None:
        pytest.skip("plink2 is not on this machine")
    pgenlib = pytest.importorskip("pgenlib")
    random = np.random.default_rng(4)
    copies = random.binomial(2, random.uniform(0.03, 0.97, (VARIANTS, 1)), (VARIANTS, PEOPLE)).astype(np.int8)
    copies[random.random(copies.shape) < 0.02] = -9
    copies[5] = 0
    covariates = np.column_stack([random.normal(60, 9, PEOPLE), random.integers(0, 2, PEOPLE)])
    phenotypes = random.normal(size=(PEOPLE, 2)) + 0.3 * np.maximum(copies[[0]].T, 0)
    phenotypes[random.random(PEOPLE) < 0.1, 1] = np.nan
    file = tmp_path_factory.mktemp("glm") / "all"
    with pgenlib.PgenWriter(str(file.with_suffix(".pgen")).encode(), PEOPLE, VARIANTS, False) as writer:
        for row in copies:
            writer.append_biallelic(row)
    lines = [f"1\t{n + 1}\tv{n}\tA\tC" for n in range(VARIANTS)]
    file.with_suffix(".pvar").write_text("\n".join(["#CHROM\tPOS\tID\tREF\tALT", *lines]) + "\n")
    names = [f"p{n}" for n in range(PEOPLE)]
    file.with_suffix(".psam").write_text("\n".join(["#IID", *names]) + "\n")
    for kind, columns in (("phenotypes", phenotypes), ("covariates", covariates)):
        header = "\t".join(["#IID", *(f"{kind[0]}{n}" for n in range(columns.shape[1]))])
        rows = ["\t".join([name, *(repr(float(x)) for x in row)]) for name, row in zip(names, columns, strict=True)]
        file.with_suffix(f".{kind}").write_text("\n".join([header, *rows]) + "\n")
    command = [
        "plink2", "--pfile", file, "--pheno", file.with_suffix(".phenotypes"), "--covar", file.with_suffix(".covariates"),
        "--glm", "omit-ref", "hide-covar", "cols=+a1count", "--threads", "1", "--out", file,
    ]  # fmt: skip
    subprocess.run(command, capture_output=True, check=True)
    return np.where(copies < 0, 3, copies).astype(np.uint8), phenotypes, covariates, file


def test_missing_calls_and_missing_phenotypes(asked: tuple[npt.NDArray[np.uint8], Floats, Floats, Path]) -> None:
    copies, phenotypes, covariates, file = asked
    words = pack(copies)
    found = scan(lambda a, b: words[a:b], len(words), Design(np.arange(PEOPLE), phenotypes, covariates))
    for column in range(2):
        theirs = report(file.with_name(f"all.p{column}.glm.linear"))
        answered = np.flatnonzero(found.reason[:, column] == 0)
        assert sorted(set(range(VARIANTS)) - set(answered)) == [5]
        assert theirs["p"][5] == "NA"
        rows = theirs.filter(pl.col("p") != "NA")
        assert rows["id"].to_list() == [f"v{n}" for n in answered]
        same(found, answered, column, rows)
        assert found.copies[answered, column].tolist() == rows["a1_ct"].cast(pl.Int64).to_list()

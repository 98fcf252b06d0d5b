"""Trios as bcftools +mendelian counts them, kinship as plink2 --make-king-table has it, on the public files."""

import shutil
import subprocess
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from oracles import CHR1_3202, CHRX, GENOME_WIDE, MANY_ALTS, TRIO, Subject, plink2, report

from nhsgen.genome import Assembly
from nhsgen.statistics.kinship import FIRST_DEGREE, THIRD_DEGREE, count_pairs, kinship, relatives, unrelated
from nhsgen.statistics.trios import Trios, candidates, mendelian, places
from nhsgen.variants.genotypes import HALF, HAPLOID

Make = Callable[[str], Subject]
Copies = npt.NDArray[np.uint8]


def everything(subject: Subject) -> tuple[pl.DataFrame, Copies]:
    """All alleles and everybody's copies; half a call is none."""
    pieces = list(subject.store.genotypes())
    states = np.concatenate([states for _, states in pieces])
    return pl.concat([frame for frame, _ in pieces]), np.where(states & HALF, 3, states & 3).astype(np.uint8)


def errors_of(file: Path, trios: list[tuple[str, str, str]], folder: Path) -> pl.DataFrame:
    """What bcftools says of trios of (mother, father, child): ok, errors, skipped."""
    if shutil.which("bcftools") is None:
        pytest.skip("bcftools is not on this machine")
    listed = folder / "trios.txt"
    listed.write_text("".join(",".join(trio) + "\n" for trio in trios))
    command = ["bcftools", "+mendelian", file, "-m", "c", "-T", listed]
    said = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    rows = [line.split("\t") for line in said.splitlines() if not line.startswith("#")]
    frame = pl.DataFrame(rows, schema=["ok", "errors", "skipped", "trio"], orient="row")
    return frame.select(pl.col("ok", "errors", "skipped").cast(pl.Int64), "trio")


def numbered(samples: list[str], trios: list[tuple[str, str, str]]) -> Trios:
    number = {name: i for i, name in enumerate(samples)}
    mother, father, child = (np.array([number[trio[i]] for trio in trios]) for i in range(3))
    return Trios(child, mother, father, np.zeros(len(trios), dtype=np.bool_))


def test_602_trios_of_1000_genomes(subject: Make, shared_data: Path, tmp_path: Path) -> None:
    listed = pl.read_csv(shared_data / "pedigree" / "trios_602_in_hc3202.tsv", separator="\t")
    trios = listed.select("mother", "father", "child").rows()
    frame, copies = everything(subject(CHR1_3202))
    numbers = numbered(list(subject(CHR1_3202).store.samples), trios)
    counted = mendelian(copies, places(frame, Assembly.GRCh38), numbers)
    assert counted.trios.sum().row(0) == (534_832, 346, 0)
    found = candidates(
        copies, np.zeros(len(frame), dtype=np.uint8), numbers, pl.Series([None] * len(frame), dtype=pl.String)
    )
    assert 0 < found["de_novo"].sum() <= 346
    theirs = errors_of(subject(CHR1_3202).file, trios, tmp_path)
    assert theirs["trio"].to_list() == [",".join(trio) for trio in trios]
    assert theirs.drop("trio").equals(counted.trios)


def test_the_ashkenazi_trio(subject: Make) -> None:
    frame, copies = everything(subject(TRIO))
    trio = numbered(list(subject(TRIO).store.samples), [("HG004", "HG003", "HG002")])
    where = places(frame, Assembly.GRCh37)
    counted = mendelian(copies, where, trio)
    assert counted.trios.row(0) == (9_833, 91, 16)
    new = candidates(copies, where, trio, frame["gene"]).filter(pl.col("de_novo") & pl.col("partner").is_null())
    wrong = counted.variants["errors"].to_numpy() == 1
    assert set(new["variant"]) <= set(np.flatnonzero(wrong).tolist())
    no_parent_has_it = (copies[:, trio.mother[0]] == 0) & (copies[:, trio.father[0]] == 0)
    assert set(new["variant"]) == set(np.flatnonzero(wrong & no_parent_has_it).tolist())


@pytest.mark.parametrize(("chrom", "pos", "male"), [
    ("1", 1000, False), ("X", 70_000_000, False), ("X", 70_000_000, True), ("Y", 5_000_000, True), ("MT", 100, False),
])  # fmt: skip
def test_every_trio_there_can_be(chrom: str, pos: int, male: bool, tmp_path: Path) -> None:
    """One record for each three genotypes, those of a man's X and Y and of mitochondria haploid."""
    two, one = ("0/0", "0/1", "1/1", "./."), ("0", "1", ".")
    child = one if male or chrom in ("Y", "MT") else two
    mother = one if chrom == "MT" else two if chrom != "Y" else (".",)
    father = one if chrom in ("X", "Y", "MT") else two
    called = list(product(child, mother, father))
    contigs = "".join(f"##contig=<ID={name}>\n" for name in ("1", "X", "Y", "MT"))
    head = (
        f'##fileformat=VCFv4.2\n{contigs}##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tC\tM\tF\n"
    )
    rows = [f"{chrom}\t{pos + i}\t.\tA\tC\t.\t.\t.\tGT\t" + "\t".join(gts) + "\n" for i, gts in enumerate(called)]
    numbers = {"0": 0, "1": 1, ".": 3, "0/0": 0, "0/1": 1, "1/1": 2, "./.": 3}
    copies = np.array([[numbers[gt] for gt in gts] for gts in called], dtype=np.uint8)
    where = places(pl.DataFrame({"chrom": [chrom] * len(rows), "pos": [pos] * len(rows)}), Assembly.GRCh37)
    ours = mendelian(copies, where, Trios([0], [1], [2], [male])).variants
    (tmp_path / "all.vcf").write_text(head + "".join(rows))
    for mode, column in (("+", "ok"), ("x", "errors")):
        assert listed(tmp_path / "all.vcf", mode) == [pos + int(i) for i in np.flatnonzero(ours[column])]


def listed(file: Path, mode: str) -> list[int]:
    """Where the trio of M, F and C is consistent (+) or not (x)."""
    if shutil.which("bcftools") is None:
        pytest.skip("bcftools is not on this machine")
    command = ["bcftools", "+mendelian", file, "-m", mode, "-t", "M,F,C"]
    said = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    return [int(line.split("\t")[1]) for line in said.splitlines() if not line.startswith("#")]


def test_x_of_men(subject: Make) -> None:
    frame, _ = everything(subject(CHRX))
    states = np.concatenate([states for _, states in subject(CHRX).store.genotypes()])
    where = places(frame, Assembly.GRCh37)
    haploid = (states & HAPLOID) > 0
    assert (where == 0).sum() == 1_565
    assert (where == 1).sum() == 50_043
    men = haploid.any(axis=0)
    assert men.sum() == 11
    assert np.array_equal(haploid.any(axis=1), where == 1)
    assert set(np.unique(states[where == 1][:, men] & 3)) <= {0, 1, 3}


# -- Kinship -------------------------------------------------------------------------------------------------------------


def packed(copies: Copies) -> npt.NDArray[np.uint64]:
    words = np.zeros((len(copies), -(-copies.shape[1] // 32)), dtype=np.uint64)
    for who in range(copies.shape[1]):
        words[:, who // 32] |= copies[:, who].astype(np.uint64) << np.uint64(2 * (who % 32))
    return words


def king(path: Path, samples: list[str], folder: Path, *arguments: str | Path) -> pl.DataFrame:
    """plink2's table: first, second (sample numbers, the lower first), alleles, both_het, opposite, kinship; its own digits."""
    if path.suffix == ".bed":
        if shutil.which("plink2") is None:
            pytest.skip("plink2 is not on this machine")
        command = ["plink2", "--bfile", path.with_suffix(""), "--threads", "1", "--out", folder / "king", *arguments]
        subprocess.run([*command, "--make-king-table", "counts"], capture_output=True, check=True)
    else:
        plink2(path, folder / "king", "--make-king-table", "counts", *arguments)
    table = report(folder / "king.kin0")
    number = pl.DataFrame({"name": samples, "number": range(len(samples))})
    for i in ("1", "2"):
        table = table.join(number.rename({"number": f"n{i}", "name": f"iid{i}"}), on=f"iid{i}", maintain_order="left")
    return table.select(
        pl.min_horizontal("n1", "n2").alias("first"),
        pl.max_horizontal("n1", "n2").alias("second"),
        pl.col("nsnp", "hethet", "ibs0").cast(pl.Int64),
        pl.col("kinship").cast(pl.Float64),
    ).sort("first", "second")


def same_pairs(copies: Copies, theirs: pl.DataFrame, pairs: int) -> None:
    assert len(theirs) == pairs
    counts = count_pairs(packed(copies), copies.shape[1])
    one, two = theirs["first"].to_numpy(), theirs["second"].to_numpy()
    for ours, name in ((counts.called, "nsnp"), (counts.both_het, "hethet"), (counts.opposite, "ibs0")):
        assert np.array_equal(ours[one, two], theirs[name].to_numpy())
    np.testing.assert_allclose(kinship(counts)[one, two], theirs["kinship"].to_numpy(), rtol=1e-5, atol=1e-6)


def test_king_of_the_regenie_example(shared_data: Path, tmp_path: Path) -> None:
    bed = shared_data / "stats" / "regenie_example" / "example.bed"
    samples = [line.split()[1] for line in bed.with_suffix(".fam").read_text().splitlines()]
    data = np.fromfile(bed, dtype=np.uint8)[3:].reshape(-1, -(-len(samples) // 4))
    bits = ((data[:, :, None] >> np.array([0, 2, 4, 6], dtype=np.uint8)) & 3).reshape(len(data), -1)[:, : len(samples)]
    copies = np.array([2, 3, 1, 0], dtype=np.uint8)[bits]
    values = kinship(count_pairs(packed(copies), len(samples)))
    number = {name: i for i, name in enumerate(samples)}
    assert values[number["117"], number["17"]] == pytest.approx(0.0974265, abs=5e-8)  # METHODS.md 3.A.5
    assert values[number["117"], number["51"]] == pytest.approx(0.0948276, abs=5e-8)
    same_pairs(copies, king(bed, samples, tmp_path), 500 * 499 // 2)


def test_king_where_two_thirds_are_missing(subject: Make, tmp_path: Path) -> None:
    frame, copies = everything(subject(MANY_ALTS))
    one_alt = (frame["n_alleles"] == 1).to_numpy()
    samples = list(subject(MANY_ALTS).store.samples)
    theirs = king(subject(MANY_ALTS).file, samples, tmp_path, "--max-alleles", "2")
    theirs = theirs.filter(pl.col("kinship").is_finite())
    same_pairs(copies[one_alt], theirs, len(theirs))
    assert len(theirs) > 4_000


def test_king_of_1092_people(subject: Make, tmp_path: Path) -> None:
    frame, copies = everything(subject(GENOME_WIDE))
    samples = list(subject(GENOME_WIDE).store.samples)
    words = packed(copies[(frame["n_alleles"] == 1).to_numpy()])
    ours = relatives(words, len(samples), at_least=THIRD_DEGREE)
    cut = ("--king-table-filter", str(THIRD_DEGREE), "--max-alleles", "2")
    theirs = king(subject(GENOME_WIDE).file, samples, tmp_path, *cut)
    assert ours.select("first", "second", pl.col("alleles").alias("nsnp")).equals(
        theirs.select("first", "second", "nsnp")
    )
    np.testing.assert_allclose(ours["kinship"], theirs["kinship"], rtol=1e-5)
    kept = unrelated(ours, len(samples), at_least=FIRST_DEGREE).kept
    first_degree = ours.filter(pl.col("kinship") >= FIRST_DEGREE)
    assert not any(kept[one] and kept[two] for one, two in first_degree.select("first", "second").iter_rows())

"""Components, linkage and quality of calls are plink2's, on real genotypes; and groups are those that people gave themselves."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from oracles import CHR20, EXOME, GENOME_WIDE, MANY_ALTS, plink2, report

from nhsgen.statistics import ancestry_groups, ld, pca, sample_qc
from nhsgen.statistics.sums import Sums, solve, total

Copies = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

SUPERPOPULATIONS = {
    "AFR": ["ASW", "LWK", "YRI"], "AMR": ["CLM", "MXL", "PUR"], "EAS": ["CHB", "CHS", "JPT"],
    "EUR": ["CEU", "FIN", "GBR", "IBS", "TSI"],
}  # fmt: skip


class Bed(NamedTuple):
    """Genotypes of a .bed: variants (chrom, pos, id, ref, alt), people, and copies of ALT."""

    variants: pl.DataFrame
    people: list[str]
    copies: Copies

    @classmethod
    def read(cls, prefix: Path) -> "Bed":
        columns = ["chrom", "id", "cm", "pos", "alt", "ref"]
        variants = pl.read_csv(
            prefix.with_suffix(".bim"), separator="\t", has_header=False, new_columns=columns, infer_schema=False
        ).with_columns(pl.col("pos").cast(pl.Int64))
        people = [line.split()[1] for line in prefix.with_suffix(".fam").read_text().splitlines()]
        data = np.frombuffer(prefix.with_suffix(".bed").read_bytes()[3:], np.uint8).reshape(len(variants), -1)
        codes = (data[:, :, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
        copies = np.array([2, 3, 1, 0], np.uint8)[codes].reshape(len(variants), -1)[:, : len(people)]
        return cls(variants, people, np.ascontiguousarray(copies))


@pytest.fixture(scope="module")
def regenie(shared_data: Path) -> Bed:
    return Bed.read(shared_data / "stats" / "regenie_example" / "example")


@pytest.fixture(scope="module")
def asked(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Run plink2 on a public file; its reports, and the .bed of the same genotypes, have this name."""

    def of(name: str, *arguments: str) -> Path:
        out = tmp_path_factory.mktemp("plink2") / "all"
        plink2(shared_data / "variants" / name, out, "--max-alleles", "2", "--set-all-var-ids", "@:#:$r:$a",
               "--new-id-max-allele-len", "99", "truncate", "--rm-dup", "force-first", "--make-bed", *arguments)  # fmt: skip
        return out

    return of


def loadings(sites: list[list[Copies]], components: int, tolerance: float = 1e-8) -> pca.Loadings:
    known = sample_qc.estimate(total(sample_qc.summarise(site) for site in sites))
    scale = pca.standardisation(known, least_frequency=0.0)

    def sums(state: pca.Krylov) -> Sums:
        return total(pca.summarise(site, scale, state.ask) for site in sites)

    return solve(sums, pca.step, pca.start(scale, components=components, tolerance=tolerance)).answer(scale)


def off(one: Floats, other: Floats) -> float:
    """The largest 1 - |cos| of a column with its fellow."""
    lengths = np.linalg.norm(one, axis=0) * np.linalg.norm(other, axis=0)
    return float((1 - np.abs((one * other).sum(axis=0)) / lengths).max())


def test_what_the_example_of_regenie_is_known_to_have(regenie: Bed) -> None:
    """METHODS.md 3.A.5; plink2 printed them."""
    found = loadings([[regenie.copies[:, :120]], [regenie.copies[:, 120:]]], 5)
    np.testing.assert_allclose(found.eigenvalues, [2.89189, 2.82443, 2.8045, 2.7658, 2.74415], rtol=2e-6)
    pairs = np.array([[0, 1], [0, 2]])
    np.testing.assert_allclose(ld.estimate(ld.summarise(regenie.copies, pairs)).r2, [0.0012293, 6.16369e-5], rtol=2e-6)


def test_components(asked: Callable[..., Path]) -> None:
    out = asked(GENOME_WIDE, "--chr", "19-22", "--pca", "3")
    bed = Bed.read(out)
    found = loadings([[bed.copies[:, :300]], [bed.copies[:, 300:]]], 3)
    np.testing.assert_allclose(found.eigenvalues, np.loadtxt(out.with_suffix(".eigenval")), rtol=1e-5)
    theirs = report(out.with_suffix(".eigenvec")).select(f"pc{i}" for i in range(1, 4)).cast(pl.Float64).to_numpy()
    assert off(pca.project([bed.copies], found), theirs) < 1e-11  # it prints six digits


def test_components_and_groups_of_the_whole_genome(asked: Callable[..., Path], shared_data: Path) -> None:
    bed = Bed.read(asked(GENOME_WIDE))
    blocks = [bed.copies[at : at + 2000] for at in range(0, len(bed.copies), 2000)]
    found = loadings([blocks], 4, tolerance=1e-4)
    np.testing.assert_allclose(found.eigenvalues, [36.58, 24.65, 8.50, 3.52], atol=0.005)

    pedigree = report(shared_data / "pedigree" / "20130606_g1k.ped")
    population = dict(pedigree.select("individual id", "population").iter_rows())
    above = {name: group for group, names in SUPERPOPULATIONS.items() for name in names}
    groups = np.array([above[population[person]] for person in bed.people])
    pcs, half = pca.project(blocks, found), np.arange(len(groups)) % 2 == 0
    assigned = ancestry_groups.assign(pcs[~half], ancestry_groups.learn(pcs[half], groups[half].tolist()))
    sure = assigned.group != ancestry_groups.UNASSIGNED
    assert sure.mean() > 0.95
    assert (assigned.group == groups[~half])[sure].mean() > 0.99


@pytest.mark.parametrize(("window", "most"), [(50, 0.2), (20, 0.5)])
def test_pruning(window: int, most: float, asked: Callable[..., Path]) -> None:
    out = asked(CHR20, "--maf", "0.01", "--indep-pairwise", str(window), "1", str(most))
    bed = Bed.read(out)
    pairs = ld.near(bed.variants["chrom"].to_list(), bed.variants["pos"], variants=window)
    known = sample_qc.estimate(sample_qc.summarise([bed.copies]))
    keep = ld.prune(pairs, ld.estimate(ld.summarise(bed.copies, pairs)).r2, known.frequency, most=most)
    assert bed.variants.filter(keep)["id"].to_list() == out.with_suffix(".prune.in").read_text().split()


@pytest.mark.parametrize("name", [EXOME, MANY_ALTS, CHR20])
def test_people_and_variants(name: str, asked: Callable[..., Path]) -> None:
    out = asked(name, "--missing", "--het", "--sample-counts",
                "cols=homref,homalt,hetsnp,het,dipts,diptv,dipsingle,missing")  # fmt: skip
    bed = Bed.read(out)
    known = sample_qc.estimate(sample_qc.summarise([bed.copies]))
    kinds = sample_qc.changes(bed.variants["ref"].to_list(), bed.variants["alt"].to_list())
    found = sample_qc.of_people([bed.copies], known, kinds)

    counted = report(out.with_suffix(".scount"))
    for ours, theirs in {
        "hom_ref": "hom_ref_ct", "het": "het_ct", "hom_alt": "hom_alt_ct", "transitions": "diploid_transition_ct",
        "transversions": "diploid_transversion_ct", "singletons": "diploid_singleton_ct", "missing": "missing_ct",
    }.items():  # fmt: skip
        assert getattr(found, ours).tolist() == counted[theirs].cast(pl.Int64).to_list(), ours

    of_people, of_variants = (report(out.with_suffix(suffix)) for suffix in (".smiss", ".vmiss"))
    np.testing.assert_allclose(1 - found.call_rate, of_people["f_miss"].cast(pl.Float64), rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(1 - known.call_rate, of_variants["f_miss"].cast(pl.Float64), rtol=1e-5, atol=1e-12)
    inbreeding = report(out.with_suffix(".het"))["f"].replace("nan", None).cast(pl.Float64).to_numpy()
    np.testing.assert_allclose(found.inbreeding, inbreeding, rtol=1e-4, atol=2e-6)  # E(HOM) in six digits

"""Association scans, from packed genotypes on disk to a written table, each beside plink2 in the same run with the same two cores.

    python -m tests.benchmarks statistics                     # 5,000 people x 20,000 variants: some four minutes
    NHSGEN_BENCH_QUICK=1 python -m tests.benchmarks statistics   # a tenth of it, never failing

plink2 reads a .pgen and writes text; ours reads mapped words and writes Parquet. What disagrees has no ratio.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import polars as pl

from nhsgen.settings import Settings
from nhsgen.statistics import firth, linear, logistic
from nhsgen.statistics import genotype_blocks as blocks
from nhsgen.statistics.genotype_blocks import pack, words_for
from nhsgen.statistics.linear import Associations, Design, scan
from nhsgen.statistics.sums import total
from tests.benchmarks import _peers as peers
from tests.benchmarks._measures import HEAD, Peer, Row, compared, printed, timed

__all__ = ["main"]

Floats = npt.NDArray[np.float64]
SETTINGS = Settings(threads=2)
COVARIATES = 10
COMPLETE, WITH_MISSING = 0.4, 0.1
"""How many times plink2's seconds a linear scan may take, when all is called and when 1 in 100 calls is missing."""
BINARY, APART = 0.1, 1.3
"""plink2's seconds for cases and controls; and one site's for the same people at three."""
GROWTH = 1.3
"""How much worse than linear in people times variants."""
_SIX_DIGITS = 2e-5


@dataclass(frozen=True)
class Plan:
    """people, variants: of the scans beside plink2. grown: of the scan of a nation. turns: how often each is done."""

    people: int
    variants: int
    grown: tuple[int, int]
    turns: int


FULL, QUICK = Plan(5_000, 20_000, (78_195, 10_000), 5), Plan(1_000, 2_000, (8_000, 1_000), 3)


@dataclass(frozen=True)
class Genotypes:
    """Made-up genotypes as both read them: words mapped from disk, and the prefix of a .pgen (None where nobody needs it)."""

    people: int
    variants: int
    file: Path
    pgen: Path | None

    def read(self) -> Callable[[int, int], npt.NDArray[np.uint64]]:
        mapped = np.load(self.file, mmap_mode="r")
        return lambda start, stop: np.asarray(mapped[start:stop])


def main() -> bool:
    """Print the table; whether every limit is kept. A quick run is for seeing that everything runs: it is never a no."""
    quick = os.environ.get("NHSGEN_BENCH_QUICK", "") not in {"", "0"}
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: SETTINGS.threads])
    plan = QUICK if quick else FULL
    with tempfile.TemporaryDirectory(prefix="nhsgen-bench-") as folder:
        print(HEAD)
        rows = [row for work in WORKS for row in printed(work(plan, Path(folder)))]
    above = [row for row in rows if not row.within]
    print(f"{len(rows)} lines, {len(above)} above their limit" + (" (a quick run: seen, not judged)" if quick else ""))
    return quick or not above


def _linear(plan: Plan, folder: Path) -> list[Row]:
    """One phenotype and twenty, all called and 1 % missing."""
    rows = []
    for missing, limit in ((0.0, COMPLETE), (0.01, WITH_MISSING)):
        genotypes = _genotypes(plan.people, plan.variants, missing, folder / f"missing{missing:.0%}", beside=True)
        for phenotypes in (1, 20):
            design = _design(plan.people, phenotypes)
            out = folder / "ours.parquet"
            ours = partial(_scan_seconds, genotypes, design, out)
            ours()
            theirs = partial(_plink2_seconds, genotypes, design) if _beside() else None
            turns = plan.turns if missing == 0.0 else 1  # plink2 takes minutes
            work = f"linear, {phenotypes} phenotype{'s' * (phenotypes > 1)}, {missing:.0%} missing"
            found = compared(work, ours, [Peer("plink2 --glm", theirs, limit, turns)], plan.turns)
            agree = theirs is None or _agree(pl.read_parquet(out), genotypes)
            rows += (
                found
                if agree
                else [Row(f"{work}: the answers differ", row.ours, row.peer, 0.0, np.inf, 0.0) for row in found]
            )
    return rows


def _growing(plan: Plan, folder: Path) -> list[Row]:
    """A nation's people against what the smaller scan says they should take."""
    seconds = []
    for people, variants in ((plan.people, plan.variants), plan.grown):
        genotypes = _genotypes(people, variants, 0.0, folder / f"grown{people}")
        again = partial(_scan_seconds, genotypes, _design(people, 1), folder / "grown.parquet")
        again()
        seconds.append(median(again() for _ in range(plan.turns)))
    linear = seconds[0] * plan.grown[0] * plan.grown[1] / (plan.people * plan.variants)
    work = f"linear, 1 phenotype, {plan.grown[0]:,} x {plan.grown[1]:,}"
    return [Row(work, seconds[1], f"linear from {plan.people:,}", linear, seconds[1] / linear, GROWTH)]


def _binary(plan: Plan, folder: Path) -> list[Row]:
    """Cases and controls, one in ten a case: the score test, and approximate Firth where its p is below 0.01."""
    genotypes = _genotypes(plan.people, plan.variants, 0.0, folder / "binary", beside=True)
    design = _design(plan.people, 1)
    ill = (np.random.default_rng(8).random(plan.people) < 0.1).astype(np.float64)[:, np.newaxis]
    ours = partial(_binary_seconds, genotypes, Design(design.people, ill, design.covariates), folder / "binary.parquet")
    ours()
    coded = Design(design.people, ill + 1, design.covariates)  # plink2 knows controls as 1, cases as 2
    theirs = partial(_plink2_seconds, genotypes, coded, "firth-fallback") if _beside() else None
    work = "cases and controls, score test + approximate Firth"
    return compared(work, ours, [Peer("plink2 --glm firth-fallback", theirs, BINARY, 1)], plan.turns)


def _apart(plan: Plan, folder: Path) -> list[Row]:
    """The same people at three sites, each asked for its sums in turn on one core, against one site with everybody."""
    genotypes = _genotypes(plan.people, plan.variants, 0.0, folder / "apart")
    design = _design(plan.people, 1)
    thirds = [
        slice(0, plan.people // 6),
        slice(plan.people // 6, plan.people // 2),
        slice(plan.people // 2, plan.people),
    ]
    words = genotypes.read()(0, plan.variants)
    sites = [
        (
            np.ascontiguousarray(blocks.chosen(words, design.people[s])),
            Design(np.arange(s.stop - s.start), design.phenotypes[s], design.covariates[s]),
        )
        for s in thirds
    ]
    pooled, apart = partial(_rounds_seconds, [(words, design)]), partial(_rounds_seconds, sites)
    for each in (pooled, apart):
        each()
    together = median(pooled() for _ in range(plan.turns))
    seconds = median(apart() for _ in range(plan.turns))
    work = "linear, three sites held apart"
    return [Row(work, seconds, "the same people at one site", together, seconds / together, APART)]


def _genes(plan: Plan, folder: Path) -> list[Row]:
    """SKAT-O with burden, SKAT and ACAT-O of every gene of a genome, five covariates: seconds and memory of a process of its own."""
    genes = plan.variants
    code = f"from tests.benchmarks._rare import skat_o_genes as s; m = s({plan.people}, {genes}); print(m.seconds, m.peak_mb)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    seconds, peak = map(float, said.split())
    work = f"SKAT-O, {genes:,} genes, {plan.people:,} people"
    return [Row(work, seconds, "60 s", 60.0, seconds / 60.0, 1.0),
            Row(f"memory: {work}", peak, "2 GiB", 2048.0, peak / 2048.0, 1.0, "MB")]  # fmt: skip


WORKS: tuple[Callable[[Plan, Path], list[Row]], ...] = (_linear, _growing, _binary, _apart, _genes)


# -- What is scanned ----------------------------------------------------------------------------------------------------


def _genotypes(people: int, variants: int, missing: float, prefix: Path, beside: bool = False) -> Genotypes:
    """Allele shares from 1 to 50 %, in Hardy-Weinberg proportions. beside: write them as a .pgen too, when plink2 is here."""
    random = np.random.default_rng(people)
    words = np.lib.format.open_memmap(prefix.with_suffix(".npy"), "w+", np.uint64, (variants, words_for(people)))
    codes = []
    for start in range(0, variants, 500):
        stop = min(start + 500, variants)
        share = random.uniform(0.01, 0.5, (stop - start, 1)).astype(np.float32)
        drawn = random.random((stop - start, people), dtype=np.float32)
        copies = (drawn < 1 - (1 - share) ** 2).astype(np.uint8) + (drawn < share**2)
        if missing:
            copies[random.random(copies.shape, dtype=np.float32) < missing] = 3
        words[start:stop] = pack(copies)
        if beside:
            codes.append(np.where(copies == 3, -9, copies).astype(np.int8))
    words.flush()
    pgen = prefix if beside and _beside() else None
    if pgen:
        _write_pgen(np.concatenate(codes), pgen)
    return Genotypes(people, variants, prefix.with_suffix(".npy"), pgen)


def _design(people: int, phenotypes: int) -> Design:
    random = np.random.default_rng(phenotypes)
    covariates = random.normal(size=(people, COVARIATES))
    return Design(np.arange(people), random.normal(size=(people, phenotypes)) + covariates[:, :1], covariates)


# -- Ours, and plink2's -------------------------------------------------------------------------------------------------


def _scan_seconds(genotypes: Genotypes, design: Design, out: Path) -> float:
    def work() -> Associations:
        found = scan(genotypes.read(), genotypes.variants, design, settings=SETTINGS)
        found.frame().write_parquet(out, compression="lz4", statistics=False)
        return found

    return timed(work)[1]


def _binary_seconds(genotypes: Genotypes, design: Design, out: Path) -> float:
    people = logistic.People.of(np.column_stack([np.ones(genotypes.people), design.covariates]), design.phenotypes)
    words = genotypes.read()

    def read(start: int, stop: int) -> npt.NDArray[np.uint8]:
        return blocks.copies(words(start, stop), genotypes.people)

    def work() -> None:
        found = firth.scan(read, genotypes.variants, people, settings=SETTINGS)
        pl.concat([part.frame() for part in found]).write_parquet(out, compression="lz4", statistics=False)

    return timed(work)[1]


def _rounds_seconds(sites: Sequence[tuple[npt.NDArray[np.uint64], Design]]) -> float:
    """All rounds of a linear scan, the sites asked one after the other."""

    def work() -> None:
        designs = [design for _, design in sites]
        scale = linear.scale(total(map(linear.moments, designs)))
        null = linear.Null.start(scale)
        for _ in range(2):
            null = linear.fitted(null, total(linear.crossed(design, null) for design in designs))
        parts = [(words, linear.Site.of(design, null)) for words, design in sites]
        for start in range(0, len(sites[0][0]), linear.CHUNK):
            sums = [linear.summarise(words[start : start + linear.CHUNK], part) for words, part in parts]
            linear.estimate(null, total(sums))

    return timed(work)[1]


def _beside() -> bool:
    return peers.has("plink2") and peers.has("pgenlib")


def _write_pgen(copies: npt.NDArray[np.int8], prefix: Path) -> None:
    """A .pgen with its .pvar and .psam; -9 where nothing was called."""
    import pgenlib  # type: ignore[import-untyped]  # noqa: PLC0415  (an optional extra)

    variants, people = copies.shape
    with pgenlib.PgenWriter(str(prefix.with_suffix(".pgen")).encode(), people, variants, False) as writer:
        for row in copies:
            writer.append_biallelic(row)
    lines = [f"1\t{n + 1}\tv{n}\tA\tC" for n in range(variants)]
    prefix.with_suffix(".pvar").write_text("\n".join(["#CHROM\tPOS\tID\tREF\tALT", *lines]) + "\n")
    prefix.with_suffix(".psam").write_text("\n".join(["#IID", *(f"p{n}" for n in range(people))]) + "\n")


def _plink2_seconds(genotypes: Genotypes, design: Design, *more: str) -> float:
    pgen = genotypes.pgen
    assert pgen is not None  # who has plink2 has it
    for kind, columns in (("phenotypes", design.phenotypes), ("covariates", design.covariates)):
        table = pl.DataFrame(columns, [f"{kind[0]}{n}" for n in range(columns.shape[1])], orient="row")
        names = pl.DataFrame({"#IID": [f"p{n}" for n in range(genotypes.people)]})
        names.hstack(table).write_csv(pgen.with_suffix(f".{kind}"), separator="\t")
    command: list[str | Path] = [
        "plink2", "--pfile", pgen, "--pheno", pgen.with_suffix(".phenotypes"), "--covar", pgen.with_suffix(".covariates"),
        "--glm", "omit-ref", "hide-covar", *more, "--threads", peers.THREADS, "--out", pgen,
    ]  # fmt: skip
    return timed(lambda: subprocess.run(command, capture_output=True, check=True))[1]


def _agree(ours: pl.DataFrame, genotypes: Genotypes) -> bool:
    """Whether t of every variant is plink2's, to the digits it prints; the first phenotype speaks for all."""
    assert genotypes.pgen is not None
    theirs = pl.read_csv(
        genotypes.pgen.with_name(f"{genotypes.pgen.name}.p0.glm.linear"), separator="\t", null_values="NA"
    )
    t = ours.filter(pl.col("phenotype") == "0")["t"].to_numpy()
    return bool(np.allclose(t, theirs["T_STAT"].to_numpy(), rtol=_SIX_DIGITS, atol=_SIX_DIGITS))

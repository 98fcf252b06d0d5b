"""Variant files to a store, its size, counts and carriers, each beside the tool people use for it: one table, one line a peer.

    python -m tests.benchmarks variants                       # everything: about five minutes, the first time seven
    python -m tests.benchmarks.variants --quick --keep DIR    # a tenth of it, never failing; DIR keeps the made-up cohorts

The environment's NHSGEN_BENCH_QUICK=1 and NHSGEN_BENCH_KEEP=DIR say the same; NHSGEN_BENCH_SLOW=1 asks vcf2zarr too, which takes
minutes. Ours and a peer's answers are compared before their
times are: what disagrees has no ratio. Ours is timed in this process, after a tiny file has been read once; everyone has two cores.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from statistics import median

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl

from nhsgen.settings import Settings
from nhsgen.variants import VariantStore, ingest, variants
from tests.benchmarks import _peers as peers
from tests.benchmarks._measures import HEAD, Peer, Row, compared, peak_mb, printed, timed
from tests.benchmarks.variant_cohorts import COHORTS, QUICK, Cohort, made

__all__ = ["main"]

Joined = list[tuple[bool, int, int]]
Mask = npt.NDArray[np.bool_]
SETTINGS = Settings(threads=2, memory_mb=1024)
REGION = "22:17000000-17100000"
MEMORY_MB = 1024
GROWTH = 1.25
"""How much worse than linear a growth may be."""
EVEN = 1.5
"""How much more memory a file of sixteen times the variants may take: caches fill, nothing else grows."""
_COMPARED = ["hom_ref", "het", "hom_alt", "missing", "ac"]


@dataclass(frozen=True)
class Plan:
    """What is measured: the three cohorts, the sizes that growth is watched over, how many turns."""

    cohorts: tuple[Cohort, ...]
    grown: Cohort
    factors: tuple[int, ...]
    rare: Cohort
    turns: int


FULL = Plan(COHORTS, Cohort("growth", 2_504, 3_125), (1, 4, 16), Cohort("rare", 2_504, 10_000, rare=5), 5)
TENTH = Plan(QUICK, Cohort("growth", 600, 500), (1, 4, 16), Cohort("rare", 600, 2_000, rare=5), 3)


@dataclass(frozen=True)
class Bench:
    """Where things are while the benchmark runs.

    kept: for the made-up cohorts and their indexes; scratch: for everything else, emptied at the end.
    """

    plan: Plan
    kept: Path
    scratch: Path

    def cohort(self, name: str) -> Cohort:
        return next(cohort for cohort in self.plan.cohorts if cohort.name == name)

    def file(self, name: str, form: str) -> Path:
        return made(self.cohort(name), self.kept)[form]


def main(quick: bool | None = None, keep: str | None = None) -> bool:
    """Print the table; whether every limit is kept. A quick run is for seeing that everything runs: it is never a no."""
    quick = os.environ.get("NHSGEN_BENCH_QUICK", "") not in {"", "0"} if quick is None else quick
    keep = keep or os.environ.get("NHSGEN_BENCH_KEEP")
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: SETTINGS.threads])
    with tempfile.TemporaryDirectory(prefix="nhsgen-bench-") as folder:
        kept = Path(keep) if keep else Path(folder) / "cohorts"
        scratch = Path(folder) / "scratch"
        for place in (kept, scratch):
            place.mkdir(parents=True, exist_ok=True)
        bench = Bench(TENTH if quick else FULL, kept, scratch)
        _warm(bench)
        print(HEAD)
        rows = [row for work in WORKS for row in printed(work(bench))]
    above = [row for row in rows if not row.within]
    print(f"{len(rows)} lines, {len(above)} above their limit" + (" (a quick run: seen, not judged)" if quick else ""))
    return quick or not above


def _warm(bench: Bench) -> None:
    """Compile, import and start whatever ours needs once."""
    forms = ("vcf.gz", "bcf")
    for tiny in (
        Cohort("tiny", 100, 400, annotated=True, forms=forms),
        Cohort("deep", 100, 400, calls="GT:AD:DP:GQ", forms=forms[:1]),
    ):
        for form in tiny.forms:
            with _store(bench, made(tiny, bench.kept)[form]) as folder:
                store = VariantStore.open(folder)
                half = _half(store)
                store.counts(samples=half)
                store.carriers(variants().in_region(REGION), half)


# -- Ours ---------------------------------------------------------------------------------------------------------------


def _ingest(file: Path, out: Path) -> None:
    ingest([file], out, settings=SETTINGS)


@contextmanager
def _store(bench: Bench, file: Path) -> Iterator[Path]:
    """A store of the file, for as long as it is needed."""
    out = Path(tempfile.mkdtemp(dir=bench.scratch)) / "store"
    try:
        _ingest(file, out)
        yield out
    finally:
        shutil.rmtree(out.parent)


def _ingest_seconds(bench: Bench, file: Path) -> float:
    """Seconds to make a store of the file; it is gone afterwards, and that takes no time of anybody's."""
    out = Path(tempfile.mkdtemp(dir=bench.scratch))
    _, seconds = timed(lambda: _ingest(file, out / "store"))
    shutil.rmtree(out)
    return seconds


def _half(store: VariantStore) -> Mask:
    return np.random.default_rng(5).permutation(len(store.samples)) < len(store.samples) // 2


def _named(store: VariantStore, mask: Mask) -> list[str]:
    return [name for name, chosen in zip(store.samples, mask.tolist(), strict=True) if chosen]


# -- 1, 2, 3: files to stores -------------------------------------------------------------------------------------------


def _converting(bench: Bench) -> list[Row]:
    """The three files of the issue; limits against plink2 and cyvcf2."""
    rows = []
    for name, form, plink2, cyvcf2 in (
        ("cohort", "vcf.gz", 0.6, 0.12),
        ("depth", "vcf.gz", 0.9, 0.25),
        ("cohort", "bcf", 0.6, 0.15),
    ):
        cohort, file = bench.cohort(name), bench.file(name, form)
        work = f"{form} -> store, {cohort.calls}, {cohort.people:,} x {cohort.variants:,}"
        fellows = [_plink2_peer(bench, file, plink2)]
        decode = partial(peers.cyvcf2_decode, file) if peers.has("cyvcf2") else None
        fellows.append(Peer("cyvcf2, genotypes alone", decode, cyvcf2, turns=2))
        if name == "depth":
            best, _ = peers.decompress(file)
            fellows.append(Peer(f"decompressing ({best})", partial(_decompress_seconds, file), 1.6))
        elif form == "vcf.gz" and os.environ.get("NHSGEN_BENCH_SLOW"):
            zarr = partial(peers.vcf2zarr, file) if peers.has("vcf2zarr") else None
            fellows.append(Peer("vcf2zarr", zarr, None, turns=1))
        _check_store(bench, file)
        rows += compared(work, partial(_ingest_seconds, bench, file), fellows, bench.plan.turns)
    return rows


def _decompress_seconds(file: Path) -> float:
    return peers.decompress(file)[1]


def _plink2_peer(bench: Bench, file: Path, limit: float) -> Peer:
    if not peers.has("plink2"):
        return Peer("plink2 --make-pgen", None, limit)

    def once() -> float:
        with tempfile.TemporaryDirectory(dir=bench.scratch) as folder:
            return peers.plink2_pgen(file, Path(folder) / "out")

    return Peer("plink2 --make-pgen", once, limit)


def _check_store(bench: Bench, file: Path) -> None:
    """That the store counts everybody as plink2 and INFO do, and keeps what VEP said where VEP said it."""
    with _store(bench, file) as folder:
        store = VariantStore.open(folder)
        if peers.has("plink2"):
            with tempfile.TemporaryDirectory(dir=bench.scratch) as out:
                peers.plink2_pgen(file, Path(out) / "out")
                _agree(store.counts(), peers.plink2_counts(Path(out) / "out", None, Path(out))[0], file.name)
        listed = store.query(columns=["gene", "ac", "an", "info_ac", "info_an"])
        for name in ("ac", "an"):
            assert (listed[name] == listed[f"info_{name}"]).all(), f"{file.name}: {name} is not what INFO says"
        genes = listed["gene"]
        annotated = file.name.startswith("cohort")
        assert genes.is_not_null().all() if annotated else genes.is_null().all(), f"{file.name}: genes went astray"


def _agree(ours: pl.DataFrame, theirs: pl.DataFrame, what: str) -> None:
    mine = ours.select("pos", "ref", "alt", *_COMPARED).sort("pos", "ref", "alt")
    for name in mine.columns:
        differ = (
            int((mine[name] != theirs[name].cast(mine[name].dtype)).sum()) if len(mine) == len(theirs) else len(mine)
        )
        assert not differ, f"{what}: {name} differs from plink2's in {differ:,} of {len(theirs):,} alleles"


# -- 4: sizes -----------------------------------------------------------------------------------------------------------


def _sizes(bench: Bench) -> list[Row]:
    """Ours beside PGEN + PVAR and BCF. A PVAR without INFO has none of the annotation that ours has: judged where there is none."""
    rows = []
    plain = replace(bench.plan.grown, variants=bench.plan.grown.variants * bench.plan.factors[-1])
    for cohort in (bench.cohort("cohort"), plain, bench.cohort("nation")):
        file = made(cohort, bench.kept)["bcf"]
        work = f"size, {cohort.people:,} x {cohort.variants:,}{', annotated' if cohort.annotated else ''}"
        with _store(bench, file) as folder:
            ours = sum(part.stat().st_size for part in folder.rglob("*") if part.is_file()) / 1e6
        bcf = file.stat().st_size / 1e6
        for name, more, limit in (
            ("PGEN + PVAR", (), 0.8),
            ("PGEN + PVAR without INFO", ("pvar-cols=",), None if cohort.annotated else 0.8),
        ):
            if not peers.has("plink2"):
                rows.append(Row(work, ours, name, 0.0, None, limit, "MB"))
                continue
            with tempfile.TemporaryDirectory(dir=bench.scratch) as out:
                peers.plink2_pgen(file, Path(out) / "out", *more)
                theirs = peers.sizes(Path(out) / "out") / 1e6
            rows.append(Row(work, ours, name, theirs, ours / theirs, limit, "MB"))
        rows.append(Row(work, ours, "BCF", bcf, ours / bcf, 0.5, "MB"))
    return rows


# -- 5: counts ----------------------------------------------------------------------------------------------------------


def _counting(bench: Bench) -> list[Row]:
    rows = []
    for cohort in (bench.cohort("cohort"), bench.cohort("nation")):
        file = made(cohort, bench.kept)["bcf"]
        work = f"counts of a half, {cohort.people:,} x {cohort.variants:,}"
        with _store(bench, file) as folder, tempfile.TemporaryDirectory(dir=bench.scratch) as out:
            store = VariantStore.open(folder)
            half = _half(store)
            names = _named(store, half)
            run = None
            if peers.has("plink2"):
                peers.plink2_pgen(file, Path(out) / "out")
                counted, _ = peers.plink2_counts(Path(out) / "out", names, Path(out))
                _agree(store.counts(samples=half), counted, work)
                run = partial(_plink2_counts_seconds, Path(out), names)
            ours = partial(_counts_seconds, store, half)
            rows += compared(work, ours, [Peer("plink2 --geno-counts", run, 0.8)], 2 * bench.plan.turns + 1)
    return rows


def _counts_seconds(store: VariantStore, half: Mask) -> float:
    return timed(lambda: store.counts(samples=half))[1]


def _plink2_counts_seconds(folder: Path, names: Sequence[str]) -> float:
    return peers.plink2_counts(folder / "out", names, folder)[1]


# -- 6: carriers, joined to a phenotype ---------------------------------------------------------------------------------


def _carriers(bench: Bench) -> list[Row]:
    rows = []
    for cohort in (bench.cohort("cohort"), bench.cohort("nation")):
        file = made(cohort, bench.kept)["bcf"]
        peers.index(file)
        work = f"carriers in 100 kb of a half, {cohort.people:,}"
        with _store(bench, file) as folder:
            store = VariantStore.open(folder)
            names = _named(store, _half(store))
            phenotypes, listed = folder.parent / "phenotypes.parquet", folder.parent / "names.txt"
            ill = np.random.default_rng(6).random(len(store.samples)) < 0.1
            pl.DataFrame({"sample": store.samples, "ill": ill}).write_parquet(phenotypes)
            listed.write_text("\n".join(names) + "\n")
            rows += compared(
                work,
                partial(_carriers_seconds, folder, names, phenotypes),
                _carriers_peers(
                    work, cohort, file, names, listed, phenotypes, _joined(_cold(folder, names), phenotypes)
                ),
                bench.plan.turns,
            )
    return rows


def _carriers_peers(
    work: str, cohort: Cohort, file: Path, names: list[str], listed: Path, phenotypes: Path, expected: Joined
) -> list[Peer]:
    """Those who answer as we do; listed: the file that holds the names."""
    asked: list[tuple[str, Callable[[], pl.DataFrame], float | None]] = [
        ("cyvcf2", partial(peers.cyvcf2_carriers, file, REGION, names), 0.25),
        ("bcftools", partial(peers.bcftools_carriers, file, REGION, listed), 0.25),
    ]
    if cohort.name == "cohort":
        asked.append(("pysam", partial(peers.pysam_carriers, file, REGION, names), None))
    found = []
    for tool, find, limit in asked:
        run = None
        if peers.has(tool):
            assert _joined(find(), phenotypes) == expected, f"{work}: {tool} finds other carriers than we do"
            run = partial(_join_seconds, find, phenotypes)
        found.append(Peer(f"{tool}, region and join", run, limit))
    return found


def _join_seconds(find: Callable[[], pl.DataFrame], phenotypes: Path) -> float:
    return timed(lambda: _joined(find(), phenotypes))[1]


def _cold(folder: Path, names: Sequence[str]) -> pl.DataFrame:
    return VariantStore.open(folder).carriers(variants().in_region(REGION), names)


def _carriers_seconds(folder: Path, names: Sequence[str], phenotypes: Path) -> float:
    """From a copy each time: a process remembers which files it has hashed, and opening is to be cold."""
    fresh = Path(tempfile.mkdtemp(dir=folder.parent)) / "store"
    shutil.copytree(folder, fresh)
    _, seconds = timed(lambda: _joined(_cold(fresh, names), phenotypes))
    shutil.rmtree(fresh.parent)
    return seconds


def _joined(carriers: pl.DataFrame, phenotypes: Path) -> Joined:
    """Of the ill and of the others: people who carry something, and how many alleles they carry.

    In one connection that stays open, for us and for the peers: to start DuckDB takes 15 ms, and is nobody's work here.
    """
    connection = _connection()
    connection.register("carriers", carriers)
    try:
        return connection.execute(
            "SELECT ill, count(DISTINCT sample), count(*) FROM carriers JOIN read_parquet(?) USING (sample) GROUP BY 1 ORDER BY 1",
            [str(phenotypes)],
        ).fetchall()
    finally:
        connection.unregister("carriers")


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": SETTINGS.threads})


# -- 7: memory ----------------------------------------------------------------------------------------------------------

_INGESTS = (
    "from nhsgen.settings import Settings; from nhsgen.variants import ingest; "
    "ingest([{file!r}], {out!r}, settings=Settings(threads=2))"
)
_COUNTS = (
    "from nhsgen.variants import VariantStore; import numpy as np; s = VariantStore.open({out!r}); "
    "s.counts(samples=np.arange(len(s.samples)) % 2 == 0)"
)
_ASKS = (
    "from nhsgen.variants import VariantStore, variants; import numpy as np; s = VariantStore.open({out!r}); "
    f"s.carriers(variants().in_region({REGION!r}), np.arange(len(s.samples)) % 2 == 0)"
)


def _memory(bench: Bench) -> list[Row]:
    """Peaks of a new process and its children; the same for a sixteenth of the variants, to see that it does not grow with them."""
    grown, most = bench.plan.grown, bench.plan.factors[-1]
    rows = []
    for cohort, form in (
        (grown, "bcf"),
        (replace(grown, variants=grown.variants * most), "bcf"),
        (bench.cohort("cohort"), "vcf.gz"),
        (bench.cohort("depth"), "vcf.gz"),
        (bench.cohort("nation"), "bcf"),
    ):
        file, place = made(cohort, bench.kept)[form], Path(tempfile.mkdtemp(dir=bench.scratch))
        names = {"file": str(file), "out": str(place / "store")}
        works = [("store from " + form, _INGESTS)]
        if cohort.name == "nation":
            works += [("counts of a half", _COUNTS), ("carriers in 100 kb", _ASKS)]
        for what, code in works:
            peak = peak_mb(code.format(**names))
            work = f"memory: {what}, {cohort.people:,} x {cohort.variants:,}"
            rows.append(Row(work, peak, "1 GiB", MEMORY_MB, peak / MEMORY_MB, 1.0, "MB"))
        shutil.rmtree(place)
    small, large = rows[0].ours, rows[1].ours
    rows.append(
        Row(f"memory: store from bcf, {most} x variants", large, "1 x variants", small, large / small, EVEN, "MB")
    )
    return rows


# -- 8: growth ----------------------------------------------------------------------------------------------------------


def _growing(bench: Bench) -> list[Row]:
    """Seconds at 1, 4 and 16 times; the ratio is to linear growth from the smallest. A rare allele costs by its carriers alone."""
    grown, factors = bench.plan.grown, bench.plan.factors
    rows = []
    for of, sizes in (
        ("variants", [replace(grown, variants=grown.variants * factor) for factor in factors]),
        ("people", [replace(grown, people=grown.people * factor) for factor in factors]),
    ):
        seconds = [_both_seconds(bench, cohort) for cohort in sizes]
        for which, what in enumerate(("store from bcf", "counts of a half")):
            first = seconds[0][which]
            for factor, cohort, pair in zip(factors[1:], sizes[1:], seconds[1:], strict=True):
                linear = first * factor
                work = f"{what}, {cohort.people:,} x {cohort.variants:,}"
                rows.append(Row(work, pair[which], f"linear in {of}, {factor} x", linear, pair[which] / linear, GROWTH))
    rare, most = bench.plan.rare, factors[-1]
    few, many = (_both_seconds(bench, replace(rare, people=rare.people * factor))[1] for factor in (1, most))
    work = f"counts, {rare.rare} carriers each, {rare.people * most:,} x {rare.variants:,}"
    rows.append(Row(work, many, f"the same in {rare.people:,} people", few, many / few, 2.0))
    return rows


def _both_seconds(bench: Bench, cohort: Cohort) -> tuple[float, float]:
    """Seconds to make the store, and to count half of its people: medians."""
    file = made(cohort, bench.kept)["bcf"]
    making = median(_ingest_seconds(bench, file) for _ in range(min(3, bench.plan.turns)))
    with _store(bench, file) as folder:
        store = VariantStore.open(folder)
        half = _half(store)
        store.counts(samples=half)
        return making, median(_counts_seconds(store, half) for _ in range(2 * bench.plan.turns + 1))


WORKS: tuple[Callable[[Bench], list[Row]], ...] = (_converting, _sizes, _counting, _carriers, _memory, _growing)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Variant files, stores, counts and carriers against the field's tools."
    )
    parser.add_argument("--quick", action="store_true", default=None, help="a tenth of the size; never fails")
    parser.add_argument("--keep", help="a folder that keeps the made-up cohorts from run to run")
    asked = parser.parse_args()
    sys.exit(0 if main(asked.quick, asked.keep) else 1)

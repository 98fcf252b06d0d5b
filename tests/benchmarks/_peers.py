"""The tools that the variant benchmarks compare with: plink2, bcftools, cyvcf2, pysam, bio2zarr, and mere decompression.

plink2, bcftools and vcf2zarr run as processes with two threads; cyvcf2 and pysam run in this process, imported beforehand. Each
gets the form of file and the way of asking that is fastest for it. One that is not installed here is None, and said so.
"""

import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from pathlib import Path
from time import perf_counter
from types import ModuleType

import numpy as np
import numpy.typing as npt
import polars as pl
import pysam

__all__ = [
    "PROGRAMS",
    "THREADS",
    "bcftools_carriers",
    "cyvcf2_carriers",
    "cyvcf2_decode",
    "decompress",
    "has",
    "index",
    "plink2_counts",
    "plink2_pgen",
    "pysam_carriers",
    "sizes",
    "vcf2zarr",
]

THREADS = "2"
PROGRAMS = ("bcftools", "plink2", "vcf2zarr")


def has(tool: str) -> bool:
    """Whether a peer is installed here: one of PROGRAMS, or else a Python package."""
    return (_program(tool) if tool in PROGRAMS else _module(tool)) is not None


def _program(name: str) -> str | None:
    """Where a program is: on the path, or beside this Python."""
    return shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))


@cache
def _module(name: str) -> ModuleType | None:
    try:
        return import_module(name)
    except ImportError:
        return None


def _run(program: str, *rest: str | Path) -> bytes:
    command = [_program(program) or program, *(str(part) for part in rest)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise RuntimeError(f"running {program} failed with {done.returncode}: {' '.join(last)}; run it alone")
    return done.stdout


def index(file: Path) -> None:
    """Write the index of a BCF that region queries need, unless it is there."""
    if not file.with_name(f"{file.name}.csi").exists():
        pysam.tabix_index(str(file), preset="bcf", csi=True, force=True)  # type: ignore[arg-type]  # its stubs forget BCF


# -- Converting ---------------------------------------------------------------------------------------------------------


def plink2_pgen(file: Path, out: Path, *more: str) -> float:
    """Seconds to convert a file to PGEN, PVAR and PSAM named `out`."""
    kind = "--bcf" if file.suffix == ".bcf" else "--vcf"
    start = perf_counter()
    _run("plink2", kind, file, "--make-pgen", *more, "--threads", THREADS, "--out", out)
    return perf_counter() - start


def sizes(prefix: Path) -> int:
    """Bytes of a PGEN and its PVAR."""
    return sum(prefix.with_name(f"{prefix.name}{suffix}").stat().st_size for suffix in (".pgen", ".pvar"))


def cyvcf2_decode(file: Path) -> float:
    """Seconds to decode all genotypes, and nothing else, into arrays; with one thread or two, whichever is faster here."""
    start = perf_counter()
    for record in _cyvcf2_file(file, _cyvcf2_threads(file)):
        record.genotype.array()
    return perf_counter() - start


def _cyvcf2_file(file: Path, threads: int, **more: object):  # type: ignore[no-untyped-def]  # cyvcf2 has no types
    return _module("cyvcf2").VCF(str(file), threads=threads, lazy=True, **more)  # type: ignore[union-attr]  # asked before


@cache
def _cyvcf2_threads(file: Path) -> int:
    seconds = {}
    for threads in (1, 2):
        start = perf_counter()
        for record, _ in zip(_cyvcf2_file(file, threads), range(1_000), strict=False):
            record.genotype.array()
        seconds[threads] = perf_counter() - start
    return min(seconds, key=seconds.__getitem__)


def vcf2zarr(file: Path) -> float:
    """Seconds to convert a file to VCF Zarr."""
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        start = perf_counter()
        _run("vcf2zarr", "convert", "--no-progress", "--force", "-p", THREADS, file, Path(folder) / "out.vcz")
        return perf_counter() - start


# -- Merely decompressing -----------------------------------------------------------------------------------------------


def decompress(file: Path) -> tuple[str, float]:
    """The fastest way to decompress a BGZF file on two cores, and its seconds. Nothing is kept."""
    ways = [(name, _in_two_threads(file, inflate)) for name, inflate in _inflaters()]
    if _program("bgzip"):
        ways.append(("bgzip", _timed(lambda: _to_nowhere("bgzip", "-@", THREADS, "-dc", str(file)))))
    return min(ways, key=lambda way: way[1])


def _timed(do: Callable[[], object]) -> float:
    start = perf_counter()
    do()
    return perf_counter() - start


def _to_nowhere(*command: str) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def _inflaters() -> Iterable[tuple[str, Callable[[bytes, int], bytes]]]:
    """Ways to decompress a block: given its deflated bytes and how many they become."""
    isal, libdeflate = _module("isal.igzip_lib"), _module("deflate")
    if isal is not None:
        yield "isal", lambda data, size: isal.decompress(data, flag=isal.DECOMP_DEFLATE, bufsize=size)
    if libdeflate is not None:
        yield "libdeflate", libdeflate.deflate_decompress
    if isal is None and libdeflate is None:
        yield "zlib", lambda data, size: zlib.decompress(data, -15, size)


def _in_two_threads(file: Path, inflate: Callable[[bytes, int], bytes]) -> float:
    start = perf_counter()
    data = file.read_bytes()
    starts, at = [0], 0
    while at < len(data):
        at += int.from_bytes(data[at + 16 : at + 18], "little") + 1
        starts.append(at)

    def half(first: int, last: int) -> None:
        for block in range(first, last):
            begin, end = starts[block], starts[block + 1]
            size = int.from_bytes(data[end - 4 : end], "little")
            if size:
                inflate(data[begin + 18 : end - 8], size)

    middle = len(starts) // 2
    with ThreadPoolExecutor(2) as pool:
        for part in (pool.submit(half, 0, middle), pool.submit(half, middle, len(starts) - 1)):
            part.result()
    return perf_counter() - start


# -- Counting -----------------------------------------------------------------------------------------------------------


def plink2_counts(prefix: Path, people: Sequence[str] | None, scratch: Path) -> tuple[pl.DataFrame, float]:
    """Genotype counts of every ALT among `people`, or all: pos, ref, alt, hom_ref, het, hom_alt, missing, ac; and the seconds."""
    out, keep = scratch / "counts", scratch / "keep.txt"
    chosen: tuple[str | Path, ...] = ()
    if people is not None:
        keep.write_text("\n".join(["#IID", *people]) + "\n")
        chosen = ("--keep", keep)
    columns = "cols=chrom,pos,ref,alt,homref,refalt,altxy,missing"
    start = perf_counter()
    _run("plink2", "--pfile", prefix, *chosen, "--geno-counts", columns, "--threads", THREADS, "--out", out)
    seconds = perf_counter() - start
    return _counted(scratch / "counts.gcount"), seconds


def _counted(file: Path) -> pl.DataFrame:
    text = {"ALT": pl.String, "HET_REF_ALT_CTS": pl.String, "TWO_ALT_GENO_CTS": pl.String}
    table = pl.read_csv(file, separator="\t", schema_overrides=text)
    rows = []
    for row in table.iter_rows(named=True):
        alts = row["ALT"].split(",")
        with_ref = [int(number) for number in row["HET_REF_ALT_CTS"].split(",")]
        of_two = iter(int(number) for number in row["TWO_ALT_GENO_CTS"].split(","))
        pairs = {
            (low, high): next(of_two) for high in range(len(alts)) for low in range(high + 1)
        }  # 1/1, 1/2, 2/2, ...
        for number, alt in enumerate(alts):
            other = sum(count for pair, count in pairs.items() if number in pair and pair[0] != pair[1])
            het, hom_alt = with_ref[number] + other, pairs[number, number]
            rows.append((
                row["POS"], row["REF"], alt, row["HOM_REF_CT"], het, hom_alt, row["MISSING_CT"], het + 2 * hom_alt
            ))  # fmt: skip
    names = ["pos", "ref", "alt", "hom_ref", "het", "hom_alt", "missing", "ac"]
    return pl.DataFrame(rows, schema=names, orient="row").sort("pos", "ref", "alt")


# -- Carriers in a region -----------------------------------------------------------------------------------------------
# Each gives a table with one row for each allele and person with it: key and sample.


def bcftools_carriers(file: Path, region: str, people: Path) -> pl.DataFrame:
    """people: a file with one name a line."""
    text = _run(
        "bcftools", "query", "-r", region, "-S", people, "-i", 'GT="alt"',
        "-f", "[%CHROM-%POS-%REF\t%ALT\t%SAMPLE\t%GT\n]", file,
    )  # fmt: skip
    names = ["place", "alts", "sample", "calls"]
    table = pl.read_csv(text, separator="\t", has_header=False, new_columns=names, schema_overrides=[pl.String] * 4)
    alleles = pl.col("calls").str.extract_all(r"\d+").list.eval(pl.element().cast(pl.Int64)).list.unique()
    carried = table.with_columns(alleles.alias("allele")).explode("allele", empty_as_null=True)
    return carried.filter(pl.col("allele") > 0).select(
        pl.concat_str(
            "place", pl.col("alts").str.split(",").list.get(pl.col("allele") - 1), separator="-"
        ).alias("key"),
        "sample",
    )  # fmt: skip


def cyvcf2_carriers(file: Path, region: str, people: Sequence[str]) -> pl.DataFrame:
    chosen = _cyvcf2_file(file, 1, samples=list(people))
    names = np.array(chosen.samples)
    keys: list[str] = []
    rows: list[npt.NDArray[np.int64]] = []
    whose: list[npt.NDArray[np.int64]] = []
    for record in chosen(region):
        calls = record.genotype.array()[:, :2]
        for number, alt in enumerate(record.ALT, 1):
            carriers = np.flatnonzero((calls == number).any(axis=1))
            rows.append(np.full(len(carriers), len(keys)))
            whose.append(carriers)
            keys.append(f"{record.CHROM}-{record.POS}-{record.REF}-{alt}")
    samples = pl.Series(names[np.concatenate(whose)].tolist(), dtype=pl.String)
    return pl.DataFrame({"key": pl.Series(keys).gather(np.concatenate(rows)), "sample": samples})


def pysam_carriers(file: Path, region: str, people: Sequence[str]) -> pl.DataFrame:
    found = []
    with pysam.VariantFile(str(file)) as opened:
        opened.subset_samples(list(people))
        for record in opened.fetch(region=region):
            for name, call in record.samples.items():
                for number in {*(call.allele_indices or ())} - {0, None}:
                    found.append(
                        (f"{record.chrom}-{record.pos}-{record.ref}-{(record.alleles or ())[number or 0]}", name)
                    )
    return pl.DataFrame(found, schema={"key": pl.String, "sample": pl.String}, orient="row")

"""The made-up cohorts that the variant benchmarks read: VCF and BCF files of people with related haplotypes, always the same bytes.

Real people are too few to measure with (2,504 may be shared, 78,195 may not), so their haplotypes come from a coalescent
(`_haplotypes.py`) and everything else of a file from what callers and VEP write. Records are written here, not by htslib:
6 GB of text would take longer than everything that is measured. As a benchmark it says how the sizes compare with real files'.
"""

import struct
import tempfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pysam
from numba import njit

from tests.benchmarks._haplotypes import Site, sites

__all__ = ["COHORTS", "QUICK", "Cohort", "made", "main"]

SPAN = 51_304_566  # bases of chromosome 22, GRCh37
UNCALLED = 0.01  # share of genotypes with depth that were not called

Numbers = npt.NDArray[np.int64]
Encode = Callable[[Site, Numbers], bytes]
"""A site's genotypes, given who was not called there."""
_NOBODY: Numbers = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Cohort:
    """One cohort and the forms in which it is wanted.

    calls: "GT" (phased), or "GT:AD:DP:GQ" (unphased, 1 % not called).
    annotated: whether INFO has VEP's CSQ.
    forms: of "vcf.gz" and "bcf".
    rare: carriers of every allele; None for what a growing population has.
    """

    name: str
    people: int
    variants: int
    calls: str = "GT"
    annotated: bool = False
    forms: tuple[str, ...] = ("bcf",)
    rare: int | None = None
    spacing: int = 150


COHORTS = (
    Cohort("cohort", 2_504, 50_000, annotated=True, forms=("vcf.gz", "bcf")),
    Cohort("depth", 4_000, 6_000, calls="GT:AD:DP:GQ", forms=("vcf.gz",)),
    Cohort("nation", 78_195, 20_000, spacing=80),
)
QUICK = (
    Cohort("cohort", 2_504, 5_000, annotated=True, forms=("vcf.gz", "bcf")),
    Cohort("depth", 1_200, 2_000, calls="GT:AD:DP:GQ", forms=("vcf.gz",)),
    Cohort("nation", 20_000, 4_000, spacing=80),
)


def made(cohort: Cohort, folder: Path) -> dict[str, Path]:
    """The files of a cohort by form, written into `folder` unless this very code wrote them there already."""
    stem = f"{cohort.name}-{cohort.people}x{cohort.variants}-{_version()}"
    files = {form: folder / f"{stem}.{form}" for form in cohort.forms}
    if not all(file.exists() for file in files.values()):
        _write(cohort, files)
    return files


@cache
def _version() -> str:
    """Of what makes the files: kept ones are not taken for those that a changed generator would make."""
    code = [Path(__file__), Path(__file__).with_name("_haplotypes.py")]
    return sha256(b"".join(file.read_bytes() for file in code)).hexdigest()[:8]


def _write(cohort: Cohort, files: dict[str, Path]) -> None:
    many = cohort.people > 10_000  # a nation's people, and longer blocks: a genealogy of so many takes its time
    shares, block = ((0.8, 0.12, 0.02, 0.06), 100) if many else ((0.3, 0.2, 0.2, 0.3), 40)
    unready = {form: file.with_name(f"{file.name}.unready") for form, file in files.items()}
    rng = np.random.default_rng(cohort.variants)
    outs = {form: _Blocks(path) for form, path in unready.items()}
    encode = {
        "vcf.gz": _phased(cohort.people) if cohort.calls == "GT" else _with_depth(cohort.people),
        "bcf": _bcf_calls(cohort.people),
    }
    head = _header(cohort)
    for form, out in outs.items():
        out.write(head if form == "vcf.gz" else _bcf_header(head))
    for site in sites(
        cohort.people, cohort.variants, shares=shares, spacing=cohort.spacing, block=block, rare=cohort.rare
    ):
        uncalled = np.flatnonzero(rng.random(cohort.people) < UNCALLED) if cohort.calls != "GT" else _NOBODY
        info = _info(site, cohort, uncalled, rng)
        for form, out in outs.items():
            calls = encode[form](site, uncalled)
            if form == "vcf.gz":
                out.write(_line(site, info, cohort).encode())
                out.write(calls)
                out.write(b"\n")
            else:
                out.write(_bcf_record(site, info, cohort, len(calls)))
                out.write(calls)
    for form, out in outs.items():
        out.close()
        unready[form].replace(files[form])


# -- What stands before the genotypes -----------------------------------------------------------------------------------

_INFO = ("AC", "AF", "AN", "DP")
_CSQ_NAMES = (
    "Allele|Consequence|IMPACT|SYMBOL|Gene|Feature_type|Feature|BIOTYPE|EXON|HGVSc|HGVSp|CANONICAL|MANE_SELECT|gnomADe_AF"
    "|gnomADe_AFR_AF|gnomADe_NFE_AF"
)
# How often, what, how bad, whether within an exon.
_CONSEQUENCES = (
    (0.52, "intron_variant", "MODIFIER", False),
    (0.14, "upstream_gene_variant", "MODIFIER", False),
    (0.12, "downstream_gene_variant", "MODIFIER", False),
    (0.08, "3_prime_UTR_variant", "MODIFIER", True),
    (0.07, "missense_variant", "MODERATE", True),
    (0.05, "synonymous_variant", "LOW", True),
    (0.01, "splice_region_variant&intron_variant", "LOW", False),
    (0.006, "stop_gained", "HIGH", True),
    (0.004, "splice_donor_variant", "HIGH", False),
)
_CUMULATED = np.cumsum([row[0] for row in _CONSEQUENCES])


def _header(cohort: Cohort) -> bytes:
    lines = [
        "##fileformat=VCFv4.2",
        '##FILTER=<ID=PASS,Description="All filters passed">',
        f"##contig=<ID=22,assembly=GRCh37,length={SPAN}>",
        '##INFO=<ID=AC,Number=A,Type=Integer,Description="Allele count in genotypes">',
        '##INFO=<ID=AF,Number=A,Type=Float,Description="Allele frequency">',
        '##INFO=<ID=AN,Number=1,Type=Integer,Description="Alleles called">',
        '##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">',
        '##INFO=<ID=CSQ,Number=.,Type=String,Description="Consequence annotations from Ensembl VEP. '
        f'Format: {_CSQ_NAMES}">',
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        '##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Reads of each allele">',
        '##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Depth">',
        '##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="Genotype quality">',
    ]
    names = [f"P{number:06d}" for number in range(cohort.people)]
    fixed = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
    return ("\n".join([*lines, "\t".join([*fixed, *names])]) + "\n").encode()


Info = dict[str, tuple[float, ...] | str]


def _info(site: Site, cohort: Cohort, uncalled: Numbers, rng: np.random.Generator) -> Info:
    """INFO by field, in the order it is written."""
    copies = _copies(site, uncalled)
    called = 2 * (cohort.people - len(uncalled))
    info: Info = {
        "AC": copies,
        "AF": tuple(count / called for count in copies),
        "AN": (called,),
        "DP": (int(cohort.people * rng.normal(30, 3)),),
    }
    if cohort.annotated:
        info["CSQ"] = ",".join(_csq(site, info["AF"], rng))  # type: ignore[arg-type]  # AF is always numbers
    return info


def _copies(site: Site, uncalled: Numbers) -> tuple[int, ...]:
    """Chromosomes called with each ALT; where two fell on the same one, the later stands."""
    counts = []
    for number, mine in enumerate(site.carriers):
        left = mine[~np.isin(mine // 2, uncalled)] if len(uncalled) else mine
        for later in site.carriers[number + 1 :]:
            left = left[~np.isin(left, later)]
        counts.append(len(left))
    return tuple(counts)


def _csq(site: Site, frequencies: tuple[float, ...], rng: np.random.Generator) -> Iterator[str]:
    """One entry for each transcript of each ALT."""
    number = site.pos // 20_000  # a gene every 20 kb
    gene, ensembl = f"GENE{number}", f"ENSG{number:011d}"
    draws = rng.random((len(site.alts), 4, 3)).tolist()
    shorter = len(site.ref) > 1 or any(len(alt) > 1 for alt in site.alts)
    trims = shorter and all(alt[0] == site.ref[0] for alt in site.alts)
    for alt, frequency, mine in zip(site.alts, frequencies, draws, strict=True):
        allele = (alt[1:] or "-") if trims else alt  # as VEP names it
        known = mine[0][2] < 0.6
        af = [f"{frequency * scale:.4g}" if known else "" for scale in (1.0, 0.8, 1.1)]
        for place in range(1 + int(3.999 * mine[0][1])):
            _, term, impact, exonic = _CONSEQUENCES[int(np.searchsorted(_CUMULATED, mine[place][0] * 0.9999))]
            transcript = f"ENST{number * 10 + place:011d}"
            codon = site.pos % 20_000 // 3
            hgvsc = f"{transcript}.4:c.{codon * 3}{'' if exonic else '+17'}{site.ref}>{alt}"
            hgvsp = f"ENSP{number * 10 + place:011d}.2:p.Arg{codon}Trp" if "missense" in term or "stop" in term else ""
            first = place == 0
            yield "|".join((
                allele, term, impact, gene, ensembl, "Transcript", transcript, "protein_coding", "3/11" if exonic else "",
                hgvsc, hgvsp, "YES" if first else "", f"NM_{number:06d}.3" if first else "", *af,
            ))  # fmt: skip


def _id(site: Site) -> str:
    return "." if site.number % 10 >= 7 else f"rs{58_000_000 + 13 * site.number}"


def _line(site: Site, info: Info, cohort: Cohort) -> str:
    texts = [
        f"{name}={value if isinstance(value, str) else ','.join(f'{number:.6g}' if name == 'AF' else str(number) for number in value)}"
        for name, value in info.items()
    ]
    return "\t".join(
        ["22", str(site.pos), _id(site), site.ref, ",".join(site.alts), "100", "PASS", ";".join(texts), cohort.calls]
    )


# -- Genotypes as VCF text ----------------------------------------------------------------------------------------------


def _phased(people: int) -> Encode:
    nobody = np.tile(np.frombuffer(b"\t0|0", dtype=np.uint8), people)

    def calls(site: Site, uncalled: Numbers) -> bytes:
        text = nobody.copy()
        for number, mine in enumerate(site.carriers, 1):
            text[2 * mine + 1] = (
                ord("0") + number
            )  # chromosome c of person c // 2 stands at 4 * (c // 2) + 1 + 2 * (c % 2)
        return text.tobytes()

    return calls


def _with_depth(people: int) -> Encode:
    buffer = np.empty(people * 40, dtype=np.uint8)

    def calls(site: Site, uncalled: Numbers) -> bytes:
        alleles = np.zeros(2 * people, dtype=np.int64)
        for number, mine in enumerate(site.carriers, 1):
            alleles[mine] = number
        called = np.ones(people, dtype=np.bool_)
        called[uncalled] = False
        written = _write_depths(alleles, called, 1 + len(site.alts), site.number, buffer)
        return buffer[:written].tobytes()

    return calls


@njit
def _digits(out, at, number):  # type: ignore[no-untyped-def]  # compiled: types are its arguments'
    if number >= 100:
        out[at] = 48 + number // 100
        at += 1
    if number >= 10:
        out[at] = 48 + number // 10 % 10
        at += 1
    out[at] = 48 + number % 10
    return at + 1


@njit
def _write_depths(alleles, called, count, seed, out):  # type: ignore[no-untyped-def]  # compiled: types are its arguments'
    """GT:AD:DP:GQ of everybody, as GATK writes it, into `out`; how many bytes that is."""
    np.random.seed(seed)
    at = 0
    reads = np.zeros(count, np.int64)
    for person in range(len(alleles) // 2):
        one, two = alleles[2 * person], alleles[2 * person + 1]
        low, high = min(one, two), max(one, two)
        depth = np.random.poisson(30) if called[person] else np.random.poisson(1)
        reads[:] = 0
        if low != high and depth:
            reads[low] = np.random.binomial(depth, 0.5)
        reads[high] += depth - reads[low]
        if low == high and depth and np.random.random() < 0.05:  # a wrong read now and then
            reads[low] -= 1
            reads[(low + 1) % count] += 1
        out[at], out[at + 2] = 9, 47
        out[at + 1] = 48 + low if called[person] else 46
        out[at + 3] = 48 + high if called[person] else 46
        at += 4
        for allele in range(count):
            out[at] = 44 if allele else 58
            at = _digits(out, at + 1, reads[allele])
        out[at] = 58
        at = _digits(out, at + 1, depth)
        out[at] = 58
        at += 1
        if called[person]:
            quality = 99 if low != high and min(reads[low], reads[high]) > 5 else min(99, 3 * depth)
            at = _digits(out, at, quality)
        else:
            out[at] = 46
            at += 1
    return at


# -- BCF 2.2 --------------------------------------------------------------------------------------------------------------

# A header's strings in order: FILTER, INFO and FORMAT share one dictionary, and PASS is its first.
_STRINGS = ("PASS", "AC", "AF", "AN", "DP", "CSQ", "GT")
_INT8, _INT32, _FLOAT, _TEXT = 1, 3, 5, 7


def _bcf_header(head: bytes) -> bytes:
    return b"BCF\2\2" + struct.pack("<I", len(head) + 1) + head + b"\0"


def _bcf_calls(people: int) -> Encode:
    # Allele a of a phased pair is (a + 1) << 1, and the second has the phase bit.
    nobody = np.tile(np.array([2, 3], dtype=np.uint8), people)
    start = _typed_key("GT") + bytes([2 << 4 | _INT8])

    def calls(site: Site, uncalled: Numbers) -> bytes:
        row = nobody.copy()
        for number, mine in enumerate(site.carriers, 1):
            row[mine] = nobody[mine] + 2 * number
        return start + row.tobytes()

    return calls


def _bcf_record(site: Site, info: Info, cohort: Cohort, calls: int) -> bytes:
    """Everything of a record before its genotypes, which take `calls` bytes."""
    alleles = (site.ref, *site.alts)
    shared = struct.pack(
        "<iiifII", 0, site.pos - 1, len(site.ref), 100.0, len(alleles) << 16 | len(info), 1 << 24 | cohort.people
    )
    shared += _typed_text("" if _id(site) == "." else _id(site)) + b"".join(map(_typed_text, alleles)) + b"\x11\0"
    for name, value in info.items():
        shared += _typed_key(name)
        if isinstance(value, str):
            shared += _typed_text(value)
        elif name == "AF":
            shared += bytes([len(value) << 4 | _FLOAT]) + struct.pack(f"<{len(value)}f", *value)
        else:
            shared += bytes([len(value) << 4 | _INT32]) + struct.pack(f"<{len(value)}i", *value)
    return struct.pack("<II", len(shared), calls) + shared


def _typed_key(name: str) -> bytes:
    return bytes([1 << 4 | _INT8, _STRINGS.index(name)])


def _typed_text(text: str) -> bytes:
    data = text.encode()
    if len(data) < 15:
        return bytes([len(data) << 4 | _TEXT]) + data
    return bytes([15 << 4 | _TEXT, 1 << 4 | _INT32]) + struct.pack("<i", len(data)) + data


# -- BGZF ---------------------------------------------------------------------------------------------------------------

_BLOCK = 0xFF00  # bytes before compression, htslib's
_AHEAD = 64
_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


class _Blocks:
    """A BGZF file, compressed in two threads at htslib's level."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._pool = ThreadPoolExecutor(2)
        self._waiting: deque[Future[bytes]] = deque()
        self._kept: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        self._kept.append(data)
        self._size += len(data)
        if self._size >= 16 * _BLOCK:
            self._send(self._size // _BLOCK * _BLOCK)

    def _send(self, ready: int) -> None:
        whole = b"".join(self._kept)
        self._kept, self._size = [whole[ready:]], len(whole) - ready
        self._waiting.append(self._pool.submit(_compressed, whole[:ready]))
        while len(self._waiting) > _AHEAD:
            self._file.write(self._waiting.popleft().result())

    def close(self) -> None:
        self._send(self._size)
        for block in self._waiting:
            self._file.write(block.result())
        self._pool.shutdown()
        self._file.write(_END)
        self._file.close()


def _compressed(data: bytes) -> bytes:
    return b"".join(_block(data[first : first + _BLOCK]) for first in range(0, len(data), _BLOCK))


def _block(data: bytes) -> bytes:
    squeeze = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = squeeze.compress(data) + squeeze.flush()
    head = bytes.fromhex("1f8b08040000000000ff060042430200") + struct.pack("<H", len(body) + 25)
    return head + body + struct.pack("<II", zlib.crc32(data), len(data))


# -- Are they like real files? ------------------------------------------------------------------------------------------

# Bytes per record of 6,109 records of 2,504 people, chromosome 22, 16.0 to 16.5 Mb, of the 1000 Genomes Project, phase 3; and how
# far ours may be from them. Ours have more common alleles than that stretch, which lies beside a centromere.
_REAL = {"vcf.gz": 913_171 / 6_109, "bcf": 775_236 / 6_109}
_NEAR = (0.5, 2.0)
_SINGLETONS, _COMMON = (0.35, 0.55), (0.08, 0.30)


def main() -> bool:
    """Print what a cohort of 2,504 is like, and a reading of it through htslib; whether it is like the real one."""
    cohort = Cohort("plain", 2_504, 5_000, forms=("vcf.gz", "bcf"))
    deep = Cohort("deep", 300, 500, calls="GT:AD:DP:GQ", forms=("vcf.gz",))
    with tempfile.TemporaryDirectory() as folder:
        files = made(cohort, Path(folder))
        read = {form: _read(file) for form, file in files.items()}
        copies = np.array([number for _, *counts in read["bcf"] for number in counts])
        checks = [
            ("VCF and BCF read alike", float(read["vcf.gz"] == read["bcf"]), (1.0, 1.0)),
            ("VCF with depth, records", float(len(_read(made(deep, Path(folder))["vcf.gz"]))), (500.0, 500.0)),
            ("alleles seen once", float((copies == 1).mean()), _SINGLETONS),
            ("alleles above 1 %", float((copies > 0.02 * cohort.people).mean()), _COMMON),
        ]
        for form, file in files.items():
            share = file.stat().st_size / cohort.variants / _REAL[form]
            checks.append((f"bytes of a record, {form}, to real ones'", share, _NEAR))
    for what, found, (least, most) in checks:
        print(f"{what:44} {found:9.3f}  {least:g} to {most:g}  {'OK' if least <= found <= most else 'not like it'}")
    return all(least <= found <= most for _, found, (least, most) in checks)


def _read(file: Path) -> list[tuple[object, ...]]:
    """Each record's place and its copies of each ALT as htslib reads them; they must be those that INFO claims."""
    found: list[tuple[object, ...]] = []
    pysam.set_verbosity(0)  # an index that is not there is no news
    with pysam.VariantFile(str(file)) as opened:
        for record in opened:
            calls = [
                number for call in record.samples.values() for number in call.allele_indices or () if number is not None
            ]
            counts = tuple(calls.count(number) for number in range(1, 1 + len(record.alts or ())))
            assert counts == record.info["AC"], f"{file.name}: INFO AC is not what the genotypes say"
            assert len(calls) == record.info["AN"], f"{file.name}: INFO AN is not what the genotypes say"
            found.append((f"{record.chrom}-{record.pos}-{record.ref}-{record.alts}", *counts))
    return found

"""Thousands of spoilt variant files: each ends in a true store or in one sentence, soon, in little memory, and leaves nothing.

Every case is made from its number alone, so that one that fails can be made again: NHSGEN_FUZZ_ROUNDS says how many there are,
NHSGEN_FUZZ_FIRST which number is the first. What is read is held against the slow reader: a store that disagrees with it, or
that holds what it refuses, is as bad as a crash.
"""

import ctypes
import gzip
import os
import re
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

import numpy as np
import pysam
import pytest
from variant_files import CSQ, csq, record, vcf, write

from nhsgen.compute import mapped
from nhsgen.errors import BadFile, NhsgenError
from nhsgen.genome import chromosome
from nhsgen.settings import Settings
from nhsgen.variants import VariantStore, ingest
from nhsgen.variants.consequences import find_annotation
from nhsgen.variants.reading import open_variants
from nhsgen.variants.schema import EFFECT

ROUNDS, FIRST = (
    int(os.environ.get(f"NHSGEN_FUZZ_{name}", usual)) for name, usual in (("ROUNDS", "250"), ("FIRST", "1"))
)
SECONDS = 20
"""More than any case may take; they take hundredths, but the machine may be busy."""
MEMORY = 1 << 30
TWO = Settings(threads=2)

SECRET = "9434765919"
PEOPLE = [f"{SECRET}{letter}" for letter in "ABCDEF"]
DECLARED = (
    CSQ,
    '##INFO=<ID=AF,Number=A,Type=Float,Description="share">',
    '##INFO=<ID=DB,Number=0,Type=Flag,Description="known">',
    '##INFO=<ID=CLNSIG,Number=.,Type=String,Description="meaning">',
    '##FORMAT=<ID=AD,Number=R,Type=Integer,Description="reads">',
    '##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="quality">',
    '##FORMAT=<ID=PL,Number=G,Type=Integer,Description="likelihoods">',
)


def calls(random: Random, alts: int, fields: bool) -> str:
    """The samples' columns of one record, FORMAT first."""
    columns = []
    for _ in PEOPLE:
        alleles = [random.choice([".", *map(str, range(alts + 1)), "0", "0", "0"]) for _ in range(2)]
        call = random.choice("/|").join(alleles) if random.random() < 0.95 else random.choice([".", "0", "1"])
        if fields:
            likelihoods = ",".join(str(random.randrange(99)) for _ in range((alts + 1) * (alts + 2) // 2))
            reads = ",".join(str(random.randrange(40)) for _ in range(alts + 1))
            whole = [call, reads, random.choice([".", "0", "31"]), random.choice([".", "99", "3"]), likelihoods]
            call = ":".join(whole[: random.choice([5, 5, 5, 1, 2, 4])])
        columns.append(call)
    return "\t".join(["GT:AD:DP:GQ:PL" if fields else "GT", *columns])


def sound_file(random: Random, form: str) -> str:
    """A VCF of two dozen records about which there is nothing to say: joint calls, with fields, blocks of a gVCF, or sites."""
    lines, pos = [], 100
    contig = "22"
    for number in range(24):
        contig, pos = (
            ("X", 5_000)
            if number == 18
            else (contig, pos + random.choice([1, 1, 1, 7, 400] if random.random() < 0.98 else [0]))
        )
        ref = random.choice(["A", "AT", "acgt", "G"])
        alts = random.sample(["C", "GT", "T", "<DEL>", "*", "GG"], random.choice([1, 1, 1, 2, 3]))
        info = [f"AC={','.join(str(random.randrange(9)) for _ in alts)}", "AN=12"][: random.randrange(3)]
        info += [f"AF={','.join(f'{random.random():.3g}' for _ in alts)}"] if random.random() < 0.3 else []
        info += ["DB"] if random.random() < 0.2 else []
        effect = csq(alts[0], random.choice(["stop_gained", "missense_variant"]), "HIGH", "PKD1", gnomADe_AF="0.001")
        info += [f"CSQ={effect}"] if random.random() < 0.5 else []
        info += ["CLNSIG=Pathogenic"] if random.random() < 0.2 else []
        if form == "gvcf":
            block = random.random() < 0.5
            alts, info = (["<NON_REF>"], [f"END={pos + 300}"]) if block else ([*alts, "<NON_REF>"], [])
            pos += 300 * block
        line = record(
            f"{contig} {pos - 300 * (info[:1] == [f'END={pos}'])} {ref} {','.join(alts)}",
            info=";".join(info) or ".", id=random.choice([".", f"rs{number}", f"rs{number};rs1{number}"]),
            qual=random.choice([".", "50", "29.64", "1e3"]), filter=random.choice(["PASS", ".", "q10"]),
        )  # fmt: skip
        lines.append(line if form == "sites" else f"{line}\t{calls(random, len(alts), form != 'joint')}")
    text = vcf(*lines, samples=[] if form == "sites" else PEOPLE, info=DECLARED)
    return text.replace("ID=DP,Number=1,Type=String", "ID=DP,Number=1,Type=Integer")


FORMS = ("joint", "fields", "gvcf", "sites")

# -- Spoiling -----------------------------------------------------------------------------------------------------------

TOKENS = [
    b"\t", b"\n", b"\r\n", b"\0", b":", b",", b";", b"=", b".", b"/", b"|", b"<", b">", b"*", b"#", b"%2C", b" ", b"-1", b"1e400",
    b"4294967296", b"99999999999999999999", b"2147483647", b"\xff\xfe", "é".encode(), b"./.", b"0/0", b"13/14", b"1/1/1", b"END=1",
    b"CSQ=", b"AC=", b"\n##", b"<NON_REF>", b"\n\n", b"GT", b"chr", b"N" * 300, b"," * 40, b"\t" * 20, b"1|" * 50,
]  # fmt: skip


def reworded(random: Random, data: bytes, begin: int) -> bytes:
    """A few letters of a text changed into others that stand in it, so that much of it stays readable."""
    for _ in range(random.choice([1, 1, 2, 4, 12])):
        place, letter = random.randrange(begin, len(data)), random.choice(b"0123456789./|,:;=ACGTNacgtn*<>-\tRx")
        if data[place] not in b"\t\n" or random.random() < 0.05:
            data = data[:place] + bytes([letter]) * random.choice([1, 1, 1, 0, 2]) + data[place + 1 :]
    return data


def spoilt(random: Random, data: bytes, begin: int = 0) -> bytes:
    """A few things changed somewhere behind `begin`."""
    for _ in range(random.choice([1, 1, 1, 2, 3, 8])):
        place = random.randrange(begin, len(data)) if len(data) > begin else begin
        span = random.choice([1, 1, 2, 4, 20, 200])
        what = random.randrange(8)
        if what == 0:
            data = data[:place] + bytes([random.randrange(256)]) + data[place + 1 :]
        elif what == 1 and place < len(data):
            data = data[:place] + bytes([data[place] ^ 1 << random.randrange(8)]) + data[place + 1 :]
        elif what == 2:
            data = data[:place] + data[place + span :]
        elif what == 3:
            data = data[: place + span] + data[place:]
        elif what == 4:
            data = data[:place] + random.choice(TOKENS) + data[place:]
        elif what == 5:
            token = random.choice(TOKENS)
            data = data[:place] + token + data[place + len(token) :]
        elif what == 6:
            other = random.randrange(begin, len(data)) if len(data) > begin else begin
            data = data[:place] + data[other : other + span] + data[place + span :]
        else:
            data = (
                data[:place]
                + struct.pack("<i", random.choice([0, -1, 2**31 - 1, -(2**31), 255, 32767]))
                + data[place + 4 :]
            )
    return data


def bgzip(path: Path, data: bytes, random: Random) -> Path:
    """Blocks of random sizes, their checksums right."""
    with pysam.BGZFile(str(path), "wb") as file:
        place = 0
        while place < len(data):
            size = random.choice([1, 30, 200, 1_000, 60_000])
            file.write(data[place : place + size])
            file.flush()
            place += size
    return path


def bcf_bytes(folder: Path, text: str) -> bytes:
    """A BCF as it is when decompressed."""
    data: bytes = gzip.decompress(write(folder / "sound.bcf", text).read_bytes())
    (folder / "sound.bcf").unlink()
    return data


def bcf_header_end(data: bytes) -> int:
    return 9 + int.from_bytes(data[5:9], "little")


def spoilt_text(random: Random, text: str) -> bytes:
    """Mostly what follows the header is spoilt, for a spoilt header hides the rest; and half of the time gently."""
    begin = text.index("#CHROM") + 40 if random.random() < 0.85 else 0
    return random.choice([spoilt, reworded])(random, text.encode(), begin)


def _text(random: Random, folder: Path, text: str) -> Path:
    return write(folder / "a.vcf", spoilt_text(random, text))


def _bgzipped(random: Random, folder: Path, text: str) -> Path:
    return bgzip(folder / "a.vcf.gz", spoilt_text(random, text), random)


def _gzipped(random: Random, folder: Path, text: str) -> Path:
    data = gzip.compress(spoilt_text(random, text))
    if random.random() < 0.3:
        data = spoilt(random, data) if random.random() < 0.5 else data[: random.randrange(len(data))]
    return write(folder / "a.vcf", data)


def _raw(random: Random, folder: Path, text: str) -> Path:
    """Compressed bytes changed, the mark that ends the file kept."""
    path = folder / random.choice(["a.vcf.gz", "a.bcf"])
    data = bcf_bytes(folder, text) if path.suffix == ".bcf" else text.encode()
    whole = bgzip(path, data, random).read_bytes()
    path.write_bytes(spoilt(random, whole[:-28]) + whole[-28:])
    return path


def _bcf_body(random: Random, folder: Path, text: str) -> Path:
    data = bcf_bytes(folder, text)
    return bgzip(folder / "a.bcf", spoilt(random, data, bcf_header_end(data)), random)


def _bcf_lengths(random: Random, folder: Path, text: str) -> Path:
    """The numbers that say how long something is, in one record."""
    data = bytearray(bcf_bytes(folder, text))
    places = [bcf_header_end(data)]
    while places[-1] < len(data):
        places.append(places[-1] + 8 + sum(struct.unpack_from("<II", data, places[-1])))
    place = random.choice(places[:-1])
    value = random.choice([0, 1, 23, 24, 31, 255, 65_535, 2**24 - 1, 2**31 - 1, 2**32 - 1, random.randrange(2**32)])
    struct.pack_into("<I", data, place + random.choice([0, 4, 8, 12, 16, 20, 24, 28]), value)
    if random.random() < 0.5:  # a typed value's own length
        data[min(place + 32 + random.randrange(40), len(data) - 1)] = random.choice(
            [0xF0, 0xF1, 0xF7, 0xF3, 0xF5, 0x00, 0x10]
        )
    return bgzip(folder / "a.bcf", bytes(data), random)


def _bcf_header(random: Random, folder: Path, text: str) -> Path:
    data = bcf_bytes(folder, text)
    head, body = data[: bcf_header_end(data)], data[bcf_header_end(data) :]
    changed = spoilt(random, head[9:])
    size = len(changed) if random.random() < 0.8 else random.choice([0, 1, 2**31, 2**32 - 1, len(changed) + 100])
    return bgzip(folder / "a.bcf", head[:5] + struct.pack("<I", size) + changed + body, random)


def _truncated(random: Random, folder: Path, text: str) -> Path:
    """Cut short anywhere: among compressed bytes, between blocks or records, with and without the mark that ends a file."""
    path = folder / random.choice(["a.vcf.gz", "a.bcf", "a.vcf"])
    data = bcf_bytes(folder, text) if path.suffix == ".bcf" else text.encode()
    if random.random() < 0.5:
        data = data[: random.randrange(1, len(data))]
        return path if path.suffix == ".vcf" and path.write_bytes(data) else bgzip(path, data, random)
    whole = bgzip(path, data, random).read_bytes()
    place = random.randrange(1, len(whole)) if random.random() < 0.6 else random.choice(_block_places(whole))
    path.write_bytes(whole[:place] + (whole[-28:] if random.random() < 0.5 else b""))
    return path


def _block_places(data: bytes) -> list[int]:
    places = [0]
    while places[-1] < len(data):
        places.append(places[-1] + struct.unpack_from("<H", data, places[-1] + 16)[0] + 1)
    return places


KINDS: dict[str, Callable[[Random, Path, str], Path]] = {
    "text": _text, "bgzipped text": _bgzipped, "gzipped text": _gzipped, "raw bytes": _raw, "BCF body": _bcf_body,
    "BCF lengths": _bcf_lengths, "BCF header": _bcf_header, "truncated": _truncated,
}  # fmt: skip


def spoilt_file(number: int, folder: Path) -> tuple[str, Path]:
    """What kind of case a number is, and its file."""
    random = Random(number)
    kind = list(KINDS)[number % len(KINDS)]
    return kind, KINDS[kind](random, folder, sound_file(random, random.choice(FORMS)))


# -- Judging ------------------------------------------------------------------------------------------------------------


def slow_rows(path: Path) -> list[str] | str:
    """What the slow reader makes of a file: all that is known of each allele; or why it refuses."""
    rows: list[str] = []
    try:
        with open_variants(path) as file:
            annotation = find_annotation(
                {name: field.description for name, field in file.header.info.items()}, None, ""
            )
            for line in file.records:
                known = {name: text for name, text in line.info.items() if name in file.header.info}
                said = annotation.read(known, line.ref, line.alts, line.pos)
                for allele, (alt, (effects, af, clinvar)) in enumerate(zip(line.alts, said, strict=True), 1):
                    if alt not in {"<NON_REF>", "<*>"}:
                        genes = [{name: getattr(effect, name) for name in EFFECT.names} for effect in effects]
                        place = (chromosome(line.contig), line.pos, line.end, line.ref, alt)
                        genotypes = line.genotypes or ["./."] * len(file.header.samples)
                        counts = count_slowly(genotypes, allele)
                        rows.append(
                            str((*place, line.filter, shown(line.qual), shown(af), clinvar or None, genes, counts))
                        )
    except NhsgenError as error:
        return error.found
    return sorted(rows)


def fast_rows(store: VariantStore) -> list[str]:
    """The same of a store."""
    columns = ["chrom", "pos", "end", "ref", "alt", "filter", "qual", "af", "clinvar", "genes"]
    rows = zip(store.query(columns=columns).rows(), store.counts().select(COUNTS).to_dicts(), strict=True)
    return sorted(
        str((*place, passed, shown(qual), shown(af), clinvar, genes, counts))
        for (*place, passed, qual, af, clinvar, genes), counts in rows
    )


_LARGEST = float(np.finfo(np.float32).max)


def shown(number: float | None) -> str:
    """As far as a BCF keeps it; there an endless number is none."""
    return "." if number is None or not abs(number) < _LARGEST else f"{np.float32(number):.4g}"


COUNTS = ("hom_ref", "het", "hom_alt", "other", "missing", "half", "haploid", "hemizygous", "ac", "an")


def count_slowly(genotypes: Sequence[str], allele: int) -> dict[str, int]:
    """One person after the other."""
    row = dict.fromkeys(COUNTS, 0)
    for text in genotypes:
        called = [None if each == "." else int(each) for each in re.split(r"[/|]", text.lstrip("/|"))]
        known = [each for each in called if each is not None]
        copies = known.count(allele)
        row["ac"] += copies
        row["an"] += len(known)
        if not known:
            row["missing"] += 1
        elif len(called) == 1:
            row["haploid"] += 1
            row["hemizygous"] += copies
        elif len(known) == 1:
            row["half"] += 1
        else:
            row[("other" if any(known) else "hom_ref", "het", "hom_alt")[copies]] += 1
    return row


def slow_in_a_worker(path: Path) -> list[str] | str:
    """The same, for a BCF, through htslib: where it cannot hurt us."""
    return next(mapped(slow_rows, [path], workers="processes", settings=TWO))


# What only the store refuses: it must put alleles in order and keep each once, and it reads the blocks of bgzip as such, where the
# slow reader takes them for members of a gzip file.
ONLY_STORES_REFUSE = re.compile(
    "the same variant is listed twice|annotation|its compression is broken|its bytes do not end|no header tells"
    "|its contigs are those of|some belong to GRCh37"
)
# What htslib refuses of a BCF though it lies outside all that a store keeps: a line of the header that it does not know while it
# tells its number, a tab or letters that are no text in a value that nobody reads.
HTSLIB_REFUSES = re.compile(
    "it cannot be read after record|its BCF header cannot be read|in record .* columns, the header says"
)


def judged(path: Path, out: Path) -> str:
    """The outcome of one case, once everything that must hold of it was asserted."""
    try:
        ingest([path], out, assembly="GRCh37", workers="processes", settings=TWO)
    except NhsgenError as error:
        return refused(error, path, out)
    store = VariantStore.open(out, TWO)
    store.verify()
    expected = slow_in_a_worker(path) if path.suffix == ".bcf" else slow_rows(path)
    if path.suffix == ".bcf" and HTSLIB_REFUSES.match(str(expected)):
        return "read, not by htslib"
    assert not isinstance(expected, str), f"only the slow reader says: {expected}"
    assert fast_rows(store) == expected
    return "read"


def refused(error: NhsgenError, path: Path, out: Path) -> str:
    """What was said is one sentence with the file's name and nobody's, there is no store, and the slow reader refuses too."""
    said = str(error)
    assert isinstance(error, BadFile), said
    assert path.name in said
    assert SECRET not in said
    assert len(said.splitlines()) == 1, said
    assert said.endswith((".", "?")), said
    assert not out.exists()
    if path.suffix != ".bcf" and not ONLY_STORES_REFUSE.search(error.found):
        assert isinstance(slow_rows(path), str), f"only the fast reader says: {said}"
    return "a process died" if "it broke the process" in said else "refused"


@contextmanager
def never_opened(*paths: Path) -> Iterator[None]:
    """Nobody opens these files meanwhile: the kernel itself is asked (inotify)."""
    libc = ctypes.CDLL(None, use_errno=True)
    watching = libc.inotify_init1(os.O_NONBLOCK)
    for path in paths:
        assert libc.inotify_add_watch(watching, os.fsencode(path), 0x20) >= 0
    try:
        yield
        with pytest.raises(BlockingIOError):
            os.read(watching, 4096)
    finally:
        os.close(watching)


def memory(what: str) -> int:
    """Bytes of memory that we have (VmRSS), or had at the peak (VmHWM)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{what}:"))
    return int(line.split()[1]) * 1024


def forget_peak(_: int) -> None:
    """What the tests before needed is not of these."""
    Path("/proc/self/clear_refs").write_text("5")


def peak(_: int) -> int:
    return memory("VmHWM")


def test_every_spoilt_file_ends_well(tmp_path: Path) -> None:
    outcomes: Counter[tuple[str, str]] = Counter()
    slowest, before = 0.0, memory("VmRSS")
    forget_peak(0)
    list(mapped(forget_peak, range(4), workers="processes", settings=TWO))
    for number in range(FIRST, FIRST + ROUNDS):
        folder = tmp_path / str(number)
        folder.mkdir()
        kind, path = spoilt_file(number, folder)
        beside = [path.with_name(path.name + suffix) for suffix in (".tbi", ".csi")]
        for index in beside:
            index.write_bytes(Random(number).randbytes(100))
        begin = time.monotonic()
        try:
            with never_opened(*beside):
                outcome = judged(path, folder / "store")
        except Exception as error:
            error.add_note(f"This was case {number}, {kind}: {path}")
            raise
        slowest = max(slowest, time.monotonic() - begin)
        outcomes[kind, outcome] += 1
        left = {entry.name for entry in folder.iterdir()}
        assert left == {path.name, *(index.name for index in beside)} | (
            {"store"} if outcome.startswith("read") else set()
        ), number
        assert slowest < SECONDS, number
    peaks = {
        "more here than before": peak(0) - before,
        "a worker": max(mapped(peak, range(4), workers="processes", settings=TWO)),
    }
    print(
        f"\n{ROUNDS} cases, the slowest {slowest:.2f} s; MiB at most: { {who: most >> 20 for who, most in peaks.items()} }"
    )
    for kind in KINDS:
        print(f"{kind:15}", {outcome: count for (what, outcome), count in sorted(outcomes.items()) if what == kind})
    assert all(most < MEMORY for most in peaks.values()), peaks
    assert not any(outcome == "a process died" for _, outcome in outcomes)

"""A store does not depend on how its file was divided, packed or spread over workers; and the fast readers say what the slow one says."""

import hashlib
import re
import struct
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pysam
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from variant_files import CSQ, csq, record, slow_carriers, slow_counts, vcf, write

from nhsgen.errors import BadFile
from nhsgen.settings import Settings
from nhsgen.variants import VariantStore, batches, bcf_batch, opening, row_writer, streams, walking
from nhsgen.variants.genotypes import MISSING
from nhsgen.variants.reading import open_variants

INGEST = sys.modules["nhsgen.variants.ingest"]  # the room's door has a function of that name

EXAMPLES = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
TWO = Settings(threads=2)

# -- Dividing -----------------------------------------------------------------------------------------------------------


@contextmanager
def divided(size: int) -> Iterator[None]:
    """Parts of about `size` records, buffers of about as many bytes, so that everything is cut everywhere."""
    small = {
        (opening, "_ROWS_OF_A_PART"): (size, size),
        (opening, "STRETCH"): 16 * size,
        (streams, "STRETCH"): 16 * size,
        (walking, "_AT_ONCE"): 50 * size,
        (walking, "_LINES"): size + 1,
        (bcf_batch, "_RECORDS"): size + 1,
        (batches, "_RECORDS"): size + 1,
        (row_writer, "ROW_GROUP"): 2 * size,
    }
    with pytest.MonkeyPatch.context() as patch:
        for (module, name), value in small.items():
            patch.setattr(module, name, value)
        yield


def ingest(file: Path, out: Path, **options: Any) -> VariantStore:
    INGEST.ingest([file], out, **{"assembly": "GRCh37", "workers": "threads", "settings": TWO} | options)
    return VariantStore.open(out, TWO)


def answers(store: VariantStore) -> dict[str, Any]:
    """Everything a store says, but where on the disk it stands."""
    store.verify()
    pieces = list(store.genotypes())
    states = np.concatenate([each for _, each in pieces])
    # Of somebody without a call a store does not say whether there is one allele or two.
    states[states & 3 == MISSING] = MISSING
    notes = [{name: note[name] for name in ("line", "found")} for note in store.info()["notes"]]
    info = {name: store.info()[name] for name in ("records", "records_without_alt", "alleles", "contigs", "samples")}
    return {
        "alleles": store.query().rows(),
        "counts": store.counts().rows(),
        "carriers": store.carriers().rows(),
        "genotypes": states.tolist(),
        "listed": pl.concat([found for found, _ in pieces]).rows(),
        "unlisted": store.unlisted([(chrom, pos) for chrom in ("1", "22", "X") for pos in range(1, 60)]).rows(),
        "notes": notes,
        **info,
    }


BASES = ("C", "G", "T", "AT", "ATT", "<DEL>", "*", "<NON_REF>")


class Choices:
    """Choices read off some bytes, one a byte, the first of each when they are used up: quick to draw, quick to shrink."""

    def __init__(self, drawn: bytes) -> None:
        self._left = iter(drawn)

    def of(self, things: Sequence[Any]) -> Any:
        return things[next(self._left, 0) % len(things)]

    def call(self, highest: int) -> str:
        alleles = ["0", "0", ".", *map(str, range(highest + 1))]
        return self.of(["{}/{}", "{}|{}", "{}/{}", "{}"]).format(self.of(alleles), self.of(alleles))


def file_of(drawn: bytes) -> str:
    """A sorted VCF in which neighbours often share their position; lines of very different lengths; blocks of a gVCF."""
    choices = Choices(drawn)
    people, lines = choices.of(range(6)), []
    for contig in choices.of((["1"], ["22"], ["1", "22"], ["1", "2", "22", "X"])):
        pos, left = 1, list(BASES)
        for _ in range(choices.of([1, 3, 9, 25])):
            step = choices.of([0, 0, 0, 1, 1, 2, 10])
            pos, left = pos + step, left if not step else list(BASES)
            alts = [left.pop(choices.of(range(len(left)))) for _ in range(min(len(left), choices.of([1, 1, 1, 2, 3])))]
            is_block = people > 0 and (not alts or choices.of(range(10)) == 9)
            if not alts and not is_block:
                continue
            alts = [choices.of([".", "<NON_REF>"])] if is_block else alts
            effect = csq(alts[0], "stop_gained", "HIGH", choices.of(["PKD1", "PKD2", ""]))
            info = (
                f"END={pos + 3}"
                if is_block
                else choices.of([".", f"CSQ={effect}", f"CSQ={effect}" + f",{effect}" * 40])
            )
            calls = " ".join(choices.call(0 if alts == ["."] else len(alts)) for _ in range(people))
            name = choices.of([".", "rs1", "rs1;rs2", "r" * 90])
            lines.append(record(f"{contig} {pos} A {','.join(alts)}", calls, info=info, id=name))
    return vcf(*lines, samples=[f"S{number}" for number in range(people)], info=[CSQ])


FILES = st.binary(min_size=20, max_size=800).map(file_of)


def packed(folder: Path, text: str, packing: str, sizes: Sequence[int]) -> Path:
    """The file, plain, through gzip, through bgzip with blocks of these sizes in turn, or as such a BCF."""
    if packing in {"vcf", "plain.vcf.gz"}:
        return write(folder / f"a.{packing}", text)
    data = text.encode()
    if packing == "bcf":
        whole = write(folder / "whole.bcf", text)
        with pysam.BGZFile(str(whole), "rb") as file:
            data = file.read()
        whole.unlink()
    path, place, turn = folder / f"a.{packing}", 0, 0
    with pysam.BGZFile(str(path), "wb") as file:
        while place < len(data):
            size = sizes[turn % len(sizes)]
            file.write(data[place : place + size])
            file.flush()
            place, turn = place + size, turn + 1
    return path


PACKINGS = ("vcf", "plain.vcf.gz", "vcf.gz", "bcf")
SIZES = st.lists(st.sampled_from([40, 150, 1_000, 60_000, 7, 1]), max_size=4).map(lambda sizes: [*sizes, 300])


@pytest.mark.parametrize("packing", PACKINGS)
@EXAMPLES
@given(text=FILES, sizes=SIZES, size=st.integers(1, 8))
def test_a_store_does_not_depend_on_how_the_file_is_divided(
    packing: str, text: str, sizes: list[int], size: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = packed(Path(folder), text, packing, sizes)
        whole = answers(ingest(file, Path(folder, "whole")))
        with divided(size):
            store = ingest(file, Path(folder, "divided"))
        assert answers(store) == whole


@pytest.mark.parametrize("packing", ["vcf", "vcf.gz", "bcf"])
def test_files_are_indeed_divided(packing: str, tmp_path: Path) -> None:
    text = vcf(*(record(f"22 {pos} A C", "0/1 " * 60) for pos in range(1, 80)))
    with divided(4):
        assert len(opening.divide(opening.open_file(packed(tmp_path, text, packing, [300])))) > 8


def test_no_broken_record_is_lost_between_two_parts(tmp_path: Path) -> None:
    """A part of a BCF that finds no record, or the wrong one, where the part before says that one begins, is refused."""
    text = vcf(*(record(f"22 {pos} A C", "0/1 " * 40) for pos in range(1, 31)))
    path = packed(tmp_path, text, "bcf", [300])
    with pysam.BGZFile(str(path), "rb") as file:
        data = file.read()
    places = [9 + int.from_bytes(data[5:9], "little")]
    while places[-1] < len(data):
        places.append(places[-1] + 8 + sum(struct.unpack_from("<II", data, places[-1])))
    with divided(4):
        assert len(opening.divide(opening.open_file(path))) > 4
        for place in places[:-1]:
            broken = data[: place + 28] + b"\xff" + data[place + 29 :]  # another number of samples
            with pysam.BGZFile(str(path), "wb") as file:
                for begin in range(0, len(broken), 300):
                    file.write(broken[begin : begin + 300])
                    file.flush()
            with pytest.raises(BadFile, match=r"a\.bcf"):
                ingest(path, tmp_path / "store")


# -- Packing, workers, repetition ---------------------------------------------------------------------------------------


@EXAMPLES
@given(text=FILES, sizes=SIZES)
def test_a_store_does_not_depend_on_how_the_file_is_packed(text: str, sizes: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        said = []
        for packing in PACKINGS:
            answer = answers(ingest(packed(Path(folder), text, packing, sizes), Path(folder, f"of-{packing}")))
            del answer["notes"]  # a BCF has no lines, and no oddities that only text can have
            said.append(answer)
        assert said == said[:1] * len(PACKINGS)


def hashes(store: VariantStore) -> dict[str, str]:
    paths = sorted(path for path in store.path.rglob("*") if path.is_file())
    return {str(path.relative_to(store.path)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@settings(EXAMPLES, max_examples=15)
@given(text=FILES, sizes=SIZES, packing=st.sampled_from(PACKINGS))
def test_the_same_file_gives_the_same_bytes_whoever_reads_it(text: str, sizes: list[int], packing: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = packed(Path(folder), text, packing, sizes)
        ways = [("threads", 1), ("threads", 3), ("processes", 1), ("processes", 2), ("processes", 2)]
        found = [
            hashes(ingest(file, Path(folder, str(number)), workers=workers, settings=Settings(threads=threads)))
            for number, (workers, threads) in enumerate(ways)
        ]
        assert found == found[:1] * len(ways)


# -- The slow twin ------------------------------------------------------------------------------------------------------

FIELDS = ("GT", "AD", "DP", "GQ", "PL", "FT")
DECLARED = (
    '##FORMAT=<ID=AD,Number=R,Type=Integer,Description="reads">',
    '##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="quality">',
    '##FORMAT=<ID=PL,Number=G,Type=Integer,Description="likelihoods">',
    '##FORMAT=<ID=FT,Number=1,Type=String,Description="filter">',
)


def odd_file_of(drawn: bytes) -> str:
    """A VCF with every kind of sample's column that is not refused: see the docstring of the test."""
    choices, lines = Choices(drawn), []
    people = choices.of((1, 2, 3, 17, 33, 64, 70))
    format_ = ["GT", *(name for name in choices.of((FIELDS[1:], FIELDS[1:4], ["DP"], ["GQ", "DP"], [])))]
    for pos in range(1, choices.of((2, 4, 9)) + 1):
        alts = [f"{'ACGT'[n % 4]}{'ACGT'[n // 4]}C" for n in range(choices.of((1, 1, 2, 3, 9, 10, 13, 14, 15)))]
        alts[0] = choices.of((alts[0], "<DEL>", "*", "C" * 700))
        usual, columns = choices.of(("0/0", "0|0", "0/1", ".", "0")), []
        for who in range(people):
            call = usual if choices.of(range(4)) else choices.call(len(alts))
            call = choices.of((call, call, call, call, call, "0/1/1", "./././.", "/".join("01"), "|0/1"))
            parts = [call]
            for name in format_[1:]:
                count = {"AD": len(alts) + 1, "PL": (len(alts) + 1) * (len(alts) + 2) // 2}.get(name, 1)
                value = ",".join(str((17 * who + pos + n) % 60) for n in range(count))
                parts.append("PASS" if name == "FT" else choices.of((value, value, value, ".", "0", "7", "20")))
            keep = choices.of((len(parts), len(parts), len(parts), 1, 2))
            columns.append(":".join(parts[:keep]))
        text = record(f"22 {pos} A {','.join(alts)}", "0/0")
        lines.append("\t".join([*text.split("\t")[:8], ":".join(format_), *columns]))
    text = vcf(*lines, samples=[f"S{number}" for number in range(people)], info=DECLARED)
    text = text.replace("ID=DP,Number=1,Type=String", "ID=DP,Number=1,Type=Integer")
    return text.replace("\n", "\r\n") if choices.of((False, False, True)) else text


def twin(text: str, min_dp: int, min_gq: int) -> list[tuple[str, list[int]]]:
    """Key and copies of everybody (-1: nothing called) of each allele, as whoever has all day would count them."""
    rows = []
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        contig, pos, _, ref, alts, _, _, _, names, *people = line.split("\t")
        for allele, alt in enumerate(alts.split(","), 1):
            copies = []
            for column in people:
                parts = dict(zip(names.split(":"), column.split(":"), strict=False))
                low = any(
                    parts.get(n, ".").isdigit() and int(parts[n]) < least
                    for n, least in (("DP", min_dp), ("GQ", min_gq))
                )
                called = re.split("[/|]", parts["GT"].lstrip("/|"))
                lost = low or len(called) > 2 or set(called) == {"."}
                copies.append(-1 if lost else called.count(str(allele)))
            rows.append((f"{contig}-{pos}-{ref}-{alt}", copies))
    return sorted(rows)


@EXAMPLES
@given(
    text=st.binary(min_size=20, max_size=1_500).map(odd_file_of), kind=st.sampled_from(["vcf", "vcf.gz", "bcf"]),
    min_dp=st.sampled_from([None, 1, 8, 30]), min_gq=st.sampled_from([None, 1, 20]),
)  # fmt: skip
def test_the_fast_readers_say_what_a_slow_one_says(
    text: str, kind: str, min_dp: int | None, min_gq: int | None
) -> None:
    """FORMATs of several fields, trailing ones left out, lone dots, one allele, three, more than 13 ALTs, long ones, CR LF."""
    with tempfile.TemporaryDirectory() as folder:
        if kind == "bcf":
            text = text.replace("\t|0", "\t0")  # a phase in front is of VCF 4.4, and htslib does not read it
        file = write(Path(folder, f"a.{kind}"), text)
        store = ingest(file, Path(folder, "store"), min_dp=min_dp, min_gq=min_gq)
        store.verify()
        found = []
        for listed, states in store.genotypes():
            copies = (states & 3).astype(int)
            copies[copies == MISSING] = -1
            keys = (
                f"{chrom}-{pos}-{ref}-{alt}"
                for chrom, pos, ref, alt in listed.select("chrom", "pos", "ref", "alt").rows()
            )
            found += list(zip(keys, copies.tolist(), strict=True))
        assert sorted(found) == twin(text, min_dp or 0, min_gq or 0)


@EXAMPLES
@given(text=FILES, chosen=st.lists(st.booleans(), min_size=6, max_size=6), kind=st.sampled_from(PACKINGS))
def test_the_fast_readers_count_and_name_whom_a_slow_one_does(text: str, chosen: list[bool], kind: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = packed(Path(folder), text, kind, [300])
        store = ingest(file, Path(folder, "store"))
        mask = np.array(chosen[: len(store.samples)], dtype=np.bool_)
        counted = store.counts(samples=mask).to_dicts()
        plain = write(Path(folder, "plain.vcf"), text)
        slow = {key: row for key, row in slow_counts(plain, mask).items() if not key.endswith("<NON_REF>")}
        assert {row["key"]: {name: row[name] for name in slow[row["key"]]} for row in counted} == slow
        carriers = set(store.carriers(samples=mask).select("key", "sample", "copies").rows())
        assert carriers == {row for row in slow_carriers(plain, mask) if not row[0].endswith("<NON_REF>")}


@pytest.mark.parametrize("kind", ["vcf", "bcf"])
def test_a_record_that_is_read_again_slowly_keeps_its_annotation(kind: str, tmp_path: Path) -> None:
    """What kernels cannot be sure of (two ids, an ambiguous letter, END before POS, CSQ given twice) hides no effect."""
    said = f"CSQ={csq('C', 'stop_gained', 'HIGH', 'PKD1')}"
    lines = [
        record("22 100 A C", "0/1", id="rs1;rs2", info=said), record("22 200 R C", "0/1", info=said),
        record("22 300 A C", "0/1", info=f"END=50;{said}"), record("22 400 A C", "0/1", qual="1e30", info=said),
        record("22 500 A C", "0/1", info=f"{said};CSQ=C|intron_variant|MODIFIER"),
    ]  # fmt: skip
    store = ingest(write(tmp_path / f"a.{kind}", vcf(*lines, info=[CSQ])), tmp_path / "store")
    assert store.query(columns=["pos", "impact"]).rows() == [(pos, "HIGH") for pos in (100, 200, 300, 400, 500)]


ONCE_READ = {
    "a GT with a comma": record("22 100 A C", "0/0").replace("GT\t0/0", "GT:AD\t0/0,14"),
    "a NUL byte in the name of an INFO field": record("22 100 A C", "0/0", info="A\0C=1"),
    "a NUL byte in a field of INFO that nobody reads": record("22 100 A C", "0/0", info="CSQ=a\0b"),
}


@pytest.mark.parametrize("line", ONCE_READ.values(), ids=ONCE_READ.keys())
def test_what_the_slow_reader_refuses_the_fast_one_refuses(line: str, tmp_path: Path) -> None:
    """What spoilt files found (tests/integration/test_variants_fuzz.py): each was read, and should not have been."""
    file = write(tmp_path / "a.vcf", vcf(line, info=[CSQ, *DECLARED]))
    with pytest.raises(BadFile), open_variants(file) as opened:
        list(opened.records)
    with pytest.raises(BadFile):
        ingest(file, tmp_path / "store")


@EXAMPLES
@given(text=FILES, kind=st.sampled_from(PACKINGS))
def test_who_is_reference_in_the_blocks_of_a_gvcf(text: str, kind: str) -> None:
    """Somebody with both alleles called as reference on a line that names no allele, at every base up to its END."""
    known: dict[tuple[str, int], set[int]] = {}
    for line in text.splitlines():
        if not line.startswith("#") and line.split("\t")[4] in {".", "<NON_REF>"}:
            contig, pos, _, _, _, _, _, info, *people = line.split("\t")
            end = int(info.removeprefix("END=")) if info.startswith("END=") else int(pos)
            called = {who for who, call in enumerate(people[1:]) if re.fullmatch(r"0([/|]0)?", call)}
            for base in range(int(pos), end + 1):
                known.setdefault((contig, base), set()).update(called)
    places = [(chrom, pos) for chrom in ("1", "2", "22", "X") for pos in range(1, 80)]
    with tempfile.TemporaryDirectory() as folder:
        store = ingest(packed(Path(folder), text, kind, [300]), Path(folder, "store"))
        assert store.unlisted(places)["hom_ref"].to_list() == [len(known.get(place, ())) for place in places]

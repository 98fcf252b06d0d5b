"""Every way that SAFETY.md (6.1) names of being a bad variant file: each case builds its file and says what must come of it.

A case is REFUSED (BadFile, with these words, at this line), NOTED (read, and these words stand among the notes, with this line) or
READ (and there is nothing to note). People and samples are called SECRET, so that a test can see that nobody is ever named.
"""

import gzip
import hashlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pysam
from variant_files import record, vcf, write

REFUSED, NOTED, READ = "refused", "noted", "read"
SECRET = "9434765919"

SAMPLES = f"{SECRET} S{SECRET}"
GOOD = record("22 100 A C", "0/0 0/1")
DECLARED = (
    '##INFO=<ID=AF,Number=A,Type=Float,Description="share">',
    '##INFO=<ID=DB,Number=0,Type=Flag,Description="known">',
    '##FORMAT=<ID=AD,Number=R,Type=Integer,Description="reads">',
    '##FORMAT=<ID=PL,Number=G,Type=Integer,Description="likelihoods">',
)


def file_text(*records: str, samples: str = SAMPLES, info: tuple[str, ...] = DECLARED) -> str:
    """The text of a VCF about which there is nothing to note, but for its records."""
    # Of the many things that `vcf` declares, one is not as VCF has it.
    return vcf(*records, samples=samples, info=info).replace(
        "ID=DP,Number=1,Type=String", "ID=DP,Number=1,Type=Integer"
    )


LINE = 1 + len(file_text().splitlines())
"""The line of the first record."""
MANY = file_text(*(record(f"22 {pos} A C", "0/0 0/1", id=f"rs{pow(7, pos, 10**9 + 7)}") for pos in range(1, 9000)))


@dataclass(frozen=True)
class Case:
    """One bad file: `build` writes it into a folder and gives its path."""

    build: Callable[[Path], Path]
    outcome: str
    found: str = ""
    line: int | None = None


def _file(
    data: str | bytes, name: str = "a.vcf.gz", change: Callable[[bytes], bytes] | None = None
) -> Callable[[Path], Path]:
    """A file of this text, packed as its name says, its bytes then changed."""

    def build(folder: Path) -> Path:
        path = write(folder / name, data)
        if change:
            path.write_bytes(change(path.read_bytes()))
        return path

    return build


def _bytes(data: bytes, name: str) -> Callable[[Path], Path]:
    """A file of exactly these bytes."""

    def build(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(data)
        return path

    return build


def _record(line: str, outcome: str, found: str = "") -> Case:
    """A file whose second record is this line."""
    return Case(_file(file_text(GOOD, line)), outcome, found, LINE + 1 if found else None)


def _long(old: str, new: str) -> Case:
    """A file whose record has 17 million letters there; built when it is wanted, and not kept."""
    return Case(
        lambda folder: write(folder / "a.vcf", file_text(GOOD.replace(old, new + "A" * 17_000_000))), REFUSED,
        "the line is longer than 16 MiB", LINE,
    )  # fmt: skip


def _header(old: str, new: str, outcome: str, found: str, line: int) -> Case:
    return Case(_file(file_text(GOOD).replace(old, new), "a.vcf"), outcome, found, line)


def blocks(data: bytes) -> Iterator[bytes]:
    """The blocks of a bgzip file, the empty one that ends it last."""
    place = 0
    while place < len(data):
        size = int.from_bytes(data[place + 16 : place + 18], "little") + 1
        yield data[place : place + size]
        place += size


def _without(number: int) -> Callable[[bytes], bytes]:
    return lambda data: b"".join(block for place, block in enumerate(blocks(data)) if place != number)


def _first(count: int, end: bool) -> Callable[[bytes], bytes]:
    """The first blocks, with or without the mark that ends a file."""
    return lambda data: b"".join([*list(blocks(data))[:count], *([list(blocks(data))[-1]] if end else [])])


def _beside(
    suffix: str, change: Callable[[bytes], bytes], data: str = MANY, name: str = "a.vcf.gz"
) -> Callable[[Path], Path]:
    """A file changed after its checksum was made."""

    def build(folder: Path) -> Path:
        path = write(folder / name, data)
        number = hashlib.new(suffix, path.read_bytes()).hexdigest()
        path.with_name(f"{name}.{suffix}").write_text(f"{number}  {name}\n")
        path.write_bytes(change(path.read_bytes()))
        return path

    return build


def _indexed(data: bytes) -> Callable[[Path], Path]:
    """A good file with these bytes beside it for an index."""

    def build(folder: Path) -> Path:
        path = write(folder / "a.vcf.gz", file_text(GOOD))
        for suffix in (".tbi", ".csi"):
            Path(f"{path}{suffix}").write_bytes(data)
        return path

    return build


def _with_index_of_another(folder: Path) -> Path:
    """A good file, and beside it the index of a file of another chromosome."""
    other = write(folder / "b.vcf.gz", file_text(record("1 5 A C", "0/0 0/1")))
    pysam.tabix_index(str(other), preset="vcf", force=True)
    path = write(folder / "a.vcf.gz", file_text(GOOD))
    Path(f"{other}.tbi").rename(f"{path}.tbi")
    return path


def _renumbered(idx: str) -> Callable[[Path], Path]:
    """A BCF whose last declared field has this number in the header's own counting."""

    def build(folder: Path) -> Path:
        path = write(folder / "a.bcf", file_text(GOOD))
        data = gzip.decompress(path.read_bytes())
        size = struct.unpack("<I", data[5:9])[0]
        text, records = data[9 : 9 + size], data[9 + size :]
        before, _, after = text.rpartition(b"IDX=")
        text = before + b"IDX=" + (idx.encode() or after[:2]) + after[after.index(b">") :]
        with pysam.BGZFile(str(path), "wb") as file:
            file.write(b"BCF\2\2" + struct.pack("<I", len(text)) + text + records)
        return path

    return build


CUT = "it is cut short"
AD = GOOD.replace("\tGT\t", "\tGT:AD\t")
BEFORE = LINE - 1  # the #CHROM line

CASES: dict[str, Case] = {
    # -- Bytes
    "empty": Case(_bytes(b"", "a.vcf.gz"), REFUSED, "it is empty"),
    "a spreadsheet": Case(_bytes(b"PK\3\4 and so on", "a.vcf"), REFUSED, "it is not a VCF or BCF file"),
    "no mark at the end": Case(_file(MANY, change=lambda data: data[:-28]), REFUSED, CUT),
    "cut at a block": Case(_file(MANY, change=_first(2, end=False)), REFUSED, CUT),
    "cut anywhere": Case(_file(MANY, change=lambda data: data[: len(data) // 3]), REFUSED, CUT),
    "cut in the middle, plain gzip": Case(_file(MANY, "a.plain.vcf.gz", lambda data: data[:-9]), REFUSED, "cut short", LINE + 8999),
    "a tail of zeros": Case(_file(MANY, change=lambda data: data[:-500] + bytes(500)), REFUSED, "end in zeros"),
    "zeros after the end": Case(_file(MANY, change=lambda data: data + bytes(500)), REFUSED, "500 bytes follow the mark"),
    "garbage after the end": Case(_file(MANY, change=lambda data: data + b"garbage"), REFUSED, "7 bytes follow the mark"),
    "a broken CRC": Case(
        _file(file_text(GOOD), change=lambda data: data[:-36] + bytes([data[-36] ^ 1]) + data[-35:]), REFUSED,
        "its compression is broken",
    ),
    "cut at a block, the mark put back": Case(_file(MANY, change=_first(2, end=True)), REFUSED, "columns, the header says 11"),
    "a BCF cut, the mark put back": Case(
        _file(MANY, "a.bcf", _first(2, end=True)), REFUSED, "it cannot be read after record"
    ),
    "a block missing in the middle": Case(_file(MANY, change=_without(2)), REFUSED, "columns, the header says 11"),
    "a block missing, and its sha256": Case(_beside("sha256", _without(2)), REFUSED, "it is not the file that"),
    "a record missing, and its md5": Case(
        _beside("md5", lambda data: data.replace(b"22\t5\t", b"22\t6\t"), name="a.vcf"), REFUSED, "it is not the file that"
    ),
    "the right md5": Case(_beside("md5", lambda data: data), READ),
    "plain gzip": Case(_file(file_text(GOOD), "a.plain.vcf.gz"), NOTED, "it is compressed by gzip, not by bgzip"),
    "text named .vcf.gz": Case(_bytes(file_text(GOOD).encode(), "a.vcf.gz"), NOTED, "and it is not compressed"),
    "a BCF named .vcf.gz": Case(
        lambda folder: write(folder / "a.bcf", file_text(GOOD)).rename(folder / "b.vcf.gz"), NOTED, "and it is a BCF"
    ),
    "a VCF named .bcf": Case(
        lambda folder: write(folder / "a.vcf.gz", file_text(GOOD)).rename(folder / "b.bcf"), NOTED, "and it is a VCF"
    ),
    "an index of another file": Case(_with_index_of_another, READ),
    "an index that is empty": Case(_indexed(b""), READ),
    "an index that is garbage": Case(_indexed(b"TBI\1 garbage"), READ),
    "lines as on Windows": Case(_bytes(file_text(GOOD).replace("\n", "\r\n").encode(), "a.vcf"), NOTED, "as on Windows", 1),
    "no end of the last line": Case(_bytes(file_text(GOOD)[:-1].encode(), "a.vcf"), NOTED, "the last line does not end", LINE),
    "a NUL byte": _record(GOOD.replace("50", "5\0"), REFUSED, "there is a NUL byte"),
    "bytes that are no UTF-8, in INFO": Case(
        _file(file_text(GOOD, GOOD).encode() + b"22\t200\t.\tA\tC\t.\t.\tX=\xff\tGT\t0/0\t0/0\n"), REFUSED, "not UTF-8", LINE + 2
    ),
    "bytes that are no UTF-8, in a sample": Case(
        _file(file_text(GOOD).encode().replace(f"S{SECRET}".encode(), b"\xff\xfe")), REFUSED, "not UTF-8", BEFORE
    ),
    "bytes that are no UTF-8, in a description": Case(
        _file(file_text(GOOD).encode().replace(b'"low"', b'"l\xf6w"')), NOTED, "a line of the header is not UTF-8", 2
    ),
    "a line of 17 MB, in INFO": _long("PASS	.", "PASS	X="),
    "a line of 17 MB, in ALT": _long("A	C", "A	"),
    "a line of 17 MB, in a column": _long("0/1", "0/1	"),
    # -- Order
    "not sorted": Case(
        _file(file_text(record("22 9 A C", "0/0 0/1"), record("22 5 A C", "0/0 0/1"))), NOTED, "not in order of position", LINE + 1
    ),
    "a chromosome in two parts": Case(
        _file(file_text(*(record(f"{place} A C", "0/0 0/1") for place in ("1 5", "2 5", "1 7")))), NOTED,
        "a chromosome was left and is met again", LINE + 2,
    ),
    "a variant twice": _record(GOOD, NOTED, "the same variant is listed twice"),
    "a variant twice, written differently": _record(
        record("22 99 TA TC", "0/0 0/1"), NOTED, "the same variant is listed twice"
    ),
    # -- Header
    "VCF 9.9": _header("VCFv4.3", "VCFv9.9", REFUSED, "its version of VCF is not one of 4.0 to 4.5", 1),
    "no #CHROM line": Case(_file("##fileformat=VCFv4.3\n" + GOOD + "\n"), REFUSED, "the header has no #CHROM line", 2),
    "cut within the header": Case(
        _file("##fileformat=VCFv4.3\n##INFO=<ID=A", "a.vcf"), REFUSED, "the header has no #CHROM line", 3
    ),
    "a line of the header not closed": _header('"known">', '"known"', NOTED, "##INFO does not begin with < and end with >", 4),
    "a quotation mark not closed": _header('"known">', '"known>', NOTED, "a quotation mark that is not closed", 4),
    "a contig's line not closed": _header("=249250621>", "=249250621", REFUSED, "a contig's line is not closed", 7),
    "a contig with two lengths": _header(
        "##contig=<ID=2,", "##contig=<ID=1,length=5>\n##contig=<ID=2,", REFUSED, "declared twice, with two lengths", 8
    ),
    "an INFO twice": _header("##INFO=<ID=AC", DECLARED[0] + "\n##INFO=<ID=AC", NOTED, "INFO AF is declared twice", 11),
    "a Number that VCF does not know": _header("ID=AF,Number=A", "ID=AF,Number=all", NOTED, "a Number that VCF does not know", 3),
    "a Type that VCF does not know": _header("Number=0,Type=Flag", "Number=0,Type=Bool", NOTED, "a Type that VCF does not", 4),
    "AF with one number": _header("ID=AF,Number=A", "ID=AF,Number=1", NOTED, "INFO AF is declared with another Number", 3),
    "100,000 contigs": Case(
        _file(file_text(GOOD, info=(*DECLARED, *(f"##contig=<ID=c{n},length=9>" for n in range(100_000)))), "a.vcf"), READ
    ),
    "an IDX as it was": Case(_renumbered(""), READ),
    "a huge IDX": Case(_renumbered("2147483000"), REFUSED, "its BCF header cannot be read"),
    "more samples in the header": Case(
        _file(file_text(GOOD, samples=SAMPLES + " S3")), REFUSED, "it has 11 columns, the header says 12", LINE
    ),
    "fewer samples in the header": Case(
        _file(file_text(GOOD, samples=SECRET)), REFUSED, "it has 11 columns, the header says 10", LINE
    ),
    "a sample twice": Case(
        _file(file_text(GOOD, samples=f"{SECRET} {SECRET}")), REFUSED, "the sample of column 11 has the name of another", BEFORE
    ),
    "a sample without a name": Case(
        _file(file_text(GOOD).replace(f"\tS{SECRET}\n", "\t\n")), REFUSED, "the sample of column 11 has no name", BEFORE
    ),
    # -- Genotypes
    "an allele that is not there": _record(record("22 200 A C", "0/0 0/7"), REFUSED, "a genotype names an allele that"),
    "an allele of 5,000 digits": _record(record("22 200 A C", f"0/0 0/{'9' * 5000}"), REFUSED, "a genotype names an allele"),
    "an allele where ALT is none": _record(record("22 200 A .", "0/0 0/1"), NOTED, "a genotype names an allele where ALT is"),
    "letters for a genotype": _record(record("22 200 A C", "0/0 a/b"), REFUSED, "not a genotype of one or two alleles"),
    "a negative allele": _record(record("22 200 A C", "0/0 -1"), REFUSED, "not a genotype of one or two alleles"),
    "GT not first": _record(GOOD.replace("\tGT\t", "\tDP:GT\t"), REFUSED, "GT is not the first part of FORMAT"),
    "no GT": _record(record("22 200 A C", "1 2").replace("GT", "DP"), NOTED, "a record has samples but no genotypes (GT)"),
    "one allele": _record(record("22 200 A C", "0 1"), READ),
    "no call": _record(record("22 200 A C", ". ./."), READ),
    "three alleles": _record(record("22 200 A C", "0/0/1 0/1"), NOTED, "a genotype has three or more alleles"),
    "more values than FORMAT has": _record(record("22 200 A C", "0/0:3 0/1"), NOTED, "a sample has more values than FORMAT"),
    # -- Other parts of FORMAT, INFO
    "AD of the wrong length": _record(
        record("22 200 A C", "0/0:1,2,3 0/1:1,2").replace("GT", "GT:AD"), NOTED, "FORMAT AD has another number of values"
    ),
    "PL for two alleles in one": _record(
        record("22 200 A C", "0:1,2,3 0/1:1,2,3").replace("GT", "GT:PL"), NOTED, "FORMAT PL has another number of values"
    ),
    "DP with a fraction": _record(
        record("22 200 A C", "0/0:1.5 0/1:2").replace("GT", "GT:DP"), NOTED, "FORMAT DP is not a whole number"
    ),
    "AF of the wrong length": _record(
        record("22 200 A C", "0/0 0/1", info="AF=0.1,0.2"), NOTED, "INFO AF has another number of values than declared"
    ),
    "AC in words": _record(record("22 200 A C", "0/0 0/1", info="AC=abc"), REFUSED, "INFO AC is not a whole number"),
    "AC too large": _record(record("22 200 A C", "0/0 0/1", info="AC=99999999999"), REFUSED, "INFO AC is not a whole number"),
    "AC for another number of ALTs": _record(
        record("22 200 A C,G", "0/0 0/1", info="AC=1"), REFUSED, "INFO AC has 1 values where 2 are due"
    ),
    "END in words": _record(record("22 200 A <DEL>", "0/0 0/1", info="END=far"), REFUSED, "INFO END is not a whole number"),
    "END before POS": _record(record("22 200 A <DEL>", "0/0 0/1", info="END=7"), NOTED, "INFO END is before POS"),
    "END beyond the contig": _record(
        record("22 200 A <DEL>", "0/0 0/1", info=f"END={'9' * 5000}"), NOTED, "INFO END is beyond the end of its contig"
    ),
    "AF too large for a number": _record(record("22 200 A C", "0/0 0/1", info="AF=1e400"), NOTED, "INFO AF is not a number"),
    "a flag with a value": _record(record("22 200 A C", "0/0 0/1", info="DB=maybe"), NOTED, "INFO DB is a flag, and has a value"),
    "INFO twice": _record(record("22 200 A C", "0/0 0/1", info="AF=1;AF=1"), NOTED, "INFO AF is given twice"),
    "an INFO not declared": _record(record("22 200 A C", "0/0 0/1", info="HUH=1"), NOTED, "INFO HUH is not declared"),
    "an INFO that names a person": _record(
        record("22 200 A C", "0/0 0/1", info=f"P{SECRET}=1"), NOTED, "INFO ? is not declared in the header"
    ),
    "a FORMAT not declared": _record(
        record("22 200 A C", "0/0:1 0/1:2").replace("GT", "GT:HUH"), NOTED, "FORMAT HUH is not declared"
    ),
    "a FILTER not declared": _record(record("22 200 A C", "0/0 0/1", filter="q99"), NOTED, "FILTER q99 is not declared"),
    "a contig not declared": _record(record("7 200 A C", "0/0 0/1"), NOTED, "contig 7 is not declared in the header"),
    "chr in the records only": _record(record("chr22 200 A C", "0/0 0/1"), NOTED, "named with chr in the records only"),
    # -- Fixed columns
    "QUAL in words": _record(record("22 200 A C", "0/0 0/1", qual="high"), REFUSED, "QUAL is not a number"),
    "QUAL too large": _record(record("22 200 A C", "0/0 0/1", qual="1e400"), REFUSED, "QUAL is not a number"),
    "QUAL below 0": _record(record("22 200 A C", "0/0 0/1", qual="-3"), NOTED, "QUAL is negative"),
    "POS 0, a telomere": Case(_file(file_text(record("22 0 N <DEL>", "0/0 0/1"))), READ),
    "POS beyond the contig": _record(record("22 51304568 A C", "0/0 0/1"), REFUSED, "POS is outside its contig"),
    "POS too large": _record(record("22 99999999999999 A C", "0/0 0/1"), REFUSED, "POS is outside its contig"),
    "POS of 5,000 digits": _record(record(f"22 {'9' * 5000} A C", "0/0 0/1"), REFUSED, "POS is outside its contig"),
    "POS in words": _record(record("22 abc A C", "0/0 0/1"), REFUSED, "POS is not a whole number"),
    "POS below 0": _record(record("22 -5 A C", "0/0 0/1"), REFUSED, "POS is not a whole number"),
    "POS in powers of ten": _record(record("22 1e3 A C", "0/0 0/1"), REFUSED, "POS is not a whole number"),
    "ALT empty": _record(record("22 200 A ", "0/0 0/1"), REFUSED, "ALT is not an allele"),
    "ALT as REF": _record(record("22 200 A A", "0/0 0/1"), REFUSED, "ALT is the same as REF"),
    "ALT twice": _record(record("22 200 A C,C", "0/0 0/1"), REFUSED, "ALT names an allele twice"),
    "70,000 ALTs": _record(
        record(f"22 200 A {','.join(f'<{n}>' for n in range(70_000))}", "0/0 0/70000:1").replace("GT", "GT:PL"), NOTED,
        "FORMAT PL has another number of values than declared",
    ),
    "REF not of DNA": _record(record("22 200 Q! C", "0/0 0/1"), REFUSED, "REF is not written in the letters of DNA"),
    "REF empty": _record(record("22 200  C", "0/0 0/1"), REFUSED, "REF is not written in the letters of DNA"),
    "every symbolic ALT": _record(
        record("22 200 A <NON_REF>,<*>,*,<CN0>,<DEL:ME:ALU>,A[22:9[,]22:9]A,.A,A.", "0/0 7|8"), READ
    ),
}  # fmt: skip

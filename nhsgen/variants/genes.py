"""Where genes lie: coordinates from a user's own GTF, GFF3 or BioMart table, as places to look for variants in.

No coordinates come with nhsgen: a gene's ends differ between releases of GENCODE, Ensembl and RefSeq, so a site names the file
that it trusts. What such files call a gene differs too, and that is a table here: `_SYMBOL`, `_IDS`, `_BIOMART`.
"""

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from urllib.parse import unquote

from nhsgen.errors import BadFile, BadInput, NotFound
from nhsgen.genome import CHROMOSOMES, Assembly, Region, chromosome_order, detect_assembly

__all__ = ["Gene", "GeneTable", "gene_name", "gene_table", "unversioned"]


def gene_name(text: str) -> str:
    """A gene as HGNC writes it: in capitals, but for the "orf" of open reading frames; an id stays as it is.

    >>> gene_name("pkd1"), gene_name("C9ORF72"), gene_name("Metazoa_SRP")
    ('PKD1', 'C9orf72', 'Metazoa_SRP')
    """
    written = text.strip()
    if not written or any(mark in written for mark in ", \t"):
        raise BadInput("reading a gene", f"'{text}' is not one gene", 'write it like "PKD1"')
    written = written.upper() if written.islower() else written
    return re.sub(r"^(C[0-9XY]+)ORF([0-9]+)$", r"\1orf\2", written)


_ENSEMBL = re.compile(r"ENSG(?P<par>R?)(?P<number>\d+)([._].*)?")


def unversioned(gene_id: str) -> str:
    """An Ensembl gene id without its version and without GENCODE's marks for a second copy on Y; other ids as they are.

    >>> unversioned("ENSG00000008710.20"), unversioned("ENSG00000182378.14_PAR_Y"), unversioned("ENSGR0000182378.8")
    ('ENSG00000008710', 'ENSG00000182378', 'ENSG00000182378')
    """
    found = _ENSEMBL.fullmatch(gene_id)
    if found is None:
        return gene_id
    # GENCODE once wrote the copy on Y with an R in the place of the first zero.
    return f"ENSG{'0' if found['par'] else ''}{found['number']}"


@dataclass(frozen=True)
class Gene:
    """One gene and where it lies.

    gene_id: Ensembl's without its version, or NCBI's number in RefSeq's files; None where the file has neither.
    hgnc_id: as in "HGNC:9008"; None where the file does not say.
    regions: 0-based, half-open; two for a gene of the pseudo-autosomal regions.
    """

    symbol: str
    gene_id: str | None
    hgnc_id: str | None
    regions: tuple[Region, ...]


@dataclass(frozen=True)
class GeneTable:
    """The genes of one file on one assembly; make one with `gene_table`.

    >>> table = GeneTable("toy.gtf", Assembly.GRCh38, (Gene("PKD1", None, None, (Region("16", 2_088_707, 2_135_898),)),))
    >>> str(table.regions("PKD1", padding=20_000)[0])
    '16:2068708-2155898'
    >>> table.regions("PDK1")
    Traceback (most recent call last):
    nhsgen.errors.NotFound: looking up the gene PDK1 failed: no gene is called so (toy.gtf); did you mean PKD1?
    """

    file: str
    assembly: Assembly
    genes: tuple[Gene, ...]

    def __contains__(self, name: str) -> bool:
        return self._key(name) in self._by_name

    def find(self, name: str) -> tuple[Gene, ...]:
        """The genes of that symbol, Ensembl id (with a version or without), NCBI number or HGNC id.

        Several where a symbol is given to several genes, as Y_RNA is. NotFound, with the closest name, where there is none.
        """
        key = self._key(name)
        if key not in self._by_name:
            close = get_close_matches(key, self._symbols, 1, 0.6)
            raise NotFound(
                f"looking up the gene {name}",
                "no gene is called so",
                f"did you mean {close[0]}?" if close else "check its symbol, or name it by its Ensembl id",
                file=self.file,
            )
        return self._by_name[key]

    def regions(self, genes: str | Iterable[str], padding: int = 0) -> tuple[Region, ...]:
        """Where these genes lie, in order along the genome, 0-based and half-open; overlapping ones are joined.

        genes: symbols or ids, as `find` takes them.
        padding: bases added on either side; cut off where the chromosome begins.
        NotFound for a gene that the table has not; BadInput for no gene at all.

        Regions go into a filter as they are: `variants().in_region(*table.regions("PKD1", padding=20_000))`.
        """
        if isinstance(padding, bool) or not isinstance(padding, int) or padding < 0:
            raise BadInput("padding genes", "the padding is not a number of bases", "give 20_000 for 20 kb, 0 for none")
        names = [genes] if isinstance(genes, str) else list(genes)
        if not names:
            # A filter without regions asks about the whole genome: the last thing that somebody with an empty list wants.
            raise BadInput("looking up genes", "no gene was named", "name at least one")
        return _joined(
            Region(region.chrom, max(0, region.start - padding), region.end + padding)
            for name in names
            for region in _on_chromosomes([region for gene in self.find(name) for region in gene.regions])
        )

    def _key(self, name: str) -> str:
        return unversioned(gene_name(name))

    @cached_property
    def _by_name(self) -> Mapping[str, tuple[Gene, ...]]:
        """Genes by every name they go by."""
        named: dict[str, list[Gene]] = {}
        for gene in self.genes:
            for name in {gene.symbol, gene.gene_id, gene.hgnc_id} - {None, ""}:
                named.setdefault(self._key(str(name)), []).append(gene)
        return {name: tuple(genes) for name, genes in named.items()}

    @cached_property
    def _symbols(self) -> list[str]:
        return sorted({gene.symbol for gene in self.genes})


def gene_table(path: str | Path, assembly: Assembly | str) -> GeneTable:
    """The genes of a GTF or GFF3 of GENCODE, Ensembl or RefSeq, or of a BioMart table of genes; gzipped or not.

    assembly: "GRCh37" or "GRCh38"; BadFile when the file says that it is of the other one.
    A gene that lies on a chromosome and on alternate contigs or patches is looked for on the chromosome alone.

    NotFound without the file; BadFile, with the line, where it cannot be read or has no genes.
    """
    source = Path(path)
    try:
        wanted = Assembly(assembly)
    except ValueError as error:
        raise BadInput(
            _tried(source), f"the assembly '{assembly}' is unknown", f"say {' or '.join(Assembly)}"
        ) from error
    with _lines(source) as lines:
        first = next(lines, (1, "\n"))[1]
        rows = _read_biomart(source, first, lines) if _is_biomart(first) else _read_gff(source, first, lines, wanted)
        genes = _collected(rows)
    if not genes:
        raise BadFile(
            _tried(source), "it has no genes", "give a GTF or GFF3 with lines of the type 'gene'", file=source.name
        )
    return GeneTable(source.name, wanted, genes)


# -- Lines --------------------------------------------------------------------------------------------------------------


def _tried(source: Path) -> str:
    return f"reading the genes of {source.name}"


def _bad(source: Path, line: int | None, found: str, do_next: str = "download the file again") -> BadFile:
    return BadFile(_tried(source), found, do_next, file=source.name, line=line)


@contextmanager
def _lines(source: Path) -> Iterator[Iterator[tuple[int, str]]]:
    """Its lines, numbered from 1. A GENCODE has three million: they come as they are, their ends left on."""
    if not source.is_file():
        raise NotFound(_tried(source), "there is no such file", "check the path", file=source.name)
    with source.open("rb") as raw:
        packed = raw.peek(2)[:2] == b"\x1f\x8b"
        stream = gzip.GzipFile(fileobj=raw) if packed else raw
        with TextIOWrapper(stream, encoding="utf-8-sig") as text:
            try:
                yield enumerate(text, 1)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise _bad(source, None, "it is cut short or damaged") from error
            except UnicodeDecodeError as error:
                raise _bad(source, None, "it is not text", "give a GTF or GFF3, gzipped or not") from error


@dataclass(frozen=True)
class _Row:
    """One line that speaks of a gene."""

    symbol: str
    gene_id: str | None
    hgnc_id: str | None
    region: Region


def _region(source: Path, line: int, chrom: str, start: str, end: str) -> Region:
    """1-based, closed -> 0-based, half-open."""
    if not (start.isdecimal() and end.isdecimal() and 1 <= int(start) <= int(end) and chrom):
        raise _bad(source, line, "its start and end are not 1 <= start <= end")
    return Region(chrom, int(start) - 1, int(end))


# -- GTF and GFF3 -------------------------------------------------------------------------------------------------------

_TYPES = {"gene", "ncRNA_gene", "pseudogene"}
"""Types of line that speak of a whole gene; the last two are Ensembl's and RefSeq's GFF3's."""

_SYMBOL = ("gene_name", "gene", "Name")
"""Attributes that hold a symbol, the best first: GENCODE's and Ensembl's GTF, RefSeq's, Ensembl's GFF3."""

_IDS = ("gene_id", "ID")
"""Attributes that may hold an Ensembl id."""

_CROSS = ("Dbxref", "db_xref", "hgnc_id")
"""Attributes that name the gene in other collections: "GeneID:5310", "HGNC:HGNC:9008", "HGNC:9008"."""

_GTF = re.compile(r'(\w+) +"([^"]*)"')
_GFF3 = re.compile(r"(\w+)=([^;]*)")
_CHROMOSOME = re.compile(r"NC_(?P<number>0000\d\d|012920)\.(?P<version>\d+)")
_NAMED = re.compile(r"GRCh3[78]")
_LIFTED = re.compile(r"mapped to (GRCh3[78])")
_STRETCH = re.compile(r"##sequence-region\s+(\S+)\s+1\s+(\d+)")

# The version that RefSeq gave each chromosome's sequence on GRCh37; on GRCh38 every one is higher by one. MT kept its own.
_REFSEQ_GRCH37 = dict(zip(
    CHROMOSOMES[:24], (10, 11, 11, 11, 9, 11, 13, 10, 11, 10, 9, 11, 10, 8, 9, 9, 10, 9, 9, 10, 8, 10, 10, 9), strict=True,
))  # fmt: skip


def _read_gff(source: Path, first: str, lines: Iterator[tuple[int, str]], wanted: Assembly) -> Iterator[_Row]:
    said: list[str] = []
    for number, line in chain([(1, first)], lines):
        if line[0] == "#" or line.isspace():
            if line.startswith("##FASTA"):
                break
            if line.startswith("##sequence-region") or len(said) < 50:
                said.append(line)
            continue
        if line.count("\t") != 8:
            raise _bad(source, number, "the line has not the nine columns of a GTF or GFF3")
        chrom, _, kind, rest = line.split("\t", 3)
        if kind in _TYPES:
            start, end, _, _, _, attributes = rest.rstrip("\r\n").split("\t")
            name = _contig(source, number, chrom, wanted)
            yield _gene_row(source, number, attributes, _region(source, number, name, start, end))
    _check_assembly(source, said, wanted)


def _gene_row(source: Path, number: int, text: str, region: Region) -> _Row:
    found: dict[str, list[str]] = {}
    for name, value in (_GFF3 if _GTF.search(text) is None else _GTF).findall(text):
        found.setdefault(name, []).append(unquote(value))
    ids = [unversioned(value.removeprefix("gene:")) for name in _IDS for value in found.get(name, ())]
    crossed = [part for name in _CROSS for value in found.get(name, ()) for part in value.split(",")]
    numbers = [part.removeprefix("GeneID:") for part in crossed if part.startswith("GeneID:")]
    hgnc = [f"HGNC:{part.rpartition(':')[2]}" for part in crossed if part.startswith("HGNC:")]
    gene_id = next((name for name in ids if name.startswith("ENSG")), None) or next(iter(numbers), None)
    symbol = next((value for name in _SYMBOL for value in found.get(name, ()) if value), None) or gene_id
    symbol = symbol or next(iter(found.get("gene_id", ())), "")
    if not symbol or any(mark in symbol for mark in ", \t"):
        raise _bad(source, number, "the gene has no name", "give a GTF or GFF3 of GENCODE, Ensembl or RefSeq")
    return _Row(symbol, gene_id, next(iter(hgnc), None), region)


def _contig(source: Path, number: int, name: str, wanted: Assembly) -> str:
    """RefSeq's accession of a chromosome becomes the chromosome; other contigs keep their names."""
    found = _CHROMOSOME.fullmatch(name)
    if found is None:
        return name
    if found["number"] == "012920":
        return "MT"
    place = int(found["number"]) - 1
    if not 0 <= place < len(_REFSEQ_GRCH37):
        return name
    version = _REFSEQ_GRCH37[CHROMOSOMES[place]] + (wanted is Assembly.GRCh38)
    if int(found["version"]) != version:
        raise _bad(source, number, f"that contig is not of {wanted}", "name the assembly that the file is on")
    return CHROMOSOMES[place]


def _check_assembly(source: Path, said: Iterable[str], wanted: Assembly) -> None:
    """What a file says of itself must be what it is taken for; where it says nothing, or both, nothing is checked."""
    text = "\n".join(said)
    lifted = _LIFTED.findall(text)
    named = {Assembly(name) for name in lifted or _NAMED.findall(text)}
    measured = detect_assembly({name: int(length) for name, length in _STRETCH.findall(text)}, source.name)
    named = named | {measured} if measured else named
    if len(named) == 1 and wanted not in named:
        raise _bad(source, None, f"it says it is on {named.pop()}, not on {wanted}", "name the assembly it is on")


# -- BioMart's tables ---------------------------------------------------------------------------------------------------

_BIOMART: Mapping[str, tuple[str, ...]] = {
    "chrom": ("chromosome/scaffold name", "chromosome name"),
    "start": ("gene start (bp)",),
    "end": ("gene end (bp)",),
    "symbol": ("hgnc symbol", "gene name", "associated gene name"),
    "gene_id": ("gene stable id", "gene stable id version", "gene id", "ensembl gene id"),
}
"""What BioMart has called each column."""


def _is_biomart(first: str) -> bool:
    return "gene start (bp)" in first.lower()


def _read_biomart(source: Path, first: str, lines: Iterator[tuple[int, str]]) -> Iterator[_Row]:
    headings = [heading.strip().lower() for heading in first.lstrip("#").rstrip("\r\n").split("\t")]
    places = {}
    for wanted, names in _BIOMART.items():
        place = next((headings.index(name) for name in names if name in headings), None)
        if place is None:
            raise _bad(source, 1, f"it has no column '{names[0]}'", "export the table with that column")
        places[wanted] = place
    for number, line in lines:
        if line.isspace():
            continue
        cells = line.rstrip("\r\n").split("\t")
        if len(cells) != len(headings):
            raise _bad(source, number, f"the line has not the {len(headings)} columns of the first")
        chrom, start, end, symbol, gene_id = (cells[places[wanted]].strip() for wanted in _BIOMART)
        if not (symbol or gene_id) or any(mark in symbol for mark in ", \t"):
            raise _bad(source, number, "the gene has no name", "export the table again")
        region = _region(source, number, chrom, start, end)
        yield _Row(symbol or unversioned(gene_id), unversioned(gene_id) or None, None, region)


# -- Genes and their places ---------------------------------------------------------------------------------------------


def _collected(rows: Iterable[_Row]) -> tuple[Gene, ...]:
    """One gene for each id, or for each symbol where there is no id; it may have several lines."""
    lines: dict[tuple[str, str], list[_Row]] = {}
    for row in rows:
        lines.setdefault((row.gene_id or "", "" if row.gene_id else row.symbol), []).append(row)
    return tuple(
        Gene(mine[0].symbol, mine[0].gene_id, mine[0].hgnc_id, _joined(_on_chromosomes([row.region for row in mine])))
        for mine in lines.values()
    )


def _on_chromosomes(regions: list[Region]) -> list[Region]:
    return [region for region in regions if region.chrom in CHROMOSOMES] or regions


def _joined(regions: Iterable[Region]) -> tuple[Region, ...]:
    """In order along the genome, those that overlap or touch as one."""
    joined: list[Region] = []
    for region in sorted(regions, key=lambda each: (chromosome_order(each.chrom), each.start, each.end)):
        last = joined[-1] if joined else None
        if last and last.chrom == region.chrom and region.start <= last.end:
            joined[-1] = Region(last.chrom, last.start, max(last.end, region.end))
        else:
            joined.append(region)
    return tuple(joined)

"""Twenty genes, and what a variant at a place in them does.

Symbols, Ensembl identifiers, strands and coordinates are real (Ensembl, GRCh38, 1-based and closed); the bases, the exons and so the
transcripts are invented, and named so ("PKD1-demo"). What a variant does is drawn first, then a place where it can do so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = [
    "CONTIGS",
    "CSQ_FIELDS",
    "DOES",
    "Does",
    "Gene",
    "Placed",
    "annotate",
    "draw_effects",
    "genes",
    "place",
    "tumour_genes",
]

# GRCh38 chromosomes and their lengths in bases (Genome Reference Consortium, GRCh38.p14).
CONTIGS: Mapping[str, int] = {
    "1": 248956422, "2": 242193529, "3": 198295559, "4": 190214555, "5": 181538259, "6": 170805979, "7": 159345973,
    "8": 145138636, "9": 138394717, "10": 133797422, "11": 135086622, "12": 133275309, "13": 114364328, "14": 107043718,
    "15": 101991189, "16": 90338345, "17": 83257441, "18": 80373285, "19": 58617616, "20": 64444167, "21": 46709983,
    "22": 50818468, "X": 156040895, "Y": 57227415,
}  # fmt: skip

_EXON = 150  # bases of an invented exon
_DOWNSTREAM = 5_000  # how far VEP still calls a variant "downstream" of a gene
_BASES = "ACGT"
_OTHER_STRAND = str.maketrans("ACGT", "TGCA")
_RESIDUES = (
    "Ala", "Arg", "Asn", "Asp", "Cys", "Gln", "Glu", "Gly", "His", "Ile", "Leu", "Lys", "Met", "Phe", "Pro", "Ser", "Thr", "Trp",
    "Tyr", "Val",
)  # fmt: skip


@dataclass(frozen=True)
class Gene:
    """One gene; `start` and `end` 1-based, closed; `mutations` is how many its tree gets."""

    symbol: str
    gene_id: str
    chrom: str
    start: int
    end: int
    strand: str
    exons: int
    mutations: int

    @property
    def transcript(self) -> str:
        return f"{self.symbol}-demo"

    @cached_property
    def exon_starts(self) -> npt.NDArray[np.int64]:
        """First base of each invented exon (1-based), evenly spaced, shape (exons,)."""
        return np.linspace(self.start + 50, self.end - 50 - _EXON, self.exons).astype(np.int64)

    def exon_of(self, pos: int) -> int:
        """The number, along the gene's own direction and from 1, of the last exon that begins at or left of `pos`."""
        left = int(np.searchsorted(self.exon_starts, pos, side="right"))
        return max(left, 1) if self.strand == "+" else self.exons - max(left, 1) + 1

    def coding(self, pos: int) -> int:
        """Where an exonic `pos` stands in the invented coding sequence, from 1."""
        left = int(np.searchsorted(self.exon_starts, pos, side="right")) - 1
        along = left * _EXON + pos - int(self.exon_starts[left])
        return along + 1 if self.strand == "+" else self.exons * _EXON - along

    def other_strand(self, bases: str) -> str:
        """`bases` as the gene's own strand reads them."""
        return bases if self.strand == "+" else bases.translate(_OTHER_STRAND)[::-1]


@cache
def genes() -> tuple[Gene, ...]:
    """The twenty genes of genes.csv, in its order.

    >>> [(gene.symbol, gene.chrom, gene.strand) for gene in genes()][:2]
    [('PKD1', '16', '-'), ('PKD2', '4', '+')]
    """
    return _genes("genes.csv")


@cache
def tumour_genes() -> tuple[Gene, ...]:
    """The genes of tumour_genes.csv, in its order: those that drive tumours, then those that are mutated because they are long."""
    return _genes("tumour_genes.csv")


def _genes(name: str) -> tuple[Gene, ...]:
    with resources.files("nhsgen.demo").joinpath(name).open("rb") as table:
        frame = pl.read_csv(table, schema_overrides={"chrom": pl.String})
    return tuple(Gene(**row) for row in frame.iter_rows(named=True))


@dataclass(frozen=True)
class Does:
    """A kind of variant: VEP's name and impact, where it may stand, and its shares among rare and among other alleles."""

    consequence: str
    impact: str
    where: str  # exon | donor | acceptor | edge | intron
    change: str  # snv | frameshift | inframe
    rare: float
    common: float


# What selection leaves: what breaks a gene stays rare.
DOES: tuple[Does, ...] = (
    Does("stop_gained", "HIGH", "exon", "snv", 0.040, 0.0),
    Does("frameshift_variant", "HIGH", "exon", "frameshift", 0.040, 0.0),
    Does("splice_donor_variant", "HIGH", "donor", "snv", 0.010, 0.0),
    Does("splice_acceptor_variant", "HIGH", "acceptor", "snv", 0.010, 0.0),
    Does("missense_variant", "MODERATE", "exon", "snv", 0.350, 0.120),
    Does("inframe_deletion", "MODERATE", "exon", "inframe", 0.020, 0.0),
    Does("synonymous_variant", "LOW", "exon", "snv", 0.180, 0.200),
    Does("splice_region_variant&intron_variant", "LOW", "edge", "snv", 0.030, 0.030),
    Does("intron_variant", "MODIFIER", "intron", "snv", 0.270, 0.560),
    Does("intron_variant", "MODIFIER", "intron", "frameshift", 0.050, 0.090),
)
_RARE, _UNCOMMON = 3, 40  # up to this many of the founders' some 4,000 chromosomes an allele is rare, or uncommon, here


def draw_effects(
    gene: Gene, copies: Sequence[int], rng: np.random.Generator, *, spared: Mapping[str, tuple[str, ...]]
) -> list[Does]:
    """What each allele of `gene` does, given in how many chromosomes it was found.

    spared: impacts that nature does not give to a gene's uncommon alleles here, because the demo plants them itself.
    """
    left = np.array([kind.impact not in spared.get(gene.symbol, ()) for kind in DOES])
    rare, common = (np.array([getattr(kind, share) for kind in DOES]) for share in ("rare", "common"))
    splicing = np.array([kind.where in ("donor", "acceptor", "edge") for kind in DOES])
    drawn: list[Does] = []
    introns = gene.exons - 1  # one splicing allele each at most, so that `place` always finds room
    for number in copies:
        weights = (rare if number <= _RARE else common) * (left | (number > _UNCOMMON)) * (~splicing | (introns > 0))
        kind = int(rng.choice(len(DOES), p=weights / weights.sum()))
        introns -= int(splicing[kind])
        drawn.append(DOES[kind])
    return drawn


@dataclass(frozen=True)
class Placed:
    """One allele with its place: `pos` is VCF's, 1-based."""

    gene: Gene
    does: Does
    pos: int
    ref: str
    alt: str


def place(
    gene: Gene, effects: Sequence[Does], rng: np.random.Generator, *, shared: Sequence[tuple[int, int]] = ()
) -> list[Placed]:
    """A place and two alleles for each effect, none overlapping another.

    shared: pairs (i, j) of single-base effects that are to stand at one place with two alternative bases.
    """
    bases = rng.integers(0, 4, size=gene.end - gene.start + 1)  # the gene's invented sequence
    sites = _sites(gene)
    taken: set[int] = set()
    beside = {later: earlier for earlier, later in shared}
    placed: list[Placed] = []
    for number, does in enumerate(effects):
        if number in beside:
            first = placed[beside[number]]
            alt = next(base for base in _BASES if base not in (first.ref, first.alt))
            placed.append(Placed(gene, does, first.pos, first.ref, alt))
            continue
        while True:
            where = sites[does.where]
            pos = int(where[int(rng.integers(len(where)))])
            ref, alt = _alleles(does.change, bases, pos - gene.start, rng)
            span = range(pos - 1, pos + len(ref) + 1)
            if ref != alt and taken.isdisjoint(span):
                break
        taken.update(span)
        placed.append(Placed(gene, does, pos, ref, alt))
    return placed


def _sites(gene: Gene) -> Mapping[str, npt.NDArray[np.int64]]:
    """Positions (1-based) where each kind of variant may stand; exonic ones leave room for a deletion inside the exon.

    Of an intron, only what sequencing of exons captures: its first and last hundred bases or so.
    """
    begins = gene.exon_starts[1:, None]  # of exons with an intron on their left, shape (exons - 1, 1)
    ends = gene.exon_starts[:-1, None] + _EXON - 1  # of exons with an intron on their right

    def beside(nearest: int, farthest: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Positions so many bases left of an exon, and right of one."""
        far = np.arange(nearest, farthest + 1)
        return (begins - far).ravel(), (ends + far).ravel()

    left, right = beside(1, 2)
    donor, acceptor = (right, left) if gene.strand == "+" else (left, right)
    return {
        "exon": (gene.exon_starts[:, None] + np.arange(1, _EXON - 10)).ravel(),
        "donor": donor,
        "acceptor": acceptor,
        "edge": np.concatenate(beside(3, 5)),
        "intron": np.concatenate(beside(20, 120)),
    }


def _alleles(change: str, bases: npt.NDArray[np.int64], at: int, rng: np.random.Generator) -> tuple[str, str]:
    """Reference and alternative allele at offset `at`; equal when this place would not be left-aligned."""

    def read(begin: int, length: int) -> str:
        return "".join(_BASES[base] for base in bases[begin : begin + length])

    anchor = read(at, 1)
    if change == "snv":
        return anchor, _BASES[(int(bases[at]) + int(rng.integers(1, 4))) % 4]
    length = 3 * int(rng.integers(1, 3)) if change == "inframe" else int(rng.choice((1, 2, 4, 5)))
    if change == "frameshift" and rng.random() < 0.4:
        inserted = "".join(_BASES[base] for base in rng.integers(0, 4, size=length))
        return anchor, (anchor + inserted if inserted[-1] != anchor else anchor)
    deleted = read(at, length + 1)
    return deleted, (anchor if deleted[-1] != anchor else deleted)


CSQ_FIELDS = (
    "Allele", "Consequence", "IMPACT", "SYMBOL", "Gene", "Feature_type", "Feature", "BIOTYPE", "EXON", "INTRON", "HGVSc", "HGVSp",
    "STRAND", "CANONICAL", "gnomADe_AF", "CLIN_SIG", "LoF",
)  # fmt: skip


def annotate(allele: Placed, frequency: float | None, significance: str = "") -> str:
    """What VEP would write for this allele: one entry a gene, joined by commas, in the order of CSQ_FIELDS.

    frequency: of the allele in the wider population; None when it was not seen there.
    """
    gene, does = allele.gene, allele.does
    number = gene.exon_of(allele.pos)
    in_exon = does.where == "exon"
    seen = "" if frequency is None else f"{frequency:.4g}"
    own = {
        "Allele": _vep_allele(allele),
        "Consequence": does.consequence,
        "IMPACT": does.impact,
        "SYMBOL": gene.symbol,
        "Gene": gene.gene_id,
        "Feature_type": "Transcript",
        "Feature": gene.transcript,
        "BIOTYPE": "protein_coding",
        "EXON": f"{number}/{gene.exons}" if in_exon else "",
        "INTRON": "" if in_exon else f"{min(number, gene.exons - 1)}/{gene.exons - 1}",
        "HGVSc": _coding_change(allele) if in_exon else "",
        "HGVSp": _protein_change(allele) if in_exon else "",
        "STRAND": "1" if gene.strand == "+" else "-1",
        "CANONICAL": "YES",
        "gnomADe_AF": seen,
        "CLIN_SIG": significance,
        "LoF": "HC" if does.impact == "HIGH" else "",
    }
    entries = [own]
    for neighbour in genes():
        past = allele.pos - neighbour.end if neighbour.strand == "+" else neighbour.start - allele.pos
        if neighbour.chrom == gene.chrom and neighbour is not gene and 0 < past <= _DOWNSTREAM:
            entries.append(
                own
                | {
                    "Consequence": "downstream_gene_variant",
                    "IMPACT": "MODIFIER",
                    "SYMBOL": neighbour.symbol,
                    "Gene": neighbour.gene_id,
                    "Feature": neighbour.transcript,
                    "STRAND": "1" if neighbour.strand == "+" else "-1",
                    **dict.fromkeys(("EXON", "INTRON", "HGVSc", "HGVSp", "LoF"), ""),
                }
            )
    return ",".join("|".join(entry[field] for field in CSQ_FIELDS) for entry in entries)


def _vep_allele(allele: Placed) -> str:
    """VEP leaves out the base before an insertion or a deletion."""
    return allele.alt if len(allele.ref) == len(allele.alt) else allele.alt[1:] or "-"


def _coding_change(allele: Placed) -> str:
    gene, at = allele.gene, allele.gene.coding(allele.pos)
    if len(allele.ref) == len(allele.alt):
        return f"{gene.transcript}:c.{at}{gene.other_strand(allele.ref)}>{gene.other_strand(allele.alt)}"
    ahead = 1 if gene.strand == "+" else -1
    changed = max(len(allele.ref), len(allele.alt)) - 1
    first, last = sorted((at + ahead, at + ahead * (changed if len(allele.ref) > 1 else 0)))
    span = str(first) if first == last else f"{first}_{last}"
    return f"{gene.transcript}:c.{span}" + ("del" if len(allele.ref) > 1 else f"ins{gene.other_strand(allele.alt[1:])}")


def _protein_change(allele: Placed) -> str:
    codon = (allele.gene.coding(allele.pos) + 2) // 3
    was = _RESIDUES[(codon * 7 + allele.gene.start) % len(_RESIDUES)]
    becomes = _RESIDUES[(codon * 7 + allele.gene.start + 1 + _BASES.index(allele.alt[-1])) % len(_RESIDUES)]
    ends = {
        "stop_gained": "Ter",
        "frameshift_variant": f"{becomes}fsTer{codon % 40 + 2}",
        "inframe_deletion": "del",
        "synonymous_variant": "%3D",  # VEP writes "=" so, as "=" parts keys and values in INFO
    }
    return f"{allele.gene.symbol}-demo-p:p.{was}{codon}{ends.get(allele.does.consequence, becomes)}"

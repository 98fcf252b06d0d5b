"""Places in the genome. The only file where 0-based meets 1-based.

Inside nhsgen a `Region` is 0-based and half-open, as in BED, pysam and Python; what people write ("16:2,088,708-2,135,898")
is 1-based and closed, as in VCF. A `Variant`'s position is VCF's: 1-based. Chromosomes are kept without "chr": 1..22, X, Y, MT.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from nhsgen.errors import BadFile, BadInput

__all__ = ["CHROMOSOMES", "Assembly", "Region", "Variant", "chromosome", "detect_assembly", "ploidy"]

CHROMOSOMES = (*map(str, range(1, 23)), "X", "Y", "MT")


class Assembly(StrEnum):
    GRCh37 = "GRCh37"
    GRCh38 = "GRCh38"


# Lengths in bases of chromosomes 1..22, X, Y (Genome Reference Consortium, GRCh37.p13 and GRCh38.p14).
_LENGTHS: Mapping[Assembly, Mapping[str, int]] = {
    Assembly.GRCh37: dict(zip(CHROMOSOMES, (
        249250621, 243199373, 198022430, 191154276, 180915260, 171115067, 159138663, 146364022, 141213431, 135534747,
        135006516, 133851895, 115169878, 107349540, 102531392, 90354753, 81195210, 78077248, 59128983, 63025520,
        48129895, 51304566, 155270560, 59373566, 16569), strict=True)),
    Assembly.GRCh38: dict(zip(CHROMOSOMES, (
        248956422, 242193529, 198295559, 190214555, 181538259, 170805979, 159345973, 145138636, 138394717, 133797422,
        135086622, 133275309, 114364328, 107043718, 101991189, 90338345, 83257441, 80373285, 58617616, 64444167,
        46709983, 50818468, 156040895, 57227415, 16569), strict=True)),
}  # fmt: skip

# Pseudo-autosomal regions of X, 0-based half-open (same source).
_PSEUDO_AUTOSOMAL_X = {
    Assembly.GRCh37: ((60_000, 2_699_520), (154_931_043, 155_260_560)),
    Assembly.GRCh38: ((10_000, 2_781_479), (155_701_382, 156_030_895)),
}


def chromosome(name: str) -> str:
    """The name we use for a contig: without "chr", mitochondria as MT; other contigs as they are.

    >>> chromosome("chr16"), chromosome("chrM"), chromosome("GL000207.1")
    ('16', 'MT', 'GL000207.1')
    """
    bare = name[3:] if name[:3].lower() == "chr" else name
    bare = bare.upper() if bare.lower() in {"x", "y", "m", "mt"} else bare
    return "MT" if bare == "M" else bare


def chromosome_order(name: str) -> tuple[int, str]:
    """Sort key: 1..22, X, Y, MT, then the rest by name."""
    return (CHROMOSOMES.index(name), "") if name in CHROMOSOMES else (len(CHROMOSOMES), name)


def detect_assembly(contig_lengths: Mapping[str, int], file: str | None = None) -> Assembly | None:
    """Which assembly a header's contig lengths belong to; None when they tell nothing; BadFile when they contradict.

    >>> detect_assembly({"chr1": 248956422})
    <Assembly.GRCh38: 'GRCh38'>
    """
    votes = {
        assembly
        for name, length in contig_lengths.items()
        for assembly, lengths in _LENGTHS.items()
        if chromosome(name) != "MT" and lengths.get(chromosome(name)) == length
    }
    if len(votes) > 1:
        raise BadFile(
            "reading the contig lengths",
            "some belong to GRCh37 and some to GRCh38",
            "split the file by assembly",
            file=file,
        )
    return votes.pop() if votes else None


def ploidy(chrom: str, pos: int, sex: str | None, assembly: Assembly) -> int:
    """How many alleles a person has at 1-based `pos`: 2, or 1 on a male X or Y outside PAR and on MT, 0 on a female Y.

    A person of unknown sex counts as two on X and none on Y.

    >>> ploidy("X", 50_000_000, "male", Assembly.GRCh38), ploidy("X", 50_000, "male", Assembly.GRCh38)
    (1, 2)
    """
    if chrom == "MT":
        return 1
    if chrom == "Y":
        return 1 if sex == "male" else 0
    if chrom == "X" and sex == "male":
        return 2 if any(start < pos <= end for start, end in _PSEUDO_AUTOSOMAL_X[assembly]) else 1
    return 2


_REGION = re.compile(r"(?P<chrom>[\w.*-]+)(?::(?P<start>[\d,]+)(?:-(?P<end>[\d,]+))?)?")
_WHOLE = 2**31 - 1


@dataclass(frozen=True, order=True)
class Region:
    """A stretch of one chromosome; `start` 0-based, `end` excluded."""

    chrom: str
    start: int
    end: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "chrom", chromosome(self.chrom))
        if not 0 <= self.start < self.end:
            raise BadInput(f"reading the region {self}", "it ends before it starts", "write it like 16:2088708-2135898")

    @classmethod
    def parse(cls, text: str) -> "Region":
        """From what people write: 1-based, closed.

        >>> Region.parse("chr16:2,088,708-2,135,898")
        Region(chrom='16', start=2088707, end=2135898)
        >>> str(Region.parse("X:5")), str(Region.parse("22"))
        ('X:5-5', '22')
        """
        match = _REGION.fullmatch(text.strip())
        if match is None:
            raise BadInput(f"reading the region '{text}'", "it is not a region", "write it like 16:2088708-2135898")
        if match["start"] is None:
            return cls(match["chrom"], 0, _WHOLE)
        start = int(match["start"].replace(",", ""))
        end = int(match["end"].replace(",", "")) if match["end"] else start
        return cls(match["chrom"], start - 1, end)

    def __str__(self) -> str:
        return self.chrom if (self.start, self.end) == (0, _WHOLE) else f"{self.chrom}:{self.start + 1}-{self.end}"


_ALLELE = re.compile(r"[ACGTN]+|\*|<[^<>\s]+>")


@dataclass(frozen=True)
class Variant:
    """One alternative allele at one place; `pos` is VCF's, 1-based."""

    chrom: str
    pos: int
    ref: str
    alt: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "chrom", chromosome(self.chrom))

    @classmethod
    def parse(cls, text: str) -> "Variant":
        """From chrom-pos-ref-alt, as gnomAD writes it.

        >>> Variant.parse("chr16-2103000-C-T").key
        '16-2103000-C-T'
        """
        parts = text.strip().replace(":", "-").split("-")
        if len(parts) != 4 or not parts[1].isdecimal() or not all(_ALLELE.fullmatch(a.upper()) for a in parts[2:]):
            raise BadInput(f"reading the variant '{text}'", "it is not a variant", "write it like 16-2103000-C-T")
        return cls(parts[0], int(parts[1]), parts[2].upper(), parts[3].upper())

    @property
    def key(self) -> str:
        return f"{self.chrom}-{self.pos}-{self.ref}-{self.alt}"

    def __str__(self) -> str:
        return self.key

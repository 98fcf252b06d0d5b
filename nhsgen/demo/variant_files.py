"""A site's variant file: VCF 4.2, compressed in blocks, annotated in VEP's way, with a header that says nothing but what it must."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pysam

from nhsgen.demo.genes import CONTIGS, CSQ_FIELDS, annotate
from nhsgen.demo.genotypes import Genotypes
from nhsgen.durable import storage
from nhsgen.progress import track
from nhsgen.variants.htslib import quiet_htslib

__all__ = ["annotations", "low_quality", "write_variants"]

_MISSING = 0.002  # share of genotypes that were not called
_LOW_QUALITY = 0.03  # share of places that did not pass
_HIGHEST = 4  # alleles at one place, the reference included, at most
_UNCALLED = _HIGHEST * _HIGHEST

# "\t0/1" by code = smaller allele * 4 + larger allele; the last is a genotype not called.
_DIPLOID = np.array([f"\t{code // _HIGHEST}/{code % _HIGHEST}" for code in range(_UNCALLED)] + ["\t./."], dtype="S4")
_HAPLOID = np.array([f"\t{code % _HIGHEST}" for code in range(_UNCALLED)] + ["\t."], dtype="S4")


def annotations(genotypes: Genotypes) -> tuple[str, ...]:
    """The CSQ text of every allele."""
    return tuple(
        annotate(allele, None if np.isnan(frequency) else float(frequency), "pathogenic" if planted >= 0 else "")
        for allele, frequency, planted in zip(genotypes.alleles, genotypes.frequency, genotypes.planted, strict=True)
    )


def low_quality(genotypes: Genotypes, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Which alleles stand at places that did not pass the caller's filter; planted ones always pass."""
    return (rng.random(len(genotypes.alleles)) < _LOW_QUALITY) & (genotypes.planted < 0)


def write_variants(
    path: Path,
    genotypes: Genotypes,
    csq: Sequence[str],
    low: npt.NDArray[np.bool_],
    persons: npt.NDArray[np.int64],
    samples: Sequence[str],
    male: npt.NDArray[np.bool_],
    contig_prefix: str,
    rng: np.random.Generator,
) -> None:
    """Write the alleles seen in `persons` (their samples named in the same order), and an index beside."""
    copies = genotypes.copies[:, persons]
    seen = np.flatnonzero(copies.any(axis=(1, 2)))
    order = sorted(seen.tolist(), key=lambda row: _place(genotypes, row))
    male_here = male[persons]
    with quiet_htslib(), storage(f"writing {path.name}", path), pysam.BGZFile(str(path), "wb", None) as out:
        out.write(_header(contig_prefix, samples).encode())
        places = [list(rows) for _, rows in groupby(order, key=lambda row: _place(genotypes, row)[:3])]
        for rows in track(places, f"writing {path.parent.name}'s variants"):
            missing = rng.random(len(persons)) < _MISSING
            if (genotypes.planted[rows] >= 0).any():
                missing[:] = False
            out.write(
                b"".join(
                    _record(genotypes, csq, bool(low[rows[0]]), rows, copies[rows], male_here, missing, contig_prefix)
                )
            )
    pysam.tabix_index(str(path), preset="vcf", force=True)


def _place(genotypes: Genotypes, row: int) -> tuple[int, int, str, str]:
    allele = genotypes.alleles[row]
    return list(CONTIGS).index(allele.gene.chrom), allele.pos, allele.ref, allele.alt


def _header(contig_prefix: str, samples: Sequence[str]) -> str:
    lines = [
        "##fileformat=VCFv4.2",
        '##FILTER=<ID=PASS,Description="All filters passed">',
        '##FILTER=<ID=LowQual,Description="Low quality">',
        '##INFO=<ID=AC,Number=A,Type=Integer,Description="Copies of each alternative allele">',
        '##INFO=<ID=AN,Number=1,Type=Integer,Description="Alleles called">',
        '##INFO=<ID=AF,Number=A,Type=Float,Description="Frequency of each alternative allele">',
        '##INFO=<ID=CSQ,Number=.,Type=String,Description="Consequence annotations from Ensembl VEP. '
        f'Format: {"|".join(CSQ_FIELDS)}">',
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        *(f"##contig=<ID={contig_prefix}{name},length={length},assembly=GRCh38>" for name, length in CONTIGS.items()),
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples]),
    ]
    return "\n".join(lines) + "\n"


def _record(
    genotypes: Genotypes,
    csq: Sequence[str],
    low: bool,
    rows: list[int],
    copies: npt.NDArray[np.uint8],
    male: npt.NDArray[np.bool_],
    missing: npt.NDArray[np.bool_],
    contig_prefix: str,
) -> Iterator[bytes]:
    """One line of the file for the alleles `rows` of one place; nothing when no called genotype carries any."""
    called = np.where(missing[None, :, None], 0, copies)
    kept = np.flatnonzero(called.any(axis=(1, 2)))
    if not len(kept):
        return
    called, alleles = called[kept], [genotypes.alleles[rows[number]] for number in kept]
    first = alleles[0]
    numbers = np.arange(1, len(kept) + 1, dtype=np.uint8)
    which = (called * numbers[:, None, None]).sum(axis=0)  # which allele stands on each chromosome, shape (people, 2)
    code = np.where(missing, _UNCALLED, which.min(axis=1) * _HIGHEST + which.max(axis=1))
    haploid = male & (first.gene.chrom == "X")
    text = np.where(haploid, _HAPLOID[code], _DIPLOID[code])
    copies_of = called.sum(axis=(1, 2), dtype=np.int64)
    total = int(np.where(missing, 0, 2 - haploid).sum())
    info = ";".join(
        [
            f"AC={','.join(map(str, copies_of))}",
            f"AF={','.join(f'{one / total:.5g}' for one in copies_of)}",
            f"AN={total}",
            f"CSQ={','.join(csq[rows[number]] for number in kept)}",
        ]
    )
    yield "\t".join([
        f"{contig_prefix}{first.gene.chrom}", str(first.pos), ".", first.ref, ",".join(allele.alt for allele in alleles),
        ".", "LowQual" if low else "PASS", info, "GT",
    ]).encode()  # fmt: skip
    yield text.tobytes().replace(b"\0", b"") + b"\n"

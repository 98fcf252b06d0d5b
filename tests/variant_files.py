"""Variant files for tests: built from a few words, broken on purpose, and read again by a plain slow reader."""

import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pysam

CONTIGS = {"1": 249250621, "2": 243199373, "22": 51304566, "X": 155270560}

CSQ = (
    "##INFO=<ID=CSQ,Number=.,Type=String,Description=\"Consequence annotations from Ensembl VEP. Format: "
    "Allele|Consequence|IMPACT|SYMBOL|Gene|Feature|BIOTYPE|HGVSc|HGVSp|ALLELE_NUM|CANONICAL|MANE_SELECT|gnomADe_AF|LoF|CLIN_SIG\">"
)  # fmt: skip


def csq(allele: str, consequence: str, impact: str, gene: str, **parts: str) -> str:
    """One entry of a CSQ, in the order that `CSQ` declares."""
    names = ("HGVSc", "HGVSp", "ALLELE_NUM", "CANONICAL", "MANE_SELECT", "gnomADe_AF", "LoF", "CLIN_SIG")
    gene_id, biotype = parts.get("Gene", f"ENSG_{gene}" if gene else ""), parts.get("BIOTYPE", "protein_coding")
    first = (allele, consequence, impact, gene, gene_id, parts.get("Feature", "ENST1"), biotype)
    return "|".join((*first, *(parts.get(name, "") for name in names)))


def record(place: str, *genotypes: str, info: str = ".", filter: str = "PASS", qual: str = "50", id: str = ".") -> str:
    """A line of a VCF; `place` is "contig pos ref alts", and the genotypes are separated by blanks or given one by one.

    >>> record("22 100 A C,G", "0/1 1|2").split("\\t")[-2:]
    ['0/1', '1|2']
    """
    contig, pos, ref, alts = place.split(" ")
    calls = [call for text in genotypes for call in text.split()]
    return "\t".join([contig, pos, id, ref, alts, qual, filter, info, *(["GT", *calls] if calls else [])])


def vcf(
    *records: str, samples: str | Sequence[str] = "", contigs: dict[str, int] | None = None, info: Iterable[str] = ()
) -> str:
    """The text of a VCF; samples named by blanks between them, or S1, S2, ... as many as the first record needs."""
    names = list(samples.split() if isinstance(samples, str) else samples)
    if not names and records:
        names = [f"S{number}" for number in range(1, len(records[0].split("\t")) - 8)]
    lines = ["##fileformat=VCFv4.3", '##FILTER=<ID=q10,Description="low">', *info]
    lines += [
        f"##contig=<ID={name},length={length}>" for name, length in (CONTIGS if contigs is None else contigs).items()
    ]
    for name, number, kind in (
        ("AC", "A", "Integer"),
        ("AN", "1", "Integer"),
        ("END", "1", "Integer"),
        ("EAS_AF", "A", "Float"),
    ):
        lines.append(f'##INFO=<ID={name},Number={number},Type={kind},Description="{name}">')
    lines += [
        f'##FORMAT=<ID={name},Number=1,Type={kind},Description="{name}">'
        for name, kind in (("GT", "String"), ("DP", "Integer"))
    ]
    lines.append(
        "\t".join(
            ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", *(["FORMAT", *names] if names else [])]
        )
    )
    return "\n".join([*lines, *records]) + "\n"


def write(path: Path, text: str | bytes) -> Path:
    """Write it as the name says: .vcf as text, .vcf.gz through bgzip, .plain.vcf.gz through gzip, .bcf through htslib."""
    data = text.encode() if isinstance(text, str) else text
    if path.name.endswith(".plain.vcf.gz"):
        path.write_bytes(gzip.compress(data))
    elif path.name.endswith(".vcf.gz"):
        with pysam.BGZFile(str(path), "wb") as file:
            file.write(data)
    elif path.suffix == ".bcf":
        source = write(path.with_suffix(".vcf"), data)
        with (
            open(source, "rb") as stream,
            pysam.VariantFile(stream) as read,
            pysam.VariantFile(str(path), "wb", header=read.header) as written,
        ):
            for line in read:
                written.write(line)
        source.unlink()
    else:
        path.write_bytes(data)
    return path


# -- The plain slow reader ----------------------------------------------------------------------------------------------

KINDS = ("hom_ref", "het", "hom_alt", "other", "missing", "half", "haploid")


def slow_counts(path: Path, mask: Sequence[bool]) -> dict[str, dict[str, int]]:
    """By key, what a store should count among the people of `mask`: one person, one allele, one step at a time."""
    answer: dict[str, dict[str, int]] = {}
    for key, people in _slow_rows(path):
        row = dict.fromkeys((*KINDS, "hemizygous", "ac", "an", "carriers", "homozygous"), 0)
        for (called, allele), counted in zip(people, mask, strict=True):
            if not counted:
                continue
            copies = sum(each == allele for each in called)
            known = [each for each in called if each is not None]
            row["ac"] += copies
            row["an"] += len(known)
            row["carriers"] += copies > 0
            row["homozygous"] += copies == 2
            row[_kind(called, known, allele)] += 1
            row["hemizygous"] += len(called) == 1 and copies == 1
        answer[key] = row
    return answer


def slow_carriers(path: Path, mask: Sequence[bool]) -> set[tuple[str, str, int]]:
    """Key, sample and copies of everybody of `mask` who carries an allele."""
    with pysam.VariantFile(str(path)) as file:
        names = list(file.header.samples)
    return {
        (key, name, sum(each == allele for each in called))
        for key, people in _slow_rows(path)
        for (called, allele), name, counted in zip(people, names, mask, strict=True)
        if counted and allele in called
    }


def _kind(called: tuple[int | None, ...], known: list[int], allele: int) -> str:
    if not known:
        return "missing"
    if len(called) == 1:
        return "haploid"
    if len(known) == 1:
        return "half"
    copies = known.count(allele)
    return ("hom_ref" if known == [0, 0] else "other", "het", "hom_alt")[copies]


def _slow_rows(path: Path) -> Iterable[tuple[str, list[tuple[tuple[int | None, ...], int]]]]:
    with pysam.VariantFile(str(path)) as file:
        for line in file:
            for allele, alt in enumerate(line.alts or (), 1):
                people = [(person.allele_indices, allele) for person in line.samples.values()]
                yield f"{line.chrom}-{line.pos}-{line.ref}-{alt}", people


def random_mask(samples: int, seed: int = 1) -> np.ndarray:
    """About half of the samples, the same ones every time."""
    mask: np.ndarray = np.random.default_rng(seed).random(samples) < 0.5
    return mask

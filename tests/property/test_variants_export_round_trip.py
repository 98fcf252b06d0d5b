"""Whatever is in a store comes out of it again, and a cohort's file says of the cohort what a plain slow reader says, and no more."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pysam
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from variant_files import CSQ, csq, record, vcf, write

from nhsgen.variants import VariantFilter, VariantStore, ingest
from nhsgen.variants.export import export
from nhsgen.variants.export.header import csq as written_csq
from nhsgen.variants.export.joining import Allele
from nhsgen.variants.genotypes import HAPLOID, MISSING

BASES = ("C", "G", "T", "AT", "AGG", "*", "<DEL>", "<DUP:TANDEM>")
EFFECTS = ("stop_gained&splice_region_variant", "missense_variant", "intron_variant", "a_term_nobody_knows")
SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def annotations(draw: st.DrawFn, alts: list[str]) -> str:
    """A CSQ that speaks of some ALTs, each effect on a gene of its own; some of one severity, and one of them preferred."""
    entries = []
    for number in range(1, len(alts) + 1):
        for gene, effect in enumerate(draw(st.lists(st.sampled_from(EFFECTS), max_size=4))):
            entries.append(
                csq(
                    alts[number - 1], effect, draw(st.sampled_from(["HIGH", "MODIFIER"])), f"GENE{gene}",
                    Gene=draw(st.sampled_from(["", f"ENSG{gene}"])), ALLELE_NUM=str(number),
                    HGVSp=draw(st.sampled_from(["", "ENSP1:p.Arg5%3D", "p.%25%7C%2C"])), LoF=draw(st.sampled_from(["", "HC"])),
                    CANONICAL=draw(st.sampled_from(["", "YES"])), MANE_SELECT=draw(st.sampled_from(["", "NM_1"])),
                    BIOTYPE=draw(st.sampled_from(["", "protein_coding"])),
                    gnomADe_AF=draw(st.sampled_from(["", "0.1", "1e-05", "0"])),
                    CLIN_SIG=draw(st.sampled_from(["", "benign&likely_benign", "risk%3B factor%20x"])),
                )
            )  # fmt: skip
    return f"CSQ={','.join(entries)}" if entries else ""


@st.composite
def records(draw: st.DrawFn, place: str, alts: list[str], people: int) -> str:
    alleles = st.sampled_from([".", "0", *map(str, range(1, len(alts) + 1))])
    common = draw(st.sampled_from(["0/0", "0|0", "0", "./.", "1/1", "."]))
    calls = [common] * people
    rare = st.tuples(alleles, st.sampled_from("/|"), alleles).map("".join) | alleles
    for who, call in draw(st.dictionaries(st.integers(0, max(0, people - 1)), rare, max_size=people)).items():
        calls[who] = call
    counts = st.lists(st.integers(0, 9) | st.just("."), min_size=len(alts), max_size=len(alts))
    info = [
        draw(st.just("") | counts.map(lambda values: "AC=" + ",".join(map(str, values)))),
        draw(st.sampled_from(["", "AN=4", "AN=70000"])),
        draw(st.sampled_from(["", "END=90", "END=2"])),
        draw(annotations(alts)),
    ]
    ids = st.sampled_from([".", "rs1", "lab7", ";".join(f"rs{n}" for n in range(len(alts)))])
    return record(
        f"{place} A {','.join(alts)}", " ".join(calls), info=";".join(filter(None, info)) or ".", id=draw(ids),
        filter=draw(st.sampled_from([".", "PASS", "q10", "q10;s50"])), qual=draw(st.sampled_from([".", "50", "0.25", "1e+10"])),
    )  # fmt: skip


@st.composite
def variant_files(draw: st.DrawFn, fewest: int = 0, bases: tuple[str, ...] = BASES) -> tuple[str, int]:
    """A sorted VCF, several records at some of its places, and how many people are in it."""
    people = draw(st.integers(fewest, 12))
    lines = []
    for contig in draw(st.sampled_from([["22"], ["22", "X"], ["1", "Unplaced.1"]])):
        pos = 0
        for _ in range(draw(st.integers(1, 4))):
            pos += draw(st.integers(1, 3))
            alts = draw(st.lists(st.sampled_from(bases), min_size=1, max_size=6, unique=True))
            while alts:
                some = alts[: draw(st.integers(1, 3))]
                alts = alts[len(some) :]
                lines.append(draw(records(f"{contig} {pos}", some, people)))
    return vcf(*lines, samples=[f"S{n}" for n in range(people)], info=[CSQ]), people


def stored(folder: Path, text: str) -> VariantStore:
    ingest([write(folder / "source.vcf", text)], folder / "store")
    return VariantStore.open(folder / "store")


def rows(store: VariantStore) -> list[str]:
    """All that is kept of each allele: what it is, and everybody's state.

    Two records at one place may have come in the other order. Whether somebody without a call has one allele or two is what a
    store does not promise to remember.
    """
    return sorted(
        repr((row, np.where(states == HAPLOID | MISSING, MISSING, states).tolist()))
        for frame, piece in store.genotypes()
        for row, states in zip(frame.rows(), piece, strict=True)
    )


@SETTINGS
@given(variant_files(bases=(*BASES, "<NON_REF>")), st.sampled_from([".vcf", ".vcf.gz", ".bcf"]))
def test_a_store_written_and_read_again_is_the_same_store(case: tuple[str, int], suffix: str) -> None:
    text, people = case
    with tempfile.TemporaryDirectory() as folder:
        store = stored(Path(folder), text)
        out = Path(folder, f"out{suffix}")
        said = export(store, out)
        ingest([out], Path(folder, "again"))
        again = VariantStore.open(Path(folder, "again"))
        assert again.samples == store.samples
        assert rows(again) == rows(store)
        alts = [line.split("\t")[4] for line in text.splitlines() if line[0] != "#"]
        assert said == {
            "samples": people,
            "records": len(alts) - alts.count("<NON_REF>"),
            "alleles": len(store.query()),
            "absent": 0,
            "not_called": 0,
        }
        assert again.verify()["alleles"] == said["alleles"]


def plain_records(path: Path) -> Iterator[tuple[pysam.VariantRecord, list[tuple[int | None, ...]]]]:
    with pysam.VariantFile(str(path)) as file:
        for line in file:
            yield line, [person.allele_indices for person in line.samples.values()]


def slow_export(path: Path, chosen: list[bool], keys: set[str]) -> list[tuple]:
    """What a cohort's file should hold: one record, one person, one allele at a time."""
    answer = []
    for line, people in plain_records(path):
        cohort = [called for called, counted in zip(people, chosen, strict=True) if counted]
        kept = [
            number for number, alt in enumerate(line.alts, 1)
            if f"{line.chrom}-{line.pos}-{line.ref}-{alt}" in keys and any(number in called for called in cohort)
        ]  # fmt: skip
        renumbered = {0: 0} | {number: new for new, number in enumerate(kept, 1)}
        said = [
            tuple(sorted((renumbered.get(a) for a in called), key=lambda a: -1 if a is None else a))
            for called in cohort
        ]
        if kept:
            written = [each for called in said for each in called if each is not None]
            answer.append(
                (line.chrom, line.pos, line.ref, tuple(line.alts[number - 1] for number in kept),
                 tuple(written.count(number) for number in range(1, len(kept) + 1)), len(written), said)
            )  # fmt: skip
    return sorted(answer, key=repr)


@SETTINGS
@given(st.data(), variant_files(fewest=1), st.sampled_from([".vcf.gz", ".bcf"]))
def test_a_cohort_equals_the_slow_reader(data: st.DataObject, case: tuple[str, int], suffix: str) -> None:
    text, people = case
    chosen = data.draw(st.lists(st.booleans(), min_size=people, max_size=people).filter(any))
    with tempfile.TemporaryDirectory() as folder:
        store = stored(Path(folder), text)
        keys = sorted(set(store.query(columns=["key"])["key"]))
        wanted = data.draw(st.just(set(keys)) | st.sets(st.sampled_from(keys), min_size=1))
        asked = VariantFilter() if wanted == set(keys) else VariantFilter(keys=tuple(wanted))
        out = Path(folder, f"out{suffix}")
        said = export(store, out, filter=asked, samples=np.array(chosen))
        found = [
            (line.chrom, line.pos, line.ref, line.alts, line.info["AC"], line.info["AN"], called)
            for line, called in plain_records(out)
        ]
        expected = slow_export(Path(folder, "source.vcf"), chosen, wanted)
        assert [blank(row) for row in sorted(found, key=repr)] == [blank(row) for row in sorted(expected, key=repr)]
        assert said["records"] == len(expected)
        assert said["alleles"] == sum(len(row[3]) for row in expected)


def blank(row: tuple) -> tuple:
    """The same with "." for "./." too: a store does not promise to tell the two apart."""
    return (*row[:-1], [(None,) if set(called) == {None} else called for called in row[-1]])


@given(
    st.lists(st.sampled_from([None, "stop_gained", "missense_variant"]), min_size=1, max_size=4), st.text(max_size=8)
)
def test_a_csq_has_no_character_that_a_vcf_takes_otherwise(consequences: list[str | None], clinvar: str) -> None:
    genes = [
        {"gene": f"G{n}", "gene_id": None, "consequence": said, "hgvsp": clinvar} for n, said in enumerate(consequences)
    ]
    allele = Allele("1", 5, 5, "A", "C", None, None, None, 1, 1, None, None, 0.5, clinvar, genes, np.empty(0, np.uint8))
    text = written_csq([allele]) or ""
    assert text.count(",") == len(genes) - 1
    assert not set(text) & set(";= \t\r\n\0")

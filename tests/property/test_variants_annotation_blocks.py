"""Whatever a record's annotation, a block of records reads as each record does alone."""

import math
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nhsgen.variants.annotations import Notes, read_annotations
from nhsgen.variants.consequences import Annotation, Effect, find_annotation
from nhsgen.variants.schema import EFFECT

Case = tuple[str, str, tuple[str, ...], int]
"""An annotation, REF, ALTs, position."""

VEP = (
    "Allele", "Consequence", "IMPACT", "SYMBOL", "Gene", "Feature", "BIOTYPE", "HGVSc", "HGVSp", "ALLELE_NUM", "CANONICAL",
    "MANE_SELECT", "AF", "gnomADe_AF", "gnomADe_ASJ_AF", "MAX_AF", "LoF", "CLIN_SIG",
)  # fmt: skip
SNPEFF = (
    "Allele", "Consequence", "IMPACT", "SYMBOL", "Gene", "Feature_Type", "Feature", "BIOTYPE", "Rank", "HGVSc", "HGVSp",
    "cDNA.pos / cDNA.length",
)  # fmt: skip
BCFTOOLS = find_annotation({"BCSQ": ""}, None, "a.vcf").names
TWICE = ("Allele", "SYMBOL", "gnomADe_AF", "Consequence", "SYMBOL", "gnomADe_AF", "Gene")

TERMS = (
    "missense_variant",
    "stop_gained",
    "intron",
    "intergenic_region",
    "*missense",
    "brand_new",
    "@99",
    "intron_variant",
    "%41%26x",
    "é",
)
ALLELES = ("A", "C", "G", "T", "AT", "CTT", "-", "TT", "*", "<DEL>", "deletion", "%2D", "")
NUMBERS = (
    "0.001", "1e-05", "4.5E-3", "0", "1", "2", "-1", ".", "", "nan", "0.12345678901234567", "1e-400", "1e-", "1e-&0.5", "1e5", ".5",
    "5.", "1_0", " 0.5", "%30", "0.3&0.7", "x&0.2", "0.1&", "1e+0", "0e0", "9007199254740993e-17", "+0.5", "inf",
    "0.00000000000000000000000012",
)  # fmt: skip
PARTS: dict[str, Sequence[str]] = {
    "Allele": ALLELES,
    "Consequence": (
        *TERMS,
        "",
        "missense_variant&intron_variant",
        "brand_new&stop_gained",
        "&intron",
        "@5&stop_gained",
    ),
    "IMPACT": ("HIGH", "MODERATE", "LOW", "MODIFIER", "", "odd"),
    "SYMBOL": ("PKD1", "PKD2", "", "é", "PKD%31", "A-B"),
    "Gene": ("ENSG1", "ENSG2", "", "ENSG%31", "PKD1"),
    "Feature": ("ENST1", "ENST2", "", "%C3%A9", "%E9", "%", "%%41", "é%3d"),
    "BIOTYPE": ("protein_coding", "protein%5Fcoding", "lncRNA", ""),
    "HGVSc": ("ENST1:c.5C>T", "", "c.%2B5", "%zz%4", "%00"),
    "HGVSp": ("p.Ala2%3D", "", "p.Ala2Gly"),
    "amino_acid_change": ("141T>141A", ""),
    "ALLELE_NUM": ("1", "2", "3", "0", "01", "%31", "x", ""),
    "CANONICAL": ("YES", "", "NO", "%59ES"),
    "MANE_SELECT": ("", "NM_1"),
    "LoF": ("HC", "", "LC"),
    "CLIN_SIG": ("benign", "", "benign&likely_benign", "a%2Cb"),
    "dna_change": ("100A>C", "100A>G", "7A>C+100A>C", "100A%3eC", "7A>T%2B100A>C", "", "100A>", "100A>CC"),
} | {name: NUMBERS for name in VEP + TWICE if name.endswith("AF")}
LESS: dict[str, Sequence[str]] = {"ALLELE_NUM": ("",), "Allele": ("",)}
"""Parts as they are in the records where nobody numbers, or nobody names, the alleles."""


@st.composite
def records(draw: st.DrawFn, names: Sequence[str]) -> Case:
    """A record whose annotation has these parts: more or fewer of them than the header names, and empty entries."""
    without = draw(st.sets(st.sampled_from(sorted(LESS))))
    parts = [st.sampled_from(LESS[name] if name in without else PARTS.get(name, ("", "2/3"))) for name in names]
    entry = st.tuples(*parts).flatmap(
        lambda values: st.integers(0, len(values)).map(lambda n: "|".join((*values, "more")[: n if n < 3 else n + 1]))
    )
    whole = st.tuples(*parts).map("|".join)
    entries = draw(st.lists(whole | whole | entry | st.just(""), max_size=6))
    ref = draw(st.sampled_from(["A", "C", "CT", "ACTT"]))
    alts = draw(
        st.lists(st.sampled_from(["C", "A", "G", "CTT", "CT", "AT", "*", "<DEL>", "ATT"]), max_size=3, unique=True)
    )
    return ",".join(entries), ref, tuple(alts), draw(st.sampled_from([1, 7, 100, 2**31 - 1]))


def block(how: Annotation, cases: Sequence[Case], around: str = ";é\t") -> Notes:
    """Read the cases as one block, something else between them."""
    text, starts, ends = bytearray(), [], []
    for said, *_ in cases:
        text += around.encode()
        starts.append(len(text))
        text += said.encode()
        ends.append(len(text))
    return read_annotations(
        how, np.frombuffer(bytes(text) + around.encode(), np.uint8), np.array(starts, np.int64), np.array(ends, np.int64),
        np.array([pos for *_, pos in cases], np.int64), [ref for _, ref, _, _ in cases], [alts for _, _, alts, _ in cases],
    )  # fmt: skip


def row(effect: Effect | None) -> dict[str, str | None]:
    return {name: getattr(effect, name, None) for name in EFFECT.names}


def alone(how: Annotation, cases: Sequence[Case]) -> list[tuple[object, ...]]:
    """What each record says, read by itself: the worst effect, all of them, frequency, ClinVar."""
    return [
        (row(effects[0] if effects else None), [row(effect) for effect in effects], frequency, clinvar)
        for said, ref, alts, pos in cases
        if alts
        for effects, frequency, clinvar in how.read({how.field: said}, ref, alts, pos)
    ]


def rows(notes: Notes) -> list[tuple[object, ...]]:
    notes.effects.validate(full=True)
    notes.genes.validate(full=True)
    notes.clinvar.validate(full=True)
    frequencies = [None if math.isnan(value) else value for value in notes.af.tolist()]
    together = zip(
        notes.effects.to_pylist(), notes.genes.to_pylist(), frequencies, notes.clinvar.to_pylist(), strict=True
    )
    return list(together)


HOW = {
    Annotation("CSQ", "CSQ", VEP): records(VEP),
    Annotation("CSQ", "vep", TWICE): records(TWICE),
    Annotation("ANN", "ANN", SNPEFF): records(SNPEFF),
    Annotation("BCSQ", "BCSQ", BCFTOOLS): records(BCFTOOLS),
}
BLOCKS = st.sampled_from(list(HOW)).flatmap(lambda how: st.tuples(st.just(how), st.lists(HOW[how], max_size=8)))


@settings(max_examples=400)
@given(BLOCKS)
def test_a_block_reads_as_its_records_do_alone(case: tuple[Annotation, list[Case]]) -> None:
    how, cases = case
    assert rows(block(how, cases)) == alone(how, cases)


@given(BLOCKS, st.integers(0, 8))
def test_where_a_block_is_cut_does_not_matter(case: tuple[Annotation, list[Case]], cut: int) -> None:
    how, cases = case
    assert rows(block(how, cases[:cut])) + rows(block(how, cases[cut:])) == rows(block(how, cases))


@settings(max_examples=300)
@given(
    st.floats(0, 1) | st.sampled_from([2**-53, 0.1 + 0.2, 1 - 2**-53]),
    st.sampled_from(["r", ".6g", ".17g", ".5e", ".0f", ".12f", ".15e"]),
)
def test_a_frequency_is_read_as_python_reads_it(value: float, written: str) -> None:
    how = Annotation("CSQ", "CSQ", ("Allele", "gnomADe_AF"))
    text = repr(value) if written == "r" else format(value, written)
    assert block(how, [(f"T|{text}", "C", ("T",), 1)]).af.tolist() == [float(text)]


@given(
    st.lists(
        st.tuples(st.sampled_from([f"GENE{number}" for number in range(60)]), st.sampled_from(TERMS)), max_size=150
    )
)
def test_many_genes_stand_in_order(said: list[tuple[str, str]]) -> None:
    how = Annotation("CSQ", "CSQ", ("Allele", "Consequence", "SYMBOL"))
    cases: list[Case] = [(",".join(f"T|{term}|{gene}" for gene, term in said), "C", ("T",), 1)]
    assert rows(block(how, cases)) == alone(how, cases)

"""A block of annotations reads as small tables say, and the real files' as each of their records does alone."""

import gzip
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from variant_files import CSQ, csq

from nhsgen.variants.annotations import Notes, UnreadableAnnotation, read_annotations
from nhsgen.variants.consequences import Annotation, find_annotation
from nhsgen.variants.schema import COLUMNS, EFFECT

VEP = find_annotation({"CSQ": CSQ.partition('Description="')[2]}, "CSQ", "a.vcf")


def read(how: Annotation, *records: tuple[str | bytes, str, str, int]) -> Notes:
    """Records of (annotation, REF, ALTs with commas between them, position), side by side in one text."""
    said = [text.encode() if isinstance(text, str) else text for text, *_ in records]
    ends = np.cumsum([len(text) for text in said], dtype=np.int64)
    starts = ends - [len(text) for text in said]
    return read_annotations(
        how, np.frombuffer(b"".join(said), np.uint8), starts, ends, np.array([pos for *_, pos in records], np.int64),
        [ref for _, ref, _, _ in records], [tuple(filter(None, alts.split(","))) for _, _, alts, _ in records],
    )  # fmt: skip


def genes(notes: Notes) -> list[list[tuple[str | None, str]]]:
    return [[(effect["gene"], effect["consequence"]) for effect in row] for row in notes.genes.to_pylist()]


def test_one_row_an_alt_the_worst_on_each_gene_most_severe_first() -> None:
    notes = read(
        VEP,
        (",".join([
            csq("T", "intron_variant", "MODIFIER", "B", gnomADe_AF="0.02&0.1"),
            csq("T", "synonymous_variant", "LOW", "A", HGVSp="p.Ala2%3D"),
            csq("T", "splice_region_variant&stop_gained", "HIGH", "B", LoF="HC", CLIN_SIG="benign"),
            csq("G", "missense_variant", "MODERATE", "A", gnomADe_AF="."),
        ]), "C", "T,G", 5),
        ("", "A", "C", 6),
        (csq("T", "missense_variant", "MODERATE", "C"), "C", "", 7),  # no ALT, so no row
    )  # fmt: skip
    assert genes(notes) == [
        [("B", "stop_gained"), ("A", "synonymous_variant")],
        [("A", "missense_variant")],
        [],
    ]
    assert notes.effects["gene"].to_pylist() == ["B", "A", None]
    assert notes.effects["lof"].to_pylist() == ["HC", None, None]
    assert notes.genes[0][1]["hgvsp"].as_py() == "p.Ala2="
    assert notes.clinvar.to_pylist() == ["benign", None, None]
    np.testing.assert_array_equal(notes.af, [0.1, np.nan, np.nan])


def test_the_columns_are_those_of_a_store() -> None:
    for notes in (
        read(VEP, (csq("T", "intron_variant", "", "A"), "C", "T", 1)),
        read(VEP),
        read(Annotation(), ("", "C", "T,G", 1)),
    ):
        assert notes.effects.schema == EFFECT
        assert notes.genes.type == COLUMNS.field("genes").type
        assert notes.clinvar.type == pa.string()
        assert len(notes.effects) == len(notes.genes) == len(notes.af) == len(notes.clinvar)


def test_a_file_without_annotation_has_rows_that_say_nothing() -> None:
    for how in (VEP, Annotation()):
        notes = read(how, ("", "C", "T,G", 1), ("", "A", "", 2), ("", "A", "C", 3))
        assert notes.effects.to_pylist() == [dict.fromkeys(EFFECT.names)] * 3
        assert notes.genes.to_pylist() == [[]] * 3
        assert notes.clinvar.to_pylist() == [None] * 3
        assert np.isnan(notes.af).all()


def test_letters_beyond_ascii() -> None:
    notes = read(VEP, (csq("T", "intron_variant", "", "é", HGVSc="%C3%A9é", HGVSp="%E9", Feature="%41"), "C", "T", 1))
    said = notes.effects.select(["gene", "hgvsc", "hgvsp", "transcript"]).to_pylist()
    assert said == [{"gene": "é", "hgvsc": "éé", "hgvsp": "\N{REPLACEMENT CHARACTER}", "transcript": "A"}]


def test_bytes_that_are_not_utf8_are_one_sentence_with_the_record() -> None:
    with pytest.raises(UnreadableAnnotation, match=r"^a character of the annotation is not UTF-8$") as raised:
        read(VEP, ("", "C", "T", 1), ("é", "C", "T", 1), (b"T|caf\xe9", "C", "T", 1))
    assert raised.value.record == 2
    # What stands beside the annotations is nobody's business here: it may be the numbers of a BCF.
    around = np.frombuffer(b"\xff\xfe|,T|intron\xff", np.uint8)
    how = Annotation("CSQ", "CSQ", ("Allele", "Consequence"))
    notes = read_annotations(how, around, np.array([4]), np.array([12]), np.array([1]), ["C"], [("T",)])
    assert notes.effects["consequence"].to_pylist() == ["intron_variant"]


@pytest.mark.parametrize(("start", "end"), [(-1, 1), (0, 5), (2, 1), (9, 9)])
def test_places_outside_the_text(start: int, end: int) -> None:
    text = np.frombuffer(b"T|in", np.uint8)
    with pytest.raises(ValueError, match="outside the text"):
        read_annotations(VEP, text, np.array([start]), np.array([end]), np.array([1]), ["C"], [("T",)])


def test_as_many_places_as_alleles() -> None:
    text = np.frombuffer(b"T|in", np.uint8)
    with pytest.raises(ValueError, match="equally many"):
        read_annotations(VEP, text, np.array([0]), np.array([4]), np.array([1]), ["C", "C"], [("T",)])


def test_many_distinct_texts_are_told_apart() -> None:
    how = Annotation("CSQ", "CSQ", ("Allele", "Consequence", "SYMBOL", "Gene"))
    names = [f"{'G' * (number % 11)}{number}" for number in range(3_000)]
    notes = read(how, (",".join(f"T|intron|{name}|" for name in names), "C", "T", 1))
    assert genes(notes) == [[(name, "intron_variant") for name in sorted(names)]]


FILES = {
    "vep_CSQ_802rec_sites.GRCh37.plaingzip.vcf.gz": "CSQ",
    "gnomad_exomes_r2.1.1_chr1_100sites.GRCh37.plaingzip.vcf.gz": "CSQ",
    "g1k_CHEK2_1rec_2504s_VEP_LoF.GRCh37.vcf": "CSQ",
    "g1k_p3_chr1_10-175kb.snpeff_ANN.GRCh37.plaingzip.vcf.gz": "ANN",
    "giab_ashkenazi_trio.GRCh37.vcf.gz": "BCSQ",
    "giab_trio_bcsq_4rec.GRCh37.vcf": "BCSQ",
}


def _file(path: Path, kind: str) -> tuple[Annotation, list[tuple[str, str, str, int]]]:
    """How a file's annotation is read, and its records: nobody's reader but gzip's."""
    text = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode()
    described = dict(re.findall(r'^##INFO=<ID=([^,]+),.*?Description="(.*)"', text, re.MULTILINE))
    found = find_annotation(described, kind, path.name)
    records = []
    for line in text.splitlines():
        if not line.startswith("#"):
            _, pos, _, ref, alts, _, _, info, *_ = line.split("\t")
            said = next((part.partition("=")[2] for part in info.split(";") if part.startswith(f"{found.field}=")), "")
            records.append((said, ref, alts.replace(".", ""), int(pos)))
    return Annotation(found.kind, found.field, found.names), records


@pytest.mark.parametrize(("name", "kind"), FILES.items())
def test_real_files_read_as_their_records_do_alone(shared_data: Path, name: str, kind: str) -> None:
    how, lines = _file(shared_data / "variants" / name, kind)
    notes = read(how, *lines)
    expected = [
        row for said, ref, alts, pos in lines if alts for row in how.read({how.field: said}, ref, alts.split(","), pos)
    ]
    assert any(effects for effects, _, _ in expected)
    assert notes.genes.to_pylist() == [
        [{name: getattr(effect, name) for name in EFFECT.names} for effect in effects] for effects, _, _ in expected
    ]
    assert notes.effects["hgvsc"].to_pylist() == [effects[0].hgvsc if effects else None for effects, _, _ in expected]
    assert [None if np.isnan(value) else value for value in notes.af.tolist()] == [
        frequency for _, frequency, _ in expected
    ]
    assert notes.clinvar.to_pylist() == [clinvar for *_, clinvar in expected]

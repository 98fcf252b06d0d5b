"""What an annotation says is given to the right allele and the right gene."""

import csv
from importlib.resources import files

import pytest
from variant_files import CSQ, csq

from nhsgen.errors import BadFile, BadInput
from nhsgen.variants.consequences import CONSEQUENCES, IMPACTS, Annotation, consequence, find_annotation, impact

VEP = find_annotation({"CSQ": CSQ.partition('Description="')[2]}, "CSQ", "a.vcf")
SNPEFF = find_annotation(
    {"ANN": "Functional annotations: 'Allele | Annotation | Annotation_Impact | Gene_Name | Gene_ID | Feature_Type | Feature_ID "
            "| Transcript_BioType | Rank | HGVS.c | HGVS.p | cDNA.pos / cDNA.length | CDS.pos | AA.pos | Distance | ERRORS'"},
    None, "a.vcf",
)  # fmt: skip
BCFTOOLS = find_annotation({"BCSQ": "Local consequence annotation from BCFtools/csq"}, None, "a.vcf")


def effects(
    how: Annotation, field: str, ref: str, *alts: str, pos: int = 100
) -> list[list[tuple[str | None, str, str]]]:
    read = how.read({how.field: field}, ref, alts, pos)
    return [[(effect.gene, effect.consequence, effect.impact) for effect in found] for found, _, _ in read]


def one(name: str, gene: str = "G", **parts: str) -> str:
    return csq(name, "missense_variant", "MODERATE", gene, **parts)


SAME = [[("G", "missense_variant", "MODERATE")]]
NAMES = {
    "an SNV by its base": (one("T"), "C", ["T"], SAME),
    "a deletion loses its first base": (one("-"), "CTT", ["C"], SAME),
    "an insertion too": (one("TT"), "C", ["CTT"], SAME),
    "an MNV keeps it": (one("CA"), "CT", ["CA"], SAME),
    "a structural allele by whatever name": (one("deletion"), "A", ["<DEL>"], SAME),
    "two SNVs": (f"{one('T')},{one('A', 'H')}", "C", ["A", "T"], [[("H", "missense_variant", "MODERATE")], *SAME]),
    "an insertion beside an SNV: no base is shared by all": (
        f"{one('C')},{one('GC', 'H')}", "G", ["C", "GC"], [*SAME, [("H", "missense_variant", "MODERATE")]]),
    "two deletions": (f"{one('-')},{one('T', 'H')}", "CTT", ["C", "CT"], [*SAME, [("H", "missense_variant", "MODERATE")]]),
    "ALLELE_NUM goes before names": (
        f"{one('T', ALLELE_NUM='2')},{one('T', 'H', ALLELE_NUM='1')}", "C", ["A", "T"],
        [[("H", "missense_variant", "MODERATE")], *SAME]),
    "a record split after it was annotated": (f"{one('T')},{one('A', 'H')}", "C", ["T"], SAME),
    "a split insertion, its base not shared by its sister": (f"{one('C', 'H')},{one('GC')}", "G", ["GC"], SAME),
    "a split deletion": (f"{one('A', 'H')},{one('-')}", "AC", ["A"], SAME),
    "of another allele only": (one("T"), "C", ["A", "G"], [[], []]),
    "nothing": ("", "C", ["T"], [[]]),
}  # fmt: skip


@pytest.mark.parametrize(("field", "ref", "alts", "expected"), NAMES.values(), ids=NAMES.keys())
def test_vep_names_its_alleles(field: str, ref: str, alts: list[str], expected: list[object]) -> None:
    assert effects(VEP, field, ref, *alts) == expected


def test_the_worst_on_each_gene_counts_and_the_worst_of_all_comes_first() -> None:
    field = ",".join([
        csq("T", "intron_variant&non_coding_transcript_variant", "MODIFIER", "B"),
        csq("T", "synonymous_variant", "LOW", "A"),
        csq("T", "splice_region_variant&stop_gained", "HIGH", "B"),
    ])  # fmt: skip
    assert effects(VEP, field, "C", "T") == [[("B", "stop_gained", "HIGH"), ("A", "synonymous_variant", "LOW")]]


def test_between_equals_the_transcript_that_clinicians_use() -> None:
    field = ",".join(
        one("T", Feature=name, **signs)
        for name, signs in {
            "third": {"BIOTYPE": "protein_coding"},
            "first": {"MANE_SELECT": "NM_1"},
            "second": {"CANONICAL": "YES"},
        }.items()
    )
    ((effect,), _, _) = VEP.read({"CSQ": field}, "C", ["T"], 100)[0]
    assert effect.transcript == "first"


def test_the_other_columns() -> None:
    field = one(
        "T",
        HGVSc="ENST1:c.5C>T",
        HGVSp="ENSP1:p.Ala2%3D",
        LoF="HC",
        CLIN_SIG="benign&likely_benign",
        gnomADe_AF="1e-3&0.2",
    )
    ((effect,), frequency, clinvar) = VEP.read({"CSQ": field}, "C", ["T"], 100)[0]
    assert (effect.gene_id, effect.hgvsc, effect.hgvsp, effect.lof) == ("ENSG_G", "ENST1:c.5C>T", "ENSP1:p.Ala2=", "HC")
    assert (frequency, clinvar) == (0.2, "benign&likely_benign")


def test_snpeff() -> None:
    field = (
        "A|stop_gained&splice_region_variant|HIGH|TP53|ENSG1|transcript|NM_1|protein_coding|2/3|c.1A>T|p.Met1*|||||,"
        "G|disruptive_inframe_deletion|MODERATE|TP53|ENSG1|transcript|NM_1|protein_coding||c.1A>G||||||,"
        "G|intergenic_region|MODIFIER|TP53-MYC|ENSG1-ENSG2|intergenic_region|ENSG1-ENSG2|||n.1A>G||||||"
    )
    assert effects(SNPEFF, field, "C", "A", "G") == [
        [("TP53", "stop_gained", "HIGH")],
        [("TP53", "inframe_deletion", "MODERATE"), (None, "intergenic_variant", "MODIFIER")],
    ]


def test_bcftools() -> None:
    field = "*missense|OR4F5|ENST1|protein_coding|+|141T>141A|100A>G,stop_gained|OR4F5|ENST1|protein_coding|+|141T>141*|100A>T"
    assert effects(BCFTOOLS, field, "A", "G", "T") == [
        [("OR4F5", "missense_variant", "MODERATE")],
        [("OR4F5", "stop_gained", "HIGH")],
    ]
    assert effects(BCFTOOLS, "intron|EFHD2||protein_coding", "A", "G") == [[("EFHD2", "intron_variant", "MODIFIER")]]
    assert effects(BCFTOOLS, "@99", "A", "G") == [[]]


def test_frequencies_of_founder_populations_do_not_make_a_variant_common() -> None:
    names = {
        "gnomAD_AF": "0.001",
        "gnomADe_NFE_AF": "0.002",
        "gnomAD_ASJ_AF": "0.3",
        "EAS_AF": "0.01,0.02",
        "AF": "0.9",
    }
    how = find_annotation(dict.fromkeys(names, ""), None, "a.vcf")
    assert [frequency for _, frequency, _ in how.read(names, "C", ["A", "T"], 1)] == [0.01, 0.02]
    assert how.read({}, "C", ["A"], 1) == [((), None, None)]


def test_a_term_that_nobody_knows_is_kept_with_the_impact_the_file_gives_it() -> None:
    assert effects(VEP, csq("T", "brand_new_variant", "HIGH", "G"), "C", "T") == [[("G", "brand_new_variant", "HIGH")]]


def test_the_severity_table() -> None:
    rows = list(csv.DictReader(files("nhsgen.variants").joinpath("consequences.csv").read_text().splitlines()))
    names = [name for row in rows for name in (row["consequence"], *row["also"].split())]
    assert len(set(names)) == len(names) == len(CONSEQUENCES)
    assert [IMPACTS.index(row["impact"]) for row in rows] == sorted(IMPACTS.index(row["impact"]) for row in rows)
    assert {row["source"] for row in rows} == {"Ensembl", "SnpEff"}
    assert sum(row["source"] == "Ensembl" for row in rows) == 41


def test_words_that_are_not_known() -> None:
    with pytest.raises(BadInput, match="did you mean frameshift_variant"):
        consequence("frame_shift")
    with pytest.raises(BadInput, match="use one of HIGH, MODERATE, LOW, MODIFIER"):
        impact("zzz")
    with pytest.raises(BadInput, match="use one of CSQ, ANN, BCSQ"):
        find_annotation({}, "ANNOVAR", "a.vcf")
    with pytest.raises(BadFile, match="does not name its parts"):
        find_annotation({"CSQ": "Consequences"}, None, "a.vcf")

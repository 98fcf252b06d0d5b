"""Phenopackets: the schema's own reader accepts them, and published ones are read."""

import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nhsgen.codes import HPO
from nhsgen.errors import BadCode, BadInput
from nhsgen.genome import Variant
from nhsgen.statistics.phenopackets import ZYGOSITIES, Features, Interpreted, features, phenopacket

CYST, SEIZURE = HPO("HP:0000107"), HPO("HP:0001250")
FOUND = Interpreted(Variant("16", 2103000, "C", "T"), "PKD1", "HGNC:9008", "heterozygous", "CAUSATIVE", "PATHOGENIC")
ADPKD = ("OMIM:173900", "Polycystic kidney disease 1")
PACKET = phenopacket(
    "P1", [CYST], [SEIZURE], sex="female", interpreted=[FOUND], disease=ADPKD, created=datetime(2026, 1, 2, tzinfo=UTC)
)


def test_terms_seen_and_looked_for() -> None:
    assert PACKET["phenotypicFeatures"] == [
        {"type": {"id": "HP:0000107", "label": "Renal cyst"}},
        {"type": {"id": "HP:0001250", "label": "Seizure"}, "excluded": True},
    ]
    assert PACKET["subject"] == {"id": "P1", "sex": "FEMALE"}


def test_the_variant_is_a_vcf_record() -> None:
    (interpretation,) = PACKET["interpretations"]
    assert interpretation["progressStatus"] == "SOLVED"
    (one,) = interpretation["diagnosis"]["genomicInterpretations"]
    descriptor = one["variantInterpretation"]["variationDescriptor"]
    expected = {"genomeAssembly": "GRCh38", "chrom": "16", "pos": 2103000, "ref": "C", "alt": "T"}
    assert descriptor["vcfRecord"] == expected
    assert descriptor["allelicState"] == {"id": "GENO:0000135", "label": "heterozygous"}


def test_its_metadata_name_the_ontologies_used() -> None:
    assert PACKET["metaData"]["created"] == "2026-01-02T00:00:00Z"
    assert [(one["id"], bool(one["version"])) for one in PACKET["metaData"]["resources"]] == [
        ("hp", True),
        ("geno", True),
    ]


def test_what_is_written_is_read() -> None:
    assert features(json.loads(json.dumps(PACKET))) == Features(("HP:0000107",), ("HP:0001250",), ("PKD1",))


def test_the_schema_s_own_reader_accepts_it() -> None:
    schema = pytest.importorskip("phenopackets.schema.v2", reason="pip install phenopackets")
    json_format = pytest.importorskip("google.protobuf.json_format")
    packet = json_format.Parse(json.dumps(PACKET), schema.Phenopacket())
    assert packet.interpretations[0].diagnosis.genomic_interpretations[0].interpretation_status == 4  # CAUSATIVE
    assert json_format.MessageToDict(packet)["phenotypicFeatures"] == PACKET["phenotypicFeatures"]


def test_published_cases_are_read(shared_data: Path) -> None:
    packed = shared_data / "phenotypes" / "phenopackets_half_A.tar.gz"
    if not packed.is_file():
        pytest.skip("the published cases are not on this machine")
    zygosities: set[tuple[str, str]] = set()
    with tarfile.open(packed) as tar:
        for number, member in enumerate(tar):
            file = tar.extractfile(member)
            if number == 400 or file is None:
                break
            text = file.read().decode()
            assert features(json.loads(text)).present or '"excluded"' in text or "phenotypicFeatures" not in text
            zygosities |= {(name, i) for name, i in ZYGOSITIES.items() if f'"{i}"' in text and f'"{name}"' in text}
    assert ("heterozygous", "GENO:0000135") in zygosities


def test_nothing_known_is_a_packet_too() -> None:
    packet = phenopacket("P1", [])
    assert packet["subject"]["sex"] == "UNKNOWN_SEX"
    assert "interpretations" not in packet
    assert features(packet) == features({}) == Features((), (), ())


def test_what_contradicts_itself_or_is_unknown_is_refused_without_the_patient_s_value() -> None:
    with pytest.raises(BadInput, match="both present and excluded") as refused:
        phenopacket("P1", [CYST], [CYST])
    assert "HP:" not in str(refused.value)
    assert "P1" not in str(refused.value)
    with pytest.raises(BadCode, match="obsolete"):
        phenopacket("P1", [HPO("HP:0000057")])
    with pytest.raises(BadInput, match="no id"):
        phenopacket("", [CYST])
    with pytest.raises(BadInput, match="status or zygosity"):
        phenopacket("P1", [], interpreted=[Interpreted(FOUND.variant, "PKD1", "HGNC:9008", "double")])
    with pytest.raises(BadInput, match="not the schema's form"):
        features({"phenotypicFeatures": [{"kind": "HP:0000107"}]})
    with pytest.raises(BadInput, match="not the schema's form"):
        features({"phenotypicFeatures": ["HP:0000107"]})

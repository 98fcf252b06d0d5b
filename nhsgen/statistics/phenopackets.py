"""Phenopackets: one person's phenotypes and interpreted variants as GA4GH's JSON. For clinical scientists, INSIDE a site only.

A phenopacket is a record about one person. It never leaves the site by way of nhsgen: nothing here is a summary, and no gate lets it
through. It is for tools at the site (Exomiser, a registry's upload that the person agreed to), and for reading others' published cases.

Plain dicts of the Phenopacket Schema 2.0 (Jacobsen et al., Nature Biotechnology 2022); `json.dumps` writes them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nhsgen import ontology
from nhsgen.codes import HPO
from nhsgen.errors import BadInput
from nhsgen.genome import Assembly, Variant

__all__ = ["STATUSES", "ZYGOSITIES", "Features", "Interpreted", "features", "phenopacket"]

STATUSES = ("UNKNOWN_STATUS", "REJECTED", "CANDIDATE", "CONTRIBUTORY", "CAUSATIVE")
ZYGOSITIES: Mapping[str, str] = {
    "heterozygous": "GENO:0000135",
    "homozygous": "GENO:0000136",
    "hemizygous": "GENO:0000134",
}
"""Of the Genotype Ontology."""

_SEXES = {"female": "FEMALE", "male": "MALE"}
_PROGRESS = ("IN_PROGRESS", "SOLVED")
_GENO = "2025-07-25"
"""The release of the Genotype Ontology that `ZYGOSITIES` is of."""


@dataclass(frozen=True)
class Interpreted:
    """One variant of the person, and what was concluded. gene: symbol; gene_id: HGNC's, like HGNC:9008. zygosity: of `ZYGOSITIES`;
    status: of `STATUSES`; acmg: as the schema writes it, like LIKELY_PATHOGENIC."""

    variant: Variant
    gene: str
    gene_id: str
    zygosity: str
    status: str = "CANDIDATE"
    acmg: str = "NOT_PROVIDED"


@dataclass(frozen=True)
class Features:
    """What a phenopacket says: ids of terms that were seen and that were looked for and not there; symbols of causative genes."""

    present: tuple[str, ...]
    excluded: tuple[str, ...]
    causative: tuple[str, ...]


def phenopacket(
    person: str,
    present: Iterable[HPO],
    excluded: Iterable[HPO] = (),
    *,
    sex: str = "",
    interpreted: Sequence[Interpreted] = (),
    assembly: Assembly = Assembly.GRCh38,
    disease: tuple[str, str] | None = None,
    created_by: str = "nhsgen",
    created: datetime | None = None,
) -> dict[str, Any]:
    """One person's phenopacket; it stays inside the site.

    person: the id under which the site knows them. present, excluded: HPO terms; BadCode for one that is unknown or obsolete.
    sex: "female", "male" or anything else for unknown. disease: id and name, like ("OMIM:173900", "Polycystic kidney disease 1");
        the case is solved when a variant is causative. created: when, now if not given. BadInput for another word.

    >>> packet = phenopacket("P1", [HPO("HP:0000107")], sex="male")
    >>> packet["phenotypicFeatures"], packet["subject"]
    ([{'type': {'id': 'HP:0000107', 'label': 'Renal cyst'}}], {'id': 'P1', 'sex': 'MALE'})
    """
    both = set(present := list(present)) & set(excluded := list(excluded))
    if both:
        raise BadInput("writing a phenopacket", "a term is both present and excluded", "look at that record")
    if not person:
        raise BadInput("writing a phenopacket", "the person has no id", "give the one the site knows them by")
    seen = [{"type": _term(term)} for term in sorted(set(present))]
    absent = [{"type": _term(term), "excluded": True} for term in sorted(set(excluded))]
    packet: dict[str, Any] = {
        "id": person,
        "subject": {"id": person, "sex": _SEXES.get(sex, "UNKNOWN_SEX")},
        "phenotypicFeatures": [*seen, *absent],
    }
    if interpreted:
        diagnosis: dict[str, Any] = {
            "genomicInterpretations": [_interpretation(one, person, assembly) for one in interpreted]
        }
        if disease:
            diagnosis["disease"] = {"id": disease[0], "label": disease[1]}
        solved = any(one.status == "CAUSATIVE" for one in interpreted)
        packet["interpretations"] = [
            {"id": f"{person}-interpretation", "progressStatus": _PROGRESS[solved], "diagnosis": diagnosis}
        ]
    if disease:
        packet["diseases"] = [{"term": {"id": disease[0], "label": disease[1]}}]
    packet["metaData"] = {
        "created": (created or datetime.now(UTC)).astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "createdBy": created_by,
        "resources": [
            _resource("hp", "Human Phenotype Ontology", ontology.version()),
            _resource("geno", "Genotype Ontology", _GENO),
        ],
        "phenopacketSchemaVersion": "2.0",
    }
    return packet


def features(packet: Mapping[str, Any]) -> Features:
    """The terms and causative genes of a phenopacket read with `json.loads`; BadInput when it is not one."""
    try:
        said = [(one["type"]["id"], bool(one.get("excluded"))) for one in packet.get("phenotypicFeatures", ())]
        genes = {
            one["variantInterpretation"]["variationDescriptor"]["geneContext"]["symbol"]
            for interpretation in packet.get("interpretations", ())
            for one in interpretation.get("diagnosis", {}).get("genomicInterpretations", ())
            if one.get("interpretationStatus") == "CAUSATIVE"
            and "geneContext" in one.get("variantInterpretation", {}).get("variationDescriptor", {})
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            "reading a phenopacket", "a part has not the schema's form", "use version 2 of the schema"
        ) from error
    present, excluded = ({term for term, absent in said if absent is kind} for kind in (False, True))
    return Features(tuple(sorted(present)), tuple(sorted(excluded)), tuple(sorted(genes)))


def _resource(name: str, title: str, version: str) -> dict[str, str]:
    prefix, place = name.upper(), "http://purl.obolibrary.org/obo/"
    return {
        "id": name,
        "name": title,
        "url": f"{place}{name}.owl",
        "version": version,
        "namespacePrefix": prefix,
        "iriPrefix": f"{place}{prefix}_",
    }


def _term(term: HPO) -> dict[str, str]:
    return {"id": str(term), "label": ontology.name(term)}


def _interpretation(one: Interpreted, person: str, assembly: Assembly) -> dict[str, Any]:
    if one.status not in STATUSES or one.zygosity not in ZYGOSITIES:
        found = "a status or zygosity is not the schema's"
        raise BadInput("writing a phenopacket", found, f"use {', '.join(STATUSES)}, and {', '.join(ZYGOSITIES)}")
    variant = one.variant
    return {
        "subjectOrBiosampleId": person,
        "interpretationStatus": one.status,
        "variantInterpretation": {
            "acmgPathogenicityClassification": one.acmg,
            "variationDescriptor": {
                "id": variant.key,
                "geneContext": {"valueId": one.gene_id, "symbol": one.gene},
                "vcfRecord": {
                    "genomeAssembly": str(assembly),
                    "chrom": variant.chrom,
                    "pos": variant.pos,
                    "ref": variant.ref,
                    "alt": variant.alt,
                },
                "moleculeContext": "genomic",
                "allelicState": {"id": ZYGOSITIES[one.zygosity], "label": one.zygosity},
            },
        },
    }

"""Tiers as Genomics England publishes them, one rule a row; and the sums that leave a site."""

import polars as pl
import pytest

from nhsgen.errors import BadInput
from nhsgen.estimates import Families
from nhsgen.statistics.tiering import GENOMICS_ENGLAND, estimate, limits, summarise, tier

PANEL = pl.DataFrame(
    {
        "gene": ["DOM", "REC", "BOTH", "XREC", "XDOM", "MITO", "NOMODE", "AMBER"],
        "confidence": ["green"] * 7 + ["amber"],
        "inheritance": [
            "MONOALLELIC, autosomal or pseudoautosomal, NOT imprinted",
            "BIALLELIC, autosomal or pseudoautosomal",
            "BOTH monoallelic and biallelic, autosomal or pseudoautosomal",
            "X-LINKED: hemizygous mutation in males, biallelic mutations in females",
            "X-LINKED: hemizygous mutation in males, monoallelic mutations in females may cause disease",
            "MITOCHONDRIAL",
            None,
            "BIALLELIC, autosomal or pseudoautosomal",
        ],
    }
)


def one(
    gene: str | None, inheritance: str, impact: str | list[str] = "HIGH", new: bool = False, **facts: object
) -> tuple:
    candidates = pl.DataFrame(
        {
            "family": ["F"],
            "variant": [0],
            "partner": [None],
            "gene": [gene],
            "inheritance": [inheritance],
            "de_novo": [new],
        },
        schema_overrides={"partner": pl.Int64, "gene": pl.String},
    )
    variants = pl.DataFrame(
        {"impact": impact if isinstance(impact, list) else [impact], **{name: [value] for name, value in facts.items()}}
    )
    return tier(candidates, variants, PANEL).select("tier", "reason").row(0)


TOO_COMMON, OTHER_MODE = (None, "too common"), (None, "another mode of inheritance")


@pytest.mark.parametrize(
    ("expected", "gene", "inheritance", "impact", "new", "facts"),
    [
        # Tier 1: high impact, or new and moderate, or known to be pathogenic.
        ((1, ""), "DOM", "dominant", "HIGH", False, {}),
        ((1, ""), "DOM", "dominant", "MODERATE", True, {}),
        ((1, ""), "REC", "recessive", "MODERATE", False, {"clinvar": "Likely_pathogenic"}),
        ((1, ""), "REC", "recessive", "LOW", False, {"clinvar": "Pathogenic/Likely_pathogenic", "af": 0.2}),
        ((1, ""), "REC", "recessive", "LOW", False, {"clinvar": "Pathogenic|drug_response"}),
        # Tier 2: moderate.
        ((2, ""), "DOM", "dominant", "MODERATE", False, {}),
        ((2, ""), "DOM", "dominant", "MODERATE", False, {"clinvar": "Conflicting_interpretations_of_pathogenicity"}),
        # Tier 3: outside the green genes, known to be pathogenic or not.
        ((3, ""), "AMBER", "recessive", "HIGH", False, {}),
        ((3, ""), "ELSEWHERE", "dominant", "MODERATE", True, {}),
        ((3, ""), None, "dominant", "LOW", False, {"clinvar": "Pathogenic"}),
        # No tier.
        ((None, "impact is neither high nor moderate"), "DOM", "dominant", "LOW", True, {}),
        ((None, "impact is neither high nor moderate"), "ELSEWHERE", "dominant", "MODIFIER", False, {}),
        ((None, "filter is not PASS"), "DOM", "dominant", "HIGH", False, {"filter": "LowGQ"}),
        ((1, ""), "DOM", "dominant", "HIGH", False, {"filter": None}),
        # Frequencies: what is not known is 0; the limit itself is still rare.
        ((1, ""), "DOM", "dominant", "HIGH", False, {"af": None}),
        ((1, ""), "DOM", "dominant", "HIGH", False, {"af": 0.001}),
        (TOO_COMMON, "DOM", "dominant", "HIGH", False, {"af": 0.0011}),
        ((1, ""), "REC", "recessive", "HIGH", False, {"af": 0.01}),
        (TOO_COMMON, "REC", "recessive", "HIGH", False, {"af": 0.011}),
        ((1, ""), "DOM", "dominant", "HIGH", False, {"af_genomes_asj": 0.003, "af_genomes_mid": 0.1, "af": 0.1}),
        (TOO_COMMON, "DOM", "dominant", "HIGH", False, {"af_genomes_asj": 0.003, "af_genomes_nfe": 0.003}),
        (TOO_COMMON, "MITO", "mitochondrial", "HIGH", False, {"af": 0.002}),
        # Modes of inheritance.
        ((None, "one allele in a biallelic gene"), "REC", "dominant", "HIGH", True, {}),
        ((None, "one allele in a biallelic gene"), "XREC", "X-linked dominant", "HIGH", True, {}),
        (OTHER_MODE, "DOM", "recessive", "HIGH", False, {}),
        ((1, ""), "BOTH", "dominant", "HIGH", False, {}),
        ((1, ""), "BOTH", "recessive", "HIGH", False, {}),
        ((1, ""), "XREC", "X-linked recessive", "HIGH", False, {}),
        ((1, ""), "XDOM", "X-linked dominant", "HIGH", False, {}),
        ((1, ""), "XDOM", "X-linked recessive", "HIGH", False, {}),
        ((1, ""), "MITO", "mitochondrial", "HIGH", False, {}),
        ((1, ""), "NOMODE", "Y-linked", "HIGH", False, {}),
    ],
)
def test_one_candidate(
    expected: tuple, gene: str | None, inheritance: str, impact: str, new: bool, facts: dict[str, object]
) -> None:
    assert one(gene, inheritance, impact, new, **facts) == expected


def test_every_limit_that_is_published() -> None:
    published = {
        "exomes_nfe": (0.001, 0.01),
        "genomes_afr": (0.001, 0.01),
        "genomes_ami": (0.1, 0.1),
        "genomes_asj": (0.003, 0.01),
        "genomes_eas": (0.002, 0.01),
        "genomes_mid": (0.1, 0.1),
        "genomes_sas": (0.002, 0.01),
    }
    for population, both in published.items():
        assert tuple(limits(GENOMICS_ENGLAND, way, population) for way in ("dominant", "recessive")) == both


def test_a_pair_passes_together() -> None:
    candidates = pl.DataFrame(
        {
            "trio": [0, 1],
            "variant": [0, 0],
            "partner": [1, 2],
            "gene": ["REC", "REC"],
            "inheritance": ["compound heterozygous"] * 2,
            "de_novo": [False] * 2,
        }
    )
    variants = pl.DataFrame({"impact": ["HIGH", "MODERATE", "MODERATE"], "af": [0.002, 0.0, 0.02]})
    tiered = tier(candidates, variants, PANEL).select("trio", "variant", "partner", "tier", "reason")
    assert tiered.rows() == [
        (0, 0, 1, 1, ""),
        (0, 1, 0, 2, ""),
        (1, 0, 2, None, "its partner is not tiered"),
        (1, 2, 0, None, "too common"),
    ]


def test_a_gene_of_two_panels_has_both_modes() -> None:
    candidates = pl.DataFrame({"variant": [0, 0], "gene": ["REC"] * 2, "inheritance": ["dominant", "recessive"]})
    candidates = candidates.with_columns(partner=pl.lit(None, dtype=pl.Int64), de_novo=pl.lit(False))
    other = pl.DataFrame({"gene": ["REC"], "confidence": ["green"], "inheritance": ["MONOALLELIC"]})
    tiered = tier(candidates, pl.DataFrame({"impact": ["HIGH"]}), pl.concat([PANEL, other]))
    assert tiered["tier"].to_list() == [1, 1]


def test_families_are_counted_once_a_row() -> None:
    tiered = pl.DataFrame(
        {
            "family": ["F", "F", "G", "H", "H"],
            "gene": ["DOM", "DOM", "DOM", "REC", None],
            "inheritance": ["dominant", "dominant", "dominant", "recessive", "dominant"],
            "de_novo": [False, False, True, False, False],
            "tier": [1, 1, 1, None, 3],
        }
    )
    leeds, york = summarise(tiered, 7), summarise(tiered.head(1), 4)
    assert estimate(leeds + york) == Families(
        ("gene", "tier", "inheritance"),
        {("DOM", "1", "dominant"): 2, ("DOM", "1", "dominant, de novo"): 1},
        11,
    )


def test_nothing_to_tier_and_no_columns() -> None:
    schema = {"trio": pl.Int64, "variant": pl.Int64, "partner": pl.Int64, "gene": pl.String,
              "inheritance": pl.String, "de_novo": pl.Boolean, "note": pl.String}  # fmt: skip
    nothing = tier(pl.DataFrame(schema=schema), pl.DataFrame(schema={"impact": pl.String, "af": pl.Float64}), PANEL)
    assert nothing.is_empty()
    assert estimate(summarise(nothing.rename({"trio": "family"}), 3)) == Families(
        ("gene", "tier", "inheritance"), {}, 3
    )
    with pytest.raises(BadInput, match="not among the variants"):
        one("DOM", "dominant", impact=[])
    with pytest.raises(BadInput, match="the variants have no impact"):
        tier(pl.DataFrame(schema=schema), pl.DataFrame({"af": [0.1]}), PANEL)

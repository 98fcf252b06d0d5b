"""Tiering: which candidates a clinic should look at first, as Genomics England sorts them; and how many families each gene has.

`tier` sorts the candidates of trios.py or pedigrees.py; rows about single families, they stay inside the wall. What leaves is
`summarise`: how many distinct families have a candidate in a gene, by tier and inheritance, which adds up over sites.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from nhsgen.errors import BadInput
from nhsgen.estimates import Families
from nhsgen.statistics.summary import BACKGROUND, Summary, label, parts
from nhsgen.statistics.trios import INHERITANCES

__all__ = ["GENOMICS_ENGLAND", "MEASURES", "MODES", "PRESETS", "Preset", "estimate", "limits", "summarise", "tier"]

MEASURES = ("families", "first", "all_families")

DOMINANT = frozenset({"dominant"})
BIALLELIC = frozenset({"recessive", "compound heterozygous"})
X_BIALLELIC = frozenset({"X-linked recessive", "compound heterozygous"})
X_MONOALLELIC = frozenset({"X-linked dominant", "X-linked recessive"})

MODES: tuple[tuple[str, frozenset[str]], ...] = (
    ("MONOALLELIC", DOMINANT),
    ("BIALLELIC", BIALLELIC),
    ("BOTH", DOMINANT | BIALLELIC),
    ("X-LINKED: HEMIZYGOUS MUTATION IN MALES, BIALLELIC", X_BIALLELIC),
    ("X-LINKED", X_MONOALLELIC),
    ("MITOCHONDRIAL", frozenset({"mitochondrial"})),
)
"""How PanelApp's mode of inheritance begins, and the inheritances it allows; the first that matches. Any other mode ("Unknown",
none) rules nothing out: our choice, Genomics England does not publish its own."""


@dataclass(frozen=True)
class Preset:
    """The constants of one way of tiering; frequencies are shares of alleles, and one above its limit is too common.

    exceptions: by population, limits of its own for (dominant, recessive), where so few people were counted that one allele
        is above the general limit. Populations are named as the columns of `tier` are, without "af_".
    """

    name: str
    source: str
    dominant: float
    recessive: float
    mitochondrial: float
    exceptions: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    high: tuple[str, ...] = ("HIGH",)
    moderate: tuple[str, ...] = ("MODERATE",)
    passing: tuple[str, ...] = ("PASS",)
    known: tuple[str, ...] = ("pathogenic", "likely pathogenic")


GENOMICS_ENGLAND = Preset(
    name="Genomics England rare disease, GRCh38",
    source="pipeline-rd-help.genomicsengland.co.uk: small variant tiering, population frequency (Nembus), algorithm (Mira)",
    dominant=0.001,
    recessive=0.01,
    mitochondrial=0.001,  # of Genomics England's own frequencies
    exceptions={
        "genomes_ami": (0.1, 0.1),
        "genomes_mid": (0.1, 0.1),
        "genomes_asj": (0.003, 0.01),
        "genomes_eas": (0.002, 0.01),
        "genomes_sas": (0.002, 0.01),
    },
)

PRESETS: Mapping[str, Preset] = {"genomics-england-grch38": GENOMICS_ENGLAND}
"""By the name that a study has for them."""


def limits(preset: Preset, inheritance: str, population: str = "") -> float:
    """The highest share of alleles at which a candidate is still rare.

    >>> limits(GENOMICS_ENGLAND, "dominant"), limits(GENOMICS_ENGLAND, "dominant", "genomes_asj")
    (0.001, 0.003)
    """
    if inheritance == "mitochondrial":
        return preset.mitochondrial
    dominant, recessive = preset.exceptions.get(population, (preset.dominant, preset.recessive))
    return recessive if inheritance in BIALLELIC | {"X-linked recessive"} else dominant


def tier(
    candidates: pl.DataFrame, variants: pl.DataFrame, panel: pl.DataFrame, preset: Preset = GENOMICS_ENGLAND
) -> pl.DataFrame:
    """The candidates, a row for each allele of a pair, with tier (1, 2, 3 or null) and reason: "" or why there is none.

    candidates: variant and partner (rows of `variants`), gene, inheritance, de_novo, and whatever else.
    variants: impact; af, the highest reference frequency, or instead a column af_<population> for each; and if known filter and
        clinvar. A frequency that is not known counts as 0; a filter of null or "." is none.
    panel: gene, confidence ("green", ...), inheritance (in PanelApp's words).

    Rare, damaging and segregating, in a green gene of that mode: tier 1 if high impact, de novo or known to be pathogenic, else
    tier 2; outside the green genes tier 3; in a green gene of another mode none. Known pathogenic alleles need be neither rare
    nor damaging. Of a pair, both alleles must pass, and it is de novo when either is.
    """
    _check(candidates, {"variant", "partner", "gene", "inheritance", "de_novo"}, "candidates")
    _check(variants, {"impact"}, "variants")
    _check(panel, {"gene", "confidence", "inheritance"}, "panel")
    last = candidates.select(pl.max_horizontal(pl.col("variant").max(), pl.col("partner").max())).item()
    if last is not None and last >= len(variants):
        raise BadInput(
            "tiering", "a candidate is not among the variants", "give the variants that the candidates are of"
        )
    facts = _facts(variants, preset)
    rows = candidates.with_row_index("candidate")
    swapped = rows.filter(pl.col("partner").is_not_null()).with_columns(
        pl.col("partner").alias("variant"), pl.col("variant").alias("partner")
    )
    rows = pl.concat([rows, swapped]).join(facts, on="variant", how="left", maintain_order="left")
    rows = rows.join(_modes(panel), on=["gene", "inheritance"], how="left", maintain_order="left")
    is_green = pl.col("mode").is_not_null()
    each = (
        pl.when(~pl.col("passes"))
        .then(pl.lit("filter is not PASS"))
        .when(~pl.col("known") & _too_common(variants, preset))
        .then(pl.lit("too common"))
        .when(~pl.col("known") & ~pl.col("high") & ~pl.col("moderate"))
        .then(pl.lit("impact is neither high nor moderate"))
        .otherwise(pl.col("mode").fill_null(""))
    )
    other_fails = (pl.col("reason").min().over("candidate") == "") & (pl.col("reason").max().over("candidate") != "")
    rows = rows.with_columns(each.alias("reason")).with_columns(
        pl.when(other_fails & (pl.col("reason") == ""))
        .then(pl.lit("its partner is not tiered"))
        .otherwise("reason")
        .alias("reason")
    )
    first = pl.col("high") | pl.col("known") | (pl.col("de_novo") & pl.col("moderate"))
    tiers = pl.when(~is_green).then(3).when(first).then(1).otherwise(2)
    return (
        rows.with_columns(pl.when(pl.col("reason") == "").then(tiers).cast(pl.Int64).alias("tier"))
        .sort("candidate", maintain_order=True)
        .select(*candidates.columns, "tier", "reason")
    )


def summarise(tiered: pl.DataFrame, families: int, first: pl.DataFrame | None = None) -> Summary:
    """One site's families: by gene, tier and inheritance, how many distinct families have a candidate, among `families`.

    first: family and gene, the first genes of each when they are ranked; "first" counts the families of a row that have its gene there.
    tiered: family, gene, tier, inheritance, de_novo, as from `tier`; rows without a tier or a gene are left out. Name the family
        of each trio first: siblings are two trios.
    A family counts once in each row, so one person changes each row by one at most.
    """
    _check(tiered, {"family", "gene", "tier", "inheritance", "de_novo"}, "tiered candidates")
    named = tiered.filter(pl.col("tier").is_not_null() & pl.col("gene").is_not_null()).with_columns(
        pl.when("de_novo").then(pl.col("inheritance") + ", de novo").otherwise("inheritance").alias("inheritance")
    )
    if first is None:
        named = named.with_columns(pl.lit(False).alias("among"))
    else:
        best = first.select("family", "gene", pl.lit(True).alias("among")).unique()
        named = named.join(best, on=["family", "gene"], how="left").with_columns(pl.col("among").fill_null(False))
    counted = named.group_by("gene", "tier", "inheritance").agg(
        pl.col("family").n_unique().cast(pl.Int64),
        pl.col("family").filter("among").n_unique().cast(pl.Int64).alias("first"),
    )
    rows = {label(group): [number, among, families] for *group, number, among in counted.iter_rows()}
    return Summary.from_rows(MEASURES, rows | {BACKGROUND: [0, 0, families]})


def estimate(total: Summary, among: int = 0) -> Families:
    """among: how many genes of each family were the first; 0 when they were not ranked."""
    cells = {parts(name): row["families"] for name, row in total.rows()}
    first = {parts(name): row["first"] for name, row in total.rows()} if among else {}
    return Families(("gene", "tier", "inheritance"), cells, total.row(BACKGROUND)["all_families"], first, among)


def _facts(variants: pl.DataFrame, preset: Preset) -> pl.DataFrame:
    """variant, its frequencies, and whether it is of high, of moderate impact, known to be pathogenic, passes its filter."""
    nothing = pl.lit(None, dtype=pl.String)
    known = rf"(?:^|[/|,;])\s*(?:{'|'.join(preset.known)})\s*(?:$|[/|,;])"  # ClinVar joins several words by these
    written = pl.col("filter") if "filter" in variants.columns else nothing
    clinvar = pl.col("clinvar").cast(pl.String) if "clinvar" in variants.columns else nothing
    return variants.select(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("variant"),
        *(pl.col(name).cast(pl.Float64).fill_nan(None).fill_null(0.0) for name in _frequencies(variants)),
        pl.col("impact").is_in(preset.high).fill_null(False).alias("high"),
        pl.col("impact").is_in(preset.moderate).fill_null(False).alias("moderate"),
        clinvar.str.to_lowercase().str.replace_all("_", " ").str.contains(known).fill_null(False).alias("known"),
        written.is_in([*preset.passing, "."]).fill_null(True).alias("passes"),
    )


def _frequencies(variants: pl.DataFrame) -> list[str]:
    """The columns of populations where there are any; the highest of all would undo the exceptions."""
    return [name for name in variants.columns if name.startswith("af_")] or [n for n in variants.columns if n == "af"]


def _too_common(variants: pl.DataFrame, preset: Preset) -> pl.Expr:
    inheritances = ("dominant", "recessive", "mitochondrial")
    kind = (
        pl.when(pl.col("inheritance") == "mitochondrial")
        .then(pl.lit("mitochondrial"))
        .when(pl.col("inheritance").is_in(sorted(BIALLELIC | {"X-linked recessive"})))
        .then(pl.lit("recessive"))
        .otherwise(pl.lit("dominant"))
    )
    each = [
        pl.col(name)
        > kind.replace_strict(
            {way: limits(preset, way, name.removeprefix("af_")) for way in inheritances}, return_dtype=pl.Float64
        )
        for name in _frequencies(variants)
    ]
    return pl.any_horizontal(each) if each else pl.lit(False)


def _modes(panel: pl.DataFrame) -> pl.DataFrame:
    """gene, inheritance, and mode: "" or why the gene does not allow it; for green genes. A gene may stand in several panels."""
    allowed: dict[str, set[str]] = {}
    for gene, mode in panel.filter(pl.col("confidence") == "green").select("gene", "inheritance").iter_rows():
        words = str(mode or "").upper()
        these = next((these for start, these in MODES if words.startswith(start)), INHERITANCES)
        allowed.setdefault(gene, set()).update(these)
    rows = [(gene, way, _mode(way, ways)) for gene, ways in allowed.items() for way in INHERITANCES]
    schema = {"gene": pl.String, "inheritance": pl.String, "mode": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _mode(inheritance: str, allowed: set[str]) -> str:
    if inheritance in allowed:
        return ""
    needs_two = "compound heterozygous" in allowed and inheritance in {"dominant", "X-linked dominant"}
    return "one allele in a biallelic gene" if needs_two else "another mode of inheritance"


def _check(frame: pl.DataFrame, columns: set[str], what: str) -> None:
    missing = sorted(columns - set(frame.columns))
    if missing:
        raise BadInput(
            "tiering",
            f"the {what} have no {', '.join(missing)}",
            "see the columns that nhsgen.statistics.tiering names",
        )

"""GWAS-SSF: the results of a genome-wide scan as the GWAS Catalog takes them. For whoever deposits or shares summary statistics.

A table and a YAML file beside it, `<table>-meta.yaml`, by version 1.0 of the standard (Hayhurst et al., bioRxiv 2022). Only what
has been released may be given to `write`: it shows every row it gets.
"""

import gzip
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import yaml

from nhsgen.durable import place_for, storage, write_whole
from nhsgen.errors import BadFile, BadInput
from nhsgen.genome import Assembly

__all__ = ["EFFECTS", "OPTIONAL", "P_VALUES", "Metadata", "Written", "read", "write"]

EFFECTS = ("beta", "odds_ratio", "hazard_ratio")
P_VALUES = ("p_value", "neg_log_10_p_value")
OPTIONAL = ("variant_id", "rsid", "info", "ci_upper", "ci_lower", "ref_allele", "n")

_FORMS = (".tsv", ".gz")
_MISSING = "#NA"
_NUMBERS = {str(n): n for n in range(1, 23)} | {"X": 23, "Y": 24, "MT": 25, "M": 25}
_WHOLE = ("chromosome", "base_pair_location", "n")
_TEXTS = ("effect_allele", "other_allele", "variant_id", "rsid", "ref_allele")


@dataclass(frozen=True)
class Metadata:
    """What the table is about. cases, controls: of a case-control study. ancestry: the categories of the people, in the Catalog's words.

    lowest_frequency: rarer alleles are written as having this frequency, so that theirs is not told; None to tell all.
    software: with its version; the standard asks for it where a p value is 0.
    """

    trait: str
    assembly: Assembly
    people: int
    ancestry: tuple[str, ...]
    ancestry_method: str = "genetically determined"
    technology: str = "Genome-wide sequencing"
    software: str = "nhsgen"
    sex: str = "combined"
    cases: int | None = None
    controls: int | None = None
    lowest_frequency: float | None = None
    gwas_id: str | None = None
    covariates: tuple[str, ...] = ()
    notes: str = ""


@dataclass(frozen=True)
class Written:
    """Where the two files are, how many rows the table has, and how many were left out, by reason."""

    table: Path
    metadata: Path
    rows: int
    left_out: Mapping[str, int]


def write(path: str | Path, rows: pl.DataFrame, metadata: Metadata) -> Written:
    """Write `path` (.tsv or .tsv.gz), sorted by place, and `<path>-meta.yaml`, each whole or not at all.

    rows: chromosome (1..22, X, Y, MT), base_pair_location (1-based), effect_allele, other_allele, one of `EFFECTS`, standard_error,
        effect_allele_frequency, one of `P_VALUES`, and any of `OPTIONAL`; other columns are not written. standard_error is on the
        scale of beta, which for a ratio is the logarithm.
    A row that the standard does not allow is left out and counted. BadInput when columns are missing.
    """
    target = place_for(path, _FORMS)
    columns = _columns(rows)
    table = rows.select(columns).with_columns(
        _number().alias("chromosome"), pl.col("^base_pair_location$|^n$").cast(pl.Int64)
    )
    table = table.with_columns(
        pl.col("^effect_allele$|^other_allele$").str.to_uppercase(), _reason(columns).alias("reason")
    )
    left_out = table.filter(pl.col("reason") != "")["reason"].value_counts().sort("reason").rows()
    kept = table.filter(pl.col("reason") == "").drop("reason").sort("chromosome", "base_pair_location", "effect_allele")
    if metadata.lowest_frequency is not None:
        low = metadata.lowest_frequency
        kept = kept.with_columns(pl.col("effect_allele_frequency").clip(low, 1.0 - low))
    text = kept.with_columns(pl.col(pl.Float64, pl.Float32).fill_nan(None)).write_csv(
        separator="\t", null_value=_MISSING
    )
    data = gzip.compress(text.encode(), mtime=0) if target.suffix == ".gz" else text.encode()
    beside = target.with_name(f"{target.name}-meta.yaml")
    write_whole(target, data)
    write_whole(beside, _yaml(target.name, data, metadata).encode())
    return Written(target, beside, len(kept), dict(left_out))


def read(path: str | Path) -> tuple[pl.DataFrame, Mapping[str, object]]:
    """The table and the metadata of what `write` wrote; BadFile when the table is not what the metadata vouches for."""
    table = Path(path)
    beside = table.with_name(f"{table.name}-meta.yaml")
    with storage(f"reading {table.name}", table):
        data, said = table.read_bytes(), yaml.safe_load(beside.read_text())
    if said.get("data_file_md5sum") != _md5(data):
        raise BadFile(
            "reading summary statistics", "the table changed after it was written", "write it again", file=table
        )
    text = gzip.decompress(data) if table.suffix == ".gz" else data
    types = dict.fromkeys(_TEXTS, pl.String) | dict.fromkeys(_WHOLE, pl.Int64)
    names = text.split(b"\n", 1)[0].decode().split("\t")
    schema = {name: types.get(name, pl.Float64) for name in names}
    return pl.read_csv(io.BytesIO(text), separator="\t", null_values=_MISSING, schema=schema), said


def _columns(rows: pl.DataFrame) -> list[str]:
    """The standard's order of those that are there."""
    effect = next((name for name in EFFECTS if name in rows.columns), "beta")
    p = next((name for name in P_VALUES if name in rows.columns), "p_value")
    place = ["chromosome", "base_pair_location", "effect_allele", "other_allele"]
    needed = [*place, effect, "standard_error", "effect_allele_frequency", p]
    missing = [name for name in needed if name not in rows.columns]
    if missing:
        found = f"there is no {', '.join(missing)}"
        raise BadInput("writing summary statistics", found, "name the columns as the GWAS-SSF standard does")
    return needed + [name for name in OPTIONAL if name in rows.columns]


def _number() -> pl.Expr:
    bare = pl.col("chromosome").cast(pl.String).str.to_uppercase().str.strip_prefix("CHR")
    return bare.replace_strict(_NUMBERS | {str(n): n for n in (23, 24, 25)}, default=None, return_dtype=pl.Int64)


def _reason(columns: list[str]) -> pl.Expr:
    """Why the standard does not allow a row, or ""."""

    def outside(name: str, low: float, high: float) -> pl.Expr:
        return ~pl.col(name).cast(pl.Float64).is_between(low, high).fill_null(False)

    effect = next(name for name in EFFECTS if name in columns)
    no_effect = ~pl.col(effect).cast(pl.Float64).is_finite().fill_null(False)
    bases = [pl.col(name).str.contains("(?i)^[ACGT]+$").fill_null(False) for name in ("effect_allele", "other_allele")]
    return (
        pl.when(pl.col("chromosome").is_null()).then(pl.lit("not on a chromosome"))
        .when(outside("base_pair_location", 1, 1e9)).then(pl.lit("no position"))
        .when(~pl.all_horizontal(*bases)).then(pl.lit("an allele is not of bases"))
        .when(no_effect if effect == "beta" else no_effect | outside(effect, 0, 1e300)).then(pl.lit("no effect"))
        .when(outside("standard_error", 0, 1e300)).then(pl.lit("no standard error"))
        .when(outside("effect_allele_frequency", 0, 1)).then(pl.lit("no frequency"))
        .when(outside("p_value", 0, 1) if "p_value" in columns else outside("neg_log_10_p_value", 0, 1e300))
        .then(pl.lit("no p value"))
        .otherwise(pl.lit(""))
    )  # fmt: skip


def _yaml(name: str, data: bytes, about: Metadata) -> str:
    sample = {
        "sample_ancestry_category": list(about.ancestry),
        "sample_size": about.people,
        "ancestry_method": [about.ancestry_method],
        "case_control_study": about.cases is not None,
        "case_count": about.cases,
        "control_count": about.controls,
    }
    said = {
        "gwas_id": about.gwas_id,
        "author_notes": about.notes or None,
        "date_metadata_last_modified": datetime.now(UTC).date(),
        "trait_description": [about.trait],
        "genome_assembly": str(about.assembly),
        "coordinate_system": "1-based",
        "genotyping_technology": [about.technology],
        "samples": [{key: value for key, value in sample.items() if value is not None}],
        "sex": about.sex,
        "data_file_name": name,
        "file_type": "GWAS-SSF v1.0",
        "data_file_md5sum": _md5(data),
        "analysis_software": about.software,
        "adjusted_covariates": list(about.covariates) or None,
        "minor_allele_freq_lower_limit": about.lowest_frequency,
        "is_harmonised": False,
        "is_sorted": True,
    }
    kept = {key: value for key, value in said.items() if value is not None}
    return str(yaml.safe_dump(kept, sort_keys=False, allow_unicode=True))


def _md5(data: bytes) -> str:
    """The standard's checksum, against damage in transit."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()

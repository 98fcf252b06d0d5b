"""Commands on variant files: ingest, info, query, verify."""

from io import BytesIO
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
import typer

from nhsgen.cli.options import group
from nhsgen.durable import place_for, write_whole
from nhsgen.genome import Assembly
from nhsgen.variants import VariantStore, ingest
from nhsgen.variants import variants as chosen

__all__ = ["variants"]

variants = group("variants", "Read, store and count variant files; inside a site's own walls.")


@variants.command("ingest")
def ingest_files(
    files: list[Path],
    out: Annotated[Path, typer.Option(help="The folder of the store; must not exist.")],
    assembly: Annotated[Assembly | None, typer.Option(help="Needed only when the header does not tell.")] = None,
    absence: Annotated[
        Literal["reference", "unknown"],
        typer.Option(help="What it means when a variant is not listed: 'reference' for a joint call set."),
    ] = "unknown",
) -> None:
    """Read VCF or BCF files of the same samples into one genotype store.

    \b
    Example: nhsgen variants ingest chr16.vcf.gz chr4.vcf.gz --out store --absence reference
    """
    ingest(files, out, assembly=assembly, absence=absence)
    _print_info(out)


@variants.command("info")
def info(store: Path) -> None:
    """What a store holds and where it came from.

    Example: nhsgen variants info store
    """
    _print_info(store)


@variants.command("query")
def query(
    store: Path,
    region: Annotated[
        list[str] | None, typer.Option(help="1-based, closed: 16:2088708-2135898. May be repeated.")
    ] = None,
    gene: Annotated[list[str] | None, typer.Option(help="A gene's symbol. May be repeated.")] = None,
    impact: Annotated[list[str] | None, typer.Option(help="high, moderate, low or modifier. May be repeated.")] = None,
    consequence: Annotated[list[str] | None, typer.Option(help="A Sequence Ontology term. May be repeated.")] = None,
    max_af: Annotated[
        float | None, typer.Option(help="Only alleles annotated as this rare; unannotated counts as 0.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write .tsv or .parquet instead of printing.")] = None,
) -> None:
    """List alleles by place, gene, impact, consequence and frequency; no genotypes.

    \b
    Example: nhsgen variants query store --gene PKD1 --impact high --max-af 0.001
    """
    filter = (
        chosen(impact=impact, consequence=consequence, max_af=max_af).in_genes(*gene or ()).in_region(*region or ())
    )
    target = None if out is None else place_for(out, (".tsv", ".parquet"))
    found = VariantStore.open(store).query(filter)
    if target is None:
        with pl.Config(tbl_rows=40, tbl_cols=12, tbl_hide_dataframe_shape=True, fmt_str_lengths=24):
            print(found.drop("genes", strict=False))
        print(f"{len(found):,} alleles")
        return
    data = BytesIO()
    if target.suffix == ".parquet":
        found.write_parquet(data)
    else:
        found.drop("genes", strict=False).write_csv(data, separator="\t")
    write_whole(target, data.getvalue())
    print(f"{len(found):,} alleles in {target}")


@variants.command("verify")
def verify(store: Path) -> None:
    """Hash every file of a store again and count its genotypes again.

    Example: nhsgen variants verify store
    """
    VariantStore.open(store).verify()
    print("unchanged; every count is what the genotypes say")


def _print_info(store: Path) -> None:
    for name, value in VariantStore.open(store).info().items():
        print(f"{name.replace('_', ' '):<22} {value}")

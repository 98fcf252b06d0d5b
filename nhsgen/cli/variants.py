"""Commands on variant files: ingest, info, query, counts, export, verify."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
import typer

from nhsgen import hardy
from nhsgen.cli.options import group
from nhsgen.cli.variant_questions import TABLES, Choice, choosing, note, pairs_of, save, show, some
from nhsgen.durable import place_for
from nhsgen.errors import BadInput
from nhsgen.genome import Assembly
from nhsgen.settings import Settings
from nhsgen.variants import VariantStore, export, ingest
from nhsgen.variants.genotypes import COUNTS

__all__ = ["variants"]

variants = group("variants", "Read, store and count variant files; inside a site's own walls.")

_FILES = (".vcf", ".vcf.gz", ".bcf")
"""What `query` writes as variant files, and `export` besides .pgen."""
_SHOWN = ("key", "gene", "consequence", "impact", "af", "ac", "an", "hom_alt", "clinvar", "filter")
"""The columns of an allele that a terminal has room for."""
_OF_SITES = ("key", "gene", "consequence", "impact", "af", "info_ac", "info_an", "clinvar", "filter")
"""The same where there are no samples to count: what the file claims."""
_CARRIED = ("sample", "key", "gene", "copies", "consequence", "impact")
_COUNTED = ("key", "gene", "het", "hom_alt", "hemizygous", "missing", "ac", "an", "af", "hwe_p")
_ROW_LEVEL = "a row is a person: this is for use inside the site's walls only"


@variants.command("ingest")
def ingest_files(
    files: list[Path],
    out: Annotated[Path, typer.Option(help="The folder of the store; must not exist.")],
    assembly: Annotated[Assembly | None, typer.Option(help="Needed only when the header does not tell.")] = None,
    absence: Annotated[
        Literal["reference", "unknown"],
        typer.Option(help="What it means when a variant is not listed: 'reference' for a joint call set."),
    ] = "unknown",
    annotation: Annotated[
        Literal["CSQ", "ANN", "BCSQ"] | None, typer.Option(help="The annotation every file must have.")
    ] = None,
    min_dp: Annotated[
        int | None, typer.Option(min=0, help="A genotype with a lower DP counts as not called; one without DP stays.")
    ] = None,
    min_gq: Annotated[int | None, typer.Option(min=0, help="The same of GQ.")] = None,
    reference: Annotated[
        Path | None, typer.Option(help="A FASTA file: REF is checked against it, and alleles are left-aligned.")
    ] = None,
    dask: Annotated[str | None, typer.Option(help="A Dask scheduler's address: its workers read the files.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Cores to use; all, when not said.")] = None,
) -> None:
    """Read VCF or BCF files of the same samples into one genotype store.

    \b
    Example: nhsgen variants ingest chr16.vcf.gz chr4.vcf.gz --out store --absence reference
             nhsgen variants ingest cohort.bcf --out store --min-dp 10 --min-gq 20 --reference GRCh38.fa
    """
    if dask is not None and "://" not in dask:
        raise BadInput("asking Dask", "--dask is not an address", "write it like tcp://scheduler:8786")
    settings = Settings.read()
    ingest(
        files, out, assembly=assembly, absence=absence, annotation=annotation, min_dp=min_dp, min_gq=min_gq,
        reference=reference, workers=dask or "processes",
        settings=settings if threads is None else replace(settings, threads=threads),
    )  # fmt: skip
    print("\n".join(_described(out)))


@variants.command("info")
def info(store: Path) -> None:
    """What a store holds and where it came from.

    Example: nhsgen variants info store
    """
    print("\n".join(_described(store)))


@variants.command("query")
@choosing
def query(
    store: Path,
    choice: Choice,
    *,
    carriers: Annotated[
        bool, typer.Option("--carriers", help="Who carries them: a row for each person, allele and gene.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write it instead: .tsv or .parquet; with genotypes .vcf, .vcf.gz or .bcf.")
    ] = None,
) -> None:
    """List alleles by place, gene, panel, consequence and frequency; with --carriers, the people who carry them.

    With --samples, only alleles that somebody of them carries, and the counts among them.

    \b
    Example: nhsgen variants query store --gene PKD1 --impact high --max-af 0.001
             nhsgen variants query store --panel renal-ciliopathies.json --impact high --carriers --out carriers.tsv
             nhsgen variants query store --region 16:2088708-2135898 --out pkd1.vcf.gz
    """
    opened = VariantStore.open(store)
    if out is not None and out.name.endswith(_FILES) and not carriers:
        _write_file(opened, choice, out)
        return
    target = None if out is None else place_for(out, TABLES if carriers else (*TABLES, *_FILES))
    asked, people = choice.alleles(opened), choice.people(opened)
    if carriers:
        found = opened.carriers(asked, people)
        said = f"{some(found['sample'].n_unique(), 'sample')} with {some(found['key'].n_unique(), 'allele')}"
        note(_ROW_LEVEL)
    else:
        shown = _SHOWN if opened.samples else _OF_SITES
        found = opened.query(asked, shown if target is None else None)
        if people is not None:
            counted = opened.counts(asked, people)
            found = found.with_columns(counted[name] for name in COUNTS if name in found.columns)
            found = found.filter(counted["carriers"] > 0)
        said = some(len(found), "allele")
    _give(found, found.select(_CARRIED) if carriers else found, target, said)


@variants.command("counts")
@choosing
def counts(
    store: Path,
    choice: Choice,
    *,
    out: Annotated[Path | None, typer.Option(help="Write .tsv or .parquet instead of printing.")] = None,
) -> None:
    """Count the genotypes of each allele among all people, or those of --samples.

    af is AC / AN among them; hwe_p the exact Hardy-Weinberg p of this allele against all others, on X of women and men together.

    \b
    Example: nhsgen variants counts store --gene PKD1 --samples cases.txt --out cases.tsv
    """
    opened = VariantStore.open(store)
    target = None if out is None else place_for(out, TABLES)
    asked, people = choice.alleles(opened), choice.people(opened)
    counted = _with_proportions(opened.counts(asked, people))
    number = len(opened.samples) if people is None else int(opened.mask(people).sum())
    _give(counted, counted.select(_COUNTED), target, f"{some(len(counted), 'allele')} among {some(number, 'sample')}")


@variants.command("export")
@choosing
def export_file(
    store: Path,
    choice: Choice,
    *,
    out: Annotated[Path, typer.Option(help="The file: .vcf, .vcf.gz, .bcf or .pgen; must not exist.")],
    rename: Annotated[
        Path | None, typer.Option(help="New names: a file with a sample's name, a tab and its new name a line.")
    ] = None,
) -> None:
    """Write alleles and genotypes as a file that other tools read; with --samples it says nothing of anybody else.

    \b
    Example: nhsgen variants export store --samples cohort.txt --rename pseudonyms.tsv --out cohort.bcf
    """
    _write_file(VariantStore.open(store), choice, out, rename)


@variants.command("verify")
def verify(store: Path) -> None:
    """Hash every file of a store again and count its genotypes again.

    Example: nhsgen variants verify store
    """
    told = VariantStore.open(store).verify()
    print(f"unchanged; the counts of all {told['alleles']:,} alleles are what the genotypes say")
    if told["differing"]:
        print(
            f"for {told['differing']:,} of {told['claimed']:,} the source files claim another AC or AN, as files cut from larger "
            "ones do, and where --min-dp or --min-gq took calls away"
        )


# -- Answers ------------------------------------------------------------------------------------------------------------


def _give(whole: pl.DataFrame, short: pl.DataFrame, target: Path | None, said: str) -> None:
    """Save the whole table, or print the short one; and say how much it is."""
    if target is None:
        show(short)
        print(said)
        return
    save(whole, target)
    print(f"{said}, in {target}")


def _write_file(store: VariantStore, choice: Choice, out: Path, rename: Path | None = None) -> None:
    asked, people = choice.alleles(store), choice.people(store)
    names = None if rename is None else pairs_of(rename)
    written = export(store, out, filter=asked, samples=people, rename=names, settings=Settings.read())
    parts = ", ".join(some(written[f"{name}s"], name) for name in ("record", "allele", "sample"))
    print(f"{parts}, in {out}")
    if written["absent"]:
        print(f"left out: {some(written['absent'], 'allele')} that nobody of them carries")
    if written["not_called"]:
        print(f"in {some(written['not_called'], 'genotype')} an allele that the file leaves out, or cannot say, is '.'")
    if store.samples:
        note(_ROW_LEVEL)


def _with_proportions(counted: pl.DataFrame) -> pl.DataFrame:
    """The counts with `af`, null where nothing was called, and `hwe_p`, null there and where people have one allele at most.

    All other alleles of a place count as one. On X, men have one allele and are tested with the women.
    """
    numbers = {
        name: counted[name].to_numpy() for name in ("het", "hom_alt", "hom_ref", "other", "haploid", "hemizygous")
    }
    people = numbers["het"], numbers["hom_alt"], numbers["hom_ref"] + numbers["other"]
    men = numbers["hemizygous"], numbers["haploid"] - numbers["hemizygous"]
    chrom = counted["chrom"].to_numpy()
    p = np.full(len(counted), np.nan)
    on_x, paired = chrom == "X", ~np.isin(chrom, ["X", "Y", "MT"])
    p[paired] = hardy.exact(*(column[paired] for column in people))
    p[on_x] = hardy.exact_x(*(column[on_x] for column in (*people, *men)))
    return counted.with_columns(
        pl.when(pl.col("an") > 0).then(pl.col("ac") / pl.col("an")).alias("af"),
        pl.Series("hwe_p", p, dtype=pl.Float64).fill_nan(None),
    )


# -- A store in words ---------------------------------------------------------------------------------------------------

_ABSENCE: Mapping[str, str] = {
    "reference": "where no variant is listed, everybody has the reference: a joint call set",
    "unknown": "where no variant is listed, nothing is known, but for what a gVCF's blocks say",
}
_CONTIGS = 26
_NOTES = 10


def _described(store: Path) -> Iterator[str]:
    """What a store holds and where it came from, a line each."""
    told = VariantStore.open(store).info()
    held = ", ".join(some(told[f"{name}s"], name) for name in ("sample", "allele"))
    yield f"{store}: {held} from {some(told['records'], 'record')}, {told['assembly']}"
    if told["records_without_alt"]:
        yield f"  {some(told['records_without_alt'], 'record')} without an ALT allele"
    yield f"  annotation: {told['annotation'] or 'none: no question about genes, consequences or impact finds anything'}"
    yield f"  {_ABSENCE[told['absence']]}"
    yield from (f"  {text}" for text in _choices(told["options"]))
    yield "contigs"
    for contig in told["contigs"][:_CONTIGS]:
        yield f"  {contig['chrom']:<6} {some(contig['alleles'], 'allele'):>19}, {contig['first']:,} to {contig['last']:,}"
    if len(told["contigs"]) > _CONTIGS:
        yield f"  and {len(told['contigs']) - _CONTIGS:,} more in store.json"
    yield "made from"
    for source in told["sources"]:
        yield f"  {source['file']}  sha256 {source['sha256'][:16]}..."
    if told["notes"]:
        yield "odd, but harmless"
    for odd in told["notes"][:_NOTES]:
        line = "" if odd["line"] is None else f", line {odd['line']:,}"
        yield f"  {odd['file']}{line}: {odd['found']}"
    if len(told["notes"]) > _NOTES:
        yield f"  and {len(told['notes']) - _NOTES:,} more in store.json"


def _choices(options: Mapping[str, Any]) -> Iterator[str]:
    for name in ("min_dp", "min_gq"):
        if options.get(name) is not None:
            yield f"genotypes with {name.removeprefix('min_').upper()} below {options[name]} count as not called"
    if options.get("reference"):
        yield f"alleles are left-aligned on {options['reference']['file']}"

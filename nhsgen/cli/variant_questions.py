"""What the variant commands share: the options that choose alleles and people, and tables in a terminal or a file."""

import inspect
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import polars as pl
import typer

from nhsgen.durable import storage, write_whole
from nhsgen.errors import BadFile, BadInput, NotFound
from nhsgen.genome import chromosome
from nhsgen.variants import VariantFilter, VariantStore, gene_table, hpo_panel
from nhsgen.variants import panel as read_panel
from nhsgen.variants import variants as chosen
from nhsgen.variants.panels import Panel

__all__ = ["TABLES", "Choice", "choosing", "names_of", "note", "pairs_of", "save", "show", "some"]

TABLES = (".tsv", ".parquet")

Texts = list[str] | None
_Column = tuple[str, bool, list[str]]
"""Name, whether it holds numbers, and its texts."""
_ROWS = 40
"""How many rows a terminal is shown."""
_NAMED = 10
"""How many genes a note names."""


@dataclass(frozen=True)
class Choice:
    """Which alleles, and whose: the options of every command that asks a store a question, written once."""

    region: Annotated[Texts, typer.Option(help="1-based, closed: 16:2088708-2135898. May be repeated.")] = None
    gene: Annotated[Texts, typer.Option(help="A gene's symbol or Ensembl id. May be repeated.")] = None
    panel: Annotated[
        Texts,
        typer.Option(help="A gene panel: PanelApp's JSON or TSV, a list of genes, or an HPO term. May be repeated."),
    ] = None
    confidence: Annotated[
        Literal["green", "amber", "red"], typer.Option(help="The lowest confidence of the panel's genes.")
    ] = "green"
    genes_from: Annotated[
        Path | None,
        typer.Option(help="Look where this GTF or GFF3 puts the genes, not at what alleles are annotated with."),
    ] = None
    padding: Annotated[
        int, typer.Option(min=0, help="With --genes-from: bases to look at on either side of a gene.")
    ] = 0
    consequence: Annotated[Texts, typer.Option(help="A Sequence Ontology term, as missense. May be repeated.")] = None
    impact: Annotated[Texts, typer.Option(help="high, moderate, low or modifier. May be repeated.")] = None
    max_af: Annotated[
        float | None, typer.Option(help="Only alleles annotated as this rare; unannotated counts as 0.")
    ] = None
    min_af: Annotated[float | None, typer.Option(help="Only alleles annotated as at least this common.")] = None
    filter: Annotated[Texts, typer.Option(help="A value of FILTER, as PASS, or . for none. May be repeated.")] = None
    key: Annotated[Texts, typer.Option(help="One allele: 16-2103000-C-T. May be repeated.")] = None
    samples: Annotated[
        Path | None, typer.Option(help="Only these people: a file with the name of a sample a line.")
    ] = None

    def alleles(self, store: VariantStore) -> VariantFilter:
        """The filter; what it names that the store has not is noted, for an empty answer would look like a finding."""
        asked = chosen(
            self.impact, self.consequence, self.max_af, min_af=self.min_af, keys=self.key, filters=self.filter
        ).in_region(*self.region or ())
        panels = [hpo_panel(text) if text.startswith("HP:") else read_panel(text) for text in self.panel or ()]
        if self.genes_from is not None or self.padding:
            asked = asked.in_region(*self._places(store, panels))
        else:
            asked = asked.in_genes(*self.gene or ())
            for each in panels:
                asked = asked.in_panel(each, self.confidence)
        for text in _unlisted(store, asked):
            note(text)
        return asked

    def people(self, store: VariantStore) -> list[str] | None:
        """The names of the samples that are meant; None for all. Names that the store has not are counted in a note."""
        if self.samples is None:
            return None
        names = names_of(self.samples)
        unknown = len(set(names) - set(store.samples))
        if unknown == len(set(names)):
            raise BadInput(
                "choosing samples", "the store has none of these names", "give names as the variant files have them",
                file=self.samples.name,
            )  # fmt: skip
        if unknown:
            note(f"not in the store: {unknown:,} of the {some(len(set(names)), 'name')} in {self.samples.name}")
        return names

    def _places(self, store: VariantStore, panels: Sequence[Panel]) -> list[Any]:
        if self.genes_from is None or self.region or not (self.gene or panels):
            raise BadInput(
                "looking where genes lie",
                "it takes --genes-from, with --gene or --panel, and no --region",
                "give the file of the genes, and say which genes",
            )
        table = gene_table(self.genes_from, store.assembly)
        places = list(table.regions(self.gene, self.padding) if self.gene else ())
        for each in panels:
            places += each.at_least(self.confidence).regions(table, self.padding)
        return places


def choosing(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `Choice` in the place of its parameter `choice`; what stands after it must be by name."""
    hints = get_type_hints(Choice, include_extras=True)

    @wraps(command)
    def with_choice(**said: Any) -> None:
        mine = {part.name: said.pop(part.name) for part in fields(Choice)}
        command(**said, choice=Choice(**mine))

    options = [
        inspect.Parameter(part.name, inspect.Parameter.KEYWORD_ONLY, default=part.default, annotation=hints[part.name])
        for part in fields(Choice)
    ]
    taken: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        taken += options if name == "choice" else [parameter]
    vars(with_choice)["__signature__"] = inspect.Signature(taken)
    with_choice.__annotations__ = {parameter.name: parameter.annotation for parameter in taken}
    return with_choice


def _unlisted(store: VariantStore, asked: VariantFilter) -> Iterator[str]:
    contigs = {contig["chrom"] for contig in store.info()["contigs"]}
    for chrom in dict.fromkeys(region.chrom for region in asked.regions):
        if chromosome(chrom) not in contigs:
            yield f"the store lists no allele on a chromosome called {chrom}"
    unseen = store.unseen_genes(asked)
    if unseen:
        more = f" and {len(unseen) - _NAMED:,} more" if len(unseen) > _NAMED else ""
        yield f"no allele here is annotated with a gene called {', '.join(unseen[:_NAMED])}{more}"
    if asked.keys is not None:
        listed = set(store.query(VariantFilter(keys=asked.keys), ["key"])["key"])
        if len(listed) < len(asked.keys):
            means = "nobody here carries these" if store.absence == "reference" else "who carries these is not known"
            yield f"not listed: {len(set(asked.keys) - listed):,} of the {some(len(asked.keys), 'allele')} asked for; {means}"


# -- Small files --------------------------------------------------------------------------------------------------------

_TRIED = "reading the names of samples"


def names_of(path: Path) -> list[str]:
    """The names in a file, one a line; empty lines are skipped. BadFile when there are none."""
    names = [name for _, name in _lines(path)]
    if not names:
        raise BadFile(_TRIED, "there are none", "put one name on each line", file=path.name)
    return names


def pairs_of(path: Path) -> dict[str, str]:
    """A new name for each name, from a file with the two on a line and a tab between them; BadFile, with the line."""
    pairs: dict[str, str] = {}
    for number, line in _lines(path):
        old, _, new = line.partition("\t")
        if not new or "\t" in new or old in pairs:
            found = "the name stands on an earlier line too" if old in pairs else "the line is not two names"
            do_next = "put each name and its new one on a line, with a tab between them"
            raise BadFile(_TRIED, found, do_next, file=path.name, line=number)
        pairs[old] = new
    return pairs


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with storage(_TRIED, path):
            text = path.read_text(encoding="utf-8-sig")
    except NotFound as error:
        raise NotFound(_TRIED, "there is no such file", "check the path", file=path) from error
    except UnicodeDecodeError as error:
        raise BadFile(_TRIED, "it is not UTF-8 text", "save it as UTF-8 text", file=path.name) from error
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line.rstrip("\r")


# -- Showing ------------------------------------------------------------------------------------------------------------


def note(text: str) -> None:
    """Say something beside the answer: on standard error, so that a saved or piped answer holds the answer only."""
    print(f"note: {text}", file=sys.stderr)


def some(number: int, one: str) -> str:
    """So many of something.

    >>> some(1, "allele"), some(1200, "allele")
    ('1 allele', '1,200 alleles')
    """
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def save(found: pl.DataFrame, target: Path) -> None:
    """Write a table as .tsv, whose nulls are empty and whose lists are left out, or whole as .parquet."""
    data = BytesIO()
    if target.suffix == ".parquet":
        found.write_parquet(data)
    else:
        flat = [name for name, kind in found.schema.items() if not isinstance(kind, pl.List)]
        found.select(flat).write_csv(data, separator="\t")
    write_whole(target, data.getvalue())


_WIDTHS = (48, 30, 20, 15)
"""How much of a text is shown: the most that leaves every column on the screen."""
_NAMES = {"key", "sample"}
"""What somebody copies: cut only where it is longer than any screen."""


def show(found: pl.DataFrame) -> None:
    """Print the first rows as plain text, numbers to the right.

    In a terminal a row is one line: long texts are cut, and the last columns left out and named, until it fits.
    """
    shown = found.head(_ROWS)
    if not len(shown):
        return
    columns = [(name, kind.is_numeric(), list(map(_text, shown[name]))) for name, kind in shown.schema.items()]
    drawn, kept = _fitted(columns) if sys.stdout.isatty() else (_drawn(columns, None), len(columns))
    print("\n".join(drawn))
    said = [f"{len(found) - len(shown):,} more rows"] if len(found) > len(shown) else []
    said += [f"the columns {', '.join(shown.columns[kept:])}"] if kept < len(columns) else []
    if said:
        print(f"not shown: {' and '.join(said)}; --out writes all")


def _fitted(columns: Sequence[_Column]) -> tuple[list[str], int]:
    """The lines that fit the terminal, and how many of the columns they have."""
    room = shutil.get_terminal_size().columns
    ways = [(len(columns), width) for width in _WIDTHS] + [
        (kept, _WIDTHS[-1]) for kept in range(len(columns) - 1, 1, -1)
    ]
    for kept, width in ways:
        drawn = _drawn(columns[:kept], width)
        if max(map(len, drawn)) <= room:
            return drawn, kept
    return _drawn(columns[:1], _WIDTHS[0]), 1


def _drawn(columns: Sequence[_Column], width: int | None) -> list[str]:
    cut = []
    for name, is_number, texts in columns:
        limit = None if width is None else _WIDTHS[0] if name in _NAMES else width
        cells = [name, *(text if limit is None or len(text) <= limit else f"{text[: limit - 1]}…" for text in texts)]
        most = max(map(len, cells))
        cells.insert(1, "-" * most)
        cut.append([cell.rjust(most) if is_number else cell.ljust(most) for cell in cells])
    return ["  ".join(row).rstrip() for row in zip(*cut, strict=True)]


def _text(value: object) -> str:
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)

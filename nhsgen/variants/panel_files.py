"""Gene panels from files: PanelApp's JSON, PanelApp's TSV, or a plain list of genes."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from nhsgen.errors import BadFile, BadInput, NotFound
from nhsgen.variants.genes import unversioned
from nhsgen.variants.panels import Confidence, Panel, PanelGene

__all__ = ["panel"]

_LEVELS: Mapping[str, Confidence] = {"4": "green", "3": "green", "2": "amber", "1": "red", "0": "red"}
"""PanelApp's numbers; 4 is an old green."""


def panel(path: str | Path) -> Panel:
    """A gene panel from a file.

    path: one panel's JSON from PanelApp's API (`/panels/<number>/`, or `/panels/signedoff/<number>/`); or the TSV that
        PanelApp's page of the panel gives; or a list of genes, one a line by symbol or Ensembl id, where empty lines and lines
        that start with # are skipped. What it is is seen from the file itself.

    NotFound without the file; BadFile, with the line or the entry, when something in it is not what it should be.
    """
    source = Path(path)
    wrong = partial(_bad, source)
    try:
        text = source.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise NotFound(_tried(source), "there is no such file", "check the path", file=source.name) from None
    except (UnicodeDecodeError, IsADirectoryError):
        raise wrong(None, "it is not UTF-8 text", "save it as UTF-8 text") from None
    if text.lstrip().startswith(("{", "[")):
        return _from_json(text, wrong)
    if "\t" in next((line for line in text.splitlines() if line.strip()), ""):
        return _from_tsv(text, wrong)
    return _from_list(text, source.stem, wrong)


_Wrong = Callable[..., BadFile]
_AGAIN = "download the panel again"


def _tried(source: Path) -> str:
    return f"reading the gene panel {source.name}"


def _bad(source: Path, line: int | None, found: str, do_next: str = _AGAIN) -> BadFile:
    return BadFile(_tried(source), found, do_next, file=source.name, line=line)


def _gene(wrong: _Wrong, line: int | None, place: str, symbol: object, **parts: Any) -> PanelGene:
    """A gene of a file; `place` says where it stands. What stood there is not repeated: it may be the wrong file."""
    try:
        return PanelGene(str(symbol or ""), **parts)
    except BadInput:
        raise wrong(line, f"{place}has no gene symbol", "give one gene there") from None


def _level(wrong: _Wrong, line: int | None, place: str, value: object) -> Confidence:
    level = _LEVELS.get(str(value).strip())
    if level is None:
        raise wrong(line, f"{place}has no confidence from 0 to 4")
    return level


def _ensembl(*texts: object) -> tuple[str, ...]:
    """The Ensembl ids among these; PanelApp has had LRG's ids in the same place."""
    parts = (part.strip() for text in texts for part in str(text or "").split(";"))
    return tuple(dict.fromkeys(unversioned(part) for part in parts if part.startswith("ENSG")))


def _names(symbol: str, ids: Sequence[str], *said: object) -> dict[str, Any]:
    """`gene_id` and `also` of a gene: its first id, and whatever else it is called."""
    symbols = (str(other).strip() for other in said if other)
    others = (name for name in symbols if name and name != symbol and not any(mark in name for mark in ", \t"))
    return {"gene_id": ids[0] if ids else None, "also": tuple(dict.fromkeys((*ids[1:], *others)))}


# PanelApp's JSON -------------------------------------------------------------------------------------------------------


def _from_json(text: str, wrong: _Wrong) -> Panel:
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        raise wrong(error.lineno, f"it is not JSON there: {error.msg}") from None
    if not isinstance(whole, dict) or not isinstance(whole.get("genes"), list):
        pages = isinstance(whole, dict) and "results" in whole
        found = "it is a page of a list, not one panel" if pages else "it has no list 'genes'"
        raise wrong(None, found, "save one panel from PanelApp's API, /panels/<number>/")
    name, version = (str(whole.get(part) or "").strip() for part in ("name", "version"))
    _check_titles(wrong, None, name, version)
    genes = tuple(_json_gene(wrong, number, entry) for number, entry in enumerate(whole["genes"], 1))
    _check_genes(wrong, genes)
    others = [entry for part in ("strs", "regions") for entry in whole.get(part) or () if isinstance(entry, dict)]
    left_out = tuple(str(entry.get("entity_name") or "unnamed") for entry in others)
    signed_off = str(whole.get("signed_off") or "") or None
    return Panel(name, version, "PanelApp", genes, str(whole.get("id") or ""), signed_off, left_out)


def _json_gene(wrong: _Wrong, number: int, entry: object) -> PanelGene:
    place = f"entry {number} of its genes "
    data = entry.get("gene_data") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(data, dict):
        raise wrong(None, f"{place}has no 'gene_data'")
    symbol = str(data.get("gene_symbol") or entry.get("entity_name") or "").strip()
    return _gene(
        wrong, None, place, symbol,
        confidence=_level(wrong, None, place, entry.get("confidence_level")),
        inheritance=str(entry.get("mode_of_inheritance") or "").strip() or None,
        hgnc_id=str(data.get("hgnc_id") or "").strip() or None,
        **_names(symbol, _json_ids(data.get("ensembl_genes")), entry.get("entity_name"), data.get("hgnc_symbol")),
    )  # fmt: skip


def _json_ids(assemblies: object) -> tuple[str, ...]:
    """GRCh38's ids first, the newest of Ensembl's releases first: {"GRch38": {"90": {"ensembl_id": "ENSG..."}}}."""
    found = []
    for assembly in ("GRch38", "GRch37"):
        releases = assemblies.get(assembly) if isinstance(assemblies, dict) else None
        if isinstance(releases, dict):
            newest = sorted(releases, key=lambda release: (len(release), release), reverse=True)
            found += [releases[name].get("ensembl_id") for name in newest if isinstance(releases[name], dict)]
    return _ensembl(*found)


def _check_titles(wrong: _Wrong, line: int | None, name: str, version: str) -> None:
    for part, text in (("name", name), ("version", version)):
        if not text or not text.isprintable() or len(text) > 200:
            raise wrong(line, f"it does not say its {part}")


def _check_genes(wrong: _Wrong, genes: Sequence[PanelGene]) -> None:
    if not genes:
        raise wrong(None, "it has no genes", "give a panel with at least one")


# PanelApp's TSV --------------------------------------------------------------------------------------------------------

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "symbol": ("genesymbol",),
    "level": ("gelstatus",),
    "panel": ("level4",),
    "version": ("version",),
    "name": ("entityname",),
    "type": ("entitytype",),
    "inheritance": ("modelofinheritance", "modeofinheritance"),
    "grch38": ("ensemblid(grch38)",),
    "grch37": ("ensemblid(grch37)",),
    "hgnc": ("hgnc",),
}
"""What a download heads each column, without blanks, underscores and capitals: these have changed over the years."""

_NEEDED = {"symbol": "Gene Symbol", "level": "GEL_Status", "panel": "Level4", "version": "version"}


def _from_tsv(text: str, wrong: _Wrong) -> Panel:
    reader = csv.reader(StringIO(text, newline=""), delimiter="\t")
    try:
        rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error:
        raise wrong(reader.line_num, "it is not tab-separated text there") from None
    (first, headings), *rest = [(line, cells) for line, cells in rows if any(cells)]
    squeezed = [heading.replace(" ", "").replace("_", "").lower() for heading in headings]
    places = {part: next((squeezed.index(n) for n in names if n in squeezed), None) for part, names in _COLUMNS.items()}
    for part, heading in _NEEDED.items():
        if places[part] is None:
            raise wrong(first, f"it has no column '{heading}'", "give PanelApp's download, or one gene a line")
    genes: list[PanelGene] = []
    left_out: list[str] = []
    titles: dict[tuple[str, str], int] = {}
    for line, cells in rest:
        row = {part: cells[at] if at is not None and at < len(cells) else "" for part, at in places.items()}
        titles.setdefault((row["panel"], row["version"]), line)
        if row["type"].lower() in {"", "gene"}:
            genes.append(_tsv_gene(wrong, line, row))
        else:
            left_out.append(row["name"] or "unnamed")
    if len(titles) > 1:
        raise wrong(list(titles.values())[1], "another panel or version begins there", "give a file for each panel")
    _check_genes(wrong, genes)
    ((name, version), line), *_ = titles.items()
    _check_titles(wrong, line, name, version)
    return Panel(name, version, "PanelApp", tuple(genes), left_out=tuple(left_out))


def _tsv_gene(wrong: _Wrong, line: int, row: Mapping[str, str]) -> PanelGene:
    ids = _ensembl(row["grch38"], row["grch37"])
    return _gene(
        wrong, line, "it ", row["symbol"],
        confidence=_level(wrong, line, "the gene ", row["level"]),
        inheritance=row["inheritance"] or None,
        hgnc_id=row["hgnc"] or None,
        **_names(row["symbol"], ids, row["name"]),
    )  # fmt: skip


# A list ----------------------------------------------------------------------------------------------------------------

_HEADINGS = {"gene", "genes", "symbol", "symbols", "gene symbol", "gene_symbol", "hgnc symbol", "hgnc_symbol"}


def _from_list(text: str, name: str, wrong: _Wrong) -> Panel:
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    said = [(number, line) for number, line in lines if line and not line.startswith("#")]
    if said and said[0][1].lower() in _HEADINGS:
        said = said[1:]
    genes = tuple(
        _gene(wrong, number, "the line ", unversioned(line), gene_id=next(iter(_ensembl(line)), None))
        for number, line in said
    )
    _check_genes(wrong, genes)
    return Panel(name, "", "list", genes)

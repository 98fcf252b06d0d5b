"""Code lists from files, as clinicians publish and exchange them."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from nhsgen.codes import HPO, VOCABULARIES, code
from nhsgen.cohorts.events import Coded
from nhsgen.cohorts.expression import Cohort
from nhsgen.cohorts.phenotypes import hpo
from nhsgen.errors import BadCode, BadFile, NotFound

__all__ = ["codelist"]

# How the column with the codes is headed, letters and digits only: the first of these that the file has.
HEADINGS = ("code", "{vocabulary}code", "{vocabulary}", "icdcode", "opcscode", "conceptid", "termid")


def codelist(path: str | Path, vocabulary: str) -> Cohort:
    """People with one of the codes in a file; the codes become part of the question, the path does not.

    path: CSV or TSV with a column of codes (headed "code", "ICD10code", "icd_code", "concept_id" ...), or one code a line.
        Empty lines and lines that start with # are skipped.
    vocabulary: "ICD10", "OPCS4", "SNOMED", "OMOP" or "HPO".

    NotFound without the file; BadFile, with the line, when something in it is not a code of the vocabulary.
    """
    source, kind = Path(path), re.sub("[^A-Z0-9]", "", vocabulary.upper())
    if kind not in VOCABULARIES:
        code(vocabulary, source.name)  # raises, with the vocabularies there are
    codes = [_checked(kind, text, source, line) for line, text in _codes(source, kind, _rows(source))]
    if not codes:
        raise BadFile(f"reading the code list {source.name}", "it has no codes", "give at least one", file=source)
    if kind != HPO.vocabulary:
        return Coded(kind, tuple(codes))
    first, *others = (hpo(term) for term in codes)
    whole: Cohort = first
    for other in others:
        whole |= other
    return whole


def _rows(source: Path) -> list[tuple[int, list[str]]]:
    """The lines that say something: number, counted from 1, and cells."""
    tried = f"reading the code list {source.name}"
    try:
        text = source.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise NotFound(tried, "there is no such file", "check the path", file=source) from None
    except (UnicodeDecodeError, IsADirectoryError):
        raise BadFile(tried, "it is not UTF-8 text", "save it as CSV in UTF-8", file=source) from None
    reader = csv.reader(text.splitlines(keepends=True), delimiter="\t" if "\t" in text else ",")
    try:
        numbered = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error:
        raise BadFile(
            tried, "it is not CSV there", "mend that line", file=source, line=reader.line_num
        ) from None  # fmt: skip
    return [(number, cells) for number, cells in numbered if any(cells) and not cells[0].startswith("#")]


def _codes(source: Path, kind: str, rows: list[tuple[int, list[str]]]) -> Iterator[tuple[int, str]]:
    """Line number and text of each code."""
    if not rows:
        return
    line, first = rows[0]
    headings = [re.sub("[^a-z0-9]", "", heading.lower()) for heading in first]
    wanted = [name.format(vocabulary=kind.lower()) for name in HEADINGS]
    place = next((headings.index(name) for name in wanted if name in headings), None)
    if place is None and len(headings) > 1:
        raise BadFile(
            f"reading the code list {source.name}",
            "none of its columns is headed 'code'",
            "head the one that holds the codes 'code'",
            file=source,
            line=line,
        )
    for number, cells in rows if place is None else rows[1:]:
        yield number, cells[place or 0] if len(cells) > (place or 0) else ""


def _checked(kind: str, text: str, source: Path, line: int) -> str:
    try:
        return code(kind, text).text
    except BadCode as error:
        raise BadFile(
            f"reading the code list {source.name}", f"it is not a list of {kind} codes there", error.do_next,
            file=source, line=line,
        ) from None  # fmt: skip

"""From VCF and BCF files to a store: one row for each ALT allele, sorted, its genotypes packed, its effects typed.

A store is a folder, the same bytes for the same input, however many workers made it:

variants/*.parquet  one row an allele (`schema.COLUMNS`), in order of chromosome, position, REF, ALT over all files
index.parquet       each row group: where it is, which places and genes it holds, what its bytes add up to (`schema.INDEX`)
samples.parquet     number and name of each sample, and the numbers of the haploid sets it belongs to
blocks.parquet      stretches where a gVCF says that people are homozygous reference; only when there are any
store.json          what the others are, where they came from, what was odd, and their sha256

Plan, part, finish: every file is divided into parts at places that its own bytes tell; workers read a part each, apart from us
and from each other, and write its rows; then the parts are put in order. All is built beside its place and appears whole or
not at all.
"""

import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nhsgen import durable
from nhsgen.compute import WorkerDied, mapped
from nhsgen.errors import BadFile, BadInput, NotAllowed
from nhsgen.genome import Assembly, detect_assembly
from nhsgen.progress import track
from nhsgen.settings import Settings
from nhsgen.variants.batches import Words
from nhsgen.variants.bcf_batch import words_of
from nhsgen.variants.consequences import Annotation, find_annotation
from nhsgen.variants.finishing import Stored, is_sorted, put_in_order
from nhsgen.variants.headers import Header
from nhsgen.variants.opening import Opened, divide, open_file
from nhsgen.variants.parts import Part, Report, WrongRecord, read_part
from nhsgen.variants.row_writer import ROW_GROUP
from nhsgen.variants.schema import SCHEMA_VERSION
from nhsgen.variants.store_files import seal_of

__all__ = ["ingest"]

_SEND = "have it sent again"


def ingest(
    files: Sequence[str | Path],
    out: str | Path,
    *,
    assembly: Assembly | str | None = None,
    annotation: str | None = None,
    absence: Literal["reference", "unknown"] = "unknown",
    min_dp: int | None = None,
    min_gq: int | None = None,
    reference: str | Path | None = None,
    workers: str = "processes",
    settings: Settings | None = None,
) -> dict[str, Any]:
    """Read VCF or BCF files of the same samples into one new store at `out`; what it holds, as `VariantStore.info` says it.

    assembly: needed only where the headers do not tell; BadFile when they tell otherwise.
    annotation: "CSQ", "ANN" or "BCSQ"; BadFile when a file has none of that kind. Left out, whatever the files have is read.
    absence: what it means that a variant is not listed: "reference" for a joint call set, else "unknown".
    min_dp, min_gq: a genotype whose FORMAT DP or GQ is lower counts as not called; one without keeps its call.
    reference: a FASTA file; keys are then left-aligned, and a REF that is not the reference's is refused.
    workers: "processes", apart from us and limited in memory; "threads"; or a Dask scheduler's address, whose workers must see
    the same files.
    BadFile, with file and line, for whatever is wrong with a file; NotAllowed when `out` exists.
    """
    # Workers may stand in other folders than we do.
    paths, target = [Path(file).absolute() for file in files], Path(out).absolute()
    reference = None if reference is None else Path(reference).absolute()
    if not paths:
        raise BadInput("making a variant store", "no files were given", "name one or more VCF or BCF files")
    if absence not in {"reference", "unknown"}:
        raise BadInput("making a variant store", f"absence '{absence}' is unknown", "say 'reference' or 'unknown'")
    if target.exists():
        raise _taken(target)
    options = {
        "annotation": annotation,
        "row_group": ROW_GROUP,
        "min_dp": min_dp,
        "min_gq": min_gq,
        "reference": reference,
    }
    how = _How(_named(assembly), absence, options, workers, settings or Settings.read())
    with durable.building(target.parent) as room:
        build, scratch = room / "store", room / "scratch"
        with durable.storage(f"making room for {target.name}", target):
            build.mkdir()
            scratch.mkdir()
        info = _build(paths, build, scratch, how)
        if not durable.publish(build, target, last="store.json"):
            raise _taken(target)
    return info


@dataclass(frozen=True)
class _How:
    assembly: Assembly | None
    absence: str
    options: dict[str, Any]
    workers: str
    settings: Settings


def _named(assembly: Assembly | str | None) -> Assembly | None:
    try:
        return None if assembly is None else Assembly(assembly)
    except ValueError as error:
        raise BadInput(
            "making a variant store", f"the assembly '{assembly}' is unknown", f"say {' or '.join(Assembly)}"
        ) from error


def _taken(target: Path) -> NotAllowed:
    return NotAllowed("making a variant store", f"{target.name} is already there", "choose another place for the store")


def _build(paths: Sequence[Path], build: Path, scratch: Path, how: _How) -> dict[str, Any]:
    opened = [open_file(path) for path in paths]
    samples, assembly = _agree(opened, how.assembly)
    annotations = [_annotation(file, how.options["annotation"]) for file in opened]
    parts = _plan(opened, annotations, scratch, how.options)
    reports = _read(opened, parts, how)
    with durable.storage("writing the variants", build):
        stored = Stored(build, len(samples))
        with _naming(_shown(opened)):
            put_in_order(reports, stored)
        stored.write(samples, reports, parts)
    info: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "assembly": str(assembly),
        "absence": how.absence,
        "annotation": "+".join(sorted({each.kind for each in annotations if each.kind})) or None,
        "samples": len(samples),
        "records": sum(report.records for report in reports),
        "records_without_alt": sum(report.without_alt for report in reports),
        "alleles": sum(contig["alleles"] for contig in stored.contigs),
        "contigs": stored.contigs,
        "sources": [{"file": file.path.name, "sha256": durable.hash_of(file.path)} for file in opened],
        "options": how.options | {"reference": _fingerprint(how.options["reference"])},
        "notes": [
            {"file": file.path.name, "line": entry["line"], "found": entry["found"]}
            for file in opened
            for entry in file.notes.entries
        ],
        "parts": stored.parts,
        "sha256": stored.hashes,
    }
    with durable.storage("writing the store's description", build):
        sealed = info | {"seal": seal_of(info)}
        (build / "store.json").write_text(json.dumps(sealed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return info


def _fingerprint(reference: str | Path | None) -> dict[str, str] | None:
    if reference is None:
        return None
    return {"file": Path(reference).name, "sha256": durable.hash_of(Path(reference))}


# -- Plan ---------------------------------------------------------------------------------------------------------------


def _agree(opened: Sequence[Opened], assembly: Assembly | None) -> tuple[tuple[str, ...], Assembly]:
    """The samples and the assembly that all files share, from their headers alone: a long read should not end in a quarrel."""
    samples = opened[0].header.samples
    for file in opened:
        if file.header.samples != samples:
            same = set(file.header.samples) == set(samples)
            raise BadFile(
                "making one store of several files",
                "its samples stand in another order" if same else "its samples are not those of the first file",
                "put the samples in one order" if same else "make a store for each set of samples",
                file=file.path.name,
            )
        assembly = _assembly(file.path, file.header, assembly)
    if assembly is None:
        raise BadInput("making a variant store", "no header tells the assembly", "say which it is, GRCh37 or GRCh38")
    return samples, assembly


def _assembly(path: Path, header: Header, given: Assembly | None) -> Assembly | None:
    lengths = {name: length for name, length in header.contigs.items() if length is not None}
    found = detect_assembly(lengths, path.name)
    if found and given and found != given:
        raise BadFile(
            "checking the assembly",
            f"its contigs are those of {found}, not of {given}",
            "keep assemblies apart",
            file=path.name,
        )
    return found or given


def _annotation(file: Opened, kind: str | None) -> Annotation:
    described = {name: declared.description for name, declared in file.header.info.items()}
    return find_annotation(described, kind, file.path.name)


def _plan(
    opened: Sequence[Opened], annotations: Sequence[Annotation], scratch: Path, options: dict[str, Any]
) -> list[Part]:
    low_dp, low_gq = (-1 if options[name] is None else int(options[name]) for name in ("min_dp", "min_gq"))
    reference = None if options["reference"] is None else Path(options["reference"])
    parts: list[Part] = []
    for source, (file, annotation) in enumerate(zip(opened, annotations, strict=True)):
        words = None if file.is_text else _words(file)
        for stretch in divide(file):
            out = scratch / f"{len(parts)}.parquet"
            parts.append(Part(stretch, source, file.header, annotation, out, low_dp, low_gq, reference, words))
    return parts


def _words(file: Opened) -> Words:
    try:
        return words_of(file.header_text)
    except ValueError as error:
        raise BadFile("reading variants", "its BCF header cannot be read", _SEND, file=file.path.name) from error


# -- Part ---------------------------------------------------------------------------------------------------------------


def _read(opened: Sequence[Opened], parts: Sequence[Part], how: _How) -> list[Report]:
    """Have every part read; what was found, its lines numbered as in the file."""
    reports: list[Report] = []
    done = [0] * len(opened)
    answers = mapped(read_part, parts, workers=how.workers, settings=how.settings)
    # Nobody may still write into our folder when it is removed.
    with closing(answers):
        shown = track(answers, f"reading {_shown(opened)}", len(parts))
        for part in parts:
            file = opened[part.source]
            before = (file.header.lines if file.is_text else 0) + done[part.source]
            with (
                durable.storage(f"setting aside what {file.path.name} holds", None),
                _naming(file.path.name),
                _in_file(file, before),
            ):
                report = next(shown)
            if reports and parts[len(reports) - 1].source == part.source:
                _follows(file, reports[-1], report)
            file.notes.merge(report.notes, before)
            done[part.source] += report.records
            reports.append(report)
    for file in opened:
        if not is_sorted([report for part, report in zip(parts, reports, strict=True) if opened[part.source] is file]):
            file.notes.add(None, "its records are not in order of chromosome and position, and were sorted")
    return reports


def _shown(opened: Sequence[Opened]) -> str:
    return opened[0].path.name if len(opened) == 1 else f"{len(opened)} files"


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Say which file it is of which something bad is said by those who know only its rows."""
    try:
        yield
    except BadFile as error:
        if error.file is not None:
            raise
        raise BadFile(error.tried, error.found, error.do_next, file=name, line=error.line) from error


@contextmanager
def _in_file(file: Opened, before: int) -> Iterator[None]:
    """Say of what a worker found where in the file it is."""
    try:
        yield
    except WrongRecord as wrong:
        line = None if wrong.number is None else before + wrong.number
        found = wrong.found if file.is_text or line is None else f"in record {line:,}, {wrong.found}"
        raise BadFile(
            "reading variants", found, wrong.do_next, file=file.path.name, line=line if file.is_text else None
        ) from wrong
    except WorkerDied as died:
        how = signal.Signals(-died.status).name if died.status < 0 else f"exit status {died.status}"
        raise BadFile(
            "reading variants", f"it broke the process that read it ({how})", _SEND, file=file.path.name
        ) from died
    except FileNotFoundError as error:
        raise BadInput(
            "reading variants", "a worker does not see the file or the folder of the store",
            "keep both where every worker finds them under the same name", file=file.path.name,
        ) from error  # fmt: skip
    except MemoryError as error:
        raise BadFile(
            "reading variants", "it asks for more memory than any sound file does", _SEND, file=file.path.name
        ) from error


def _follows(file: Opened, before: Report, after: Report) -> None:
    """Two parts of a BCF must meet at one record: where it is found by its look alone."""
    if before.end != after.begin:
        raise BadFile("reading variants", "its records do not follow each other", _SEND, file=file.path.name)

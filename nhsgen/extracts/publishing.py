"""Publish an approved extract: typed tables, a variant store, and a manifest whose sha256 is the release's name.

Everything is written into a folder beside, every file fsynced, the manifest last; then the folder is renamed to its name and
its parent fsynced. A reader therefore sees a whole release or none, after any crash, and publishing again is the same again:
the manifest holds no time, and the same extract gives the same bytes. Nothing in a release is ever changed afterwards.

Nothing in it tells who withdrew, either: withdrawn people are taken out whenever a question is asked.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from nhsgen import durable
from nhsgen.contracts import Contract, VariantFiles, merge_words
from nhsgen.errors import BadContract, BadFile, StorageFailed
from nhsgen.extracts import links
from nhsgen.extracts.submission import canonical
from nhsgen.extracts.validation import write_typed
from nhsgen.settings import Settings
from nhsgen.variants import VariantStore, ingest
from nhsgen.workspace import MANIFEST, Release

__all__ = ["publish", "variant_files"]

_FORMAT = 1
_WITHDRAWALS = "not in these files: whoever withdrew is taken out whenever a question is asked"


def publish(
    submitted: Path, contracts: Sequence[Contract], releases: Path, facts: Mapping[str, Any], settings: Settings
) -> Release:
    """Make a release in the folder `releases` of the files in `submitted`; `facts` (site, extract ...) go into its manifest.

    BadFile when a file does not satisfy its contract or a sample belongs to nobody; StorageFailed, with nothing left behind,
    when the disk does not take it.
    """
    with durable.building(releases) as folder, _disk(folder):
        manifest = {
            **facts,
            "format": _FORMAT,
            "contracts": _keep_contracts(contracts, folder),
            "tables": _write_tables(submitted, contracts, folder, settings),
            **_write_variants(submitted, contracts, folder),
            "withdrawals": _WITHDRAWALS,
        }
        manifest["people"] = _count_people(contracts, manifest, folder)
        manifest["files"] = _hashes(folder)
        data = canonical(manifest)
        (folder / MANIFEST).write_bytes(data)
        durable.read_only(folder)
        target = releases / hashlib.sha256(data).hexdigest()
        durable.publish(folder, target, last=MANIFEST)
    release = Release.open(target)
    release.verify()
    return release


def variant_files(
    submitted: Path, contracts: Sequence[Contract], samples: str = "germline"
) -> tuple[VariantFiles | None, tuple[Path, ...]]:
    """What the contracts say of the variant files of these `samples` that are there, and those files, sorted; (None, ()) when there
    are none.

    BadContract when files that are there differ in assembly, annotation or absence: they cannot share one store.
    """
    of_tumours = {
        path
        for contract in contracts
        for said in contract.variants
        if said.samples == "tumours"
        for path in submitted.glob(said.file)
    }
    there = {
        said: files
        for contract in contracts
        for said in contract.variants
        if said.samples == samples
        if (
            files := sorted(
                path
                for path in submitted.glob(said.file)
                if path.is_file() and (path in of_tumours) == (samples == "tumours")
            )
        )
    }
    kinds = {(said.assembly, said.annotation, said.absence) for said in there}
    if len(kinds) > 1:
        raise BadContract(
            "putting the variant files together",
            "their contracts differ in assembly, annotation or absence",
            "submit them as separate extracts",
        )
    return next(iter(there), None), tuple(sorted({path for files in there.values() for path in files}))


# -- The parts of a release ---------------------------------------------------------------------------------------------


def _keep_contracts(contracts: Sequence[Contract], folder: Path) -> list[dict[str, str]]:
    (folder / "contracts").mkdir()
    kept = []
    for contract in contracts:
        file = f"contracts/{contract.path.name}"
        durable.copy_file(contract.path, folder / file)
        kept.append({"file": file, "id": contract.id, "version": contract.version, "sha256": contract.sha256})
    return kept


def _write_tables(
    submitted: Path, contracts: Sequence[Contract], folder: Path, settings: Settings
) -> dict[str, dict[str, Any]]:
    (folder / "tables").mkdir()
    # DuckDB cuts row groups by threads, and the same extract must give the same bytes. It is no slower.
    one_thread = replace(settings, threads=1)
    tables = {}
    for contract in contracts:
        for table in contract.tables:
            if (submitted / table.file).is_file():
                file = f"tables/{table.name}.parquet"
                tables[table.name] = {"file": file, "rows": write_typed(submitted, table, folder / file, one_thread)}
    return tables


def _write_variants(submitted: Path, contracts: Sequence[Contract], folder: Path) -> dict[str, Any]:
    """A store of what people were born with and, apart from it, one of their tumours; the latter is not named where there is none."""
    tumours = _write_store(submitted, contracts, folder, "tumours", "tumours")
    return {
        "variants": _write_store(submitted, contracts, folder, "germline", "variants"),
        **({"tumours": tumours} if tumours else {}),
    }


def _write_store(
    submitted: Path, contracts: Sequence[Contract], folder: Path, samples: str, name: str
) -> dict[str, Any] | None:
    said, files = variant_files(submitted, contracts, samples)
    if said is None:
        return None
    ingest(files, folder / name, assembly=said.assembly, annotation=said.annotation, absence=said.absence)
    return {
        "folder": name,
        "assembly": said.assembly.value,
        "annotation": said.annotation,
        "absence": said.absence,
        "submitted": [path.name for path in files],
    }


def _count_people(contracts: Sequence[Contract], manifest: Mapping[str, Any], folder: Path) -> dict[str, int]:
    tables = {name: folder / table["file"] for name, table in manifest["tables"].items()}
    samples, tumours = (
        VariantStore.open(folder / name).samples if manifest.get(name) else None for name in ("variants", "tumours")
    )
    found = links.compare(merge_words(contracts).only(tables), tables, samples, tumours)
    for problem in found.problems:
        raise BadFile(
            "joining samples to people", problem, "mend the link table or the variant files and submit them again"
        )
    counted = {"people": found.people, "samples": found.linked, "sequenced": found.sequenced}
    return counted | ({"tumours": found.tumours} if tumours else {})


def _hashes(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        path.relative_to(folder).as_posix(): {"sha256": durable.hash_of(path), "bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """What a writer that is not ours says about the disk, in our words."""
    try:
        with durable.storage("publishing a release", folder.parent):
            yield
    except duckdb.IOException as error:
        raise StorageFailed(
            "publishing a release",
            "the disk did not take a table",
            "see that there is room and write access",
            file=folder.parent,
        ) from error

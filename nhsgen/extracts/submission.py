"""What was handed in: a copy of every file and contract, sealed by a list of their hashes, and read again before it counts.

<extract>/extract.json        the list; its own sha256 is in the audit log
         /files/              as they were handed in, 0444
         /contracts/          the contracts they are under, in order
         /reports/<sha256>.json   one for each check
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nhsgen import durable
from nhsgen.contracts import Contract, read
from nhsgen.errors import BadFile, BadInput, NotFound, Tampered

__all__ = ["LIST", "canonical", "contents", "keep_report", "kept_report", "opened", "take_in"]

LIST = "extract.json"


def take_in(folder: Path, contracts: Sequence[Path], into: Path) -> dict[str, Any]:
    """Copy `folder` and the contract files into the empty folder `into`, seal them, and return the list of what there is.

    NotFound or BadFile when the folder is missing, empty, or holds a link, a pipe or a name that cannot be printed.
    """
    tried = "submitting an extract"
    if not contracts:
        raise BadInput(tried, "no contract is named", "say which contract the files are under")
    if not folder.is_dir():
        raise NotFound(tried, "there is no such folder", "name the folder the files are in", file=folder)
    with durable.storage(tried, into):
        for inner in ("files", "contracts", "reports"):
            (into / inner).mkdir()
        contents = {"format": 1, "files": _copy_files(folder, into), "contracts": _copy_contracts(contracts, into)}
        (into / LIST).write_bytes(canonical(contents))
        for inner in ("files", "contracts"):
            durable.read_only(into / inner)
    return contents


def contents(place: Path, sealed: str) -> dict[str, Any]:
    """The list of what was handed in; Tampered when its sha256 is not `sealed`."""
    said: dict[str, Any] = json.loads(_read_sealed(place / LIST, sealed))
    return said


def opened(place: Path, sealed: str) -> tuple[Path, list[Contract]]:
    """The folder of files and their contracts, every byte read again; Tampered names what is not as it was handed in."""
    said = contents(place, sealed)
    listed = {f"files/{name}": file["sha256"] for name, file in said["files"].items()}
    listed |= {f"contracts/{contract['file']}": contract["sha256"] for contract in said["contracts"]}
    there = {
        path.relative_to(place).as_posix(): path
        for inner in ("files", "contracts")
        for path in (place / inner).rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    for name in sorted(listed.keys() ^ there.keys()):
        raise _tampered(place / name, "it is gone" if name in listed else "it was not handed in")
    for name, path in there.items():
        if path.is_symlink() or durable.hash_of(path) != listed[name]:
            raise _tampered(path, "it is not what was handed in")
    return place / "files", [read(place / "contracts" / contract["file"]) for contract in said["contracts"]]


def keep_report(place: Path, report: Mapping[str, Any]) -> str:
    """Keep the report of a check; its sha256, by which `kept_report` finds it."""
    data = canonical(report)
    digest = hashlib.sha256(data).hexdigest()
    durable.write_whole(place / "reports" / f"{digest}.json", data, mode=0o444)
    return digest


def kept_report(place: Path, digest: str) -> dict[str, Any]:
    """The report of that sha256; Tampered when it is gone or changed."""
    said: dict[str, Any] = json.loads(_read_sealed(place / "reports" / f"{digest}.json", digest))
    return said


def canonical(said: object) -> bytes:
    """JSON that is the same bytes for the same content.

    >>> canonical({"b": 1, "a": (True,)})
    b'{"a":[true],"b":1}'
    """
    return json.dumps(said, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _copy_files(folder: Path, into: Path) -> dict[str, dict[str, Any]]:
    """Path within the folder -> sha256 and size."""
    files = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if not str(inside).isprintable():
            raise BadFile("copying a file", "its name has signs that cannot be printed", "rename it", file=folder)
        if path.is_dir() and not path.is_symlink():
            (into / "files" / inside).mkdir()
            continue
        digest, size = durable.copy_file(path, into / "files" / inside)
        files[inside.as_posix()] = {"sha256": digest, "bytes": size}
    if not files:
        raise BadFile("submitting an extract", "the folder is empty", "put the extract's files in it", file=folder)
    return files


def _copy_contracts(contracts: Sequence[Path], into: Path) -> list[dict[str, str]]:
    copied = []
    for number, path in enumerate(contracts, start=1):
        name = f"{number}-{path.name}"  # two may have one name
        digest, _ = durable.copy_file(path, into / "contracts" / name)
        said = read(into / "contracts" / name)
        copied.append({"file": name, "id": said.id, "version": said.version, "sha256": digest})
    return copied


def _read_sealed(file: Path, digest: str) -> bytes:
    with durable.storage("opening an extract", file):
        data = file.read_bytes() if file.is_file() else b""
    if hashlib.sha256(data).hexdigest() != digest:
        raise _tampered(file, "it is gone or not what was kept")
    return data


def _tampered(file: Path, found: str) -> Tampered:
    return Tampered("opening an extract", found, "refuse it, and have it submitted again", file=file)

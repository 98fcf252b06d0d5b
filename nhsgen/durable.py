"""Writing that survives a crash: whole under its name, or not there at all.

Every file and folder the house keeps is written through here: beside its place, fsynced, renamed, its folder fsynced.
Whatever the disk has to say about it becomes one sentence: `NotFound` where something is missing, else `StorageFailed`.

A folder under construction is called `.building-...` and holds a lock for as long as its builder lives, so what a dead
run left behind is known without looking at clocks or process ids, and is swept by the next one.
"""

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from nhsgen.errors import BadFile, BadInput, NotFound, StorageFailed

__all__ = [
    "building",
    "copy_file",
    "hash_of",
    "place_for",
    "publish",
    "read_only",
    "remove",
    "storage",
    "sync",
    "write_whole",
]

_BUILDING = ".building-"
_PIECE = 1 << 20

_FULL = ("there is no room left", "free some space and run it again; nothing was changed")
_NOT_THERE = ("there is no such file or folder", "check the path, and make its folder first")
_CLOSED = ("writing there is not permitted", "ask whoever keeps this machine for write access")
_SAYS: Mapping[int, tuple[str, str]] = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: ("a file may not grow that large here", "raise the limit on file sizes and run it again"),
    errno.EROFS: ("the file system is read-only", "use a place that can be written to"),
    errno.EACCES: _CLOSED,
    errno.EPERM: _CLOSED,
    errno.EIO: ("the disk answered with an error", "have the disk checked before anything else"),
    errno.ENOENT: _NOT_THERE,
    errno.ENOTDIR: _NOT_THERE,
    errno.EEXIST: ("something else is there already", "choose another place"),
    errno.EISDIR: ("a folder is there where a file should be", "name a file"),
    errno.EMFILE: ("too many files are open", "raise the limit on open files and run it again"),
}


@contextmanager
def storage(tried: str, path: Path | None) -> Iterator[None]:
    """Say in one sentence what the disk refused while `tried` was being done at `path`.

    >>> with storage("writing a list", Path("list.txt")):
    ...     raise OSError(errno.EROFS, "Read-only file system")
    Traceback (most recent call last):
    nhsgen.errors.StorageFailed: writing a list failed: the file system is read-only (list.txt); use a place that can be written to.
    """
    try:
        yield
    except OSError as error:
        found, do_next = _SAYS.get(
            error.errno or 0, (f"the disk said '{error.strerror or error}'", "put that right and run it again")
        )
        kind = NotFound if (found, do_next) == _NOT_THERE else StorageFailed
        raise kind(tried, found, do_next, file=path or error.filename) from error


# -- Files --------------------------------------------------------------------------------------------------------------


def write_whole(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Put `data` at `path` so that a reader, at any moment and after any crash, sees the old file or the new one."""
    with building(path.parent) as beside, storage(f"writing {path.name}", path):
        with open(os.open(beside / path.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside / path.name, path)
        sync(path.parent)


def place_for(path: str | Path, forms: Collection[str]) -> Path:
    """`path`, when a file of one of the suffixes `forms` may be put there; so that no long work is done in vain.

    >>> place_for("answer.xls", (".csv", ".parquet"))
    Traceback (most recent call last):
    nhsgen.errors.BadInput: saving to answer.xls failed: '.xls' is not a form we write; use .csv, .parquet.
    """
    target = Path(path)
    tried = f"saving to {target.name}"
    if target.suffix not in forms:
        raise BadInput(tried, f"'{target.suffix}' is not a form we write", f"use {', '.join(forms)}")
    if target.is_dir():
        raise BadInput(tried, "a folder is there", "name a file", file=target)
    if not target.parent.is_dir():
        raise NotFound(tried, "there is no such folder", "make it first", file=target.parent)
    return target


def copy_file(source: Path, target: Path) -> tuple[str, int]:
    """Copy one regular file into a folder to be published; its sha256 and size in bytes. BadFile for a link, a pipe, a device.

    The bytes are copied even where the disk could share them: a hard link would change under us with its other name.
    """
    try:
        reader = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        found = "it is a link" if error.errno == errno.ELOOP else f"it cannot be read ({error.strerror})"
        raise BadFile("copying a file", found, "put the file itself there", file=source) from error
    if not stat.S_ISREG(os.fstat(reader).st_mode):
        os.close(reader)
        raise BadFile("copying a file", "it is not an ordinary file", "put the file itself there", file=source)
    digest, size = hashlib.sha256(), 0
    with open(reader, "rb") as original, storage(f"copying {source.name}", target), open(target, "xb") as copy:
        while piece := original.read(_PIECE):
            digest.update(piece)
            size += len(piece)
            copy.write(piece)
    return digest.hexdigest(), size


def hash_of(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with storage(f"reading {path.name}", path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# -- Folders ------------------------------------------------------------------------------------------------------------


@contextmanager
def building(parent: Path) -> Iterator[Path]:
    """An empty folder inside `parent` to build in; gone at the end unless it was published. Sweeps what dead runs left."""
    with storage(f"making room in {parent.name}", parent):
        _sweep(parent)
        while (held := _lock(folder := parent / f"{_BUILDING}{secrets.token_hex(8)}", make=True)) is None:
            pass  # somebody swept it before it was locked
    try:
        yield folder
    finally:
        remove(folder)
        os.close(held)


def publish(folder: Path, target: Path, last: str | None = None) -> bool:
    """Give a built folder its name; True, or False when `target` was there before and stays as it is.

    Every file is fsynced, then every folder from the leaves up, then the name is given and fsynced too. `last` names the
    file that vouches for the others: it is made durable after them.
    """
    with storage(f"publishing {target.name}", target):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        for path in sorted(files, key=lambda path: path.relative_to(folder).as_posix() == last):
            sync(path)
        for inner in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
            sync(inner)
        sync(folder)
        try:
            os.rename(folder, target)
        except OSError as error:
            if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:
                raise
            return False
        finally:
            sync(target.parent)
        return True


def read_only(folder: Path) -> None:
    """Files 0444, folders 0555: nothing in it is to change again."""
    with storage(f"sealing {folder.name}", folder):
        for path in (*folder.rglob("*"), folder):
            path.chmod(0o555 if path.is_dir() else 0o444)


def remove(folder: Path) -> None:
    """Take a folder away, read-only or not, if it is there."""
    if not folder.is_dir():
        return
    with storage(f"removing {folder.name}", folder):
        for path in (folder, *folder.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        shutil.rmtree(folder)


def _sweep(parent: Path) -> None:
    """Remove what builders that no longer live were building."""
    for folder in parent.glob(f"{_BUILDING}*"):
        held = _lock(folder)
        if held is not None:
            remove(folder)
            os.close(held)


def _lock(folder: Path, make: bool = False) -> int | None:
    """Lock a folder, made first if need be; None when a living builder has it or it is gone."""
    if make:
        folder.mkdir()
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if folder.stat().st_ino == os.fstat(held).st_ino:
            return held
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(held)
    return None


def sync(path: Path) -> None:
    """Have a file's bytes, or a folder's names, on the disk itself before going on."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)

"""What was done, by whom, in which order: an append-only log in which every entry vouches for all before it.

One JSON object a line. Its `hash` is the sha256 of the rest of the line, which holds the entry's number and the hash of the
entry before: change, swap, drop or add a line, and the chain breaks there. A last line without its newline was never
acknowledged to anybody: readers pass over it and the next append cuts it off.

A chain proves nothing against the file's owner, who can write all of it anew, unless a head is kept elsewhere: give
`head()` to another site or another person now and then, and `verify(expect=...)` finds what became of it.

Order is by number, never by clock; `at` (UTC) is for people.
"""

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from nhsgen.durable import storage, sync
from nhsgen.errors import BadInput, Tampered

__all__ = ["AuditLog", "Entry", "Head"]

_NOTHING_BEFORE = "0" * 64
_FIELDS = {"at", "facts", "kind", "number", "previous", "who"}


@dataclass(frozen=True)
class Entry:
    """One thing that was done. `number` counts from 1; `facts` are whatever JSON holds, and never a person's data."""

    number: int
    at: str
    kind: str
    who: str
    facts: Mapping[str, Any]
    previous: str
    hash: str


class Head(NamedTuple):
    """How long a log is and the hash of its last entry: enough to recognise all of it again.

    >>> str(Head(2, "ab" * 32)) == "2:" + "ab" * 32, Head.parse("2:" + "ab" * 32) == Head(2, "ab" * 32)
    (True, True)
    """

    size: int
    hash: str

    @classmethod
    def parse(cls, text: str) -> "Head":
        """From the form `str` gives; BadInput when it is not one."""
        size, _, digest = text.strip().partition(":")
        if not size.isdecimal() or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise BadInput("reading the head of a log", "it is not a number, a colon and a sha256", "copy it again")
        return cls(int(size), digest)

    def __str__(self) -> str:
        return f"{self.size}:{self.hash}"


class AuditLog:
    """The log at `path`, which need not exist yet. Any number of processes may read it and append to it.

    >>> import tempfile
    >>> log = AuditLog(Path(tempfile.mkdtemp()) / "audit.jsonl")
    >>> log.append("enrolled", "ann", name="bob", role="steward").number
    1
    >>> [(entry.who, entry.kind, entry.facts["name"]) for entry in log.entries()]
    [('ann', 'enrolled', 'bob')]
    >>> log.verify(expect=log.head())
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._turn = threading.RLock()
        self._door: int | None = None
        self._seen: tuple[bytes, tuple[Entry, ...]] = b"", ()

    def append(self, kind: str, who: str, **facts: Any) -> Entry:
        """Add an entry; when this returns, it is on the disk. Tampered when what is there does not verify, BadInput without a who."""
        if not who.strip() or not who.isprintable():
            raise BadInput("writing the audit log", "it would not say who did it", "give a name on one line")
        with self.held():
            door = self._door
            assert door is not None
            before = self.entries()
            end = len(self._seen[0])
            line = _sealed(before, kind, who, facts)
            with storage("writing the audit log", self.path):
                try:
                    os.ftruncate(door, end)  # a torn line of a writer that died
                    _write_all(door, line)
                    os.fsync(door)
                    if not before:
                        sync(self.path.parent)
                except OSError:
                    with suppress(OSError):
                        os.ftruncate(door, end)
                    raise
            return self.entries()[-1]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else appends until the block ends: what was read in it still stands when something is added to it."""
        with self._turn:
            if self._door is not None:
                yield
                return
            with storage("opening the audit log", self.path):
                self._door = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o640)
            try:
                with storage("locking the audit log", self.path):
                    fcntl.flock(self._door, fcntl.LOCK_EX)
                yield
            finally:
                fcntl.flock(self._door, fcntl.LOCK_UN)  # closing is not enough: a forked child may hold a copy
                os.close(self._door)
                self._door = None

    def entries(self) -> tuple[Entry, ...]:
        """All entries, oldest first, verified; Tampered names the first line that is not what was written."""
        with storage("reading the audit log", self.path):
            try:
                data = self.path.read_bytes()
            except FileNotFoundError:
                data = b""
        data = data[: data.rfind(b"\n") + 1]
        with self._turn:
            seen, entries = self._seen
            if not data.startswith(seen):
                seen, entries = b"", ()
            if len(data) > len(seen):
                entries = _chain(entries, data[len(seen) :], self.path)
            self._seen = data, entries
        return entries

    def verify(self, expect: Head | None = None) -> None:
        """Tampered unless every entry is in its place and, when a head was kept elsewhere, all it stands for is still there."""
        entries = self.entries()
        if expect is None or expect.size == 0:
            return
        if len(entries) < expect.size:
            raise _tampered(f"it ends after {len(entries)} entries and once had {expect.size}", self.path, len(entries))
        if entries[expect.size - 1].hash != expect.hash:
            raise _tampered("it is another log than the one whose head was kept", self.path, expect.size)

    def head(self) -> Head:
        """Keep it elsewhere: `verify(expect=...)` then finds a log that was cut short or written anew."""
        entries = self.entries()
        return Head(len(entries), entries[-1].hash if entries else _NOTHING_BEFORE)


def _sealed(before: tuple[Entry, ...], kind: str, who: str, facts: Mapping[str, Any]) -> bytes:
    """The line of a new entry: canonical JSON, its hash first."""
    entry = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "facts": facts,
        "kind": kind,
        "number": len(before) + 1,
        "previous": before[-1].hash if before else _NOTHING_BEFORE,
        "who": who,
    }
    rest = json.dumps(entry, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")[1:]
    return _prefix(rest) + rest + b"\n"


def _prefix(rest: bytes) -> bytes:
    return b'{"hash":"%s",' % hashlib.sha256(rest).hexdigest().encode("ascii")


def _chain(before: tuple[Entry, ...], data: bytes, path: Path) -> tuple[Entry, ...]:
    """`before` and the entries of the whole lines in `data`, each checked against the one before it."""
    entries = list(before)
    at = len(_prefix(b""))
    for number, line in enumerate(data.splitlines(keepends=True), start=len(entries) + 1):
        rest = line[at:-1]
        if line[:at] != _prefix(rest) or not line.endswith(b"}\n"):
            raise _tampered("an entry is not what was written", path, number)
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise _tampered("an entry cannot be read", path, number) from error
        previous = entries[-1].hash if entries else _NOTHING_BEFORE
        if entry.keys() - {"hash"} != _FIELDS or (entry["number"], entry["previous"]) != (number, previous):
            raise _tampered("an entry does not follow the one before it", path, number)
        entries.append(Entry(**entry))
    return tuple(entries)


def _tampered(found: str, path: Path, line: int) -> Tampered:
    return Tampered(
        "verifying the audit log",
        found,
        "stop, keep the file as it is, and compare it with a copy",
        file=path,
        line=line,
    )


def _write_all(door: int, line: bytes) -> None:
    while line:
        line = line[os.write(door, line) :]

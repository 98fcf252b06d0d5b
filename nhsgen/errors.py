"""What can go wrong, and the exit code the command line gives each.

NhsgenError                 1   anything below
├── BadInput                2   a file, a code or a setting is not what it should be
│   ├── BadCode                 not a code of that vocabulary
│   ├── BadContract             the contract itself cannot be used
│   ├── BadFile                 a file is cut short, mislabelled or contradicts its neighbours
│   └── BadStudy                settings of a study are unknown or contradict each other
├── NotFound                3   no such file, site, extract, release, gene
├── NotAllowed              4   this person may not make this move, or not yet
├── NotSafe                 5   the answer would say too much about somebody
├── Tampered                6   something changed after it was sealed
├── StorageFailed           7   the disk is full, read-only or broken
└── MissingExtra            8   an optional part of nhsgen is not installed

Every message is one sentence: what was tried, what was found (file and line when there is one), what to do next. It never
repeats a patient's value: say which column and which row number, not what stood there.
"""

from pathlib import Path

__all__ = [
    "BadCode",
    "BadContract",
    "BadFile",
    "BadInput",
    "BadStudy",
    "MissingExtra",
    "NhsgenError",
    "NotAllowed",
    "NotFound",
    "NotSafe",
    "StorageFailed",
    "Tampered",
]


class NhsgenError(Exception):
    """What was tried, what was found, what to do next.

    >>> str(BadInput("reading the link table", "person_id is missing", "name it in the contract", file="link.csv", line=1))
    'reading the link table failed: person_id is missing (link.csv, line 1); name it in the contract.'
    """

    exit_code = 1

    def __init__(
        self, tried: str, found: str, do_next: str, *, file: str | Path | None = None, line: int | None = None
    ) -> None:
        self.tried, self.found, self.do_next = tried, found, do_next
        self.file, self.line = (None if file is None else str(file)), line
        place = ", ".join(([self.file] if self.file else []) + ([f"line {line}"] if line is not None else []))
        end = "" if do_next.endswith("?") else "."
        super().__init__(f"{tried} failed: {found}{f' ({place})' if place else ''}; {do_next}{end}")

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return _rebuild, (type(self), self.tried, self.found, self.do_next, self.file, self.line)


def _rebuild(
    kind: type[NhsgenError], tried: str, found: str, do_next: str, file: str | None, line: int | None
) -> NhsgenError:
    return kind(tried, found, do_next, file=file, line=line)


class BadInput(NhsgenError):
    exit_code = 2


class BadCode(BadInput):
    pass


class BadContract(BadInput):
    pass


class BadFile(BadInput):
    pass


class BadStudy(BadInput):
    pass


class NotFound(NhsgenError):
    exit_code = 3


class NotAllowed(NhsgenError):
    exit_code = 4


class NotSafe(NhsgenError):
    exit_code = 5


class Tampered(NhsgenError):
    exit_code = 6


class StorageFailed(NhsgenError):
    exit_code = 7


class MissingExtra(NhsgenError):
    exit_code = 8

    def __init__(self, what: str, extra: str) -> None:
        self.what, self.extra = what, extra
        super().__init__(
            f"using {what}", f"the '{extra}' extra is not installed", f"run: pip install 'nhsgen[{extra}]'"
        )

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return MissingExtra, (self.what, self.extra)

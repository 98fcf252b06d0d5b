"""A federation on disk: its sites, who works there, who has withdrawn, and the releases that answer questions.

    <workspace>/workspace.json                 name and format; written last, so a workspace is whole or not there
    <workspace>/sites/<site>/audit.jsonl       all that ever happened at the site; its state is a fold over this log
                            /extracts/<id>/    what was submitted (see nhsgen.extracts)
                            /releases/<hash>/  what may be asked, named by the sha256 of its manifest.json
                            /withdrawn/<hash>.txt   pseudonymous ids, 0600; the log holds only the hash and the number

A site whose log, release or list of withdrawn people is not what was written refuses to answer: `Tampered`.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from nhsgen import durable
from nhsgen.audit import AuditLog, Entry, Head
from nhsgen.contracts import Words, merge_words, read
from nhsgen.disclosure import PRESETS, Policy
from nhsgen.errors import BadFile, BadInput, NhsgenError, NotAllowed, NotFound, Tampered

__all__ = ["MANIFEST", "Release", "Role", "Site", "Withdrawal", "Workspace", "known_people"]

MANIFEST = "manifest.json"
_FORMAT = 1
_SITE_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Role(StrEnum):
    """What somebody may do at a site: hand in extracts, or read, approve and refuse them."""

    SUBMITTER = "submitter"
    STEWARD = "steward"


@dataclass(frozen=True)
class Withdrawal:
    """How many people a list withdrew, and how many of them the current release does not know (None: there is none to ask).

    >>> print(Withdrawal(3, 1))
    3 (1 of them not in the current release)
    """

    people: int
    unknown: int | None

    def __str__(self) -> str:
        return f"{self.people:,}" + (f" ({self.unknown:,} of them not in the current release)" if self.unknown else "")


# -- Release ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Release:
    """An approved extract, immutable. `id` is the sha256 of its manifest, which holds the sha256 of every other file."""

    id: str
    path: Path
    manifest: Mapping[str, Any] = field(repr=False)

    @classmethod
    def open(cls, path: Path) -> "Release":
        """The release in the folder `path`; Tampered when its manifest or the size of a file is not what was published."""
        with durable.storage("reading a manifest", path):
            try:
                data = (path / MANIFEST).read_bytes()
            except FileNotFoundError as error:
                raise _changed(path / MANIFEST, "it is gone") from error
        if hashlib.sha256(data).hexdigest() != path.name:
            raise _changed(path / MANIFEST)
        release = cls(path.name, path, json.loads(data))
        for name, said in release.files.items():
            file = path / name
            if not file.is_file() or file.stat().st_size != said["bytes"]:
                raise _changed(file, "it is another size" if file.is_file() else "it is gone")
        return release

    @property
    def site(self) -> str:
        return str(self.manifest["site"])

    @property
    def extract(self) -> str:
        """The id of the extract it was made of."""
        return str(self.manifest["extract"])

    @property
    def files(self) -> Mapping[str, Mapping[str, Any]]:
        """Path within the release -> its "sha256" and "bytes"."""
        said: Mapping[str, Mapping[str, Any]] = self.manifest["files"]
        return said

    @property
    def tables(self) -> Mapping[str, Path]:
        """Name of the view -> its Parquet file."""
        return {name: self.path / table["file"] for name, table in self.manifest["tables"].items()}

    @cached_property
    def words(self) -> Words:
        """What its contracts bind, of the tables it has."""
        contracts = [read(self.path / contract["file"]) for contract in self.manifest["contracts"]]
        return merge_words(contracts).only(self.tables)

    @property
    def variants(self) -> Path | None:
        """The folder of its variant store, for `VariantStore.open`."""
        return self._store("variants")

    @property
    def tumours(self) -> Path | None:
        """The folder of the variant store of its people's tumours."""
        return self._store("tumours")

    def _store(self, name: str) -> Path | None:
        said = self.manifest.get(name)
        return None if said is None else self.path / said["folder"]

    def verify(self) -> None:
        """Read every byte again; Tampered names the first file that is not what was published, or was not published at all."""
        Release.open(self.path)
        found = {path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if not path.is_dir()}
        for name in sorted(found - set(self.files) - {MANIFEST}):
            raise _changed(self.path / name, "it was not part of the release")
        for name, said in self.files.items():
            if durable.hash_of(self.path / name) != said["sha256"]:
                raise _changed(self.path / name)

    def verify_once(self) -> None:
        """As `verify`, but a file that this process has read, and that has not been touched since, is not read again."""
        for name, said in self.files.items():
            with durable.storage("reading a release", self.path / name):
                stat = (self.path / name).stat()
            as_it_was = (self.path / name, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
            if _READ.get(as_it_was) != said["sha256"]:
                if durable.hash_of(self.path / name) != said["sha256"]:
                    raise _changed(self.path / name)
                _READ[as_it_was] = said["sha256"]


def known_people(words: Words, tables: Mapping[str, Path]) -> frozenset[str]:
    """Everybody in these Parquet files, as text: the table of everyone or, when there is none, everybody with a sample."""
    bindings = words.people[:1] or words.samples
    ids = [pl.scan_parquet(tables[b.table]).select(pl.col(b.person).cast(pl.String).alias("id")) for b in bindings]
    return frozenset(pl.concat(ids).drop_nulls().collect()["id"]) if ids else frozenset()


# What this process has hashed: a file as it was -> its sha256. The kernel sets ctime, so touching mtime back does not help.
_READ: dict[tuple[Path, int, int, int, int], str] = {}


def _changed(file: Path, found: str = "it is not what was published") -> Tampered:
    return Tampered("opening a release", found, "withdraw the release and publish the extract again", file=file)


# -- Site ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _State:
    """What a site's log adds up to."""

    name: str = ""
    policy: str = ""
    pooled: bool = False
    staff: Mapping[str, frozenset[str]] = field(default_factory=dict)
    releases: tuple[tuple[str, str], ...] = ()  # (extract, release) of those that stand, oldest first
    lists: tuple[str, ...] = ()  # sha256 of each list of withdrawn people

    def after(self, entry: Entry) -> "_State":
        facts = entry.facts
        match entry.kind:
            case "site created":
                return replace(self, name=facts["site"], policy=facts["policy"], pooled=facts["pooled"])
            case "staff enrolled" | "staff dismissed":
                roles = self.staff.get(facts["name"], frozenset())
                changed = roles | {facts["role"]} if entry.kind == "staff enrolled" else roles - {facts["role"]}
                return replace(self, staff={**self.staff, facts["name"]: changed})
            case "people withdrawn":
                return replace(self, lists=(*self.lists, facts["list"]))
            case "extract released":
                return replace(self, releases=(*self.releases, (facts["extract"], facts["release"])))
            case "extract withdrawn":
                return replace(self, releases=tuple(r for r in self.releases if r[0] != facts["extract"]))
            case _:
                return self


class Site:
    """Who holds data. All that is known about it follows from its log; get one from `Workspace.sites`."""

    def __init__(self, path: Path) -> None:
        self.name, self.path, self.log = path.name, path, AuditLog(path / "audit.jsonl")
        self._folded: tuple[Head, _State] = Head(-1, ""), _State()  # not even an empty log was read yet

    def __repr__(self) -> str:
        return f"Site({self.name!r})"

    @property
    def policy(self) -> Policy:
        """Its disclosure rules."""
        state = self._state()
        return replace(_preset(state.policy), pooled=state.pooled)

    @property
    def staff(self) -> Mapping[str, frozenset[str]]:
        """Name -> roles, of everybody who was ever enrolled; none are left when somebody was dismissed."""
        return MappingProxyType(self._state().staff)

    def roles(self, name: str) -> frozenset[str]:
        return self._state().staff.get(name, frozenset())

    def require(self, name: str, role: str, tried: str) -> None:
        """NotAllowed unless `name` has `role` here, now."""
        if role not in self.roles(name):
            raise NotAllowed(tried, f"'{name}' is not a {role} of {self.name}", f"ask a {role} of {self.name} to do it")

    def enrol(self, name: str, role: str, by: str) -> None:
        """Give somebody a role; only a steward may. Doing it twice is doing it once."""
        tried = f"enrolling somebody at {self.name}"
        _check_person(name, tried)
        with self.log.held():
            self.require(by, Role.STEWARD, tried)
            _check_role(role, tried)
            if twin := next((known for known in self.staff if known != name and _alike(known) == _alike(name)), None):
                raise BadInput(tried, f"'{twin}' is here already and reads the same", "use that name, or a clearer one")
            if role not in self.roles(name):
                self.log.append("staff enrolled", by, name=name, role=str(role))

    def dismiss(self, name: str, role: str, by: str) -> None:
        """Take a role away; only a steward may, and the last steward stays."""
        tried = f"dismissing somebody at {self.name}"
        with self.log.held():
            self.require(by, Role.STEWARD, tried)
            self.require(name, role, tried)
            if role == Role.STEWARD and sum(Role.STEWARD in roles for roles in self.staff.values()) == 1:
                raise NotAllowed(tried, "there would be no steward left", "enrol another steward first")
            self.log.append("staff dismissed", by, name=name, role=str(role))

    def withdraw_people(self, file: str | Path, by: str) -> Withdrawal:
        """Take everybody in `file` (one pseudonymous id a line) out of every answer from the next question on."""
        tried = f"withdrawing people at {self.name}"
        self.require(by, Role.STEWARD, tried)
        ids = _read_ids(Path(file))
        text = "".join(f"{person}\n" for person in ids).encode()
        digest = hashlib.sha256(text).hexdigest()
        with self.log.held():
            self.require(by, Role.STEWARD, tried)
            durable.write_whole(self._list(digest), text, mode=0o600)  # again, too: so a lost list comes back
            if digest not in self._state().lists:
                self.log.append("people withdrawn", by, list=digest, people=len(ids))
        return Withdrawal(len(ids), self._unknown(ids))

    def withdrawn(self) -> frozenset[str]:
        """Everybody who withdrew; Tampered when a list is missing or changed: then nobody can say whom to leave out."""
        people: set[str] = set()
        for digest in self._state().lists:
            path = self._list(digest)
            try:
                text = path.read_bytes()
            except OSError as error:
                raise _lost(path, f"it cannot be read ({error.strerror})") from error
            if hashlib.sha256(text).hexdigest() != digest:
                raise _lost(path, "it is not what was written")
            people.update(text.decode().split())
        return frozenset(people)

    def releases(self) -> tuple[Release, ...]:
        """Every release that stands, oldest first, its manifest verified and its contents not yet."""
        return tuple(Release.open(self.path / "releases" / digest) for _, digest in self._state().releases)

    def release(self) -> Release | None:
        """The newest release that was not withdrawn, verified byte by byte (once in a process); None when there is none."""
        standing = self._state().releases
        if not standing:
            return None
        release = Release.open(self.path / "releases" / standing[-1][1])
        release.verify_once()
        return release

    def _state(self) -> _State:
        entries = self.log.entries()
        head, state = self._folded
        now = Head(len(entries), entries[-1].hash if entries else "")
        if head == now:
            return state
        grown = 0 < head.size <= now.size and entries[head.size - 1].hash == head.hash
        state = state if grown else _State()
        for entry in entries[head.size if grown else 0 :]:
            state = state.after(entry)
        if state.name != self.name:
            raise Tampered(
                f"opening the site {self.name}",
                "its log is missing or another site's",
                "bring back its own",
                file=self.log.path,
            )
        self._folded = now, state
        return state

    def _list(self, digest: str) -> Path:
        return self.path / "withdrawn" / f"{digest}.txt"

    def _unknown(self, ids: Iterable[str]) -> int | None:
        try:
            release = self.release()
        except NhsgenError:  # the withdrawal stands whatever became of the release; the next question will say so
            return None
        if release is None:
            return None
        known = {
            person.lstrip(" 0") for person in known_people(release.words, release.tables)
        }  # as `cohorts` reads a no
        return sum(person.lstrip(" 0") not in known for person in ids)


# -- Workspace ----------------------------------------------------------------------------------------------------------


class Workspace:
    """A federation on disk. Make one with `create`, come back to it with `open`."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        self._sites: dict[str, Site] = {}

    def __repr__(self) -> str:
        return f"Workspace({self.name!r} at {self.path})"

    @classmethod
    def create(cls, path: str | Path, name: str) -> "Workspace":
        """A new one in the folder `path`; BadInput when there is one already."""
        folder = Path(path)
        if (folder / "workspace.json").exists():
            raise BadInput(
                "creating a workspace", "there is one already", "open it, or choose another folder", file=folder
            )
        with durable.storage("creating a workspace", folder):
            (folder / "sites").mkdir(parents=True, exist_ok=True)
        said = json.dumps({"format": _FORMAT, "name": name}, indent=1).encode() + b"\n"
        durable.write_whole(folder / "workspace.json", said)
        return cls(folder, name)

    @classmethod
    def open(cls, path: str | Path) -> "Workspace":
        """The workspace in the folder `path`; NotFound when there is none."""
        file = Path(path) / "workspace.json"
        tried, again = "opening a workspace", "name the folder that 'nhsgen workspace create' made"
        try:
            said = json.loads(file.read_bytes())
            version, name = said["format"], said["name"]
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(tried, "there is none", again, file=path) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadFile(tried, "its description cannot be read", again, file=file) from error
        if version != _FORMAT:
            raise BadFile(tried, f"it is of format {version}, not {_FORMAT}", "open it with a newer nhsgen", file=file)
        return cls(Path(path), name)

    @property
    def sites(self) -> Mapping[str, Site]:
        """Name -> site, sorted by name."""
        with durable.storage("listing the sites", self.path / "sites"):
            names = sorted(path.name for path in (self.path / "sites").iterdir() if _SITE_NAME.fullmatch(path.name))
        return MappingProxyType({name: self._sites.setdefault(name, self._at(name)) for name in names})

    def site(self, name: str) -> Site:
        """The site of that name; NotFound when there is none."""
        sites = self.sites
        if name not in sites:
            raise NotFound(
                f"opening the site '{name}'", "there is none", f"use one of: {', '.join(sites) or 'none yet'}"
            )
        return sites[name]

    def add_site(self, name: str, policy: str = "nhs", pooled: bool = False, *, by: str) -> Site:
        """A new site with a preset of disclosure rules; whoever adds it is its first steward.

        pooled: the site lets thresholds apply to the total of all sites instead of to its own part.
        """
        tried = f"adding the site '{name}'"
        if not _SITE_NAME.fullmatch(name) or len(name) > 40:
            raise BadInput(
                tried, "it is not a name for a site", "use lower-case letters, digits and hyphens, 40 at most"
            )
        _preset(policy)
        _check_person(by, tried)
        with durable.building(self.path / "sites") as folder:
            with durable.storage(tried, folder):
                for inner, mode in (("extracts", 0o755), ("releases", 0o755), ("withdrawn", 0o700)):
                    (folder / inner).mkdir(mode)
            log = AuditLog(folder / "audit.jsonl")
            log.append("site created", by, site=name, policy=policy, pooled=pooled)
            log.append("staff enrolled", by, name=by, role=str(Role.STEWARD))
            if not durable.publish(folder, self.path / "sites" / name, last="audit.jsonl"):
                raise BadInput(tried, "there is one already", "choose another name")
        return self.site(name)

    def _at(self, name: str) -> Site:
        return Site(self.path / "sites" / name)


# -- What people write --------------------------------------------------------------------------------------------------


def _preset(name: str) -> Policy:
    if name not in PRESETS:
        raise BadInput(
            f"choosing the disclosure rules '{name}'", "there are none of that name", f"use {', '.join(PRESETS)}"
        )
    return PRESETS[name]


def _check_role(role: str, tried: str) -> None:
    if role not in set(Role):
        raise BadInput(tried, f"'{role}' is not a role", f"use {' or '.join(Role)}")


def _check_person(name: str, tried: str) -> None:
    if name != " ".join(name.split()) or not name or len(name) > 64 or not name.isprintable():
        raise BadInput(tried, "that is not a name", "use up to 64 letters, without spaces around them")


def _alike(name: str) -> str:
    """Two names that a hurried reader would take for one are one: same-person-twice must not be a matter of spelling."""
    return unicodedata.normalize("NFKC", name).casefold().replace(" ", "")


def _read_ids(file: Path) -> tuple[str, ...]:
    """Distinct ids, sorted. One a line; a comma at its end (as MESH writes it), CRLF, blank lines and a BOM do no harm."""
    tried, again = "reading the list of withdrawn people", "write one pseudonymous id a line"
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise NotFound(tried, f"it cannot be read ({error.strerror})", "check its name", file=file) from error
    except UnicodeDecodeError as error:
        raise BadFile(tried, "it is not UTF-8 text", again, file=file) from error
    ids = set()
    for number, line in enumerate(text.split("\n"), start=1):
        person = line.strip().removesuffix(",").strip()
        if not person:
            continue
        if len(person) > 200 or not person.isprintable() or any(sign in person for sign in ' ,;"'):
            raise BadFile(tried, "a line holds more than one id", again, file=file, line=number)
        ids.add(person)
    if not ids:
        raise BadFile(tried, "nobody is listed", again, file=file)
    return tuple(sorted(ids))


def _lost(path: Path, found: str) -> Tampered:
    return Tampered("reading whom to leave out", found, "withdraw the same people again, from the same list", file=path)

"""What a hub and a site say to each other: three messages, each with exactly one spelling in bytes.

    hub  --- Question, stage "labels" --->  site      who is asked, and what
    hub  <-- Labels ----------------------  site      the rows its answer will have, and its key for this round
    hub  --- Question, stage "sum" ------>  site      who takes part, all their keys, the rows of all
    hub  <-- Masked ----------------------  site      its numbers, under masks that cancel in the sum

A message is canonical JSON, and bytes that are not what we would have written ourselves are refused: an unknown key, a
doubled key, a space, one changed character.
"""

import hashlib
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any, ClassVar, Self

from nhsgen.errors import BadInput

__all__ = ["STAGES", "Advert", "Labels", "Masked", "Message", "Question", "Round", "canonical", "decode"]

STAGES = ("labels", "sum")
WORD = 8  # bytes of one masked number

Scalar = str | int | float | bool | None


def canonical(whole: Mapping[str, Any]) -> bytes:
    """The one spelling of a JSON object: sorted keys, no spaces, UTF-8.

    >>> canonical({"b": 1, "a": ["é"]})
    b'{"a":["\\xc3\\xa9"],"b":1}'
    """
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


class _Part:
    """A frozen dataclass that can be read back from its own dict, and from nothing else.

    inner: how to read a value that is more than JSON's own kinds; a list becomes a tuple.
    """

    inner: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}

    def to_dict(self) -> dict[str, Any]:
        return {name: _plain(value) for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls, whole: Any) -> Self:
        """BadInput when a key is unknown or missing, or a value is not of its kind."""
        if not isinstance(whole, dict):
            raise _bad(cls, "it is not a JSON object")
        known = {one.name for one in fields(cls)}  # type: ignore[arg-type]
        if whole.keys() != known:
            odd = sorted(map(str, whole.keys() ^ known))[0]
            raise _bad(cls, f"'{odd[:40]}' is {'missing' if odd in known else 'not a part of it'}")
        return cls(**{name: cls.inner.get(name, _frozen)(value) for name, value in whole.items()})

    def _require(self, **checks: bool) -> None:
        for name, good in checks.items():
            if not good:
                raise _bad(type(self), f"its {name} is not what it should be")


@dataclass(frozen=True)
class Advert(_Part):
    """A site's key for one round, signed with the key the site is known by: X25519, Ed25519, in hexadecimal."""

    site: str
    public: str
    signature: str

    def __post_init__(self) -> None:
        self._require(site=_named(self.site), public=_hex(self.public, 64), signature=_hex(self.signature, 128))


@dataclass(frozen=True)
class Round(_Part):
    """What all sites must see alike before any of them masks a number; one differing byte and the masks do not cancel.

    id: never used before. study: its hash. sites: sorted.
    labels, measures: rows and columns of the sum; adverts: one a site, in the sites' order. Empty at stage "labels".
    """

    inner: ClassVar = {"adverts": lambda adverts: tuple(map(Advert.from_dict, adverts))}
    id: str
    study: str
    sites: tuple[str, ...]
    labels: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    adverts: tuple[Advert, ...] = ()

    def __post_init__(self) -> None:
        self._require(
            id=_hex(self.id, 32),
            study=_hex(self.study, 64),
            sites=_sorted(self.sites) and all(map(_named, self.sites)),
            labels=_sorted(self.labels),
            measures=_texts(self.measures),
            adverts=tuple(one.site for one in self.adverts) in {(), self.sites},
        )

    @property
    def digest(self) -> str:
        """sha256 of all of it, in hexadecimal: what every mask is bound to."""
        return hashlib.sha256(canonical(self.to_dict())).hexdigest()

    @property
    def length(self) -> int:
        """How many numbers each site sends: every measure of every label, who withheld each label, and the people in all."""
        return len(self.labels) * (len(self.measures) + 1) + 1


@dataclass(frozen=True)
class Message(_Part):
    """One of the three."""

    kind: ClassVar[str]

    def to_bytes(self) -> bytes:
        return canonical({"message": self.kind, **self.to_dict()})


@dataclass(frozen=True)
class Question(Message):
    """The whole study, who asks it, and the round it is asked in."""

    kind = "question"
    inner: ClassVar = {"round": Round.from_dict}
    stage: str
    asked_by: str
    study: Mapping[str, Any]
    round: Round

    def __post_init__(self) -> None:
        self._require(
            stage=self.stage in STAGES,
            asked_by=_named(self.asked_by),
            study=isinstance(self.study, dict),
            round=isinstance(self.round, Round),
        )


@dataclass(frozen=True)
class Labels(Message):
    """A site's answer to stage "labels", or in `silent` why it has none.

    policy: the site's disclosure rules. measures: the columns of its sum. notes: plain sentences for the result.
    assembly: of its variants, when the study is about variants.
    """

    kind = "labels"
    inner: ClassVar = {"advert": lambda advert: None if advert is None else Advert.from_dict(advert)}
    site: str
    round: str
    release: str
    policy: Mapping[str, Scalar]
    labels: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    silent: str = ""
    advert: Advert | None = None
    assembly: str = ""

    def __post_init__(self) -> None:
        self._require(
            site=_named(self.site),
            round=_hex(self.round, 32),
            release=isinstance(self.release, str),
            policy=isinstance(self.policy, dict),
            labels=_sorted(self.labels),
            measures=_texts(self.measures),
            notes=_texts(self.notes),
            silent=isinstance(self.silent, str),
            assembly=isinstance(self.assembly, str),
            advert=(self.advert is None) == bool(self.silent)
            and (self.advert is None or self.advert.site == self.site),
        )


@dataclass(frozen=True)
class Masked(Message):
    """A site's answer to stage "sum": little-endian 64-bit words that say nothing on their own.

    terms: the digest of the round they were masked for.
    """

    kind = "masked"
    inner: ClassVar = {"words": lambda text: b64decode(text, validate=True)}
    site: str
    round: str
    terms: str
    words: bytes = field(repr=False)

    def __post_init__(self) -> None:
        self._require(
            site=_named(self.site),
            round=_hex(self.round, 32),
            terms=_hex(self.terms, 64),
            words=isinstance(self.words, bytes) and len(self.words) % WORD == 0,
        )


KINDS: Mapping[str, type[Message]] = {one.kind: one for one in (Question, Labels, Masked)}


def decode(data: bytes) -> Message:
    """The message these bytes spell; BadInput unless they are exactly the bytes we would write for it."""
    try:
        whole = json.loads(data)
        message = KINDS[whole.pop("message")].from_dict(whole)
        same = message.to_bytes() == data
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _bad(Message, "it is not one of ours") from error
    if not same:
        raise _bad(Message, "its bytes are not in the one spelling it has")
    return message


# -- What a value must look like --------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    if isinstance(value, _Part):
        return value.to_dict()
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _hex(text: Any, digits: int) -> bool:
    return isinstance(text, str) and re.fullmatch(f"[0-9a-f]{{{digits}}}", text) is not None


def _named(text: Any) -> bool:
    return isinstance(text, str) and 0 < len(text) <= 100


def _texts(texts: Any) -> bool:
    return isinstance(texts, tuple) and all(isinstance(one, str) for one in texts)


def _sorted(texts: Any) -> bool:
    return _texts(texts) and all(a < b for a, b in pairwise(texts))


def _bad(what: type, found: str) -> BadInput:
    name = what.__name__.lower()
    return BadInput(
        f"reading a {name} from the network", found, "use the same version of nhsgen at the hub and the sites"
    )

"""What a hub and a site say to each other, each message with exactly one spelling in bytes.

    hub  --- Question, stage "labels" ------->  site      who is asked, and what
    hub  <-- Labels -------------------------  site      the rows its answer will have, and its key for this round
    hub  --- Question, stage "sum" ---------->  site      who takes part, all their keys, the rows of all
    hub  <-- Masked -------------------------  site      its numbers, under masks that cancel in the sum

A method that asks more than once does so again and again, with a state that says how far it has come:

    hub  --- NextQuestion, stage "layout" --->  site      the state, and who is asked
    hub  <-- Shape --------------------------  site      the layout of its sums, and its key for this round
    hub  --- NextQuestion, stage "sum" ------>  site      who takes part, all their keys, the layout of all
    hub  <-- Masked -------------------------  site      its numbers, under masks that cancel in the sum
    ...
    hub  --- NextQuestion, stage "end" ------>  site      it is over
    hub  <-- Ended --------------------------  site      nothing is kept any more

A message is canonical JSON, and bytes that are not what we would have written ourselves are refused: an unknown key, a
doubled key, a space, one changed character.
"""

import hashlib
import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from nhsgen.federation.layouts import Layout, read_layout
from nhsgen.federation.spelling import Piece, are_sorted, are_texts, bad, canonical, is_hex, is_name

__all__ = [
    "NEXT_STAGES",
    "STAGES",
    "Advert",
    "Ended",
    "Labels",
    "Masked",
    "Message",
    "NextQuestion",
    "Question",
    "Round",
    "Shape",
    "Terms",
    "Turn",
    "canonical",
    "decode",
]

STAGES = ("labels", "sum")
NEXT_STAGES = ("layout", "sum", "end")
WORD = 8  # bytes of one masked number

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Advert(Piece):
    """A site's key for one round, signed with the key the site is known by: X25519, Ed25519, in hexadecimal."""

    site: str
    public: str
    signature: str

    def __post_init__(self) -> None:
        self._require(site=is_name(self.site), public=is_hex(self.public, 64), signature=is_hex(self.signature, 128))


@dataclass(frozen=True)
class _Terms(Piece):
    """What all sites must see alike before any of them masks a number; one differing byte and the masks do not cancel.

    id: never used before. study: its hash. sites: sorted. adverts: one a site, in the sites' order; empty when they are first asked.
    """

    inner: ClassVar = {"adverts": lambda adverts: tuple(map(Advert.from_dict, adverts))}
    id: str
    study: str
    sites: tuple[str, ...]

    @cached_property
    def digest(self) -> str:
        """sha256 of all of it, in hexadecimal: what every mask is bound to."""
        return hashlib.sha256(canonical(self.to_dict())).hexdigest()

    def _require_terms(self, adverts: tuple[Advert, ...], **more: bool) -> None:
        self._require(
            id=is_hex(self.id, 32),
            study=is_hex(self.study, 64),
            sites=are_sorted(self.sites) and all(map(is_name, self.sites)),
            adverts=tuple(one.site for one in adverts) in {(), self.sites},
            **more,
        )


@dataclass(frozen=True)
class Round(_Terms):
    """Of a method that asks once. labels, measures: rows and columns of the sum; empty at stage "labels"."""

    labels: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    adverts: tuple[Advert, ...] = ()

    def __post_init__(self) -> None:
        self._require_terms(self.adverts, labels=are_sorted(self.labels), measures=are_texts(self.measures))

    @property
    def length(self) -> int:
        """How many numbers each site sends: every measure of every label, who withheld each label, and the people in all."""
        return len(self.labels) * (len(self.measures) + 1) + 1


@dataclass(frozen=True)
class Turn(_Terms):
    """One round of a method that asks again and again.

    opened: the id of its first round. number: from 1. state: the digest of what the sites are asked at.
    layout: of the sum; None when they are first asked.
    """

    inner: ClassVar = {**_Terms.inner, "layout": lambda layout: None if layout is None else read_layout(layout)}
    opened: str
    number: int
    state: str
    layout: Layout | None = None
    adverts: tuple[Advert, ...] = ()

    def __post_init__(self) -> None:
        self._require_terms(
            self.adverts,
            opened=is_hex(self.opened, 32),
            number=type(self.number) is int and self.number > 0,
            state=is_hex(self.state, 64),
            layout=(self.layout is None) == (not self.adverts),
        )

    @property
    def length(self) -> int:
        """How many words each site sends."""
        return 0 if self.layout is None else self.layout.words


Terms = Round | Turn


@dataclass(frozen=True)
class Message(Piece):
    """One of those above."""

    kind: ClassVar[str]

    def to_bytes(self) -> bytes:
        return self._bytes

    @cached_property
    def _bytes(self) -> bytes:
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
            asked_by=is_name(self.asked_by),
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
            site=is_name(self.site),
            round=is_hex(self.round, 32),
            release=isinstance(self.release, str),
            policy=isinstance(self.policy, dict),
            labels=are_sorted(self.labels),
            measures=are_texts(self.measures),
            notes=are_texts(self.notes),
            silent=isinstance(self.silent, str),
            assembly=isinstance(self.assembly, str),
            advert=(self.advert is None) == bool(self.silent)
            and (self.advert is None or self.advert.site == self.site),
        )


@dataclass(frozen=True)
class NextQuestion(Message):
    """The whole study, who asks it, the round it is asked in and, at stage "layout", the state it is asked at (see `states`)."""

    kind = "next question"
    inner: ClassVar = {"round": Turn.from_dict, "state": lambda state: state}
    stage: str
    asked_by: str
    study: Mapping[str, Any]
    round: Turn
    state: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._require(
            stage=self.stage in NEXT_STAGES,
            asked_by=is_name(self.asked_by),
            study=isinstance(self.study, dict),
            round=isinstance(self.round, Turn) and (self.stage == "sum") == (self.round.layout is not None),
            state=(self.stage == "layout") == (self.state is not None),
        )


@dataclass(frozen=True)
class Shape(Message):
    """A site's answer to stage "layout", or in `silent` why it has none; the rest as in `Labels`."""

    kind = "shape"
    inner: ClassVar = {
        "advert": Labels.inner["advert"],
        "layout": Turn.inner["layout"],
    }
    site: str
    round: str
    release: str
    policy: Mapping[str, Scalar]
    layout: Layout | None = None
    notes: tuple[str, ...] = ()
    silent: str = ""
    advert: Advert | None = None
    assembly: str = ""

    def __post_init__(self) -> None:
        self._require(
            site=is_name(self.site),
            round=is_hex(self.round, 32),
            release=isinstance(self.release, str),
            policy=isinstance(self.policy, dict),
            notes=are_texts(self.notes),
            silent=isinstance(self.silent, str),
            assembly=isinstance(self.assembly, str),
            layout=(self.layout is None) == bool(self.silent),
            advert=(self.advert is None) == bool(self.silent)
            and (self.advert is None or self.advert.site == self.site),
        )


@dataclass(frozen=True)
class Ended(Message):
    """A site's answer to stage "end": it has forgotten what it had prepared."""

    kind = "ended"
    site: str
    round: str

    def __post_init__(self) -> None:
        self._require(site=is_name(self.site), round=is_hex(self.round, 32))


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
            site=is_name(self.site),
            round=is_hex(self.round, 32),
            terms=is_hex(self.terms, 64),
            words=isinstance(self.words, bytes) and len(self.words) % WORD == 0,
        )


KINDS: Mapping[str, type[Message]] = {one.kind: one for one in (Question, Labels, NextQuestion, Shape, Masked, Ended)}


def decode(data: bytes) -> Message:
    """The message these bytes spell; BadInput unless they are exactly the bytes we would write for it."""
    try:
        whole = json.loads(data)
        message = KINDS[whole.pop("message")].from_dict(whole)
        same = message.to_bytes() == data
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise bad(Message, "it is not one of ours") from error
    if not same:
        raise bad(Message, "its bytes are not in the one spelling it has")
    return message

"""One spelling for each thing that travels: canonical JSON, and dataclasses that are read from exactly that."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, ClassVar, Self

from nhsgen.errors import BadInput

__all__ = ["Piece", "are_sorted", "are_texts", "bad", "canonical", "is_hex", "is_name"]


def canonical(whole: Mapping[str, Any]) -> bytes:
    """The one spelling of a JSON object: sorted keys, no spaces, UTF-8.

    >>> canonical({"b": 1, "a": ["é"]})
    b'{"a":["\\xc3\\xa9"],"b":1}'
    """
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


@dataclass(frozen=True)
class Piece:
    """A frozen dataclass that can be read back from its own dict, and from nothing else.

    inner: how to read a value that is more than JSON's own kinds; a list becomes a tuple.
    """

    inner: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}

    def to_dict(self) -> dict[str, Any]:
        return {one.name: _plain(getattr(self, one.name)) for one in fields(self)}

    @classmethod
    def from_dict(cls, whole: Any) -> Self:
        """BadInput when a key is unknown or missing, or a value is not of its kind."""
        if not isinstance(whole, dict):
            raise bad(cls, "it is not a JSON object")
        known = {one.name for one in fields(cls)}
        if whole.keys() != known:
            odd = sorted(map(str, whole.keys() ^ known))[0]
            raise bad(cls, f"'{odd[:40]}' is {'missing' if odd in known else 'not a part of it'}")
        return cls(**{name: cls.inner.get(name, _frozen)(value) for name, value in whole.items()})

    def _require(self, **checks: bool) -> None:
        for name, good in checks.items():
            if not good:
                raise bad(type(self), f"its {name} is not what it should be")


def bad(what: type, found: str) -> BadInput:
    """What came is not what was to come."""
    name = what.__name__.lower()
    return BadInput(
        f"reading a {name} from the network", found, "use the same version of nhsgen at the hub and the sites"
    )


# -- What a value must look like --------------------------------------------------------------------------------------


def is_hex(text: Any, length: int) -> bool:
    return isinstance(text, str) and len(text) == length and not set(text) - set("0123456789abcdef")


def is_name(text: Any) -> bool:
    return isinstance(text, str) and 0 < len(text) <= 100


def are_texts(texts: Any) -> bool:
    return isinstance(texts, tuple) and all(isinstance(one, str) for one in texts)


def are_sorted(texts: Any) -> bool:
    return are_texts(texts) and all(a < b for a, b in pairwise(texts))


def _plain(value: Any) -> Any:
    if isinstance(value, Piece):
        return value.to_dict()
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value

"""What a method knows between two rounds, as JSON: every part of it of the kind that the method's own types say, and no other.

Not a pickle. Nothing is imported or called by name: what is built is looked up in the type annotations of the method's first
state, and can only be a frozen dataclass of `nhsgen.studies` or `nhsgen.statistics`, an array of the annotated dtype, a tuple, a
mapping from texts, a number, a text, a truth or nothing. An unknown class, a field too many or too few, another dtype: BadInput.

    None, true, 3, "text"      themselves
    1.5                        {"float": "0x1.8000000000000p+0"}: to the last bit, nan and inf included
    a tuple                    [...]
    a mapping                  {"keys": [...], "values": [...]}, in its order
    an array                   {"dtype": "<f8", "shape": [2], "bytes": "..."}: row by row, base64
    a dataclass                {"class": "statistics.pca.Scale", "fields": {...}}
"""

import types
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from nhsgen.errors import BadInput

__all__ = ["read_state", "spelled", "with_known"]

ROOMS = ("nhsgen.studies.", "nhsgen.statistics.")

Plain = Any  # what JSON holds
KINDS_OF_ARRAYS = "biufU"


def spelled(value: object, where: str = "the state") -> Plain:
    """The JSON of a state or of a part of it; BadInput when it holds what has no spelling."""
    plain = value.item() if isinstance(value, np.generic) else value
    for kinds, spell in SPELLINGS:
        if isinstance(plain, kinds):
            return spell(plain, where)
    if _allowed(type(plain)):
        parts = {one.name: spelled(getattr(plain, one.name), one.name) for one in fields(plain)}  # type: ignore[arg-type]
        return {"class": _name(type(plain)), "fields": parts}
    raise _bad(where, f"a {type(plain).__name__} has no spelling")


def _array_spelled(array: Any, where: str) -> Plain:
    if array.dtype.kind not in KINDS_OF_ARRAYS:
        raise _bad(where, f"an array of {array.dtype} has no spelling")
    little = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
    return {"dtype": little.dtype.str, "shape": list(array.shape), "bytes": b64encode(little.tobytes()).decode()}


SPELLINGS: Sequence[tuple[tuple[type, ...], Callable[[Any, str], Plain]]] = (
    ((type(None), bool, int, str), lambda value, _: value),
    ((float,), lambda value, _: {"float": value.hex()}),
    ((np.ndarray,), _array_spelled),
    ((list, tuple), lambda value, where: [spelled(one, where) for one in value]),
    ((Mapping,), lambda value, _: {"keys": list(value), "values": [spelled(one, str(k)) for k, one in value.items()]}),
)
"""By kind, the first that fits."""


def read_state(kind: Any, text: Plain, where: str = "the state") -> Any:
    """The inverse of `spelled`, for a value that is annotated as `kind`; BadInput when the text is of anything else."""
    try:
        return _read(kind, text, where)
    except (TypeError, ValueError, KeyError, AttributeError, AssertionError, RecursionError) as error:
        raise _bad(where, "it is not what it should be") from error


def with_known(value: Any, text: Plain, known: Any, known_text: Plain) -> Any:
    """`value`; where its text is that of something known, that itself, so that what was worked out from it is not again."""
    if text == known_text:
        return known
    if not is_dataclass(value) or isinstance(value, type) or type(value) is not type(known):
        return value
    names = [one.name for one in fields(value)]
    new, old = text["fields"], known_text["fields"]
    return replace(
        value,
        **{name: with_known(getattr(value, name), new[name], getattr(known, name), old[name]) for name in names},
    )


def _read(kind: Any, text: Plain, where: str) -> Any:
    origin = get_origin(kind) or kind
    for kinds, reader in READERS:
        if origin in kinds:
            return reader(kind, text, where)
    if isinstance(kind, type) and _allowed(kind):
        return _whole(kind, text, where)
    raise _bad(where, f"no state may hold {getattr(kind, '__name__', kind)}")


def _one_of(kind: Any, text: Plain, where: str) -> Any:
    """Of the first kind that the text looks like."""
    for one in get_args(kind):
        if _looks_like(one, text):
            return _read(one, text, where)
    raise _bad(where, "it is none of what it may be")


def _looks_like(kind: Any, text: Plain) -> bool:
    origin = get_origin(kind) or kind
    if isinstance(text, list):
        return origin in SEVERAL
    if not isinstance(text, dict):
        return kind is type(text) or (kind is float and type(text) is int) or text in get_args(kind)
    if "class" in text:
        return isinstance(kind, type) and _name(kind) == text["class"]
    return origin in (ARRAYS if "dtype" in text else FLOATS if "float" in text else MAPPINGS)


def _plain(kind: Any, text: Plain, where: str) -> Any:
    return _checked(type(text) is kind, text, where)


def _float(_: Any, text: Plain, where: str) -> Any:
    if type(text) is int:  # a whole number is a number, and stays what it was
        return text
    _checked(text.keys() == {"float"}, text, where)
    return float.fromhex(text["float"])


def _literal(kind: Any, text: Plain, where: str) -> Any:
    return _checked(any(type(text) is type(one) and text == one for one in get_args(kind)), text, where)


def _array(kind: Any, text: Plain, where: str) -> Any:
    (wanted,) = get_args(get_args(kind)[1])
    dtype, shape, data = (text[name] for name in ("dtype", "shape", "bytes"))
    array = np.dtype(dtype)
    same = array.kind == "U" if wanted is np.str_ else array == np.dtype(wanted)
    _checked(len(text) == 3 and same and array.kind in KINDS_OF_ARRAYS and array.str == dtype, text, where)
    _checked(all(type(size) is int and size >= 0 for size in shape), text, where)
    return np.frombuffer(b64decode(data, validate=True), dtype=array).reshape(shape).copy()


def _several(kind: Any, text: Plain, where: str) -> Any:
    kinds = get_args(kind)
    _checked(isinstance(text, list), text, where)
    if kinds == (str, Ellipsis) and all(type(one) is str for one in text):  # a hundred thousand alleles
        return tuple(text)
    if get_origin(kind) is not tuple:
        return [_read(kinds[0], one, where) for one in text]
    if kinds[-1:] == (Ellipsis,):
        return tuple(_read(kinds[0], one, where) for one in text)
    return tuple(_read(kind, one, where) for kind, one in zip(kinds, text, strict=True))


def _mapping(kind: Any, text: Plain, where: str) -> Any:
    of_keys, of_values = get_args(kind)
    _checked(text.keys() == {"keys", "values"} and len(set(text["keys"])) == len(text["keys"]), text, where)
    keys = [_read(of_keys, key, where) for key in text["keys"]]
    return {key: _read(of_values, one, str(key)) for key, one in zip(keys, text["values"], strict=True)}


def _whole(kind: type, text: Plain, where: str) -> Any:
    hints = _hints(kind)
    _checked(text.keys() == {"class", "fields"} and text["class"] == _name(kind), text, where)
    parts = text["fields"]
    if parts.keys() != hints.keys():
        odd = sorted(map(str, parts.keys() ^ hints.keys()))[0]
        raise _bad(where, f"'{odd[:40]}' is {'missing' if odd in hints else 'not a part of it'}")
    return kind(**{name: _read(hint, parts[name], name) for name, hint in hints.items()})


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {one.name: hints[one.name] for one in fields(kind)}


UNIONS, ARRAYS, FLOATS = (Union, types.UnionType), (np.ndarray,), (float,)
SEVERAL, MAPPINGS = (tuple, list, Sequence), (dict, Mapping)

READERS: Sequence[tuple[tuple[Any, ...], Callable[[Any, Plain, str], Any]]] = (
    (UNIONS, _one_of),
    (ARRAYS, _array),
    (FLOATS, _float),
    (SEVERAL, _several),
    (MAPPINGS, _mapping),
    ((Literal,), _literal),
    ((bool, int, str, type(None)), _plain),
)
"""By what the value is annotated as."""


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__name__}".removeprefix("nhsgen.")


def _allowed(kind: type) -> bool:
    """A frozen dataclass of the rooms that calculate."""
    if not (kind.__module__.startswith(ROOMS) and is_dataclass(kind)):
        return False
    frozen: bool = kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    return frozen


def _checked(good: bool, text: Plain, where: str) -> Plain:
    if not good:
        raise _bad(where, "it is not what it should be")
    return text


def _bad(where: str, found: str) -> BadInput:
    return BadInput(f"reading '{where}' of a round", found, "use the same version of nhsgen at the hub and the sites")

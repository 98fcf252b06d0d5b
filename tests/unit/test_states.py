"""What a method knows travels as plain text, and nothing else is built from a text."""

import json
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
import pytest

from nhsgen.errors import BadInput
from nhsgen.federation.spelling import canonical
from nhsgen.federation.states import read_state, spelled, with_known
from nhsgen.statistics import Summary, cox, linear, pca
from nhsgen.statistics.sums import Sums

SCALE = linear.Scale(np.array([0.1, np.nan]), np.array([1.0, np.inf]), np.array([0]))
STATES: dict[str, tuple[Any, Any]] = {
    "nothing": (None, None),
    "arrays": (linear.Scale, SCALE),
    "a class inside a class": (linear.Null, linear.Null.start(linear.Scale(np.zeros(2), np.ones(2), np.array([0])))),
    "texts in an array": (pca.Scale, pca.Scale(np.zeros(2), np.ones(2), np.array(["", "rare"]), 3)),
    "no rows": (pca.Krylov, pca.Krylov(np.empty((3, 0)), np.empty((0, 3)), np.empty(0), 2, 1e-8)),
    "sums": (Sums, Sums.of(n=3, xy=[[1.5, 2.0]])),
    "counts": (Summary, Summary.from_rows(("people",), {"é": [3]})),
    "a model on its way": (cox.Newton, cox.start(("sex", "age"))),
}


def alike(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if is_dataclass(one):
        return type(one) is type(other) and all(
            alike(getattr(one, part.name), getattr(other, part.name)) for part in fields(one)
        )
    if isinstance(one, dict):
        return list(one) == list(other) and all(alike(one[name], other[name]) for name in one)
    return bool(one == other)


@pytest.mark.parametrize(("kind", "state"), STATES.values(), ids=STATES)
def test_a_state_comes_back_as_it_went(kind: Any, state: Any) -> None:
    travelled = json.loads(canonical({"state": spelled(state)}))["state"]
    again = read_state(type(None) if kind is None else kind, travelled)
    assert alike(state, again)
    assert canonical({"state": spelled(again)}) == canonical({"state": spelled(state)})


@pytest.mark.parametrize("number", [0.1, -0.0, 5e-324, 1.7976931348623157e308, float("inf"), 3])
def test_a_number_comes_back_to_the_last_bit(number: float) -> None:
    again = read_state(float, json.loads(json.dumps(spelled(number))))
    assert (again, str(again), type(again)) == (number, str(number), type(number))


def test_numbers_that_numpy_gave_are_numbers() -> None:
    assert read_state(float, spelled(np.float64(0.1))) == 0.1
    assert read_state(int, spelled(np.int64(7))) == 7
    assert read_state(bool, spelled(np.bool_(True))) is True


def test_arrays_that_came_may_be_written_to_like_those_that_were_made() -> None:
    assert read_state(linear.Scale, spelled(SCALE)).mean.flags.writeable


def test_what_has_not_changed_is_the_same_object_as_before() -> None:
    """So that what a site worked out from it is worked out once."""
    before = linear.Null.start(linear.Scale(np.zeros(2), np.ones(2), np.array([0])))
    old, new = spelled(before), spelled(before)
    new["fields"]["rss"] = spelled(np.array([2.0]))
    after = with_known(read_state(linear.Null, new), new, before, old)
    assert after.scale is before.scale
    assert after.rss.tolist() == [2.0]
    assert with_known(read_state(linear.Null, old), old, before, old) is before


# -- What is refused --------------------------------------------------------------------------------------------------


def changed(**parts: Any) -> Any:
    text = spelled(SCALE)
    return {**text, "fields": {**text["fields"], **parts}}


def array(**parts: Any) -> Any:
    return changed(mean={**spelled(SCALE.mean), **parts})


WHOLE = spelled(SCALE)
REFUSED: dict[str, Any] = {
    "another class": {**WHOLE, "class": "statistics.linear.Null"},
    "a class of another house": {**WHOLE, "class": "subprocess.Popen"},
    "a field too many": changed(hello=1),
    "a field too few": {**WHOLE, "fields": {"mean": WHOLE["fields"]["mean"]}},
    "a key beside": {**WHOLE, "call": "os.system"},
    "another dtype": array(dtype="<f4"),
    "objects": array(dtype="|O"),
    "another byte order": array(dtype=">f8"),
    "a dtype that is none": array(dtype="float"),
    "fewer bytes": array(bytes="AAAA"),
    "bytes that are no base64": array(bytes="é"),
    "another shape": array(shape=[3]),
    "a shape below nothing": array(shape=[-1]),
    "a shape of truths": array(shape=[True, 2]),
    "a key beside an array": array(hello=1),
    "a number instead of an array": changed(mean=1),
    "a list instead of a class": [],
    "nothing": None,
    "a text": "statistics.linear.Scale",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_is_not_of_the_annotated_kind_is_refused_in_a_sentence(text: Any) -> None:
    with pytest.raises(BadInput) as refused:
        read_state(linear.Scale, text)
    assert str(refused.value).startswith("reading '")
    assert "\n" not in str(refused.value)


@dataclass(frozen=True)
class Outside:
    """A class of no room that calculates."""

    number: int = 1


@pytest.mark.parametrize(
    "value", [Outside(), object(), {1, 2}, b"bytes", np.array([object()]), len], ids=lambda value: type(value).__name__
)
def test_what_has_no_spelling_is_not_sent(value: object) -> None:
    with pytest.raises(BadInput, match="has no spelling"):
        spelled(value)


@pytest.mark.parametrize("kind", [Outside, Any, object, bytes, set[int]], ids=str)
def test_what_may_not_be_in_a_state_is_not_read(kind: Any) -> None:
    with pytest.raises(BadInput):
        read_state(kind, {"class": "Outside", "fields": {"number": 1}})


def test_of_several_kinds_it_is_the_one_the_text_looks_like() -> None:
    either = linear.Scale | pca.Krylov | None
    assert read_state(either, None) is None
    assert isinstance(read_state(either, spelled(SCALE)), linear.Scale)
    others: list[Any] = [spelled(Sums.of(n=1)), 3, [], "text", {}]
    for text in others:
        with pytest.raises(BadInput):
            read_state(either, text)
    assert read_state(int | str | float, "3") == "3"
    assert read_state(tuple[int, ...] | None, [1, 2]) == (1, 2)
    assert read_state(float | None, 3) == 3

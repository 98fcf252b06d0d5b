"""A message has one spelling, and everything else is refused."""

import json
from dataclasses import replace

import pytest

from nhsgen.errors import BadInput
from nhsgen.federation.layouts import Pair, Rows, Shapes
from nhsgen.federation.messages import (
    Advert,
    Ended,
    Labels,
    Masked,
    Message,
    NextQuestion,
    Question,
    Round,
    Shape,
    Turn,
    canonical,
    decode,
)

ADVERTS = tuple(Advert(site, "0a" * 32, "0b" * 64) for site in ("Barts", "Leeds", "Ysbyty Gwynedd"))
ROUND = Round("01" * 16, "ab" * 32, ("Barts", "Leeds", "Ysbyty Gwynedd"), ("female", "male"), ("people",), ADVERTS)
LAYOUT = Pair(Rows(("female", "male"), ("people",)), Shapes((("n", ()), ("xy", (2, 3)))))
TURN = Turn("02" * 16, "ab" * 32, ROUND.sites, "01" * 16, 2, "cd" * 32)
STATE = {"class": "studies.association.State", "fields": {"sites": ["Barts"], "people": {"float": "0x1.8p+0"}}}
MESSAGES = {
    "a first question": Question(
        "labels", "asha", {"method": "counts"}, Round("01" * 16, "ab" * 32, ("Barts", "Leeds"))
    ),
    "a second question": Question("sum", "asha", {"method": "counts", "by": ["sex"]}, ROUND),
    "labels": Labels(
        "Barts", "01" * 16, "cd" * 32, {"name": "nhs"}, ("male",), ("people",), ("a note",), "", ADVERTS[0]
    ),
    "silence": Labels("Leeds", "01" * 16, "", {"name": "nhs"}, silent="it has no release"),
    "masked": Masked("Barts", "01" * 16, "ef" * 32, bytes(range(16))),
    "a state": NextQuestion("layout", "asha", {"method": "association"}, TURN, STATE),
    "a layout": Shape("Barts", "02" * 16, "cd" * 32, {"name": "nhs"}, LAYOUT, ("a note",), "", ADVERTS[0], "GRCh38"),
    "silence again": Shape("Leeds", "02" * 16, "", {"name": "nhs"}, silent="it has no release"),
    "the layout of all": NextQuestion(
        "sum", "asha", {"method": "association"}, replace(TURN, layout=LAYOUT, adverts=ADVERTS)
    ),
    "the end": NextQuestion("end", "asha", {"method": "association"}, TURN),
    "ended": Ended("Barts", "02" * 16),
}


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_a_message_comes_back_as_it_went(message: Message) -> None:
    assert decode(message.to_bytes()) == message


def test_every_number_a_site_sends_is_accounted_for() -> None:
    assert ROUND.length == 2 * 1 + 2 + 1  # people by sex; who withheld each label; the people in all
    assert (
        replace(TURN, layout=LAYOUT, adverts=ADVERTS).length == 2 * 1 + (1 + 2 * 3) * 4
    )  # four words a number with a point


def test_one_changed_byte_of_a_round_changes_its_digest() -> None:
    assert (
        len({ROUND.digest, Round("02" + "01" * 15, "ab" * 32, ROUND.sites, ROUND.labels, ("people",), ADVERTS).digest})
        == 2
    )


def respelled(**changes: object) -> bytes:
    return canonical({**json.loads(MESSAGES["a second question"].to_bytes()), **changes})


def reround(**changes: object) -> bytes:
    return respelled(round={**ROUND.to_dict(), **changes})


def next_question(**changes: object) -> bytes:
    return canonical({**json.loads(MESSAGES["a state"].to_bytes()), **changes})


REFUSED = {
    "a state at the end": next_question(stage="end"),
    "a sum without a layout": next_question(stage="sum", state=None),
    "no state": next_question(state=None),
    "a round that is not one of these": next_question(round=ROUND.to_dict()),
    "a round before the first": next_question(round={**TURN.to_dict(), "number": 0}),
    "a round number that is a truth": next_question(round={**TURN.to_dict(), "number": True}),
    "a layout without keys": next_question(round={**TURN.to_dict(), "layout": LAYOUT.to_dict()}),
    "a layout of nothing we know": next_question(round={**TURN.to_dict(), "layout": {"hello": []}}),
    "nothing": b"",
    "not JSON": b"\xff\xfe",
    "a list": b"[]",
    "a number": b"1",
    "no kind": b"{}",
    "an unknown kind": respelled(message="gossip"),
    "a kind that is a list": respelled(message=[]),
    "an unknown key": respelled(hello=1),
    "an unknown key inside": reround(hello=1),
    "a missing key": canonical({"message": "question", "stage": "sum"}),
    "a space more": MESSAGES["a second question"].to_bytes() + b" ",
    "another order": json.dumps(dict(reversed(json.loads(respelled()).items())), separators=(",", ":")).encode(),
    "a doubled key": respelled().replace(b'"stage":"sum"', b'"stage":"sum","stage":"sum"'),
    "an unknown stage": respelled(stage="rows"),
    "a study that is text": respelled(study="select * from person"),
    "not a number": respelled().replace(b'"by":["sex"]', b'"by":[NaN]'),
    "a round that is a list": respelled(round=[]),
    "labels out of order": reround(labels=["male", "female"]),
    "a label twice": reround(labels=["male", "male"]),
    "a label that is a number": reround(labels=[1]),
    "a site twice": reround(sites=["Barts", "Barts"], adverts=[]),
    "adverts of others": reround(sites=["Barts", "Leeds"]),
    "adverts that are numbers": reround(adverts=[1]),
    "an upper-case id": reround(id="0A" * 16),
    "a short id": reround(id="01"),
    "deeply nested": b'{"message":' + b"[" * 100_000,
    "a lone surrogate": respelled().replace(b'"sex"', b'"\\ud800"'),
    "half a word": canonical(
        {"message": "masked", "round": "01" * 16, "site": "B", "terms": "ef" * 32, "words": "AAAA"}
    ),
    "not base64": canonical({"message": "masked", "round": "01" * 16, "site": "B", "terms": "ef" * 32, "words": "?"}),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_anything_spelt_otherwise_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        decode(data)


def test_a_site_is_either_silent_or_in_the_round() -> None:
    with pytest.raises(BadInput, match="advert"):
        Labels("Leeds", "01" * 16, "", {}, silent="")
    with pytest.raises(BadInput, match="advert"):
        Labels("Leeds", "01" * 16, "", {}, advert=ADVERTS[0])

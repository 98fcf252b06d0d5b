"""A message has one spelling, and everything else is refused."""

import json

import pytest

from nhsgen.errors import BadInput
from nhsgen.federation.messages import Advert, Labels, Masked, Question, Round, canonical, decode

ADVERTS = tuple(Advert(site, "0a" * 32, "0b" * 64) for site in ("Barts", "Leeds", "Ysbyty Gwynedd"))
ROUND = Round("01" * 16, "ab" * 32, ("Barts", "Leeds", "Ysbyty Gwynedd"), ("female", "male"), ("people",), ADVERTS)
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
}


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_a_message_comes_back_as_it_went(message: Question | Labels | Masked) -> None:
    assert decode(message.to_bytes()) == message


def test_every_number_a_site_sends_is_accounted_for() -> None:
    assert ROUND.length == 2 * 1 + 2 + 1  # people by sex; who withheld each label; the people in all


def test_one_changed_byte_of_a_round_changes_its_digest() -> None:
    assert (
        len({ROUND.digest, Round("02" + "01" * 15, "ab" * 32, ROUND.sites, ROUND.labels, ("people",), ADVERTS).digest})
        == 2
    )


def respelled(**changes: object) -> bytes:
    return canonical({**json.loads(MESSAGES["a second question"].to_bytes()), **changes})


def reround(**changes: object) -> bytes:
    return respelled(round={**ROUND.to_dict(), **changes})


REFUSED = {
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

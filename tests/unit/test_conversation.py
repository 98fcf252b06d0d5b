"""What a site answers in a conversation, and each way in which a hub may leave the path."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from nhsgen.cohorts import everyone, measurement
from nhsgen.errors import BadInput, NhsgenError, NotAllowed, NotSafe
from nhsgen.federation import conversation as conversations
from nhsgen.federation.conversation import Conversation, digest_of
from nhsgen.federation.layouts import Layout, Pair, Rows, Shapes, layout_of, merged, read_layout
from nhsgen.federation.messages import Advert, NextQuestion, Turn
from nhsgen.federation.states import spelled
from nhsgen.statistics import Summary
from nhsgen.statistics.sums import Sums
from nhsgen.studies import ROUNDS, Study
from nhsgen.studies.rounds import Both, Part, Prepared
from nhsgen.variants import variants

SITES = ("elm", "oak", "yew")
ADVERTS = tuple(Advert(site, "0a" * 32, "0b" * 64) for site in SITES)
STUDY = Study("association", everyone(), traits=(measurement("eGFR").latest(),), variants=variants())
START = spelled(ROUNDS["association"].start(STUDY))
PEOPLE = Summary.from_rows(("people",), {"oak": [3]})
HERE = Both(PEOPLE, Sums.of(xy=[0.5, -1e-9], n=2))


def conversation(ask: Callable[[Any], Any] = lambda _: HERE) -> Conversation:
    return Conversation(STUDY, question(1), Prepared(Part(ask), "release", ()), frozenset(), ExitStack())


def question(number: int, state: Any = START, **changes: Any) -> NextQuestion:
    turn = Turn(f"{number:032x}", STUDY.hash, SITES, f"{1:032x}", number, digest_of(state))
    return NextQuestion("layout", "rita", STUDY.to_dict(), replace(turn, **changes), state)


def terms(number: int, layout: Layout) -> Turn:
    return replace(question(number).round, layout=layout, adverts=ADVERTS)


def test_a_round_is_a_layout_and_then_the_words_of_it() -> None:
    site = conversation()
    for number in (1, 2, 3):
        layout = site.at(question(number))
        words = site.laid_out(terms(number, layout))
        assert len(words) == layout.words == 1 + 3 * 4
        total = layout.total(3 * words)
        assert total.one.row("oak") == {"people": 9}
        assert total.two["xy"].tolist() == [1.5, 3 * -1e-9]
        assert total.two["n"] == 6


def broken(_: Any) -> Any:
    raise IndexError("of a list of people")


def with_class(name: str) -> Any:
    return {**START, "class": name}


def with_more(**parts: Any) -> Any:
    return {**START, "fields": {**START["fields"], **parts}}


REFUSED: Mapping[str, tuple[NextQuestion, type[NhsgenError], str]] = {
    "a foreign class": (question(2, with_class("federation.node.Node")), BadInput, "reading 'the state' of a round failed"),
    "a field too many": (question(2, with_more(hello=1)), BadInput, "'hello' is not a part of it"),
    "a value of another kind": (question(2, with_more(people="many")), BadInput, "reading 'people' of a round failed"),
    "another's digest": (replace(question(2), state=with_more(people=3)), NotSafe, "not what its digest says"),
    "a roster that changed": (question(2, sites=("elm", "oak", "zed")), NotSafe, "other sites take part"),
    "a round left out": (question(3), NotAllowed, "round 2 is next"),
    "the same round again": (question(1), NotAllowed, "round 2 is next"),
    "another conversation": (question(2, opened="c" * 32), NotAllowed, "another conversation"),
    "another who asks": (replace(question(2), asked_by="eve"), NotAllowed, "another conversation"),
}  # fmt: skip


@pytest.mark.parametrize(("asked", "error", "says"), REFUSED.values(), ids=REFUSED)
def test_a_hub_that_leaves_the_path_is_refused_in_a_sentence(
    asked: NextQuestion, error: type[NhsgenError], says: str
) -> None:
    site = conversation()
    site.laid_out(terms(1, site.at(question(1))))
    with pytest.raises(error, match=says) as refused:
        site.at(asked)
    assert "\n" not in str(refused.value)


def test_a_conversation_begins_where_the_study_begins() -> None:
    with pytest.raises(NotSafe, match="the first state is not the study's own"):
        conversation().at(question(1, with_more(people=3)))


def test_a_state_that_breaks_a_site_says_nothing_of_its_people() -> None:
    with pytest.raises(BadInput) as refused:
        conversation(broken).at(question(1))
    assert "the state is not one the study comes to" in str(refused.value)
    assert "people" not in str(refused.value)


def test_no_next_state_before_the_sum_is_given() -> None:
    site = conversation()
    site.at(question(1))
    with pytest.raises(NotAllowed, match="or a sum is due"):
        site.at(question(2))


def test_a_sum_is_given_once_and_for_its_own_terms() -> None:
    for changes in ({"state": "0" * 64}, {"number": 2}, {"id": "d" * 32}):
        site = conversation()
        layout = site.at(question(1))
        with pytest.raises(NotSafe, match="the terms of another round"):
            site.laid_out(replace(terms(1, layout), **changes))
        with pytest.raises(NotSafe, match="the terms of another round"):
            site.laid_out(terms(1, layout))


def test_more_rounds_than_the_method_may_need_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    few = replace(ROUNDS["association"], most=1)
    monkeypatch.setattr(conversations, "ROUNDS", {**ROUNDS, "association": few})
    site = conversation()
    site.laid_out(terms(1, site.at(question(1))))
    with pytest.raises(NotAllowed, match="the method has 1 rounds at most"):
        site.at(question(2))


# -- Layouts ----------------------------------------------------------------------------------------------------------

COUNTS = Rows(("female", "male"), ("people",))
ARRAYS = Shapes((("n", ()), ("xy", (2,))))


@pytest.mark.parametrize("layout", [COUNTS, ARRAYS, Pair(COUNTS, ARRAYS), Pair(Pair(COUNTS, COUNTS), ARRAYS)], ids=repr)
def test_a_layout_comes_back_as_it_went(layout: Layout) -> None:
    assert read_layout(layout.to_dict()) == layout


def test_a_layout_is_what_the_sums_are_of() -> None:
    assert layout_of(HERE) == Pair(Rows(("oak",), ("people",)), Shapes((("n", ()), ("xy", (2,)))))


def test_labels_of_all_sites_are_in_the_sum_and_all_else_must_be_alike() -> None:
    assert merged([COUNTS, Rows(("other",), ("people",))]) == Rows(("female", "male", "other"), ("people",))
    assert merged([ARRAYS, ARRAYS, ARRAYS]) == ARRAYS
    unlike: list[tuple[Layout, Layout]] = [
        (COUNTS, Rows(("female",), ("alleles",))), (ARRAYS, Shapes((("n", (1,)), ("xy", (2,))))), (COUNTS, ARRAYS),
        (Pair(COUNTS, ARRAYS), ARRAYS), (Pair(COUNTS, ARRAYS), Pair(ARRAYS, COUNTS)),
    ]  # fmt: skip
    for one, other in unlike:
        with pytest.raises(NotSafe, match="not about the same things"):
            merged([one, other])


def test_a_layout_that_leaves_something_out_is_not_filled() -> None:
    for layout, part in ((COUNTS, PEOPLE), (ARRAYS, Sums.of(n=1)), (COUNTS, HERE), (Pair(COUNTS, ARRAYS), PEOPLE)):
        with pytest.raises(NotSafe, match="leaves out rows or columns"):
            layout.laid_out(part)


@pytest.mark.parametrize("whole", [None, [], {}, {"labels": []}, {"labels": ["b", "a"], "measures": []}, {"arrays": [["n", [-1]]]},
                                   {"arrays": [["n", [True]]]}, {"arrays": 3}, {"one": {}, "two": {}}], ids=repr)  # fmt: skip
def test_what_is_no_layout_is_refused(whole: Any) -> None:
    with pytest.raises((BadInput, TypeError)):
        read_layout(whole)

"""A hub and four sites: the pooled answer, and everything a site refuses to do."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from four_hospitals import SETTINGS, SIZES, federation

from nhsgen import extracts, studies
from nhsgen.cohorts import everyone, icd10
from nhsgen.errors import BadInput, BadStudy, NhsgenError, NotAllowed, NotFound, NotSafe, Tampered
from nhsgen.federation import Hub, Node, name_of, site_key
from nhsgen.federation.messages import Labels, Masked, Question, Round, decode
from nhsgen.results import Value
from nhsgen.studies import Study
from nhsgen.variants import variants
from nhsgen.workspace import Workspace

ILL = icd10("Q61")
COUNT = Study("counts", ILL, by=("site", "sex"), purpose="To plan clinics.")
STUDIES = {
    "counts by site and sex": COUNT,
    "a single count": Study("counts", ILL),
    "a group nobody is in": Study("counts", icd10("Z99"), by=("sex",)),
    "carriers by gene": Study("carriers", ILL, variants=variants(impact="high"), by=("gene",)),
    "frequencies": Study("frequencies", everyone(), variants=variants()),
    "burden": Study("burden", ILL, variants=variants(impact=["high", "moderate"])),
    "burden by site": Study("burden", ILL, variants=variants(), options={"strata": "site"}),
}


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return federation(tmp_path_factory.mktemp("federation")).path


@pytest.fixture
def nodes(hospitals: Path, tmp_path: Path) -> dict[str, Node]:
    return at(shutil.copytree(hospitals, tmp_path / "copy"))


def at(place: Path) -> dict[str, Node]:
    """A node a site, each knowing the others' keys."""
    sites = Workspace.open(place).sites
    keys = {name: site_key(place / f"{name}.key") for name in sites}
    peers = {name: name_of(key) for name, key in keys.items()}
    return {name: Node(site, keys[name], peers, SETTINGS) for name, site in sites.items()}


def approved(nodes: dict[str, Node], study: Study) -> Hub:
    for node in nodes.values():
        node.approve(study.hash, "ben")
    return Hub(nodes.values())


def same_as_pooled(nodes: dict[str, Node], study: Study) -> None:
    there = studies.run(study, [node.site for node in nodes.values()], SETTINGS, asked_by="rita")
    here = approved(nodes, study).ask(study, asked_by="rita")
    assert here.table == there.table
    assert (here.kind, here.title, here.notes, here.question) == (there.kind, there.title, there.notes, there.question)
    assert replace(here.receipt, asked_at="") == replace(there.receipt, asked_at="")


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_across_walls_the_answer_is_the_pooled_one(nodes: dict[str, Node], study: Study) -> None:
    same_as_pooled(nodes, study)


def test_a_site_keeps_its_small_counts_back_and_does_not_say_that_it_was_the_one(nodes: dict[str, Node]) -> None:
    approved(nodes, COUNT)
    reply = nodes["moorland"].answer(opening(nodes))
    alone = studies.answer(COUNT, nodes["moorland"].site, SETTINGS, asked_by="rita")
    assert isinstance(reply, Labels)
    assert alone.summary is not None
    assert alone.withheld
    assert set(reply.labels) == {*alone.summary.labels, *alone.withheld}


def test_a_site_without_a_release_is_named_and_three_others_are_enough(nodes: dict[str, Node]) -> None:
    extracts.withdraw(nodes["riverside"].site, "riverside-0001", "ben", "wrong month")
    same_as_pooled(nodes, COUNT)


def test_two_sites_are_not_enough(nodes: dict[str, Node]) -> None:
    for name in ("riverside", "southport"):
        extracts.withdraw(nodes[name].site, f"{name}-0001", "ben", "wrong month")
    with pytest.raises(NotSafe, match="only 2 of them can answer"):
        approved(nodes, COUNT).ask(COUNT, asked_by="rita")


def test_when_nobody_has_a_release_the_hub_says_why(nodes: dict[str, Node]) -> None:
    for name, node in nodes.items():
        extracts.withdraw(node.site, f"{name}-0001", "ben", "wrong month")
    with pytest.raises(NotFound, match="it has no release"):
        approved(nodes, COUNT).ask(COUNT, asked_by="rita")


# -- What a site refuses ----------------------------------------------------------------------------------------------


def opening(nodes: dict[str, Node], study: Study = COUNT, number: int = 1) -> Question:
    return Question("labels", "rita", study.to_dict(), Round(f"{number:032x}", study.hash, tuple(sorted(nodes))))


def refused(node: Node, question: Question, error: type[NhsgenError], says: str) -> None:
    """It is refused, and the site's log says why."""
    with pytest.raises(error, match=says):
        node.answer(question)
    assert node.site.log.entries()[-1].kind == "study refused"


def test_a_study_nobody_approved_is_refused_and_logged(nodes: dict[str, Node]) -> None:
    refused(nodes["moorland"], opening(nodes), NotAllowed, "no steward of moorland has approved it")


def test_whoever_asks_cannot_be_the_one_who_approved(nodes: dict[str, Node]) -> None:
    nodes["moorland"].approve(COUNT.hash, "ben")
    refused(
        nodes["moorland"],
        replace(opening(nodes), asked_by="ben"),
        NotAllowed,
        "only the person who asks has approved it",
    )


def test_only_a_steward_approves(nodes: dict[str, Node]) -> None:
    for somebody in ("asha", "rita"):
        with pytest.raises(NotAllowed, match="not a steward"):
            nodes["moorland"].approve(COUNT.hash, somebody)


def test_one_changed_letter_of_an_approved_study_is_refused(nodes: dict[str, Node]) -> None:
    approved(nodes, COUNT)
    changed = {**COUNT.to_dict(), "purpose": "To plan clinics!"}
    refused(nodes["moorland"], replace(opening(nodes), study=changed), NotSafe, "its text is not what its hash says")


def test_a_study_in_another_form_is_refused_even_under_its_own_hash(nodes: dict[str, Node]) -> None:
    """An empty setting changes nothing of what is asked, but nobody approved these bytes."""
    plain = Study("counts", ILL)
    approved(nodes, plain)
    refused(
        nodes["moorland"],
        replace(opening(nodes, plain), study={**plain.to_dict(), "by": []}),
        NotSafe,
        "its text is not",
    )


def test_a_round_number_is_used_once(nodes: dict[str, Node]) -> None:
    approved(nodes, COUNT)
    nodes["moorland"].answer(opening(nodes))
    refused(nodes["moorland"], opening(nodes), NotSafe, "its number has been used before")


def test_a_sum_is_given_only_in_a_round_that_is_open_and_only_once(nodes: dict[str, Node]) -> None:
    approved(nodes, COUNT)
    question = summing(nodes)
    refused(
        nodes["moorland"], replace(question, round=replace(question.round, id="f" * 32)), NotAllowed, "not open here"
    )
    again = summing(nodes, number=2)
    assert isinstance(nodes["moorland"].answer(again), Masked)
    refused(nodes["moorland"], again, NotAllowed, "not open here, or is over")


def summing(nodes: dict[str, Node], number: int = 1) -> Question:
    """The second question of a round, as an honest hub would put it."""
    first = opening(nodes, number=number)
    replies = {name: node.answer(first) for name, node in nodes.items()}
    spoken = [reply for reply in replies.values() if isinstance(reply, Labels)]
    terms = replace(
        first.round,
        labels=tuple(sorted({label for reply in spoken for label in reply.labels})),
        measures=spoken[0].measures,
        adverts=tuple(reply.advert for reply in spoken if reply.advert is not None),
    )
    return replace(first, stage="sum", round=terms)


def test_the_same_study_with_another_roster_is_refused_until_a_steward_says_again(nodes: dict[str, Node]) -> None:
    """The sum of four less the sum of three would be the fourth."""
    approved(nodes, COUNT).ask(COUNT, asked_by="rita")
    three = Hub(node for name, node in nodes.items() if name != "southport")
    with pytest.raises(NotSafe, match="was answered together with moorland, northgate, riverside, southport"):
        three.ask(COUNT, asked_by="rita")
    for node in three.nodes.values():
        node.approve(COUNT.hash, "carys", again=True)
    assert len(three.ask(COUNT, asked_by="rita").receipt.answered) == 3


def test_the_same_study_with_the_same_roster_may_be_asked_again(nodes: dict[str, Node]) -> None:
    """A round that died is begun anew, with fresh keys."""
    hub = approved(nodes, COUNT)
    summing(nodes)
    assert hub.ask(COUNT, asked_by="rita").table == hub.ask(COUNT, asked_by="rita").table


def test_a_round_without_this_sites_rows_is_refused(nodes: dict[str, Node]) -> None:
    approved(nodes, COUNT)
    question = summing(nodes)
    fewer = replace(question.round, labels=question.round.labels[-2:])
    refused(nodes["moorland"], replace(question, round=fewer), NotSafe, "leaves out rows or columns")


def test_a_key_that_a_hub_put_in_between_is_found(nodes: dict[str, Node], tmp_path: Path) -> None:
    approved(nodes, COUNT)
    question = summing(nodes)
    impostor = Node(nodes["riverside"].site, site_key(tmp_path / "other.key"), {}, SETTINGS)
    forged = impostor.answer(opening(nodes, number=9))
    assert isinstance(forged, Labels)
    assert forged.advert is not None
    swapped = replace(question.round, adverts=(*question.round.adverts[:2], forged.advert, question.round.adverts[3]))
    refused(nodes["moorland"], replace(question, round=swapped), Tampered, "riverside did not sign that key")


def test_a_site_is_not_asked_about_other_sites(nodes: dict[str, Node]) -> None:
    approved(nodes, COUNT)
    elsewhere = Round("1" * 32, COUNT.hash, ("northgate", "riverside"))
    refused(nodes["moorland"], replace(opening(nodes), round=elsewhere), NotSafe, "moorland is not in it")


def test_a_limit_on_the_frequency_of_all_sites_together_is_refused_for_now(nodes: dict[str, Node]) -> None:
    study = Study("frequencies", everyone(), variants=variants(max_af=0.1, af="pooled"))
    approved(nodes, study)
    refused(nodes["moorland"], opening(nodes, study), BadStudy, "on all sites together")


def test_only_a_question_is_answered(nodes: dict[str, Node]) -> None:
    with pytest.raises(BadInput, match="another kind of message"):
        nodes["moorland"].reply(Masked("moorland", "0" * 32, "0" * 64, b"").to_bytes())


# -- What travels and what stays --------------------------------------------------------------------------------------


def test_what_travels_holds_no_person_and_no_number_of_people(nodes: dict[str, Node], hospitals: Path) -> None:
    approved(nodes, COUNT)
    question = summing(nodes)
    sent = [node.reply(question.to_bytes()) for node in nodes.values()]
    people = [
        line.partition(",")[0]
        for file in hospitals.parent.rglob("people.csv")
        for line in file.read_text().splitlines()[1:]
    ]
    assert len(people) >= sum(SIZES.values())
    for reply in sent:
        text = reply.decode()
        assert not any(person in text for person in people)
        assert set(json.loads(text)) == {"message", "round", "site", "terms", "words"}
        assert isinstance(decode(reply), Masked)


def test_a_withdrawn_person_is_out_of_the_next_answer(nodes: dict[str, Node], tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text("".join(f"n{number:03}x\n" for number in range(20)), encoding="utf-8")
    assert nodes["northgate"].site.withdraw_people(tmp_path / "out.txt", "ben").unknown == 0
    study = Study("counts", everyone(), by=("site",))
    same_as_pooled(nodes, study)
    rows = Hub(nodes.values()).ask(study, asked_by="rita").table.rows
    assert (Value("northgate"), Value(SIZES["northgate"] - 20)) in rows


def test_every_step_is_in_every_sites_log(nodes: dict[str, Node]) -> None:
    approved(nodes, COUNT).ask(COUNT, asked_by="rita")
    for node in nodes.values():
        kinds = [entry.kind for entry in node.site.log.entries() if entry.facts.get("study") == COUNT.hash]
        assert kinds == ["study approved", "study asked", "study answered", "study masked"]
        node.site.log.verify()

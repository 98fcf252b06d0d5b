"""Studies that are asked again and again, across walls: the answer of adding in plain, and everything that breaks a conversation off."""

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest
from four_hospitals import SETTINGS
from test_analyses_split import EGFR, ILL, STUDIES, hospital, invented

import nhsgen as ng
from nhsgen import studies
from nhsgen.cohorts import everyone
from nhsgen.errors import BadInput, NhsgenError, NotAllowed, NotFound, NotSafe
from nhsgen.estimates import Survival
from nhsgen.federation import Hub, Node, name_of, site_key
from nhsgen.federation import conversation as conversations
from nhsgen.federation.asking_again import Asking
from nhsgen.federation.conversation import digest_of
from nhsgen.federation.layouts import Pair, Rows
from nhsgen.federation.messages import Masked, NextQuestion, decode
from nhsgen.results import Released
from nhsgen.studies import ROUNDS, Study
from nhsgen.studies.rounds import ask_in_rounds
from nhsgen.variants import variants
from nhsgen.workspace import Workspace

ONE_OF_A_KIND = {
    "association of two measurements", "cases and controls", "genes and a measurement", "genes and a disease", "structure",
    "survival by sex and ancestry", "survival of carriers",
}  # fmt: skip
AGAIN = {name: STUDIES[name] for name in sorted(ONE_OF_A_KIND)}
SCAN = Study("association", everyone(), traits=(EGFR,), variants=variants(), options={"covariates": ["sex"]})
ILLNESS = Study("association", ILL, variants=variants(), options={"covariates": ["birth_year"], "firth_below": 0.5})


@pytest.fixture(scope="module")
def wards(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The same invented people as when analyses are split, at three sites, one of them small."""
    workspace = Workspace.create(tmp_path_factory.mktemp("rounds") / "federation", "rounds")
    households = list(invented())
    Random(5).shuffle(households)
    for name, homes in (("elm", households[:110]), ("oak", households[110:185]), ("yew", households[185:])):
        hospital(workspace, name, sorted((person for home in homes for person in home), key=lambda person: person.id))
    return workspace


@pytest.fixture
def nodes(wards: Workspace) -> dict[str, Node]:
    return at(wards)


def at(workspace: Workspace, kind: type[Node] = Node) -> dict[str, Node]:
    """A node a site, each knowing the others' keys."""
    keys = {name: site_key(workspace.path / f"{name}.key") for name in workspace.sites}
    peers = {name: name_of(key) for name, key in keys.items()}
    return {name: kind(site, keys[name], peers, SETTINGS) for name, site in workspace.sites.items()}


def approved(nodes: Mapping[str, Node], study: Study) -> Hub:
    for node in nodes.values():
        node.approve(study.hash, next(name for name, roles in node.site.staff.items() if "steward" in roles))
    return Hub(nodes.values())


# -- The same answer --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", AGAIN)
def test_across_walls_the_estimate_is_the_one_of_adding_in_plain(nodes: dict[str, Node], name: str) -> None:
    study = AGAIN[name]
    sites = [node.site for node in nodes.values()]
    there = ask_in_rounds(study, ROUNDS[study.method], sites, SETTINGS, None, "rita").estimate
    here = Asking(study, nodes, approved(nodes, study)._hear, "rita").estimate()
    close(here, there, 1e-10)
    if isinstance(there, Survival):
        assert isinstance(here, Survival)
        assert here.groups == there.groups  # whole numbers, so Kaplan and Meier's curve is the same to the last digit


def close(here: object, there: object, tolerance: float, path: str = "") -> None:
    """Equal; numbers with a point to `tolerance` of their size."""
    if isinstance(here, float) and isinstance(there, float):
        alike = math.isclose(here, there, rel_tol=tolerance, abs_tol=1e-12) or (math.isnan(here) and math.isnan(there))
        assert alike, (path, here, there)
    elif is_dataclass(here) and not isinstance(here, type):
        for one in fields(here):
            close(getattr(here, one.name), getattr(there, one.name), tolerance, f"{path}.{one.name}")
    elif isinstance(here, Mapping) and isinstance(there, Mapping):
        assert list(here) == list(there), path
        for key in here:
            close(here[key], there[key], tolerance, f"{path}[{key}]")
    elif isinstance(here, Sequence) and isinstance(there, Sequence) and not isinstance(here, str):
        assert len(here) == len(there), path
        for mine, theirs in zip(here, there, strict=True):
            close(mine, theirs, tolerance, path)
    else:
        assert here == there, (path, here, there)


def same_as_pooled(nodes: Mapping[str, Node], study: Study) -> Released:
    there = studies.run(study, [node.site for node in nodes.values()], SETTINGS, asked_by="rita")
    here = approved(nodes, study).ask(study, asked_by="rita")
    assert here.table == there.table
    assert (here.kind, here.title, here.notes, here.question) == (there.kind, there.title, there.notes, there.question)
    assert replace(here.receipt, asked_at="") == replace(there.receipt, asked_at="")
    return here


DAMAGING = ng.variants(impact="high", max_af=0.001)
ON_THE_DEMO = {
    "a measurement": Study(
        "association", ng.everyone(), traits=(ng.measurement("eGFR").latest(),), variants=ng.variants().in_genes("UMOD"),
        options={"covariates": ["sex", "birth_year"]},
    ),
    "a disease": Study("association", ng.icd10("E11"), variants=ng.variants().in_genes("TCF7L2"), options={"firth_below": 1}),
    "survival": Study("survival", ng.everyone(), since=ng.icd10("C50"), variants=DAMAGING, options={"covariates": ["birth_year"]}),
}  # fmt: skip


@pytest.fixture(scope="module")
def demo_nodes(demo_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Node]:
    return at(Workspace.open(shutil.copytree(demo_workspace, tmp_path_factory.mktemp("walls") / "demo")))


@pytest.mark.parametrize("study", ON_THE_DEMO.values(), ids=ON_THE_DEMO)
def test_on_the_demo_what_is_released_is_the_same(demo_nodes: dict[str, Node], study: Study) -> None:
    assert same_as_pooled(demo_nodes, study).table.rows


# -- What a site keeps, and what its log keeps ------------------------------------------------------------------------


def test_nothing_is_kept_when_it_is_over(nodes: dict[str, Node]) -> None:
    approved(nodes, SCAN).ask(SCAN, asked_by="rita")
    assert not any(node._conversations or node._pending for node in nodes.values())


def test_the_log_remembers_each_round_and_the_state_it_was_asked_at(nodes: dict[str, Node]) -> None:
    hub = approved(nodes, SCAN)
    before = len(nodes["elm"].site.log.entries())
    hub.ask(SCAN, asked_by="rita")
    nodes["elm"].site.log.verify()
    entries = nodes["elm"].site.log.entries()[before:]
    assert [entry.kind for entry in entries[:3]] == ["study asked", "study answered", "study masked"]
    rounds = [entry.facts for entry in entries if entry.kind == "study asked"]
    assert [facts["number"] for facts in rounds] == list(range(1, len(rounds) + 1))
    assert len(rounds) > 3
    assert len({facts["state"] for facts in rounds}) == len(rounds)
    assert sum(entry.kind == "study masked" for entry in entries) == len(rounds)


def test_a_hub_that_says_nothing_more_is_forgotten(nodes: dict[str, Node], monkeypatch: pytest.MonkeyPatch) -> None:
    approved(nodes, SCAN)
    first = begun(nodes, SCAN)
    nodes["elm"].answer(first)
    assert nodes["elm"]._conversations
    monkeypatch.setattr(conversations, "IDLE", -1.0)
    with pytest.raises(NotAllowed, match="not open here, or is over"):
        nodes["elm"].answer(replace(first, round=replace(first.round, id="e" * 32, number=2)))


def test_a_study_that_begins_anew_puts_the_unfinished_one_away(nodes: dict[str, Node]) -> None:
    approved(nodes, SCAN)
    nodes["elm"].answer(begun(nodes, SCAN))
    kept = nodes["elm"]._conversations[SCAN.hash]
    nodes["elm"].answer(begun(nodes, SCAN))
    assert nodes["elm"]._conversations[SCAN.hash] is not kept
    assert kept._part is None


def begun(nodes: Mapping[str, Node], study: Study) -> NextQuestion:
    """The first question of a study, as an honest hub would put it, under a number nobody has used."""
    heard: list[NextQuestion] = []

    def hear(_: str, question: NextQuestion, __: type[Any]) -> Any:
        heard.append(question)
        raise NotFound("asking", "nobody listens", "go home")

    with pytest.raises(NotFound):
        Asking(study, nodes, hear, "rita").estimate()
    return heard[0]


# -- What travels ------------------------------------------------------------------------------------------------------


class Heard(Node):
    """A node that keeps what it heard and said."""

    def reply(self, question: bytes) -> bytes:
        said = super().reply(question)
        vars(self).setdefault("travelled", []).append((decode(question), said))
        return said


def test_what_a_site_says_is_names_shapes_and_masked_words(wards: Workspace) -> None:
    listening = at(wards, Heard)
    approved(listening, ILLNESS).ask(ILLNESS, asked_by="rita")
    people = [person.id for home in invented() for person in home]
    for node in listening.values():
        said = [json.loads(reply) for _, reply in vars(node)["travelled"]]
        assert {message["message"] for message in said} == {"shape", "masked", "ended"}
        for message in said:
            text = json.dumps({name: part for name, part in message.items() if name not in {"words", "advert"}})
            assert not any(person in text for person in people)
            if message["message"] == "masked":
                assert set(message) == {"message", "round", "site", "terms", "words"}
            if message["message"] == "shape":
                assert set(message["layout"]) in ({"one", "two"}, {"arrays"})


def test_the_same_sums_are_other_words_each_time(wards: Workspace) -> None:
    listening = at(wards, Heard)
    hub = approved(listening, SCAN)
    words = []
    for _ in range(2):
        hub.ask(SCAN, asked_by="rita")
        travelled = vars(listening["elm"]).pop("travelled")
        words.append(next(said for said in (decode(reply) for _, reply in travelled) if isinstance(said, Masked)).words)
    assert len(words[0]) == len(words[1])
    assert words[0] != words[1]


def test_how_many_take_part_is_in_no_sites_own_row(nodes: dict[str, Node]) -> None:
    """The hub learns which sites take part, and how many people at all of them together."""
    totals: list[Any] = []

    class Looking(Asking):
        def _total(self, state: Any) -> Any:
            totals.append(super()._total(state))
            return totals[-1]

    Looking(ILLNESS, nodes, approved(nodes, ILLNESS)._hear, "rita").estimate()
    took_part = totals[0].two
    assert {name: row["people"] for name, row in took_part.rows()} == {"elm": 0, "oak": 0, "yew": 0}
    assert took_part.values.sum() > 0


# -- What breaks a conversation off -----------------------------------------------------------------------------------

Meddle = Callable[[str, NextQuestion], NextQuestion]


def meddled(nodes: Mapping[str, Node], study: Study, meddle: Meddle, error: type[Exception], says: str) -> None:
    """A hub that changes some of its questions on the way is refused, the site's log says why, and nothing is kept anywhere."""
    hub = approved(nodes, study)

    def hear(name: str, question: NextQuestion, kind: type[Any]) -> Any:
        return hub._hear(name, meddle(name, question), kind)

    with pytest.raises(error, match=says) as refused:
        Asking(study, nodes, hear, "rita").estimate()
    assert "\n" not in str(refused.value)
    assert not any(node._conversations or node._pending for node in nodes.values())
    if issubclass(error, NhsgenError):
        assert any(node.site.log.entries()[-1].kind == "study refused" for node in nodes.values())


def in_round(number: int, stage: str, change: Callable[[NextQuestion], NextQuestion]) -> Meddle:
    """`change` that question to oak, and no other."""
    return lambda name, question: (
        change(question)
        if (name, question.stage, question.round.number) == ("oak", stage, number)
        else question
    )  # fmt: skip


def with_state(question: NextQuestion, change: Callable[[dict[str, Any]], None]) -> NextQuestion:
    state = json.loads(json.dumps(question.state))
    change(state)
    return replace(question, state=state, round=replace(question.round, state=digest_of(state)))


def foreign(state: dict[str, Any]) -> None:
    state["fields"]["chosen"]["class"] = "federation.node.Node"


def roster(question: NextQuestion) -> NextQuestion:
    return replace(question, round=replace(question.round, sites=("elm", "oak", "yew", "zed")))


REFUSED: Mapping[str, tuple[Meddle, type[Exception], str]] = {
    "a state with a foreign class": (
        in_round(3, "layout", lambda q: with_state(q, foreign)), BadInput, "reading 'chosen' of a round failed"),
    "a roster that changes between rounds": (in_round(3, "layout", roster), NotSafe, "other sites take part"),
    "a number that was used": (
        in_round(2, "layout", lambda q: replace(q, round=replace(q.round, id=q.round.opened))), NotSafe, "has been used before"),
    "a study one letter off": (
        in_round(2, "layout", lambda q: replace(q, study={**q.study, "purpose": "Else."})), NotSafe, "its text is not what its hash says"),
}  # fmt: skip
"""How oak is asked, and what comes of it; the other ways are in the unit tests of a conversation."""


@pytest.mark.parametrize(("meddle", "error", "says"), REFUSED.values(), ids=REFUSED)
def test_a_hub_that_leaves_the_path_is_refused(
    nodes: dict[str, Node], meddle: Meddle, error: type[Exception], says: str
) -> None:
    meddled(nodes, SCAN, meddle, error, says)


def test_a_layout_without_this_sites_rows_is_refused(nodes: dict[str, Node]) -> None:
    def fewer(question: NextQuestion) -> NextQuestion:
        layout = question.round.layout
        assert isinstance(layout, Pair)
        assert isinstance(layout.one, Rows)
        short = replace(layout, one=replace(layout.one, labels=layout.one.labels[-2:]))
        return replace(question, round=replace(question.round, layout=short))

    meddled(nodes, SCAN, in_round(1, "sum", fewer), NotSafe, "leaves out rows or columns")


def test_another_hub_does_not_end_what_is_not_its_own(nodes: dict[str, Node]) -> None:
    approved(nodes, SCAN)
    first = begun(nodes, SCAN)
    nodes["elm"].answer(first)
    kept = nodes["elm"]._conversations[SCAN.hash]
    strange = replace(first.round, id="1" * 32, number=2, opened="2" * 32)
    with pytest.raises(NotAllowed, match="another conversation"):
        nodes["elm"].answer(replace(first, round=strange))
    assert nodes["elm"]._conversations[SCAN.hash] is kept
    nodes["elm"].answer(replace(first, stage="end", state=None))
    assert not nodes["elm"]._conversations


def test_a_replayed_question_is_refused(wards: Workspace) -> None:
    listening = at(wards, Heard)
    approved(listening, SCAN).ask(SCAN, asked_by="rita")
    questions = [question for question, _ in vars(listening["elm"])["travelled"]]
    for question in (questions[0], questions[1], questions[4]):
        with pytest.raises((NotSafe, NotAllowed), match=r"has been used before|not open here, or is over"):
            listening["elm"].answer(question)


def test_a_site_that_falls_silent_on_the_way_ends_the_study_for_all(wards: Workspace) -> None:
    class Falling(Node):
        def reply(self, question: bytes) -> bytes:
            asked = decode(question)
            if self.name == "oak" and isinstance(asked, NextQuestion) and asked.round.number == 3:
                raise ConnectionError("nobody there")
            return super().reply(question)

    falling = at(wards, Falling)
    with pytest.raises(ConnectionError):
        approved(falling, SCAN).ask(SCAN, asked_by="rita")
    assert [name for name, node in falling.items() if node._conversations] == ["oak"]
    # It is asked again when it is back, and is none the worse.
    same_as_pooled(at(wards), SCAN)


def test_the_same_study_with_another_roster_is_refused(wards: Workspace, nodes: dict[str, Node]) -> None:
    study = replace(SCAN, purpose="A roster of its own.")
    approved(nodes, study).ask(study, asked_by="rita")
    with pytest.raises(NotSafe, match="only 2 of them can answer"):
        Hub(node for name, node in nodes.items() if name != "yew").ask(study, asked_by="rita")


def test_who_withdraws_on_the_way_is_in_no_further_sum(wards: Workspace, tmp_path: Path) -> None:
    nodes = at(Workspace.open(shutil.copytree(wards.path, tmp_path / "copy")))
    (tmp_path / "out.txt").write_text("p0003x\n", encoding="utf-8")

    def withdraw(question: NextQuestion) -> NextQuestion:
        nodes["oak"].site.withdraw_people(tmp_path / "out.txt", "ben")
        return question

    meddled(nodes, SCAN, in_round(3, "layout", withdraw), NotSafe, "somebody withdrew")
    same_as_pooled(nodes, SCAN)


# -- Who does not answer -----------------------------------------------------------------------------------------------


def test_a_study_nobody_approved_is_not_prepared(nodes: dict[str, Node]) -> None:
    study = replace(SCAN, purpose="Nobody knows of it.")
    with pytest.raises(NotAllowed, match="no steward of elm has approved it"):
        Hub(nodes.values()).ask(study, asked_by="rita")
    assert not nodes["elm"]._conversations
    assert not any(
        entry.kind == "study answered" and entry.facts["study"] == study.hash
        for entry in nodes["elm"].site.log.entries()
    )


def test_a_study_that_is_over_is_refused(nodes: dict[str, Node]) -> None:
    study = replace(SCAN, expires=date(2020, 1, 1))
    with pytest.raises(NotAllowed, match="it expired"):
        approved(nodes, study).ask(study, asked_by="rita")


def test_when_nobody_can_answer_the_hub_says_why(nodes: dict[str, Node]) -> None:
    study = replace(SCAN, cohort=ng.omop(4))
    with pytest.raises(NotFound, match="elm: its contract has no OMOP concepts"):
        approved(nodes, study).ask(study, asked_by="rita")
    assert not any(node._conversations for node in nodes.values())


def test_where_there_is_nothing_to_look_at_it_is_said(nodes: dict[str, Node]) -> None:
    study = replace(SCAN, variants=variants().in_genes("TTN"))
    with pytest.raises(NotFound, match="no allele has enough copies"):
        approved(nodes, study).ask(study, asked_by="rita")
    assert not any(node._conversations for node in nodes.values())

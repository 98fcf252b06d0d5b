"""Who may take an extract from one state to the next: MOVES, tried in full, and the attacks on two people's approval."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_extract import SETTINGS, staffed_site, write_extract

from nhsgen import contracts, extracts
from nhsgen.contracts import Contract
from nhsgen.errors import BadFile, BadInput, NotAllowed, NotFound, Tampered
from nhsgen.extracts import MOVES, State, checking, lifecycle, submission
from nhsgen.extracts.deidentification import DeidentificationReport, Finding
from nhsgen.extracts.validation import ContractReport
from nhsgen.workspace import Role, Site, Workspace

LIFTABLE = Finding("free_text:person.sex", "free_text", "person", "sex", 1, 0.05, "blocks", "has sentences")
FINAL = Finding(
    "nhs_number:person.sex", "nhs_number", "person", "sex", 1, 0.05, "blocks", "has NHS numbers", may_be_lifted=False
)


class Checks:
    """Stands in for the two checks, which have their own tests and take seconds: finds what a test puts into it."""

    def __init__(self) -> None:
        self.blocking: tuple[Finding, ...] = ()

    def validate(self, *args: Any) -> ContractReport:
        return ContractReport((), (), (), ())

    def inspect(self, *args: Any, **more: Any) -> DeidentificationReport:
        return DeidentificationReport(self.blocking, (), ())


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here loses power, and parsing the same contract again takes longer than all the rest."""
    parsed: dict[bytes, Contract] = {}

    def read_once(path: Path) -> Contract:
        data = path.read_bytes()
        if data not in parsed:
            parsed[data] = contracts.read(path)
        return replace(parsed[data], path=path)

    for room in (lifecycle, submission):
        monkeypatch.setattr(room, "read", read_once)
    monkeypatch.setattr(os, "fsync", lambda opened: None)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Checks:
    checks = Checks()
    for name in ("validate", "inspect"):
        monkeypatch.setattr(checking, name, getattr(checks, name))
    monkeypatch.setattr(checking, "_check_links", lambda *args: [])
    return checks


@pytest.fixture
def site(tmp_path: Path, checks: Checks) -> Site:
    return staffed_site(tmp_path)


def submitted(site: Site, tmp_path: Path, by: str = "asha") -> str:
    files, under = write_extract(tmp_path / str(len(extracts.list_extracts(site))))
    return extracts.submit(site, files, under, by).id


def in_state(state: State, site: Site, checks: Checks, tmp_path: Path) -> str:
    """An extract in `state`, taken there by the shortest way."""
    extract = submitted(site, tmp_path)
    if state is State.SUBMITTED:
        return extract
    if state is State.BROKEN:
        checks.blocking = (LIFTABLE,)
    extracts.check(site, extract, "asha", SETTINGS)
    checks.blocking = ()
    if state in {State.APPROVED_ONCE, State.APPROVED, State.RELEASED}:
        extracts.approve(site, extract, "ben", "read")
    if state in {State.APPROVED, State.RELEASED}:
        extracts.approve(site, extract, "carys", "read")
    if state is State.RELEASED:
        extracts.release(site, extract, "dev", SETTINGS)
    if state is State.REFUSED:
        extracts.refuse(site, extract, "ben", "two postcodes")
    if state is State.WITHDRAWN:
        extracts.withdraw(site, extract, "asha", "wrong month")
    assert extracts.find(site, extract).state is state
    return extract


# -- MOVES, in full ---------------------------------------------------------------------------------------------------------

ACTS: dict[State, Callable[[Site, str, str], object]] = {
    State.CHECKED: lambda site, extract, by: extracts.check(site, extract, by, SETTINGS),
    State.APPROVED_ONCE: lambda site, extract, by: extracts.approve(site, extract, by, "read"),
    State.RELEASED: lambda site, extract, by: extracts.release(site, extract, by, SETTINGS),
    State.REFUSED: lambda site, extract, by: extracts.refuse(site, extract, by, "two postcodes"),
    State.WITHDRAWN: lambda site, extract, by: extracts.withdraw(site, extract, by, "wrong month"),
}
# Who tries: whoever submitted it, a steward who has not been near it, another submitter, a stranger.
TRIERS = {"asha": Role.SUBMITTER, "dev": Role.STEWARD, "eve": None, "mallory": None}


@pytest.mark.parametrize("start", list(State))
def test_every_move_that_is_not_in_the_table_is_refused(
    start: State, site: Site, checks: Checks, tmp_path: Path
) -> None:
    site.enrol("eve", "submitter", "ben")
    extract = in_state(start, site, checks, tmp_path)
    for goal, act in ACTS.items():
        reached = State.APPROVED if (goal, start) == (State.APPROVED_ONCE, State.APPROVED_ONCE) else goal
        for by, role in TRIERS.items():
            again = start is goal is State.RELEASED and role is Role.STEWARD  # the same answer, no move
            if role in MOVES.get((start, reached), frozenset()) or again:
                continue
            before = site.log.head()
            with pytest.raises(NotAllowed):
                act(site, extract, by)
            assert (site.log.head(), extracts.find(site, extract).state) == (before, start)


@pytest.mark.parametrize(("start", "goal"), [move for move in MOVES if move[0] is not None])
def test_every_move_in_the_table_can_be_made_by_those_it_names(
    start: State, goal: State, site: Site, checks: Checks, tmp_path: Path
) -> None:
    for by, role in TRIERS.items():
        if role in MOVES[start, goal]:
            extract = in_state(start, site, checks, tmp_path)
            checks.blocking = (LIFTABLE,) if goal is State.BROKEN else ()
            acting = {State.BROKEN: State.CHECKED, State.APPROVED: State.APPROVED_ONCE}.get(goal, goal)
            ACTS[acting](site, extract, by)
            checks.blocking = ()
            assert extracts.find(site, extract).state is goal
            assert (site.log.entries()[-1].who, site.log.entries()[-1].kind) == (by, f"extract {goal}")


def test_the_table_knows_every_state_and_leaves_none_without_a_way_in() -> None:
    assert {goal for _, goal in MOVES} == set(State)
    assert {start for start, _ in MOVES} == {None, *State} - {State.REFUSED, State.WITHDRAWN}
    assert all(roles for roles in MOVES.values())


@pytest.mark.parametrize("by", ["ben", "mallory"])
def test_only_submitters_submit(site: Site, tmp_path: Path, by: str) -> None:
    with pytest.raises(NotAllowed, match="is not a submitter of northgate"):
        submitted(site, tmp_path, by)
    assert list((site.path / "extracts").iterdir()) == []


# -- Attacks on two people's approval -----------------------------------------------------------------------------------------


def test_one_person_does_not_count_twice(site: Site, checks: Checks, tmp_path: Path) -> None:
    extract = in_state(State.APPROVED_ONCE, site, checks, tmp_path)
    with pytest.raises(NotAllowed, match="has approved it already"):
        extracts.approve(site, extract, "ben", "again")


def test_a_steward_who_submits_judges_nothing_of_their_own(site: Site, tmp_path: Path) -> None:
    site.enrol("ben", "submitter", "carys")
    extract = submitted(site, tmp_path, by="ben")
    extracts.check(site, extract, "ben", SETTINGS)
    for act in (extracts.approve, extracts.refuse):
        with pytest.raises(NotAllowed, match="a steward who did not submit it"):
            act(site, extract, "ben", "mine")
    extracts.approve(site, extract, "carys", "read")
    extracts.approve(site, extract, "dev", "read")
    with pytest.raises(NotAllowed, match="a steward who did not submit it"):
        extracts.release(site, extract, "ben", SETTINGS)


@pytest.mark.parametrize("state", [State.CHECKED, State.APPROVED_ONCE, State.APPROVED])
@pytest.mark.parametrize("attack", ["change", "add", "remove", "link", "relist", "contract"])
def test_files_that_changed_after_the_check_stop_everything(
    state: State, attack: str, site: Site, checks: Checks, tmp_path: Path
) -> None:
    extract = in_state(state, site, checks, tmp_path)
    place = site.path / "extracts" / extract
    for folder in (place / "files", place / "contracts"):
        folder.chmod(0o755)
    person = place / "files" / "person.csv"
    person.chmod(0o644)
    if attack == "change":
        person.write_text(person.read_text().replace("p01,male", "p01,fem."))
    elif attack == "add":
        (place / "files" / "more.csv").write_text("a\n1\n")
    elif attack == "remove":
        person.unlink()
    elif attack == "link":
        person.rename(tmp_path / "moved.csv")
        person.symlink_to(tmp_path / "moved.csv")
    elif attack == "relist":
        (place / "extract.json").write_text("{}")
    else:
        (place / "contracts" / "1-small.odcs.yaml").chmod(0o644)
        (place / "contracts" / "1-small.odcs.yaml").write_text("schema: []")
    before = site.log.head()
    act = ACTS[State.RELEASED if state is State.APPROVED else State.APPROVED_ONCE]
    with pytest.raises(Tampered, match="refuse it, and have it submitted again"):
        act(site, extract, "dev")
    assert site.log.head() == before
    assert extracts.refuse(site, extract, "dev", "changed").state is State.REFUSED


def test_a_report_that_changed_stops_everything(site: Site, checks: Checks, tmp_path: Path) -> None:
    extract = in_state(State.APPROVED_ONCE, site, checks, tmp_path)
    (kept,) = (site.path / "extracts" / extract / "reports").iterdir()
    kept.chmod(0o644)
    kept.write_text("{}")
    with pytest.raises(Tampered):
        extracts.approve(site, extract, "carys", "read")
    with pytest.raises(Tampered):
        extracts.report(site, extract)


def test_approvals_are_for_one_report(site: Site, checks: Checks, tmp_path: Path) -> None:
    extract = in_state(State.APPROVED, site, checks, tmp_path)
    old = extracts.find(site, extract).report
    checks.blocking = (LIFTABLE,)
    extracts.check(site, extract, "dev", SETTINGS, lift={LIFTABLE.id: "names of drugs"})
    assert (extracts.find(site, extract).state, extracts.find(site, extract).approvals) == (State.CHECKED, ())
    with pytest.raises(NotAllowed):
        extracts.release(site, extract, "dev", SETTINGS)
    with pytest.raises(NotAllowed, match="checked again since"):
        extracts.approve(site, extract, "ben", "read the old one", report=old)
    extracts.approve(site, extract, "ben", "read", report=extracts.find(site, extract).report)


def test_an_approval_ends_with_its_steward_s_role(site: Site, checks: Checks, tmp_path: Path) -> None:
    once, twice = (in_state(state, site, checks, tmp_path) for state in (State.APPROVED_ONCE, State.APPROVED))
    site.dismiss("ben", "steward", "dev")
    with pytest.raises(NotAllowed, match="a steward no more"):
        extracts.approve(site, once, "carys", "read")
    with pytest.raises(NotAllowed, match="a steward no more"):
        extracts.release(site, twice, "dev", SETTINGS)
    with pytest.raises(NotAllowed):
        extracts.approve(site, once, "ben", "read")


def test_an_approval_is_for_one_extract(site: Site, checks: Checks, tmp_path: Path) -> None:
    approved, other = (in_state(state, site, checks, tmp_path) for state in (State.APPROVED, State.CHECKED))
    (site.path / "extracts" / other).rename(tmp_path / "aside")
    (site.path / "extracts" / approved).rename(site.path / "extracts" / other)
    with pytest.raises(Tampered):
        extracts.release(site, approved, "dev", SETTINGS)
    site.path.joinpath("extracts", other, "files", "person.csv").chmod(0o644)
    site.path.joinpath("extracts", other, "files", "person.csv").write_text("person_id,sex\n")
    with pytest.raises(Tampered):
        extracts.approve(site, other, "dev", "read")


@pytest.mark.parametrize(
    ("meanwhile", "says"),
    [
        (lambda site, extract: extracts.refuse(site, extract, "carys", "stop"), "it is refused"),
        (lambda site, extract: extracts.withdraw(site, extract, "asha", "stop"), "it is withdrawn"),
        (lambda site, extract: site.dismiss("carys", "steward", "dev"), "a steward no more"),
        (lambda site, extract: site.dismiss("ben", "steward", "dev"), "may not"),
    ],
)
def test_what_happens_while_a_release_is_written_is_seen(
    meanwhile: Callable[[Site, str], object],
    says: str,
    site: Site,
    checks: Checks,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    extract = in_state(State.APPROVED, site, checks, tmp_path)
    publish = lifecycle.publish

    def interrupted(*args: Any) -> object:
        made = publish(*args)
        meanwhile(Workspace.open(tmp_path / "federation").site("northgate"), extract)
        return made

    monkeypatch.setattr(lifecycle, "publish", interrupted)
    with pytest.raises(NotAllowed, match=says):
        extracts.release(site, extract, "ben", SETTINGS)
    assert (site.releases(), site.release()) == ((), None)


# -- Checking -----------------------------------------------------------------------------------------------------------------


def test_a_finding_may_be_let_pass_by_a_steward_with_a_reason(site: Site, checks: Checks, tmp_path: Path) -> None:
    extract = in_state(State.BROKEN, site, checks, tmp_path)
    checks.blocking = (LIFTABLE,)
    report = extracts.check(site, extract, "ben", SETTINGS, lift={LIFTABLE.id: "names of\n drugs"})
    assert (report.passed, report.blocking) == (True, ())
    assert extracts.find(site, extract).lifted == {LIFTABLE.id: "names of drugs"}
    assert extracts.report(site, extract) == report
    assert "names of drugs" in str(report)
    extracts.check(site, extract, "asha", SETTINGS)
    assert extracts.find(site, extract).state is State.BROKEN


@pytest.mark.parametrize(
    ("by", "lift", "kind"),
    [
        ("asha", {LIFTABLE.id: "mine"}, NotAllowed),
        ("ben", {FINAL.id: "never mind"}, NotAllowed),
        ("ben", {"no:such": "why"}, NotAllowed),
        ("ben", {LIFTABLE.id: " "}, BadInput),
    ],
)
def test_what_may_not_be_let_pass(
    site: Site, checks: Checks, tmp_path: Path, by: str, lift: dict[str, str], kind: type[Exception]
) -> None:
    extract = submitted(site, tmp_path)
    checks.blocking = (LIFTABLE, FINAL)
    with pytest.raises(kind):
        extracts.check(site, extract, by, SETTINGS, lift=lift)
    assert extracts.find(site, extract).state is State.SUBMITTED


@pytest.mark.parametrize("act", [extracts.approve, extracts.refuse, extracts.withdraw])
def test_a_reason_is_asked_for(site: Site, checks: Checks, tmp_path: Path, act: Callable[..., object]) -> None:
    extract = in_state(State.CHECKED, site, checks, tmp_path)
    with pytest.raises(BadInput, match="no reason is given"):
        act(site, extract, "asha" if act is extracts.withdraw else "ben", " \n")


# -- Submitting ---------------------------------------------------------------------------------------------------------------


def test_extracts_are_numbered_and_found(site: Site, tmp_path: Path) -> None:
    names = [submitted(site, tmp_path) for _ in range(3)]
    assert names == ["northgate-0001", "northgate-0002", "northgate-0003"]
    workspace = Workspace.open(tmp_path / "federation")
    assert extracts.site_of(workspace, "northgate-0002") is workspace.site("northgate")
    assert [extract.id for extract in extracts.list_extracts(site)] == names
    for name in ("northgate-0009", "../northgate-0001"):
        with pytest.raises(NotFound):
            extracts.find(site, name)
    with pytest.raises(NotFound):
        extracts.site_of(workspace, "0001")


def test_a_copy_is_handed_in(site: Site, tmp_path: Path) -> None:
    files, under = write_extract(tmp_path / "mine")
    (files / "person.csv").rename(tmp_path / "elsewhere.csv")
    (files / "person.csv").hardlink_to(tmp_path / "elsewhere.csv")
    extract = extracts.submit(site, files, under, "asha")
    for path in (files / "person.csv", under[0]):
        path.write_text("changed")
    extracts.check(site, extract.id, "asha", SETTINGS)
    assert "p00" in (site.path / "extracts" / extract.id / "files" / "person.csv").read_text()


@pytest.mark.parametrize(
    ("attack", "kind"),
    [
        ("link", BadFile),
        ("folder link", BadFile),
        ("pipe", BadFile),
        ("name", BadFile),
        ("empty", BadFile),
        ("absent", NotFound),
        ("none", BadInput),
    ],
)
def test_what_cannot_be_handed_in(site: Site, tmp_path: Path, attack: str, kind: type[Exception]) -> None:
    files, under = write_extract(tmp_path / "mine")
    if attack == "link":
        (files / "extra.csv").symlink_to("/etc/hostname")
    elif attack == "folder link":
        (files / "extra").symlink_to(tmp_path)
    elif attack == "pipe":
        os.mkfifo(files / "extra.csv")
    elif attack == "name":
        (files / "ex\ntra.csv").write_text("a\n")
    elif attack == "empty":
        files = tmp_path / "empty"
        files.mkdir()
    elif attack == "absent":
        files = tmp_path / "absent"
    else:
        under = []
    with pytest.raises(kind):
        extracts.submit(site, files, under, "asha")
    assert list((site.path / "extracts").iterdir()) == []
    assert extracts.list_extracts(site) == ()


def test_what_a_dead_run_left_is_replaced(site: Site, tmp_path: Path) -> None:
    (site.path / "extracts" / "northgate-0001" / "files").mkdir(parents=True)
    assert submitted(site, tmp_path) == "northgate-0001"
    assert extracts.check(site, "northgate-0001", "asha", SETTINGS).passed


def test_show_tells_the_story(site: Site, checks: Checks, tmp_path: Path) -> None:
    extract = in_state(State.REFUSED, site, checks, tmp_path)
    told = extracts.show(site, extract)
    assert told.startswith("northgate-0001: refused, submitted by asha")
    assert "person.csv" in told
    assert "ben  refused: two postcodes" in told
    assert "not checked yet" in extracts.show(site, submitted(site, tmp_path))

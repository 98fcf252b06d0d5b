"""A workspace on disk: sites, staff, withdrawals; every state is what the log adds up to."""

import os
from pathlib import Path

import pytest
from small_extract import staffed_site

from nhsgen.audit import AuditLog
from nhsgen.errors import BadFile, BadInput, NotAllowed, NotFound, Tampered
from nhsgen.workspace import Site, Workspace


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here loses power."""
    monkeypatch.setattr(os, "fsync", lambda opened: None)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return staffed_site(tmp_path)


def reopened(site: Site) -> Site:
    return Workspace.open(site.path.parents[1]).site(site.name)


# -- Workspaces and sites -------------------------------------------------------------------------------------------------


def test_what_was_made_is_found_again(tmp_path: Path) -> None:
    made = Workspace.create(tmp_path / "federation", "Kidney study")
    made.add_site("northgate", policy="gel", pooled=True, by="ben")
    made.add_site("eastmoor", by="ben")
    again = Workspace.open(tmp_path / "federation")
    assert (again.name, list(again.sites)) == ("Kidney study", ["eastmoor", "northgate"])
    assert (again.site("northgate").policy.name, again.site("northgate").policy.pooled) == ("gel", True)
    assert (again.site("eastmoor").policy.name, again.site("eastmoor").policy.pooled) == ("nhs", False)
    assert again.site("northgate").staff == {"ben": {"steward"}}
    assert again.site("northgate").release() is None


def test_a_workspace_is_made_once_and_only_in_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "handed-in").mkdir()
    Workspace.create(tmp_path, "one")
    with pytest.raises(BadInput, match="there is one already"):
        Workspace.create(tmp_path, "two")
    with pytest.raises(NotFound, match="there is none"):
        Workspace.open(tmp_path / "handed-in")
    (tmp_path / "workspace.json").write_text("{")
    with pytest.raises(BadFile, match="cannot be read"):
        Workspace.open(tmp_path)


@pytest.mark.parametrize("name", ["", "North", "a b", "-a", "a-", "../a", "a/b", "é", "a" * 41])
def test_a_site_has_a_plain_name(tmp_path: Path, name: str) -> None:
    workspace = Workspace.create(tmp_path, "small")
    with pytest.raises(BadInput, match="not a name for a site"):
        workspace.add_site(name, by="ben")
    assert list(workspace.sites) == []


def test_a_site_is_added_once_under_rules_that_exist(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path, "small")
    with pytest.raises(BadInput, match="there are none of that name"):
        workspace.add_site("northgate", policy="lenient", by="ben")
    workspace.add_site("northgate", by="ben")
    with pytest.raises(BadInput, match="there is one already"):
        workspace.add_site("northgate", by="mallory")
    assert workspace.site("northgate").staff == {"ben": {"steward"}}
    with pytest.raises(NotFound, match="use one of: northgate"):
        workspace.site("southgate")
    assert [path.name for path in (tmp_path / "sites").iterdir()] == ["northgate"]


@pytest.mark.parametrize("attack", ["remove", "another site's", "edit"])
def test_a_site_with_a_wrong_log_does_nothing(site: Site, attack: str) -> None:
    if attack == "remove":
        site.log.path.unlink()
    elif attack == "edit":
        site.log.path.write_bytes(site.log.path.read_bytes().replace(b"carys", b"devil"))
    else:
        other = Workspace.open(site.path.parents[1]).add_site("eastmoor", by="mallory")
        site.log.path.write_bytes(other.log.path.read_bytes())
    for suspect in (site, reopened(site)):
        for act in (
            suspect.release,
            suspect.withdrawn,
            lambda s=suspect: s.policy,
            lambda s=suspect: s.enrol("x", "steward", "ben"),
        ):
            with pytest.raises(Tampered):
                act()


# -- Staff ----------------------------------------------------------------------------------------------------------------


def test_roles_are_given_and_taken_by_stewards(site: Site) -> None:
    assert site.staff == {"ben": {"steward"}, "asha": {"submitter"}, "carys": {"steward"}, "dev": {"steward"}}
    site.enrol("carys", "submitter", "ben")
    site.enrol("carys", "submitter", "ben")
    site.dismiss("carys", "steward", "ben")
    assert (reopened(site).roles("carys"), site.roles("nobody")) == ({"submitter"}, frozenset())
    assert [entry.kind for entry in site.log.entries()][-2:] == ["staff enrolled", "staff dismissed"]


@pytest.mark.parametrize("by", ["asha", "nobody", "", "Ben"])
def test_nobody_else_may_give_or_take_roles(site: Site, by: str) -> None:
    before = site.log.head()
    for act in (lambda: site.enrol("eve", "steward", by), lambda: site.dismiss("carys", "steward", by)):
        with pytest.raises(NotAllowed):
            act()
    assert site.log.head() == before


@pytest.mark.parametrize("twin", ["Ben", "BEN", "ｂen", "b en"])
def test_one_person_is_not_enrolled_under_two_spellings(site: Site, twin: str) -> None:
    with pytest.raises(BadInput, match="reads the same"):
        site.enrol(twin, "steward", "ben")


@pytest.mark.parametrize(
    ("name", "role"), [("", "steward"), (" eve", "steward"), ("e\nve", "steward"), ("eve", "owner")]
)
def test_names_and_roles_are_checked(site: Site, name: str, role: str) -> None:
    with pytest.raises(BadInput):
        site.enrol(name, role, "ben")


def test_the_last_steward_stays(site: Site) -> None:
    site.dismiss("carys", "steward", "ben")
    site.dismiss("dev", "steward", "ben")
    with pytest.raises(NotAllowed, match="no steward left"):
        site.dismiss("ben", "steward", "ben")
    with pytest.raises(NotAllowed, match="not a steward"):
        site.dismiss("asha", "steward", "ben")


# -- Withdrawals ----------------------------------------------------------------------------------------------------------


def withdraw(site: Site, tmp_path: Path, text: bytes) -> str:
    (tmp_path / "withdrawn.txt").write_bytes(text)
    return str(site.withdraw_people(tmp_path / "withdrawn.txt", "ben"))


@pytest.mark.parametrize("text", [b"p1\np2\n", b"p2,\r\np1,\r\n", b"\n\n p1 \np2\np2", b"\xef\xbb\xbfp1\np2\n"])
def test_lists_as_people_write_them(site: Site, tmp_path: Path, text: bytes) -> None:
    assert withdraw(site, tmp_path, text) == "2"
    assert reopened(site).withdrawn() == {"p1", "p2"}


def test_withdrawals_add_up_and_the_log_names_nobody(site: Site, tmp_path: Path) -> None:
    withdraw(site, tmp_path, b"person-one\nperson-two\n")
    withdraw(site, tmp_path, b"person-two\nperson-three\n")
    withdraw(site, tmp_path, b"person-two\nperson-one\n")
    assert site.withdrawn() == {"person-one", "person-two", "person-three"}
    assert [entry.facts["people"] for entry in site.log.entries() if entry.kind == "people withdrawn"] == [2, 2]
    assert b"person-" not in site.log.path.read_bytes()
    assert {path.stat().st_mode & 0o777 for path in (site.path / "withdrawn").iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "nobody is listed"),
        (b"\n,\n", "nobody is listed"),
        (b"p1\np2,p3\n", "line 2"),
        (b"p1\n\np2 p3\n", "line 3"),
        (b'"p1"\n', "line 1"),
        (b"p\x001\n", "line 1"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_lists_that_are_none(site: Site, tmp_path: Path, text: bytes, says: str) -> None:
    with pytest.raises(BadFile, match=says) as refused:
        withdraw(site, tmp_path, text)
    assert "p2" not in str(refused.value)
    assert site.withdrawn() == frozenset()
    with pytest.raises(NotFound):
        site.withdraw_people(tmp_path / "absent.txt", "ben")


@pytest.mark.parametrize("by", ["asha", "nobody"])
def test_only_stewards_record_withdrawals(site: Site, tmp_path: Path, by: str) -> None:
    (tmp_path / "withdrawn.txt").write_bytes(b"p1\n")
    with pytest.raises(NotAllowed):
        site.withdraw_people(tmp_path / "withdrawn.txt", by)


@pytest.mark.parametrize("attack", ["remove", "shorten", "add"])
def test_a_lost_list_silences_the_site_until_it_is_back(site: Site, tmp_path: Path, attack: str) -> None:
    withdraw(site, tmp_path, b"p1\np2\n")
    (kept,) = (site.path / "withdrawn").iterdir()
    if attack == "remove":
        kept.unlink()
    else:
        kept.write_bytes(b"p1\n" if attack == "shorten" else b"p1\np2\np3\n")
    with pytest.raises(Tampered, match="withdraw the same people again"):
        site.withdrawn()
    withdraw(site, tmp_path, b"p1\np2\n")
    assert site.withdrawn() == {"p1", "p2"}


def test_the_log_is_an_ordinary_audit_log(site: Site) -> None:
    log = AuditLog(site.path / "audit.jsonl")
    log.verify(expect=site.log.head())
    assert [(entry.who, entry.kind) for entry in log.entries()][:2] == [
        ("ben", "site created"),
        ("ben", "staff enrolled"),
    ]

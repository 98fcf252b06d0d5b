"""A release is whole or not there: whatever operation the power, a kill or a full disk stops it at."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from small_extract import SETTINGS, write_extract

from nhsgen import contracts
from nhsgen.errors import StorageFailed
from nhsgen.extracts import publishing
from nhsgen.extracts.publishing import publish

# One process prepares a site without touching DuckDB or polars (their threads do not survive a fork), then forks once for
# every operation on files and dies there; another fork looks at what is left and does the same thing again.
PREPARED = """
import pandas, pyarrow.compute, nhsgen.variants.parts  # what a release imports on its way, imported once

import itertools, json, os, resource, shutil, sys, traceback
from dataclasses import replace
from functools import partial
from pathlib import Path

root, tests = Path(sys.argv[1]), sys.argv[2]
sys.path.insert(0, tests)
from small_extract import SETTINGS, staffed_site, write_extract
from nhsgen import contracts, extracts, workspace
from nhsgen.errors import NhsgenError
from nhsgen.extracts import checking, lifecycle, publishing, submission
from nhsgen.extracts.deidentification import DeidentificationReport
from nhsgen.extracts.validation import ContractReport
from nhsgen.workspace import Workspace

checking.validate = lambda *args: ContractReport((), (), (), ())
checking.inspect = lambda *args, **more: DeidentificationReport((), (), ())
checking._check_links = lambda *args: []
publishing.ingest = partial(publishing.ingest, workers="threads")  # an interpreter of its own takes two seconds, a hundred times

template = root / "template"
site = staffed_site(template)
files, under = write_extract(root)
(root / "withdrawn.txt").write_text("p01\\np02\\n")
extract = extracts.submit(site, files, under, "asha").id
extracts.check(site, extract, "asha", SETTINGS)
extracts.approve(site, extract, "ben", "read")
extracts.approve(site, extract, "carys", "read")

parsed = contracts.read(under[0])  # parsing it takes longer than all the rest
lifecycle.read = submission.read = workspace.read = lambda path: replace(parsed, path=path)

TODO = {
    "release": lambda site: extracts.release(site, extract, "ben", SETTINGS),
    "submit": lambda site: extracts.submit(site, files, under, "asha"),
    "withdraw": lambda site: site.withdraw_people(root / "withdrawn.txt", "ben"),
}
found = {todo: [] for todo in TODO}


def at(folder):
    return Workspace.open(folder / "federation").site("northgate")


def in_a_child(work):
    child = os.fork()
    if child == 0:
        try:
            work()
        except NhsgenError as error:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            (root / "said").write_text(f"{error}\\n")
            os._exit(error.exit_code)
        except BaseException:
            traceback.print_exc()
            os._exit(99)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def whole(site):
    '''Nothing torn is to be seen: every release and every extract of the log verifies, and no list is lost.'''
    site.log.verify()
    for release in site.releases():
        release.verify()
    for one in extracts.list_extracts(site):
        submission.opened(site.path / "extracts" / one.id, one.sealed)
    return [len(site.releases()), len(extracts.list_extracts(site)), len(site.withdrawn())]


def clean(site):
    '''Nothing lies about that the log does not know.'''
    there = lambda folder: sorted(path.name for path in (site.path / folder).iterdir())
    assert there("releases") == [release.id for release in site.releases()], there("releases")
    assert there("extracts") == [one.id for one in extracts.list_extracts(site)], there("extracts")
    assert sum(name.startswith(".") for name in there("withdrawn")) == 0, there("withdrawn")


def copies():
    for number in itertools.count(1):
        folder = root / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)
        yield number, folder
"""

EVERY_OPERATION = """
OPERATIONS = ("fsync", "rename", "replace", "ftruncate", "write")


def dying_at(number, work):
    done = 0
    def counted(original):
        def operation(*args, **named):
            nonlocal done
            done += 1
            if done == number:
                os._exit(77)
            return original(*args, **named)
        return operation
    for name in OPERATIONS:
        setattr(os, name, counted(getattr(os, name)))
    work()


def again(folder):
    site = at(folder)
    seen = whole(site)
    do(site)
    clean(site)
    released = [release.id for release in site.releases()]
    (root / "answer").write_text(json.dumps({"seen": seen, "then": whole(site), "released": released}))


for todo, do in TODO.items():
    for number, folder in copies():
        code = in_a_child(lambda: dying_at(number, lambda: do(at(folder))))
        assert code in (0, 77), code
        assert in_a_child(lambda: again(folder)) == 0, number
        found[todo].append(json.loads((root / "answer").read_text()))
        if code == 0:
            break
print(json.dumps(found))
"""

A_FULL_DISK = """
def with_room(room, work):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    work()


def afterwards(folder, before):
    site = at(folder)
    assert whole(site) == before
    clean(site)
    do(site)


before = whole(at(template))
for todo, room in json.loads(sys.argv[3]):
    do = TODO[todo]
    folder = next(copies())[1]
    code = in_a_child(lambda: with_room(room, lambda: do(at(folder))))
    assert in_a_child(lambda: afterwards(folder, before)) == 0, room
    found[todo].append([code, (root / "said").read_text()])
print(json.dumps(found))
"""

TWO_AT_ONCE = """
for number, folder in copies():
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            os._exit(in_a_child(lambda: TODO["release"](at(folder))))
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    clean(at(folder))
    kinds = [entry.kind for entry in at(folder).log.entries()]
    found["release"].append([codes, kinds.count("extract released"), whole(at(folder))[0]])
    if number == 3:
        break
print(json.dumps(found))
"""


def run(program: str, *arguments: object) -> dict[str, list[Any]]:
    """What the prepared process and `program` found, by what there was to do."""
    command = [sys.executable, "-W", "ignore", "-c", PREPARED + program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[Any]] = json.loads(done.stdout)
    return found


TESTS = Path(__file__).parents[1]


def test_killed_at_any_operation_it_is_whole_and_can_be_done_again(tmp_path: Path) -> None:
    # What was seen and what there was in the end: releases, extracts, withdrawn people.
    expected = {
        "release": ([1, 1, 0],),
        "submit": ([0, 2, 0], [0, 3, 0]),  # a hospital that heard nothing hands it in twice
        "withdraw": ([0, 1, 2],),
    }
    found = run(EVERY_OPERATION, tmp_path, TESTS)
    assert [len(found[todo]) > least for todo, least in (("release", 20), ("submit", 10), ("withdraw", 5))] == [
        True
    ] * 3
    for todo, after in expected.items():
        assert all(one["then"] in after for one in found[todo])
        assert {tuple(one["seen"]) for one in found[todo]} == {(0, 1, 0), tuple(after[0])}
        assert len({tuple(one["released"]) for one in found[todo]}) == 1


def test_a_disk_that_fills_is_one_sentence_and_changes_nothing(tmp_path: Path) -> None:
    rooms = [
        ("release", 0),
        ("release", 900),
        ("submit", 0),
        ("submit", 200),
        ("submit", 500),
        ("withdraw", 0),
        ("withdraw", 3),
    ]
    for answers in run(A_FULL_DISK, tmp_path, TESTS, json.dumps(rooms)).values():
        for code, said in answers:
            assert code == StorageFailed.exit_code, said
            assert len(said.splitlines()) == 1


def test_two_who_release_at_once_make_one_release(tmp_path: Path) -> None:
    assert run(TWO_AT_ONCE, tmp_path, TESTS)["release"] == [[[0, 0], 1, 1]] * 3


def test_nothing_is_named_before_it_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power cut only what was fsynced is there: every file, the manifest last, every folder, then the name."""
    files, under = write_extract(tmp_path)
    (tmp_path / "releases").mkdir()
    synced: list[str] = []
    fsync, rename = os.fsync, os.rename

    def noted(opened: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{opened}"))
        fsync(opened)

    def renamed(source: Path, target: Path) -> None:
        if target.parent.name == "releases":
            synced.append("named")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(os, "rename", renamed)
    made = publish(files, [contracts.read(path) for path in under], tmp_path / "releases", {"site": "a"}, SETTINGS)
    named = synced.index("named")
    before = [path.partition("/releases/")[2].partition("/")[2] for path in synced[:named]]
    inside = sorted(path.relative_to(made.path).as_posix() for path in made.path.rglob("*"))
    assert set(inside) <= set(before)
    assert before.index("manifest.json") > max(before.index(name) for name in made.files)
    assert all(before.index(name) > before.index("manifest.json") for name in inside if (made.path / name).is_dir())
    assert before[-1] == ""
    assert synced[named + 1 :] == [str(tmp_path / "releases")]


def test_a_disk_that_fills_under_duckdb_is_one_sentence_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, under = write_extract(tmp_path)
    (tmp_path / "releases").mkdir()

    def to_a_full_disk(*args: object) -> None:
        with duckdb.connect() as desk:
            desk.execute("COPY (SELECT range FROM range(100000)) TO '/dev/full' (FORMAT parquet, USE_TMP_FILE false)")

    monkeypatch.setattr(publishing, "write_typed", to_a_full_disk)
    with pytest.raises(StorageFailed, match="the disk did not take a table"):
        publish(files, [contracts.read(under[0])], tmp_path / "releases", {"site": "a"}, SETTINGS)
    assert list((tmp_path / "releases").iterdir()) == []

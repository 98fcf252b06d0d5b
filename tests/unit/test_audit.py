"""The audit log: what is acknowledged is there, and whatever else is done to it is found."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nhsgen.audit import AuditLog, Head
from nhsgen.errors import BadInput, StorageFailed, Tampered


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    log = AuditLog(tmp_path / "audit.jsonl")
    for number in range(1, 5):
        log.append("counted", "ann", step=number)
    return log


def test_entries_come_back_in_order(log: AuditLog) -> None:
    again = AuditLog(log.path)
    assert [(entry.number, entry.who, entry.kind, entry.facts) for entry in again.entries()] == [
        (1, "ann", "counted", {"step": 1}),
        (2, "ann", "counted", {"step": 2}),
        (3, "ann", "counted", {"step": 3}),
        (4, "ann", "counted", {"step": 4}),
    ]
    assert again.entries() == log.entries()


def test_an_absent_log_is_empty_and_verifies(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    assert log.entries() == ()
    log.verify(expect=log.head())
    assert not log.path.exists()


def test_the_line_of_a_writer_that_died_is_passed_over_and_cut(log: AuditLog) -> None:
    with log.path.open("ab") as file:
        file.write(b'{"hash":"half a li')
    assert len(log.entries()) == 4
    log.append("counted", "ann", step=5)
    assert [entry.facts["step"] for entry in AuditLog(log.path).entries()] == [1, 2, 3, 4, 5]


def swap(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2], lines[1], lines[3]]


@pytest.mark.parametrize(
    ("attack", "line"),
    [
        (lambda lines: [lines[0], lines[1].replace(b"ann", b"bob"), *lines[2:]], 2),
        (lambda lines: [lines[0].replace(b'{"hash":"', b'{"hash" "'), *lines[1:]], 1),
        (swap, 2),
        (lambda lines: lines[1:], 1),
        (lambda lines: [*lines[:2], *lines[3:]], 3),
        (lambda lines: [*lines, lines[-1]], 5),
        (lambda lines: [lines[0], b"\n", *lines[1:]], 2),
        (lambda lines: [*lines[:3], lines[3][:-2] + b"\n"], 4),
    ],
)
def test_the_first_line_that_was_touched_is_named(log: AuditLog, attack, line: int) -> None:  # type: ignore[no-untyped-def]
    log.path.write_bytes(b"".join(attack(log.path.read_bytes().splitlines(keepends=True))))
    for reader in (log, AuditLog(log.path)):
        with pytest.raises(Tampered, match=f"line {line}"):
            reader.verify()
        with pytest.raises(Tampered):
            reader.append("counted", "ann")


def test_only_a_head_kept_elsewhere_finds_a_log_cut_short(log: AuditLog) -> None:
    head = log.head()
    log.path.write_bytes(b"".join(log.path.read_bytes().splitlines(keepends=True)[:2]))
    log.verify()
    with pytest.raises(Tampered, match="it ends after 2 entries and once had 4"):
        log.verify(expect=head)


def test_only_a_head_kept_elsewhere_finds_a_log_written_anew(log: AuditLog) -> None:
    head = log.head()
    log.path.unlink()
    forged = AuditLog(log.path)
    for number in range(1, 7):
        forged.append("counted", "mallory", step=number)
    forged.verify()
    with pytest.raises(Tampered, match="another log"):
        forged.verify(expect=head)


def test_a_head_stays_good_while_the_log_grows(log: AuditLog) -> None:
    head = log.head()
    log.append("counted", "ann", step=5)
    log.verify(expect=Head.parse(str(head)))


@pytest.mark.parametrize("text", ["", "4", "4:abc", "x:" + "0" * 64, "4:" + "G" * 64])
def test_a_head_is_read_strictly(text: str) -> None:
    with pytest.raises(BadInput):
        Head.parse(text)


def count(path: Path, who: str) -> None:
    log = AuditLog(path)
    for step in range(20):
        log.append("counted", who, step=step)


def test_writers_in_several_processes_take_turns(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("fork")
    writers = [spawn.Process(target=count, args=(tmp_path / "audit.jsonl", who)) for who in ("ann", "bob", "cat")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    entries = AuditLog(tmp_path / "audit.jsonl").entries()
    for who in ("ann", "bob", "cat"):
        assert [entry.facts["step"] for entry in entries if entry.who == who] == list(range(20))


def test_what_was_read_while_the_log_is_held_still_stands(log: AuditLog) -> None:
    with log.held():
        writer = multiprocessing.get_context("fork").Process(target=AuditLog(log.path).append, args=("late", "bob"))
        writer.start()
        time.sleep(0.05)
        assert len(log.entries()) == 4
        log.append("counted", "ann", step=5)
    writer.join()
    assert [entry.kind for entry in log.entries()[4:]] == ["counted", "late"]


APPENDING = """
import sys
from nhsgen.audit import AuditLog
log = AuditLog(sys.argv[1])
while True:
    print(log.append("counted", "ann").number, flush=True)
"""


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    last = 0
    for wait in (0.0, 0.003, 0.006, 0.011, 0.017):
        child = subprocess.Popen([sys.executable, "-c", APPENDING, str(path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        last = int(child.stdout.readline())
        time.sleep(wait)
        os.kill(child.pid, signal.SIGKILL)
        last = max([last, *map(int, child.stdout.read().split(b"\n")[:-1])])
        child.stdout.close()
        child.wait()
        log = AuditLog(path)
        log.verify()
        assert len(log.entries()) >= last


FULL = """
import resource, sys
from nhsgen.audit import AuditLog
from nhsgen.errors import StorageFailed
log = AuditLog(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (log.path.stat().st_size + int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    log.append("counted", "ann", step=5)
except StorageFailed as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize("room", [0, 1, 100])
def test_a_full_disk_adds_nothing(log: AuditLog, room: int) -> None:
    before = log.path.read_bytes()
    run = subprocess.run(
        [sys.executable, "-c", FULL, str(log.path), str(room)], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout.split(":")[0]) == (StorageFailed.exit_code, "writing the audit log failed")
    assert log.path.read_bytes() == before
    assert log.append("counted", "ann", step=5).number == 5


def test_ten_thousand_entries_verify_in_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    monkeypatch.setattr(os, "fsync", lambda opened: None)
    for step in range(300):
        log.append("study answered", "ann", step=step, purpose="x" * 100)
    started = time.perf_counter()
    AuditLog(log.path).verify()
    assert time.perf_counter() - started < 2 * 300 / 10_000 + 0.1  # two seconds a ten thousand, on a busy machine


@pytest.mark.parametrize("who", ["", " ", "ann\nbob"])
def test_every_entry_says_who(tmp_path: Path, who: str) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    with pytest.raises(BadInput, match="who did it"):
        log.append("enrolled", who)
    assert log.entries() == ()

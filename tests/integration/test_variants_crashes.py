"""A store is whole or not there: whenever a kill, a full disk or a failing one stops its ingest, and done again it is the same.

NHSGEN_KILLS says how often ingest is killed at a random moment: a few times in the ordinary run.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from variant_files import record, vcf, write

from nhsgen.errors import BadFile, StorageFailed
from nhsgen.settings import Settings
from nhsgen.variants import VariantStore, ingest

KILLS = int(os.environ.get("NHSGEN_KILLS", "8"))
TESTS = Path(__file__).parents[1]
TWO = Settings(threads=2)
MARK = "NHSGEN_TEST_MARK"

INGESTS = """
import resource, sys
from nhsgen.errors import NhsgenError
from nhsgen.settings import Settings
from nhsgen.variants import ingest

file, out, room, workers = sys.argv[1:]
if room != "any":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(room), int(room)))
print("ready", flush=True)
try:
    ingest([file], out, assembly="GRCh37", workers=workers, settings=Settings(threads=2))
except NhsgenError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large enough for several parts and for a moment to hit; small enough to be read often."""
    random, lines = Random(1), []
    for pos in range(1, 9_000):
        calls = random.choices(["0/0", "0/1", "1/1", "./."], [90, 8, 1, 1], k=40)
        lines.append(record(f"22 {pos} A C", " ".join(calls), id=f"rs{random.randrange(10**9)}"))
    return write(tmp_path_factory.mktemp("crashes") / "a.vcf.gz", vcf(*lines))


def hashes(store: Path) -> dict[str, str]:
    paths = sorted(path for path in store.rglob("*") if path.is_file())
    return {str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.fixture(scope="module")
def sound(file: Path) -> dict[str, str]:
    ingest([file], file.with_name("sound"), assembly="GRCh37", workers="processes", settings=TWO)
    assert len(hashes(file.with_name("sound"))) > 4  # several parts
    return hashes(file.with_name("sound"))


@contextmanager
def started(file: Path, out: Path, room: str = "any", workers: str = "processes") -> Iterator["subprocess.Popen[str]"]:
    """A process that is about to ingest, and whose workers are known by a mark of their own."""
    command = [sys.executable, "-W", "ignore", "-c", INGESTS, str(file), str(out), room, workers]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {MARK: uuid.uuid4().hex}
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


def workers_of(process: "subprocess.Popen[str]") -> list[int]:
    """The processes that bear the mark of a process, without itself; when it is dead too."""
    mine = mark_of(process.pid)
    return [
        pid
        for pid in map(int, filter(str.isdecimal, os.listdir("/proc")))
        if pid != process.pid and mine and mark_of(pid) == mine
    ]


def mark_of(pid: int) -> bytes:
    try:
        words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return b""
    return next((word for word in words if word.startswith(MARK.encode())), b"")


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def gone(pids: list[int]) -> bool:
    """Whether all have ended, within some seconds."""
    for _ in range(600):
        if not any(mark_of(pid) for pid in pids):
            return True
        time.sleep(0.1)
    return False


def same_again(file: Path, out: Path, sound: dict[str, str]) -> None:
    """Done again it is the same, and what a dead run left is swept."""
    if out.exists():
        assert hashes(out) == sound
        shutil.rmtree(out)
    ingest([file], out, assembly="GRCh37", workers="threads", settings=TWO)
    assert hashes(out) == sound
    assert left(out.parent) == [out.name]
    shutil.rmtree(out)


@pytest.fixture(scope="module")
def seconds(file: Path, tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long an ingest takes."""
    begin = time.monotonic()
    with started(file, tmp_path_factory.mktemp("timed") / "store") as process:
        begin = time.monotonic()
        assert process.wait() == 0
    return time.monotonic() - begin


def test_killed_at_any_moment_it_is_whole_or_not_there(
    file: Path, sound: dict[str, str], seconds: float, tmp_path: Path
) -> None:
    found = {"store": 0, "half": 0, "nothing": 0}
    for number in range(KILLS):
        random, out = Random(number), tmp_path / "store"
        with started(file, out) as process:
            time.sleep(random.random() * seconds * 1.05)
            workers = workers_of(process)
            process.send_signal([signal.SIGKILL, signal.SIGTERM][number % 2])
            process.wait()
        assert gone(workers), number
        names = left(tmp_path)
        assert all(name == "store" or name.startswith(".building-") for name in names), names
        found["store" if out.exists() else "half" if names else "nothing"] += 1
        same_again(file, out, sound)
    print(f"\n{KILLS} kills in {seconds:.1f} s of work each left {found}")


def test_when_a_worker_is_killed_the_file_is_named_and_nothing_is_left(
    file: Path, sound: dict[str, str], seconds: float, tmp_path: Path
) -> None:
    told = 0
    for number in range(max(3, KILLS // 3)):
        random, out = Random(number), tmp_path / "store"
        with started(file, out) as process:
            time.sleep(random.random() * seconds)
            for pid in workers_of(process)[:1]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            assert process.stdout is not None
            said = process.stdout.read()
            code = process.wait()
        if code:
            told += 1
            assert code == BadFile.exit_code, said
            assert len(said.splitlines()) == 1, said
            assert "it broke the process that read it (SIGKILL) (a.vcf.gz)" in said
            assert left(tmp_path) == []
        same_again(file, out, sound)
    print(f"\nof {max(3, KILLS // 3)} runs that lost a worker {told} said so")


def test_a_disk_that_is_full_is_one_sentence_and_leaves_nothing(
    file: Path, sound: dict[str, str], tmp_path: Path
) -> None:
    """A limit on the size of a file stops workers and us as a full disk does, wherever it is met."""
    sizes = sorted({path.stat().st_size for path in file.with_name("sound").rglob("*") if path.is_file()})
    rooms = [1_000, *(size + more for size in sizes for more in (-1, 0, 5_000)), 0][:: 1 if KILLS > 20 else 6]
    out, codes = tmp_path / "store", []
    for number, room in enumerate(rooms):
        with started(file, out, str(room), "threads" if number % 4 else "processes") as process:
            assert process.stdout is not None
            said = process.stdout.read()
            codes.append(process.wait())
        if codes[-1]:
            assert codes[-1] == StorageFailed.exit_code, (room, said)
            assert len(said.splitlines()) == 1, said
            assert left(tmp_path) == []
        else:
            assert hashes(out) == sound
            shutil.rmtree(out)
    assert StorageFailed.exit_code in codes
    same_again(file, out, sound)


def test_a_disk_that_is_really_full(file: Path, sound: dict[str, str], tmp_path: Path) -> None:
    total, codes = sum(path.stat().st_size for path in file.with_name("sound").rglob("*")) // 1024, []
    for number, room in enumerate((4, total // 4, total // 2, total, total + 40)[:: 1 if KILLS > 20 else 2]):
        small = tmp_path / str(room)
        small.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={max(1, room)}k", "tmpfs", str(small)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("only whoever may mount can make a small disk")
        try:
            with started(file, small / "store", workers="threads" if number else "processes") as process:
                assert process.stdout is not None
                said = process.stdout.read()
                codes.append(process.wait())
            assert codes[-1] in {0, StorageFailed.exit_code}, (room, said)
            assert len(said.splitlines()) == (codes[-1] != 0)
            assert left(small) == ([] if codes[-1] else ["store"])
            assert codes[-1] or hashes(small / "store") == sound
        finally:
            subprocess.run(["umount", str(small)], check=True)
    assert StorageFailed.exit_code in codes


# One process reads a small file once, so that all is imported and compiled; then it forks for every operation on files, and the
# child dies there, or is told there that the disk is full. (78: told so, and found another way.)
EVERY_OPERATION = """
import errno, hashlib, itertools, json, os, sys, traceback
from pathlib import Path
from nhsgen.errors import NhsgenError
from nhsgen.settings import Settings
from nhsgen.variants import ingest

folder, mode = Path(sys.argv[1]), sys.argv[2]
file, out = folder / "a.vcf.gz", folder / "room" / "store"
OPERATIONS = ("mkdir", "fsync", "rename", "replace", "open", "stat", "chmod", "unlink", "rmdir")[: None if mode == "dies" else 4]


def do(target):
    ingest([file], target, assembly="GRCh37", workers="threads", settings=Settings(threads=1))


def hashes(store):
    return {str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(store.rglob("*")) if path.is_file()}


def failing_at(number):
    done = 0
    def counted(original):
        def operation(*args, **named):
            nonlocal done
            global survived
            done += 1
            if done == number:
                if mode == "dies":
                    os._exit(77)
                survived = 78
                raise OSError(errno.ENOSPC, "No space left on device")
            return original(*args, **named)
        return operation
    for name in OPERATIONS:
        setattr(os, name, counted(getattr(os, name)))


def in_a_child(work):
    child = os.fork()
    if child == 0:
        try:
            work()
        except NhsgenError as error:
            (folder / "said").write_text(str(error))
            os._exit(error.exit_code)
        except BaseException:
            traceback.print_exc()
            os._exit(99)
        os._exit(survived)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def breaks():
    real = {name: getattr(os, name) for name in OPERATIONS}
    failing_at(number)
    try:
        do(out)
    finally:
        for name, original in real.items():
            setattr(os, name, original)


do(folder / "sound")
sound, found, survived = hashes(folder / "sound"), [], 0
for number in itertools.count(1):
    code = in_a_child(breaks)
    seen = sorted(path.name.partition("-")[0] for path in out.parent.iterdir())
    whole = out.exists() and hashes(out) == sound
    assert whole or not out.exists(), number
    again = 0
    if not whole:
        again = in_a_child(lambda: do(out))
        assert hashes(out) == sound, number
    # The first run after a crash in the very last step finds the store there; the next one elsewhere sweeps.
    assert in_a_child(lambda: do(out.with_name("next"))) == 0
    found.append([code, seen, again, sorted(path.name for path in out.parent.iterdir())])
    for name in ("store", "next"):
        for path in sorted(out.with_name(name).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        out.with_name(name).rmdir()
    if code == 0:
        break
print(json.dumps(found))
"""


@pytest.mark.parametrize("mode", ["dies", "fails"])
def test_stopped_at_any_operation_it_is_whole_and_can_be_done_again(mode: str, tmp_path: Path) -> None:
    write(tmp_path / "a.vcf.gz", vcf(record("22 1 A C", "0/1"), record("X 5 A <NON_REF>", "0/0")))
    (tmp_path / "room").mkdir()
    command = [sys.executable, "-W", "ignore", "-c", EVERY_OPERATION, str(tmp_path), mode]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    found: list[list[Any]] = json.loads(done.stdout)
    print(f"\n{len(found)} operations")
    assert len(found) > (60 if mode == "dies" else 10)
    for number, (code, seen, again, after) in enumerate(found, 1):
        assert code in ({0, 77} if mode == "dies" else {0, 78, StorageFailed.exit_code}), number
        assert set(seen) <= ({"store", ".building"} if mode == "dies" else {"store"}), (number, code, seen)
        assert again == 0, number
        assert after == ["next", "store"], number


def test_the_store_that_is_there_is_never_replaced(file: Path, sound: dict[str, str], tmp_path: Path) -> None:
    """Two that ingest to one place make one store; the other is told so, and neither leaves anything."""
    out = tmp_path / "store"
    with started(file, out) as one, started(file, out) as other:
        codes = sorted([one.wait(), other.wait()])
    assert codes == [0, 4]
    assert hashes(out) == sound
    assert left(tmp_path) == ["store"]
    assert VariantStore.open(out).verify()["alleles"] == 8_999

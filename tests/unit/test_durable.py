"""Writing is whole or not at all, and what the disk says is one sentence."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nhsgen import durable
from nhsgen.errors import BadFile, StorageFailed


def test_write_whole_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    durable.write_whole(tmp_path / "a.json", b"old")
    durable.write_whole(tmp_path / "a.json", b"new", mode=0o600)
    assert (tmp_path / "a.json").read_bytes() == b"new"
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_folder_is_published_once(tmp_path: Path) -> None:
    answers = []
    for text in ("first", "second"):
        with durable.building(tmp_path) as folder:
            (folder / "inner").mkdir()
            (folder / "inner" / "a.txt").write_text(text)
            answers.append(durable.publish(folder, tmp_path / "kept", last="inner/a.txt"))
    assert answers == [True, False]
    assert (tmp_path / "kept" / "inner" / "a.txt").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_an_error_while_building_leaves_nothing(tmp_path: Path) -> None:
    def build() -> None:
        with durable.building(tmp_path) as folder:
            (folder / "a.txt").write_text("a")
            raise KeyError

    with pytest.raises(KeyError):
        build()
    assert list(tmp_path.iterdir()) == []


def test_dead_builders_are_swept_and_living_ones_are_not(tmp_path: Path) -> None:
    (tmp_path / ".building-dead").mkdir()
    with durable.building(tmp_path) as alive, durable.building(tmp_path) as other:
        assert sorted(tmp_path.iterdir()) == sorted([alive, other])


def test_read_only_folders_can_still_be_removed(tmp_path: Path) -> None:
    (tmp_path / "kept" / "inner").mkdir(parents=True)
    (tmp_path / "kept" / "inner" / "a.txt").write_text("a")
    durable.read_only(tmp_path / "kept")
    assert (tmp_path / "kept" / "inner" / "a.txt").stat().st_mode & 0o777 == 0o444
    assert (tmp_path / "kept" / "inner").stat().st_mode & 0o777 == 0o555
    durable.remove(tmp_path / "kept")
    durable.remove(tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []


def test_copying_hashes_and_breaks_hard_links(tmp_path: Path) -> None:
    source, other = tmp_path / "a.txt", tmp_path / "other-name.txt"
    source.write_bytes(b"abc")
    os.link(source, other)
    digest, size = durable.copy_file(source, tmp_path / "copy.txt")
    other.write_bytes(b"changed")
    assert (digest, size) == (durable.hash_of(tmp_path / "copy.txt"), 3)
    assert (tmp_path / "copy.txt").read_bytes() == b"abc"


@pytest.mark.parametrize("kind", ["link", "pipe", "missing", "folder"])
def test_only_ordinary_files_are_copied(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "source"
    if kind == "link":
        source.symlink_to("/etc/hostname")
    elif kind == "pipe":
        os.mkfifo(source)
    elif kind == "folder":
        source.mkdir()
    with pytest.raises(BadFile, match="copying a file failed"):
        durable.copy_file(source, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


FULL = """
import resource, sys
from pathlib import Path
from nhsgen import durable
from nhsgen.errors import StorageFailed
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    durable.write_whole(Path(sys.argv[1]) / "a.bin", bytes(100_000))
except StorageFailed as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize("room", [0, 1, 4096, 99_999])
def test_a_full_disk_is_one_sentence_and_keeps_the_old_file(tmp_path: Path, room: int) -> None:
    (tmp_path / "a.bin").write_bytes(b"old")
    run = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), str(room)], capture_output=True, text=True, check=False
    )
    assert run.returncode == StorageFailed.exit_code, run.stderr
    assert run.stdout.startswith("writing a.bin failed: a file may not grow that large here")
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_the_lock_of_a_builder_ends_with_it(tmp_path: Path) -> None:
    with durable.building(tmp_path) as folder:
        durable.publish(folder, tmp_path / "kept")
    opened = os.open(tmp_path / "kept", os.O_RDONLY)
    fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(opened)

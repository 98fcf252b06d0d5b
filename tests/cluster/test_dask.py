"""The work on a Dask cluster of processes: the same bytes, the same sums, the same sentences; and what breaks, said in one."""

import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dask_processes import Cluster, carriers_of, fall, fell_the_worker, linger, scheduler, worker
from two_peoples import PEOPLE, Everybody, hospital
from variant_files import record, vcf, write

from nhsgen import compute, studies
from nhsgen.cli import main
from nhsgen.cohorts import everyone, icd10
from nhsgen.cohorts.measurements import measurement
from nhsgen.compute import WorkerDied, mapped, summed
from nhsgen.errors import BadFile, BadInput, StorageFailed
from nhsgen.settings import Settings
from nhsgen.studies import Study
from nhsgen.variants import VariantStore, ingest, variants
from nhsgen.variants.parts import Report, WrongRecord
from nhsgen.workspace import Workspace

TWO = Settings(threads=2)
RECORDS = 4_000
HEADER_LINES = vcf(record("22 1 A C", "0/1")).count("\n") - 1

# Dask's own threads and sockets end in their own time.
pytestmark = pytest.mark.filterwarnings("default")


def lines(wrong: int | None = None) -> list[str]:
    """Records of three people, in several parts; the record of that number, from 1, names an allele that it has not."""
    calls = ["0/0 0/1 1/1", "0|1 ./. 0/0", "1/1 1/1 0/1"]
    read = [record(f"22 {1_000 + 10 * number} A C", calls[number % 3]) for number in range(RECORDS)]
    if wrong is not None:
        read[wrong - 1] = record(f"22 {1_000 + 10 * (wrong - 1)} A C", "0/0 0/7 1/1")
    return read


def bytes_of(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*") if path.is_file()}


def on(cluster: Cluster, function: Callable[[Any], Any], *chunks: Any) -> list[Any]:
    return list(mapped(function, chunks, workers=cluster.address, settings=TWO))


def refused(kind: type[BadInput], cluster: Cluster, function: Callable[[Any], Any], *chunks: Any) -> str:
    with pytest.raises(kind) as caught:
        on(cluster, function, *chunks)
    return str(caught.value).replace(cluster.address, "ADDRESS")


# -- The same answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["made.vcf.gz", "made.vcf", "made.bcf"])
def test_a_store_made_on_a_cluster_has_the_same_bytes(cluster: Cluster, tmp_path: Path, name: str) -> None:
    file = write(tmp_path / name, vcf(*lines()))
    info = ingest([file], tmp_path / "cluster", workers=cluster.address, settings=TWO)
    assert info == ingest([file], tmp_path / "here", workers="threads", settings=TWO)
    assert len(VariantStore.open(tmp_path / "here").counts()) == RECORDS
    assert bytes_of(tmp_path / "cluster") == bytes_of(tmp_path / "here")


def test_a_study_asked_on_a_cluster_has_the_same_answer(cluster: Cluster, tmp_path: Path) -> None:
    everybody = Everybody()
    site = hospital(Workspace.create(tmp_path / "federation", "cluster"), "all", everybody, np.arange(PEOPLE))
    for study in (
        Study("association", everyone(), variants=variants(), traits=(measurement("height").latest(),)),
        Study("association", icd10("E11"), variants=variants()),
    ):
        there, here = (studies.run(study, [site], replace(TWO, workers=w)) for w in (cluster.address, "threads"))
        assert there.table == here.table
        assert there.table.rows


def test_the_work_is_divided(tmp_path: Path) -> None:
    ingest([write(tmp_path / "made.vcf.gz", vcf(*lines()))], tmp_path / "store", workers="threads", settings=TWO)
    assert len(list((tmp_path / "store" / "variants").iterdir())) > 1


def test_real_files_too(cluster: Cluster, shared_data: Path, tmp_path: Path) -> None:
    for name in ("g1k_p3_chr22_16.0-16.5Mb.GRCh37.vcf.gz", "g1k_p3_chr20_1-4Mb_300s.GRCh37.bcf"):
        how: dict[str, Any] = {"assembly": "GRCh37", "settings": TWO}
        file = shared_data / "variants" / name
        there, here = tmp_path / f"{name}-there", tmp_path / f"{name}-here"
        ingest([file], there, workers=cluster.address, **how)
        ingest([file], here, workers="threads", **how)
        assert bytes_of(there) == bytes_of(here)


def test_counts_of_regions_add_up_to_those_of_the_whole(cluster: Cluster, tmp_path: Path) -> None:
    store = tmp_path / "store"
    ingest([write(tmp_path / "made.vcf.gz", vcf(*lines()))], store, workers="threads", settings=TWO)
    regions = [(store, f"22:{start}-{start + 9_999}") for start in range(1, 50_000, 10_000)]
    added = summed(carriers_of, regions, start=0, workers=cluster.address, settings=TWO)
    assert added == VariantStore.open(store).counts()["carriers"].sum() > RECORDS


def test_the_command_line_takes_the_address_of_a_scheduler(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "made.vcf.gz", vcf(*lines()))
    monkeypatch.chdir(tmp_path)  # the workers are elsewhere
    with pytest.raises(SystemExit) as left:
        main(["variants", "ingest", file.name, "--out", "store", "--dask", cluster.address])
    assert left.value.code == 0
    assert VariantStore.open(tmp_path / "store").info()["records"] == RECORDS


def test_a_function_written_in_a_notebook_and_equal_chunks_are_each_done(cluster: Cluster) -> None:
    assert on(cluster, lambda chunk: (chunk, os.getpid() > 0), 3, 3, 1) == [(3, True), (3, True), (1, True)]


# -- What a chunk does wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "where"), [
    ("made.vcf.gz", f"(made.vcf.gz, line {HEADER_LINES + 3_500})"),
    ("made.vcf", f"(made.vcf, line {HEADER_LINES + 3_500})"),
])  # fmt: skip
def test_a_refused_record_is_named_by_file_and_line(cluster: Cluster, tmp_path: Path, name: str, where: str) -> None:
    file = write(tmp_path / name, vcf(*lines(wrong=3_500)))
    with pytest.raises(BadFile) as caught:
        ingest([file], tmp_path / "store", workers=cluster.address, settings=TWO)
    with pytest.raises(BadFile) as here:
        ingest([file], tmp_path / "store", workers="threads", settings=TWO)
    assert where in str(caught.value)
    assert str(caught.value) == str(here.value)
    assert not (tmp_path / "store").exists()


def test_the_logs_of_the_workers_do_not_repeat_what_was_sent(cluster: Cluster, tmp_path: Path) -> None:
    file = write(tmp_path / "made.vcf.gz", vcf(*lines(wrong=10), samples="Ada Grace Rosalind"))
    with pytest.raises(BadFile):
        ingest([file], tmp_path / "store", workers=cluster.address, settings=TWO)
    deadline = time.monotonic() + 10
    while "Compute Failed" not in cluster.log and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "Compute Failed" in cluster.log
    assert not [name for name in ("Ada", "Grace", "Rosalind", "0/7") if name in cluster.log]


def test_what_kills_a_process_kills_no_worker(cluster: Cluster) -> None:
    with pytest.raises(WorkerDied) as caught:
        on(cluster, fall, signal.SIGKILL)
    assert caught.value.status == -signal.SIGKILL
    assert caught.value.__notes__ == ["This was chunk 1."]
    assert on(cluster, abs, -1, -2) == [1, 2]


@pytest.mark.parametrize("error", [
    BadFile("reading variants", "a character is not UTF-8", "have it sent again", file="made.vcf", line=7),
    StorageFailed("writing", "there is no room left", "free some space"),
    WrongRecord(7, "POS is not a number", "have it made again"),
    WrongRecord(None, "its compression is broken", "have it sent again"),
    WorkerDied(-9),
])  # fmt: skip
def test_an_error_arrives_as_it_was_sent(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), vars(again)) == (str(error), vars(error))


def test_a_part_and_its_report_arrive_as_they_were_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    def watched(function: Callable[[Any], Any], chunks: Any, **how: Any) -> Any:
        for answer in mapped(lambda chunk: (chunk, function(chunk)), chunks, **how):
            sent.extend(answer)
            yield answer[1]

    # Not by its dotted name: `nhsgen.variants.ingest` is the function.
    monkeypatch.setattr(sys.modules["nhsgen.variants.ingest"], "mapped", watched)
    for name in ("made.vcf.gz", "made.bcf"):
        ingest([write(tmp_path / name, vcf(*lines()))], tmp_path / f"{name}-store", workers="threads", settings=TWO)
    assert len(sent) > 4
    for each in sent:
        again = pickle.loads(pickle.dumps(each))
        if isinstance(each, Report):
            again.haploid_sets = each.haploid_sets = None if each.haploid_sets is None else each.haploid_sets.tolist()
        assert again == each


# -- What a cluster does wrong ------------------------------------------------------------------------------------------


def test_a_worker_that_dies_is_replaced_by_another(lonely: Cluster, tmp_path: Path) -> None:
    with worker(lonely), worker(lonely):
        killed = threading.Thread(target=_kill_one, args=(tmp_path,))
        killed.start()
        assert on(lonely, linger, tmp_path, tmp_path) == ["done", "done"]
        killed.join()
    assert (tmp_path / "killed").exists()


def appeared(folder: Path, count: int) -> list[Path]:
    """What the workers that `linger` left, as soon as there are so many."""
    deadline = time.monotonic() + 60
    while len(working := list(folder.glob("*.worker"))) < count:
        assert time.monotonic() < deadline, "no worker began"
        time.sleep(0.02)
    return working


def _kill_one(folder: Path) -> None:
    """Kill a worker as soon as two have a chunk; then let go on whoever has one."""
    working = appeared(folder, 2)
    os.kill(int(working[0].stem), signal.SIGKILL)
    (folder / "killed").touch()
    time.sleep(0.5)
    (folder / "go on").touch()


def test_a_chunk_that_every_worker_dies_of_is_given_up(lonely: Cluster, tmp_path: Path) -> None:
    with worker(lonely), worker(lonely):
        assert refused(BadInput, lonely, fell_the_worker, tmp_path) == (
            "working on the Dask cluster at ADDRESS failed: every worker that was given one of the chunks ended in the middle of it "
            "(2 were tried); see in their logs why and run it again."
        )
    left = [int(path.stem) for path in tmp_path.glob("*.process")]
    assert len(left) == 2
    deadline = time.monotonic() + 10
    while any(map(is_running, left)):
        assert time.monotonic() < deadline, "a process outlives the worker that it works for"
        time.sleep(0.1)


def is_running(process: int) -> bool:
    """Whether there is such a process; one that has ended and that nobody has asked about yet is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def test_a_cluster_without_workers_is_given_up(lonely: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "PATIENCE", 0.5)
    monkeypatch.setattr(compute, "_LOOK", 0.1)
    assert refused(BadInput, lonely, abs, -1) == (
        "working on the Dask cluster at ADDRESS failed: it has had no worker for 0.5 seconds; start its workers and run it again."
    )


def test_workers_may_come_later_than_the_work(lonely: Cluster) -> None:
    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.extend(on(lonely, abs, -3, -4)))
    waiting.start()
    with worker(lonely):
        waiting.join(60)
    assert answers == [3, 4]


def _without_nhsgen(folder: Path) -> str:
    """A folder to find Python modules in, where nhsgen is an empty one."""
    (folder / "modules" / "nhsgen").mkdir(parents=True)
    (folder / "modules" / "nhsgen" / "__init__.py").touch()
    return str(folder / "modules")


def test_a_worker_without_nhsgen_is_told_in_one_sentence(lonely: Cluster, tmp_path: Path) -> None:
    with worker(lonely, PYTHONPATH=_without_nhsgen(tmp_path)):
        assert refused(BadInput, lonely, abs, -1) == (
            "working on the Dask cluster at ADDRESS failed: a worker has no nhsgen; install it on every machine and run it again."
        )


def test_a_worker_that_does_not_see_the_folder_is_told_in_one_sentence(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(function: Callable[[Any], Any], parts: Any, **how: Any) -> Any:
        return mapped(function, [replace(part, out=Path("/nowhere/0.parquet")) for part in parts], **how)

    monkeypatch.setattr(sys.modules["nhsgen.variants.ingest"], "mapped", elsewhere)
    file = write(tmp_path / "made.vcf.gz", vcf(*lines()))
    with pytest.raises(BadInput) as caught:
        ingest([file], tmp_path / "store", workers=cluster.address, settings=TWO)
    assert str(caught.value) == (
        "reading variants failed: a worker does not see the file or the folder of the store (made.vcf.gz); "
        "keep both where every worker finds them under the same name."
    )


def test_a_scheduler_needs_no_nhsgen(tmp_path: Path) -> None:
    file = write(tmp_path / "made.vcf.gz", vcf(*lines(wrong=7)))
    (tmp_path / "dask").mkdir()
    with scheduler(tmp_path / "dask", PYTHONPATH=_without_nhsgen(tmp_path)) as (running, _), worker(running):
        assert on(running, Report, 1) == [Report(1)]
        with pytest.raises(BadFile, match="line 20"):
            ingest([file], tmp_path / "store", workers=running.address, settings=TWO)


def test_a_worker_of_another_version_is_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    here = compute._versions()
    monkeypatch.setattr(compute, "_versions", lambda: here | {"pyarrow": "1.0"})
    assert refused(BadInput, cluster, abs, -1) == (
        f"working on a Dask cluster failed: a worker has pyarrow {here['pyarrow']}, and here is 1.0; "
        "install the same versions on every machine."
    )


def test_a_scheduler_that_goes_away_is_told_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "_ANSWER", 1.0)
    with scheduler(tmp_path) as (running, process), worker(running, "--death-timeout", "2"):

        def kill() -> None:
            appeared(tmp_path, 1)
            process.kill()

        killed = threading.Thread(target=kill)
        killed.start()
        assert refused(BadInput, running, linger, tmp_path) == (
            "working on the Dask cluster at ADDRESS failed: its scheduler went away or was restarted; see that it runs and run it again."
        )
        killed.join()
        (tmp_path / "go on").touch()


@pytest.mark.parametrize(("address", "found"), [
    ("tcp://127.0.0.1:1", "nobody answers there; check the address and the network."),
    ("tcp://127.0.0.1", "that is no address of a scheduler; write it like tcp://scheduler:8786 or tls://scheduler:8786."),
    ("https://127.0.0.1:8786", "that is no address of a scheduler; write it like tcp://scheduler:8786 or tls://scheduler:8786."),
    ("tls://127.0.0.1:1", "no certificates are set; name them in Dask's settings, distributed.comm.tls."),
])  # fmt: skip
def test_a_scheduler_that_cannot_be_reached_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], address: str, found: str
) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed here: pip install 'nhsgen[cluster]'")
    monkeypatch.setattr(compute, "_ANSWER", 0.5)
    file = write(tmp_path / "made.vcf.gz", vcf(*lines()))
    with pytest.raises(SystemExit) as left:
        main(["variants", "ingest", str(file), "--out", str(tmp_path / "store"), "--dask", address])
    assert left.value.code == 2
    assert capsys.readouterr().err == f"nhsgen: reaching the Dask scheduler at {address} failed: {found}\n"
    assert not (tmp_path / "store").exists()

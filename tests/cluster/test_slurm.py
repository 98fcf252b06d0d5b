"""The work on a real Slurm, the batch system of many a cluster: its own daemons on this machine, jobs, and Dask workers in them.

Not run by default: `pytest -m slurm`, as root, on Debian with the packages of `PROGRAMS`. All it starts lives in a folder that
goes with it; a Slurm that this machine may have is neither asked nor touched.
"""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from dask_processes import linger

from nhsgen.compute import mapped
from nhsgen.settings import Settings
from nhsgen.variants import ingest

PROGRAMS = {"munged": "munge", "slurmctld": "slurmctld", "slurmd": "slurmd", "sbatch": "slurm-client"}
TWO = Settings(threads=2)

# Without cgroups and as one user, so that it runs in a container; everything in one folder, everything on loopback.
CONFIGURATION = """
ClusterName=nhsgen
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=8000
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.filterwarnings("default"),  # Dask's own threads and sockets end in their own time
]


@pytest.fixture(scope="module")
def slurm() -> Iterator[Path]:
    """The folder of a running Slurm of one node and two cores, whose commands find it by SLURM_CONF."""
    missing = sorted(package for program, package in PROGRAMS.items() if shutil.which(program) is None)
    if missing:
        pytest.skip(f"Slurm is not installed here: apt-get install {' '.join(missing)}")
    if os.geteuid() != 0:
        pytest.skip("the daemons of Slurm are started as root, and this is not root")
    # Not in pytest's own folder, which munge does not trust: a socket must be open to all users.
    folder = Path(tempfile.mkdtemp(prefix="nhsgen-slurm-"))
    with ExitStack() as everything:
        everything.callback(shutil.rmtree, folder)
        everything.enter_context(_setting("SLURM_CONF", str(folder / "slurm.conf")))
        everything.enter_context(_setting("MUNGE_SOCKET", str(folder / "munge.socket")))
        _configure(folder)
        everything.enter_context(_munge(folder))
        everything.enter_context(_daemon(folder, "slurmctld", "-D", "-c"))
        everything.enter_context(_daemon(folder, "slurmd", "-D", "-c"))
        _until(lambda: "idle" in _said("sinfo", "-h", "-o", "%T"), "the node of Slurm was not ready")
        yield folder
        _said("scancel", "--user", "root")
        _until(lambda: not _said("squeue", "-h"), "a job of Slurm did not end")


@pytest.fixture
def jobs(slurm: Path) -> Iterator[str]:
    """The address of a Dask scheduler whose two workers are jobs of Slurm."""
    jobqueue = pytest.importorskip(
        "dask_jobqueue", reason="Dask's jobs are not installed here: pip install -e '.[dev]'"
    )
    with jobqueue.SLURMCluster(
        queue="all", cores=1, processes=1, memory="2GB", walltime="00:10:00", interface="lo", python=sys.executable,
        log_directory=str(slurm), local_directory=str(slurm), death_timeout=60,
        scheduler_options={"dashboard_address": ":0"},
        job_script_prologue=[f"export PYTHONPATH={Path(__file__).parent}"],
    ) as cluster:  # fmt: skip
        cluster.scale(jobs=2)
        cluster.wait_for_workers(2, timeout=120)
        yield cluster.scheduler_address


def test_a_store_made_by_jobs_of_slurm_has_the_same_bytes(jobs: str, shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "variants" / "g1k_p3_chr22_16.0-16.5Mb.GRCh37.vcf.gz"
    assert ingest([file], tmp_path / "jobs", workers=jobs, settings=TWO)["samples"] == 2_504
    ingest([file], tmp_path / "here", workers="threads", settings=TWO)
    assert _bytes_of(tmp_path / "jobs") == _bytes_of(tmp_path / "here")


def test_the_work_is_done_inside_the_jobs(jobs: str) -> None:
    numbers = set(mapped(_job, range(20), workers=jobs, settings=TWO))
    assert len(numbers) == 2
    assert numbers <= set(_said("squeue", "-h", "-t", "RUNNING", "-o", "%i").split())


def test_a_job_that_is_cancelled_in_the_middle_costs_no_answer(jobs: str, tmp_path: Path) -> None:
    cancelled = threading.Thread(target=_cancel_one, args=(tmp_path,))
    cancelled.start()
    assert list(mapped(linger, [tmp_path, tmp_path], workers=jobs, settings=TWO)) == ["done", "done"]
    cancelled.join()
    assert (tmp_path / "cancelled").exists()


def _cancel_one(folder: Path) -> None:
    """Cancel a job as soon as both have a chunk; then let go on whoever has one."""
    _until(lambda: len(list(folder.glob("*.worker"))) == 2, "the jobs did not begin")
    running = _said("squeue", "-h", "-t", "RUNNING", "-o", "%i").split()
    _said("scancel", running[0])
    _until(lambda: running[0] not in _said("squeue", "-h", "-o", "%i").split(), "the job was not cancelled")
    (folder / "cancelled").touch()
    (folder / "go on").touch()


def _job(_: int) -> str:
    time.sleep(0.1)  # so that one job does not do everything
    return os.environ["SLURM_JOB_ID"]


def _bytes_of(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*") if path.is_file()}


# -- Slurm itself -------------------------------------------------------------------------------------------------------


def _configure(folder: Path) -> None:
    folder.chmod(0o755)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.touch(0o600)
    key.write_bytes(secrets.token_bytes(1024))
    controller, daemon = _free_ports()
    host = socket.gethostname().split(".")[0]
    text = CONFIGURATION.format(host=host, controller=controller, daemon=daemon, folder=folder)
    (folder / "slurm.conf").write_text(text)


@contextmanager
def _munge(folder: Path) -> Iterator[None]:
    arguments = {
        name: folder / f"munge.{name.partition('-')[0]}"
        for name in ("socket", "key-file", "pid-file", "log-file", "seed-file")
    }
    with _daemon(
        folder, "munged", "--foreground", "--force", *(f"--{name}={path}" for name, path in arguments.items())
    ):
        _until((folder / "munge.socket").exists, "munge did not start")
        yield


@contextmanager
def _daemon(folder: Path, program: str, *arguments: str) -> Iterator[None]:
    """A daemon in the foreground, while it is needed."""
    with (folder / f"{program}.out").open("wb") as out, _running([program, *arguments], out):
        yield


@contextmanager
def _running(command: list[str], out: Any) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _setting(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _until(holds: Callable[[], bool], otherwise: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.1)

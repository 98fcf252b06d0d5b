"""Dask for tests: a scheduler and workers that are processes of their own, and what these are asked to do."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nhsgen.variants import VariantStore, variants

HERE = Path(__file__).parent
_QUIET = {"DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "warning", "PYTHONPATH": str(HERE)}
_START_SECONDS = 60


@dataclass(frozen=True)
class Cluster:
    """A running cluster; `log` is what its processes wrote to their terminals."""

    address: str
    folder: Path

    @property
    def log(self) -> str:
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))


@contextmanager
def dask(folder: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command of Dask's, `dask scheduler` or `dask worker`, while it is needed."""
    with (folder / f"{len(list(folder.iterdir()))}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            cwd=folder,
            stdout=log,
            stderr=log,
            env=os.environ | _QUIET | environment,
        )
        try:
            yield process
        finally:
            process.kill()  # to take leave of each other takes them seconds
            process.wait()


@contextmanager
def scheduler(folder: Path, **environment: str) -> Iterator[tuple[Cluster, subprocess.Popen[bytes]]]:
    """A scheduler without workers."""
    where = folder / "scheduler.json"
    command = (
        "scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--no-dashboard",
        "--dashboard-address",
        ":0",
        "--scheduler-file",
        str(where),
    )
    with dask(folder, *command, **environment) as process:
        yield Cluster(_until_written(where), folder), process


@contextmanager
def worker(cluster: Cluster, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of one thread, which nobody starts again."""
    command = ("worker", cluster.address, "--nthreads", "1", "--no-nanny", "--no-dashboard", *arguments)
    with dask(cluster.folder, *command, **environment) as process:
        yield process


def _until_written(path: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            return str(json.loads(path.read_text())["address"])
        except (FileNotFoundError, json.JSONDecodeError):
            time.sleep(0.05)
    raise TimeoutError("the scheduler did not start")


# -- What the workers are asked to do -----------------------------------------------------------------------------------


def carriers_of(question: tuple[Path, str]) -> int:
    """Carriers of the alleles of a store in a region, added over the alleles."""
    store, region = question
    counted = VariantStore.open(store).counts(variants().in_region(region))
    return int(counted["carriers"].sum())


def fall(number: int) -> int:
    """End the process that does this by a signal, as a hostile file may."""
    os.kill(os.getpid(), number)
    return number


def fell_the_worker(folder: Path) -> str:
    """Say which process this is, and end the Dask worker that this was given to, as a batch system may."""
    (folder / f"{os.getpid()}.process").touch()
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(_START_SECONDS)
    return "done"


def linger(folder: Path) -> str:
    """Say which Dask worker has this, and wait until one is to go on."""
    (folder / f"{os.getppid()}.worker").touch()
    deadline = time.monotonic() + _START_SECONDS
    while not (folder / "go on").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return "done"

"""Do one thing to every chunk: on this machine's threads or processes, or on a Dask cluster when given its address.

A process is an interpreter of its own, with a limit on its memory: whatever kills it, a hostile file say, kills nothing else, and
the chunk that did it is known. It stays for the next chunk, of this call or another, for as long as we live. A Dask worker hands its
chunks to such processes of its own.

A chunk is whatever the function takes: a region, a file, a stretch of rows. Answers come back in the chunks' order however the
work was spread, so a sum of floats is the same sum everywhere.
"""

import os
import pickle
import re
import resource
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, reduce
from importlib import metadata
from operator import add
from time import monotonic, sleep
from typing import IO, Any, Protocol, TypeVar

from nhsgen.errors import BadInput, MissingExtra
from nhsgen.settings import Settings

__all__ = ["WorkerDied", "mapped", "serve", "summed"]

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")
Sum = TypeVar("Sum", bound="Addable")

AHEAD = 2  # chunks in flight for every worker: enough to keep it busy, few enough to hold in memory


class Addable(Protocol):
    def __add__(self, other: Any, /) -> Any: ...


class Promise(Protocol):
    """What `concurrent.futures` and Dask both give back for work that was handed in."""

    def result(self) -> Any: ...

    def cancel(self) -> Any: ...


Submit = Callable[[Callable[[Chunk], Result], Chunk], Promise]


def mapped(
    function: Callable[[Chunk], Result], chunks: Iterable[Chunk], *, workers: str = "threads", settings: Settings
) -> Generator[Result, None, None]:
    """Yield `function(chunk)` for every chunk, in order; a few chunks a worker are read ahead, never all of them.

    workers: "threads", "processes" (the function must then be importable by name), or a Dask scheduler's address, whose workers
    have the same nhsgen and see the same files.
    settings: its `threads` says how many workers this machine gives.
    When a chunk fails, its own error is raised once, with a note saying which chunk it was (the first is chunk 1), after the
    answers of the chunks before it; chunks not yet begun are not begun. Whoever leaves before the last answer for a reason of their
    own closes it (`contextlib.closing`), and then nobody works on any more.

    >>> list(mapped(abs, [-3, 1, -2], settings=Settings(threads=2)))
    [3, 1, 2]
    """
    with _crew(workers, settings) as (submit, width):
        flight: deque[Promise] = deque()
        done = 0
        try:
            for chunk in chunks:
                flight.append(submit(function, chunk))
                if len(flight) >= AHEAD * width():
                    yield _landed(flight.popleft(), done := done + 1)
            while flight:
                yield _landed(flight.popleft(), done := done + 1)
        finally:
            for promise in flight:
                promise.cancel()


def summed(
    function: Callable[[Chunk], Sum],
    chunks: Iterable[Chunk],
    *,
    start: Sum,
    workers: str = "threads",
    settings: Settings,
) -> Sum:
    """`start` plus `function(chunk)` of every chunk, added in order: the sum every analysis here is.

    >>> summed(abs, [-3, 1, -2], start=0, settings=Settings())
    6
    """
    return reduce(add, mapped(function, chunks, workers=workers, settings=settings), start)


def _landed(promise: Promise, number: int) -> Any:
    try:
        return promise.result()
    except Exception as error:
        error.add_note(f"This was chunk {number}.")
        raise


@contextmanager
def _crew(workers: str, settings: Settings) -> Iterator[tuple[Submit[Any, Any], Callable[[], int]]]:
    """How to hand in work, and how many chunks are worked on at the same time now."""
    if "://" in workers:
        with _cluster(workers) as cluster:
            yield cluster.submit, cluster.width
        return
    if workers not in _POOLS:
        raise BadInput(
            f"choosing the workers '{workers}'",
            "there are none of that name",
            f"use {' or '.join(_POOLS)}, or a Dask address such as tcp://scheduler:8786",
        )
    with _POOLS[workers](settings.threads) as pool:
        yield pool.submit, lambda: settings.threads


def _processes(count: int) -> Executor:
    return _Processes(count)


_POOLS: dict[str, Callable[[int], Executor]] = {"threads": ThreadPoolExecutor, "processes": _processes}


# -- Processes ----------------------------------------------------------------------------------------------------------

MEMORY = 4 << 30
"""Bytes of address space a worker may use: far more than any chunk needs, far less than a bomb asks for."""

_LARGE = 512 << 20
"""Bytes of memory with which a worker is let go when its chunk is done: what allocators keep is not to add up."""

# One thread each: there are as many workers as threads were allowed. And freed memory is kept for the next array, as far as
# `_LARGE` lets a worker live: fresh pages are slow, 0.06 s of half a second for a BCF of 2,504 x 50,000.
_ALONE = {
    "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "NUMBA_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(64 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
}  # fmt: skip


class WorkerDied(RuntimeError):
    """A process ended in the middle of its chunk; `status` is its exit code, or minus the signal that killed it."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"a worker process ended with status {status} in the middle of its work")

    def __reduce__(self) -> tuple[type["WorkerDied"], tuple[int]]:
        return WorkerDied, (self.status,)


class _Worker:
    """An interpreter that does one thing after the other."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        command = [sys.executable, "-c", "from nhsgen.compute import serve; serve()"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ | _ALONE
        )
        self._send(sys.path)

    def call(self, function: Callable[[Any], Any], chunk: Any) -> tuple[bool, Any]:
        """Whether it succeeded, and its answer or its error; WorkerDied when it did not live to say."""
        try:
            self._send((function, chunk))
            return _receive(self._process.stdout)  # type: ignore[no-any-return]
        except (BrokenPipeError, EOFError) as error:
            raise WorkerDied(self._process.wait()) from error

    def memory(self) -> int:
        """Bytes of memory it has now; 0 where the machine does not tell."""
        try:
            with open(f"/proc/{self._process.pid}/statm", encoding="ascii") as said:
                return int(said.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            return 0

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _send(self, message: Any) -> None:
        _write(self._process.stdin, message)


_idle: list[_Worker] = []


class _Processes(ThreadPoolExecutor):
    """Hands every chunk to a worker process of its own; a thread waits for its answer."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(_elsewhere, fn, *args, **kwargs)


def _elsewhere(function: Callable[[Any], Any], chunk: Any) -> Any:
    worker = None
    while _idle and worker is None:
        waiting = _idle.pop()
        worker = waiting if waiting.owner == os.getpid() else None  # a fork of ours has workers of its own
    worker = worker or _Worker()
    try:
        succeeded, answer = worker.call(function, chunk)
    except BaseException:
        worker.end()
        raise
    if worker.memory() < _LARGE:
        _idle.append(worker)
    else:
        worker.end()
    if not succeeded:
        raise answer
    return answer


def serve() -> None:
    """Be a worker: do what standard input asks for, answer on standard output, until there is nothing more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not print into our answers
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    asked = sys.stdin.buffer
    sys.path[:] = _receive(asked)
    while True:
        try:
            function, chunk = _receive(asked)
        except EOFError:
            return
        except Exception as error:
            _answer(answers, False, error)
            continue
        try:
            _answer(answers, True, function(chunk))
        except Exception as error:
            _answer(answers, False, error)


def _leave_with(parent: int) -> None:
    """End when whoever we work for has ended: a chunk that never ends would outlive everybody who waits for it."""
    while os.getppid() == parent:
        sleep(1)
    os._exit(1)


def _answer(answers: IO[bytes], succeeded: bool, answer: Any) -> None:
    try:
        _write(answers, (succeeded, answer))
    except (pickle.PicklingError, TypeError, AttributeError):
        _write(answers, (False, RuntimeError(f"what a worker has to say, a {type(answer).__name__}, cannot be sent")))


def _write(file: IO[bytes] | None, message: Any) -> None:
    assert file is not None
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    file.write(len(data).to_bytes(8, "little") + data)
    file.flush()


def _receive(file: IO[bytes] | None) -> Any:
    assert file is not None
    size = file.read(8)
    if len(size) < 8:
        raise EOFError
    data = file.read(int.from_bytes(size, "little"))
    return pickle.loads(data)


# -- A Dask cluster -----------------------------------------------------------------------------------------------------

PATIENCE = 300.0
"""Seconds that a cluster may be without any worker before we give up: a batch system takes its time to start one."""

_ANSWER = 10.0  # seconds in which a scheduler answers
_LOOK = 1.0  # seconds between looks at whether anybody is there to work
_FEWEST = 4  # chunks that a cluster is given at least: one that grows with what waits must have something waiting
_ADDRESS = re.compile(r"(tcp|tls)://([^\s/:]+|\[[0-9a-fA-F:]+\]):\d+")
_ALIKE = ("nhsgen", "numpy", "pyarrow")  # whose versions decide what bytes are written


@contextmanager
def _cluster(address: str) -> Iterator["_Cluster"]:
    """The cluster whose scheduler is at `address`; one sentence when it cannot be reached."""
    try:
        from distributed import Client, Security  # noqa: PLC0415  (an optional extra)
    except ImportError as error:
        raise MissingExtra("a Dask cluster", "cluster") from error
    tried = f"reaching the Dask scheduler at {address}"
    if not _ADDRESS.fullmatch(address):
        raise BadInput(
            tried, "that is no address of a scheduler", "write it like tcp://scheduler:8786 or tls://scheduler:8786"
        )
    if address.startswith("tls") and Security().get_connection_args("client").get("ssl_context") is None:
        raise BadInput(tried, "no certificates are set", "name them in Dask's settings, distributed.comm.tls")
    try:
        client = Client(address, timeout=_ANSWER, set_as_default=False)
    except (OSError, ValueError) as error:
        raise BadInput(tried, "nobody answers there", "check the address and the network") from error
    try:
        yield _Cluster(client, address)
    finally:
        with suppress(OSError):  # of a scheduler that is gone nobody can take leave
            client.close()


class _Cluster:
    """Hands every chunk to a Dask worker, which hands it to a process of its own, as `_Processes` does."""

    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, address

    def submit(self, function: Callable[[Any], Any], chunk: Any) -> Promise:
        from distributed.protocol.pickle import dumps  # noqa: PLC0415  (knows functions that were written in a notebook, too)

        sealed = pickle.dumps(_Sealed(dumps((function, chunk)), _versions()))
        # A name of its own: Dask would take two equal chunks for one, and remember the answer of an earlier run.
        name = f"{getattr(function, '__name__', 'chunk')}-{os.urandom(16).hex()}"
        with self._speaking():
            return _Sent(self, self._client.submit(pickle.loads, sealed, key=name, pure=False))

    def width(self) -> int:
        """How many chunks are worked on at the same time now; a cluster may grow and shrink."""
        return max(self.cores(), _FEWEST)

    def cores(self) -> int:
        """How many there are of all workers together."""
        with self._speaking():
            return sum(self._client.ncores().values())

    def failed(self, found: str, do_next: str) -> BadInput:
        return BadInput(f"working on the Dask cluster at {self._address}", found, f"{do_next} and run it again")

    def gone(self) -> BadInput:
        return self.failed("its scheduler went away or was restarted", "see that it runs")

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        try:
            yield
        except (
            OSError,
            RuntimeError,
            AttributeError,
        ) as error:  # which one, the moment decides at which the connection broke
            raise self.gone() from error


class _Sent:
    """The promise of a cluster that its part of the work will be done; one sentence when it is not kept."""

    def __init__(self, cluster: _Cluster, future: Any) -> None:
        self._cluster, self._future = cluster, future

    def result(self) -> Any:
        from distributed import CancelledError, KilledWorker  # noqa: PLC0415  (an optional extra)

        seen = monotonic()  # when there was a worker, or we began to wait for one
        try:
            while not self._future.done():
                with suppress(TimeoutError):  # of the look; if the chunk's own error is one, it is raised below
                    self._future.result(timeout=_LOOK)
                if self._future.done() or self._cluster.cores():
                    seen = monotonic()
                elif monotonic() - seen > PATIENCE:
                    raise self._cluster.failed(f"it has had no worker for {PATIENCE:g} seconds", "start its workers")
            return self._future.result()
        except CancelledError as error:
            raise self._cluster.gone() from error
        except KilledWorker as error:
            tries = error.allowed_failures + 1
            raise self._cluster.failed(
                f"every worker that was given one of the chunks ended in the middle of it ({tries} were tried)",
                "see in their logs why",
            ) from error
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "nhsgen":
                raise
            raise self._cluster.failed("a worker has no nhsgen", "install it on every machine") from error

    def cancel(self) -> None:
        with suppress(Exception):
            self._future.cancel()


@dataclass(frozen=True)
class _Sealed:
    """A chunk on its way: to unpickle it is to do it.

    So Dask handles bytes and nothing else. Its scheduler needs no nhsgen; a worker that has none fails at this chunk, where it
    would otherwise fail at the message and try for ever; and no log shows what was sent.
    """

    data: bytes
    versions: dict[str, str]

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[bytes, dict[str, str]]]:
        return _there, (self.data, self.versions)


@cache
def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in _ALIKE}


def _there(data: bytes, versions: dict[str, str]) -> Any:
    """On a Dask worker: do what was sent, in a process of its own."""
    for name, version in versions.items():
        if _versions()[name] != version:
            raise BadInput(
                "working on a Dask cluster",
                f"a worker has {name} {_versions()[name]}, and here is {version}",
                "install the same versions on every machine",
            )
    return _elsewhere(_unsealed, data)


def _unsealed(data: bytes) -> Any:
    function, chunk = pickle.loads(data)
    return function(chunk)

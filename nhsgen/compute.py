"""Do one thing to every chunk: on this machine's threads or processes, or on a Dask cluster when given its address.

A process is an interpreter of its own, with a limit on its memory: whatever kills it, a hostile file say, kills nothing else, and
the chunk that did it is known. It stays for the next chunk, of this call or another, for as long as we live.

A chunk is whatever the function takes: a region, a file, a stretch of rows. Answers come back in the chunks' order however the
work was spread, so a sum of floats is the same sum everywhere.
"""

import os
import pickle
import resource
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import reduce
from operator import add
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
) -> Iterator[Result]:
    """Yield `function(chunk)` for every chunk, in order; a few chunks a worker are read ahead, never all of them.

    workers: "threads", "processes" (the function must then be importable by name), or a Dask scheduler's address.
    settings: its `threads` says how many workers this machine gives.
    When a chunk fails, its own error is raised once, with a note saying which chunk it was (the first is chunk 1), after the
    answers of the chunks before it; chunks not yet begun are not begun.

    >>> list(mapped(abs, [-3, 1, -2], settings=Settings(threads=2)))
    [3, 1, 2]
    """
    with _crew(workers, settings) as (submit, width):
        flight: deque[Promise] = deque()
        done = 0
        try:
            for chunk in chunks:
                flight.append(submit(function, chunk))
                if len(flight) >= AHEAD * width:
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
def _crew(workers: str, settings: Settings) -> Iterator[tuple[Submit[Any, Any], int]]:
    """How to hand in work, and how many chunks are worked on at the same time."""
    if "://" in workers:
        with _dask(workers) as client:
            # Dask would otherwise take two equal chunks for one, and remember the answer of an earlier run.
            yield lambda function, chunk: client.submit(function, chunk, pure=False), sum(client.ncores().values()) or 1
        return
    if workers not in _POOLS:
        raise BadInput(
            f"choosing the workers '{workers}'",
            "there are none of that name",
            f"use {' or '.join(_POOLS)}, or a Dask address such as tcp://scheduler:8786",
        )
    with _POOLS[workers](settings.threads) as pool:
        yield pool.submit, settings.threads


def _processes(count: int) -> Executor:
    return _Processes(count)


_POOLS: dict[str, Callable[[int], Executor]] = {"threads": ThreadPoolExecutor, "processes": _processes}


def _dask(address: str) -> AbstractContextManager[Any]:
    try:
        from distributed import Client  # noqa: PLC0415  (an optional extra)
    except ImportError as error:
        raise MissingExtra("a Dask cluster", "cluster") from error
    try:
        client: AbstractContextManager[Any] = Client(address, timeout="10s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise BadInput(
            f"reaching the Dask scheduler at {address}", "nobody answers there", "check the address and the network"
        ) from error
    return client


# -- Processes ----------------------------------------------------------------------------------------------------------

MEMORY = 4 << 30
"""Bytes of address space a worker may use: far more than any chunk needs, far less than a bomb asks for."""

# One thread each: there are as many workers as threads were allowed.
_ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


class WorkerDied(RuntimeError):
    """A process ended in the middle of its chunk; `status` is its exit code, or minus the signal that killed it."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"a worker process ended with status {status} in the middle of its work")


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
    _idle.append(worker)
    if not succeeded:
        raise answer
    return answer


def serve() -> None:
    """Be a worker: do what standard input asks for, answer on standard output, until there is nothing more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not print into our answers
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
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

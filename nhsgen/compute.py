"""Do one thing to every chunk: on this machine's threads or processes, or on a Dask cluster when given its address.

A chunk is whatever the function takes: a region, a file, a stretch of rows. Answers come back in the chunks' order however the
work was spread, so a sum of floats is the same sum everywhere.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import reduce
from multiprocessing import get_context
from operator import add
from typing import Any, Protocol, TypeVar

from nhsgen.errors import BadInput, MissingExtra
from nhsgen.settings import Settings

__all__ = ["mapped", "summed"]

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
    # A fork would copy the locks of DuckDB's and polars' threads in whatever state they are, and hang.
    return ProcessPoolExecutor(count, mp_context=get_context("spawn"))


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

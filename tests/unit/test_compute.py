"""One function over many chunks, on threads, processes and a real Dask cluster."""

import importlib.util
import threading
from collections.abc import Iterator
from os import getpid
from time import sleep

import pytest

from nhsgen.compute import AHEAD, mapped, summed
from nhsgen.errors import BadInput, MissingExtra
from nhsgen.settings import Settings

TWO = Settings(threads=2)
WORKERS = ["threads", "processes"]
DASK = importlib.util.find_spec("distributed") is not None


def square(number: int) -> int:
    return number * number


def slow_when_early(number: int) -> int:
    sleep(0.02 * (5 - number))
    return number


def no_sevens(number: int) -> int:
    if number == 7:
        raise BadInput("reading a chunk", "it is a seven", "leave it out", line=7)
    return number


@pytest.mark.parametrize("workers", WORKERS)
def test_answers_come_in_the_order_of_the_chunks(workers: str) -> None:
    assert list(mapped(slow_when_early, range(5), workers=workers, settings=TWO)) == [0, 1, 2, 3, 4]


def much_memory(megabytes: int) -> int:
    _kept.append(bytearray(b"x") * (megabytes << 20))
    return getpid()


_kept: list[bytearray] = []


def test_a_worker_that_grew_large_is_let_go() -> None:
    one = Settings(threads=1)
    first, second, third = (
        next(iter(mapped(much_memory, [size], workers="processes", settings=one))) for size in (1, 600, 1)
    )
    assert first == second != third


@pytest.mark.parametrize("workers", WORKERS)
def test_a_failing_chunk_raises_its_own_error_once_and_says_which_it_was(workers: str) -> None:
    answers = mapped(no_sevens, [5, 6, 7, 8, 7], workers=workers, settings=TWO)
    assert [next(answers), next(answers)] == [5, 6]
    with pytest.raises(BadInput, match="it is a seven") as caught:
        next(answers)
    assert caught.value.__notes__ == ["This was chunk 3."]
    assert list(answers) == []


def test_chunks_are_read_ahead_but_never_all_at_once() -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    answers = mapped(square, endless(), settings=TWO)
    assert [next(answers) for _ in range(3)] == [1, 4, 9]
    assert taken <= 3 + AHEAD * TWO.threads
    answers.close()  # type: ignore[attr-defined]


def test_threads_work_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=5)
    assert len(list(mapped(lambda _: meeting.wait(), range(2), settings=TWO))) == 2


def test_nothing_to_do_gives_nothing_and_the_sum_its_start() -> None:
    assert list(mapped(square, [], settings=TWO)) == []
    assert summed(square, [], start=0, settings=TWO) == 0


def test_unknown_workers_are_refused() -> None:
    with pytest.raises(BadInput, match="use threads or processes, or a Dask address"):
        list(mapped(square, [1], workers="horses", settings=TWO))


@pytest.mark.skipif(DASK, reason="Dask is installed here")
def test_a_dask_address_without_dask_says_what_to_install() -> None:
    with pytest.raises(MissingExtra, match=r"nhsgen\[cluster\]"):
        list(mapped(square, [1], workers="tcp://127.0.0.1:8786", settings=TWO))


@pytest.mark.skipif(not DASK, reason="Dask is not installed here: pip install 'nhsgen[cluster]'")
@pytest.mark.filterwarnings("default")
def test_a_dask_cluster_gives_the_same_answers_and_errors() -> None:
    from distributed import LocalCluster  # noqa: PLC0415  (an optional extra)

    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, protocol="tcp", dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        assert list(mapped(square, [3, 3, 1], workers=address, settings=TWO)) == [9, 9, 1]
        with pytest.raises(BadInput, match="it is a seven") as caught:
            list(mapped(no_sevens, [5, 7], workers=address, settings=TWO))
        assert "This was chunk 2." in caught.value.__notes__

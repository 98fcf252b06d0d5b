"""How the variant benchmarks measure: turn by turn against peers, and memory over a whole tree of processes."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

__all__ = ["HEAD", "Peer", "Row", "compared", "peak_mb", "printed", "timed"]

_PAUSE = 0.02  # seconds between two looks at the memory


@dataclass(frozen=True)
class Peer:
    """Another way to do the same work.

    run: does it once and says how many seconds it took; None when the peer is not installed here.
    limit: how many times the peer's seconds we may take at most; None where the peer is there to be seen only.
    turns: in how many of the turns it takes part; a slow one in fewer.
    """

    name: str
    run: Callable[[], float] | None
    limit: float | None
    turns: int = 99


@dataclass(frozen=True)
class Row:
    """One line of the table: our measure beside a peer's; `ratio` None says that the peer was skipped."""

    work: str
    ours: float
    peer: str
    theirs: float
    ratio: float | None
    limit: float | None
    unit: str = "s"

    @property
    def within(self) -> bool:
        return self.ratio is None or self.limit is None or self.ratio <= self.limit

    def __str__(self) -> str:
        if self.ratio is None:
            return f"{self.work:44} {self.ours:9.3f} {self.unit:2}  {self.peer:26} skipped: not installed here"
        limit = "" if self.limit is None else f"{self.limit:6.2f}  {'OK' if self.within else 'above'}"
        return (
            f"{self.work:44} {self.ours:9.3f} {self.unit:2}  {self.peer:26} {self.theirs:9.3f} {self.unit:2}"
            f"  {self.ratio:7.3f}  {limit}"
        ).rstrip()


HEAD = f"{'work':44} {'nhsgen':>9} {'':2}  {'peer':26} {'peer':>9} {'':2}  {'ratio':>7}  {'limit':>6}"


def printed(rows: Sequence[Row]) -> list[Row]:
    """The rows, on the screen as soon as they are known."""
    for row in rows:
        print(row, flush=True)
    return list(rows)


def timed(do: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return do(), time.perf_counter() - start


def compared(work: str, ours: Callable[[], float], peers: Sequence[Peer], turns: int) -> list[Row]:
    """One row a peer: medians, and the median of the ratios turn by turn, for the machine drifts."""
    mine: list[float] = []
    theirs: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for turn in range(turns):
        mine.append(ours())
        for peer in peers:
            if peer.run is not None and turn < peer.turns:
                theirs[peer.name].append(peer.run())
    rows = []
    for peer in peers:
        times = theirs[peer.name]
        ratio = median(our / their for our, their in zip(mine, times, strict=False)) if times else None
        rows.append(Row(work, median(mine), peer.name, median(times) if times else 0.0, ratio, peer.limit))
    return rows


# -- Memory -------------------------------------------------------------------------------------------------------------


def peak_mb(code: str) -> float:
    """The highest memory, in MiB, of a new Python that runs `code` and of all that it starts: proportional set sizes, added."""
    process = subprocess.Popen([sys.executable, "-c", code])
    highest = 0
    while process.poll() is None:
        highest = max(highest, sum(map(_proportional_kb, _tree(process.pid))))
        time.sleep(_PAUSE)
    if process.returncode:
        raise RuntimeError(f"measuring memory failed: Python ended with {process.returncode}; run it alone: {code}")
    return highest / 1024


def _tree(pid: int) -> list[int]:
    """A process and all below it."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        for file in Path(f"/proc/{one}/task").glob("*/children"):
            waiting += map(int, _text(file).split())
    return found


def _proportional_kb(pid: int) -> int:
    for line in _text(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:  # it has ended meanwhile
        return ""

"""A progress bar for work that takes more than a moment: rich in a terminal, tqdm in a notebook, silence otherwise."""

import sys
from collections.abc import Iterable, Iterator, Sized
from threading import Timer
from typing import TypeVar

__all__ = ["track"]

Item = TypeVar("Item")
_showing = False
_PATIENCE = 2.0
"""Seconds before a bar is shown: what is done by then needs none."""


def track(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Yield `items`, showing how far we are; `what` is a phrase such as "reading variants".

    Work inside tracked work shows no bar of its own: two bars on one screen overwrite each other.

    >>> list(track([1, 2], "counting"))
    [1, 2]
    """
    global _showing  # noqa: PLW0603  (there is one screen)
    if _showing:
        yield from items
        return
    _showing = True
    try:
        yield from _bar(items, what, total)
    finally:
        _showing = False


def _bar(items: Iterable[Item], what: str, total: int | None) -> Iterator[Item]:
    total = len(items) if total is None and isinstance(items, Sized) else total
    if "ipykernel" in sys.modules:
        from tqdm.auto import tqdm  # noqa: PLC0415  (a notebook's own, an optional extra's widget)

        bar = tqdm(desc=what, total=total, leave=False, delay=_PATIENCE)
        try:
            for item in items:
                yield item
                bar.update()
        finally:
            bar.total = bar.n  # a bar that ends early would stay, in red, beside the sentence that says why
            bar.close()
    elif sys.stderr.isatty():
        from rich.console import Console  # noqa: PLC0415  (only a terminal needs it)
        from rich.progress import Progress  # noqa: PLC0415

        shown = Progress(console=Console(stderr=True), transient=True)
        task = shown.add_task(what, total=total)
        late = Timer(_PATIENCE, shown.start)
        late.start()
        try:
            for item in items:
                yield item
                shown.advance(task)
        finally:
            late.cancel()
            late.join()
            shown.stop()
    else:
        yield from items

"""A progress bar for work that takes more than a moment: rich in a terminal, tqdm in a notebook, silence otherwise."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

__all__ = ["track"]

Item = TypeVar("Item")
_showing = False


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
    if "ipykernel" in sys.modules:
        from tqdm.auto import tqdm  # noqa: PLC0415  (a notebook's own, an optional extra's widget)

        yield from tqdm(items, desc=what, total=total, leave=False, delay=2)
    elif sys.stderr.isatty():
        from rich.console import Console  # noqa: PLC0415  (only a terminal needs it)
        from rich.progress import track as rich_track  # noqa: PLC0415

        yield from rich_track(items, what, total=total, console=Console(stderr=True), transient=True)
    else:
        yield from items

"""A progress bar for work that takes more than a moment: rich in a terminal, tqdm in a notebook, silence otherwise."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

__all__ = ["track"]

Item = TypeVar("Item")


def track(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Yield `items`, showing how far we are; `what` is a phrase such as "reading variants".

    >>> list(track([1, 2], "counting"))
    [1, 2]
    """
    if "ipykernel" in sys.modules:
        from tqdm.auto import tqdm  # noqa: PLC0415  (a notebook's own, an optional extra's widget)

        yield from tqdm(items, desc=what, total=total, leave=False, delay=2)
    elif sys.stderr.isatty():
        from rich.console import Console  # noqa: PLC0415  (only a terminal needs it)
        from rich.progress import track as rich_track  # noqa: PLC0415

        yield from rich_track(items, what, total=total, console=Console(stderr=True), transient=True)
    else:
        yield from items

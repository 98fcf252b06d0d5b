"""What may be asked, printed from the one table (`nhsgen.methods`): for whoever writes a question and whoever must approve it."""

import textwrap
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

import typer

from nhsgen.methods import METHODS, Method, Option, unknown

__all__ = ["methods"]

Name = Annotated[str | None, typer.Argument(help="One of them, for all that is to be known of it.", metavar="[METHOD]")]


def methods(name: Name = None) -> None:
    """What may be asked; of one METHOD, its settings, what each site sends for it, and by how much one person can change that.

    Example: nhsgen study methods survival
    """
    if name is None:
        width = max(map(len, METHODS))
        print("\n".join(f"{each:<{width}}  {method.asks}?" for each, method in METHODS.items()))
        return
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    for line in _about(METHODS[name]):
        print(textwrap.fill(line, 100, subsequent_indent="    "))


def _about(method: Method) -> Iterator[str]:
    yield f"{method.asks}?"
    yield f"Needs: {_needs(method)}."
    if method.groups:
        yield f"May be split by: {', '.join(method.groups)}."
    yield (
        f"Each site is asked {'once' if method.rounds == 1 else f'up to {method.rounds} times'} and sends, by {method.row}: "
        f"{', '.join(method.sends)}."
    )
    yield f"One person can change such a number by {_most(method.changes)}."
    if method.least:
        yield f"Nothing of a row is shown below {method.least} people or copies, whatever the sites' rules and the settings say."
    if method.options:
        yield "Settings:"
    yield from (
        f"  {name} = {_written(option.default)}: {option.says} ({_may_be(option)})"
        for name, option in method.options.items()
    )


def _needs(method: Method) -> str:
    who = "cases, and controls if not everybody else" if method.compares else "a cohort"
    if method.traits:
        who = f"cases (and controls), or a cohort and traits{' or diseases' if method.diseases else ''}"
    variants = {True: ", variants", False: "", None: "; variants if wanted"}[method.needs_variants]
    score = ", a polygenic score (a scoring file)" if method.score else ""
    panel = ", a public panel (a reference file)" if method.reference else ""
    return f"{who}{score}{panel}{variants}{', since when time is counted' if method.since else ''}"


def _most(changes: int | str) -> str:
    if changes == "relatives":
        return "as many as they have relatives"
    return f"{changes}" if isinstance(changes, int) else f"as much as their own {changes} differ from everybody's"


def _written(default: object) -> str:
    if isinstance(default, tuple):
        return f"[{', '.join(map(_written, default))}]"
    return f'"{default}"' if isinstance(default, str) else str(default)


def _may_be(option: Option) -> str:
    if option.many:
        return f"one or a list of: {_may_be(replace(option, default=option.default[0], many=False))}"
    if option.free:
        return "a list of texts" if isinstance(option.default, tuple) else "a text"
    if option.choices:
        return " or ".join(map(str, option.choices))
    return (
        f"{'a whole number' if isinstance(option.default, int) else 'a number'} from {option.low:g} to {option.high:g}"
    )

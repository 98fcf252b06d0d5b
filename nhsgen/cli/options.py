"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Where", "Who", "group"]

Where = Annotated[
    Path,
    typer.Option(
        "--workspace", "-w", envvar="NHSGEN_WORKSPACE", help="The folder of the federation.", show_default=True
    ),
]
Who = Annotated[
    str, typer.Option("--as", envvar="NHSGEN_USER", help="Who you are: the name under which the site enrolled you.")
]


def group(name: str, help: str) -> typer.Typer:
    """A group of commands, e.g. `nhsgen extracts`."""
    return typer.Typer(name=name, help=help, no_args_is_help=True, rich_markup_mode=None)

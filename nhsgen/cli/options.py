"""Options that several commands share."""

import socket
from pathlib import Path
from typing import Annotated

import typer

from nhsgen.errors import BadInput

__all__ = ["Port", "Where", "Who", "free", "group"]

Where = Annotated[
    Path,
    typer.Option(
        "--workspace", "-w", envvar="NHSGEN_WORKSPACE", help="The folder of the federation.", show_default=True
    ),
]
Who = Annotated[
    str, typer.Option("--as", envvar="NHSGEN_USER", help="Who you are: the name under which the site enrolled you.")
]
Port = Annotated[int, typer.Option(min=1, max=65_535, help="The port to listen on, on this machine only.")]


def free(port: int) -> int:
    """`port`, when nobody listens there; BadInput when somebody does."""
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(("127.0.0.1", port))
        except OSError as error:
            found = f"port {port} is taken or forbidden here ({error.strerror})"
            raise BadInput("listening on this machine", found, "choose another with --port") from error
    return port


def group(name: str, help: str) -> typer.Typer:
    """A group of commands, e.g. `nhsgen extracts`."""
    return typer.Typer(name=name, help=help, no_args_is_help=True, rich_markup_mode=None)

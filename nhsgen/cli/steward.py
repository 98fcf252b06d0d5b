"""The web pages of the data stewards."""

from importlib.util import find_spec
from pathlib import Path

from nhsgen.cli.options import Port, Where, free, group
from nhsgen.errors import MissingExtra

__all__ = ["steward"]

steward = group("steward", "The web pages on which data stewards read, approve and refuse.")


@steward.command("serve")
def serve(
    where: Where = Path("."),
    port: Port = 8765,
) -> None:
    """Serve the pages on this machine.

    Example: nhsgen steward serve -w nhsgen-demo
    """
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise MissingExtra("the steward's pages", "steward")
    from nhsgen.steward import serve as serve_pages  # noqa: PLC0415  (an optional extra)
    from nhsgen.workspace import Workspace  # noqa: PLC0415  (beside the above)

    serve_pages(Workspace.open(where), port=free(port))

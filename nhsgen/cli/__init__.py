"""The command line: parse, call one function, show. A user's mistake gives one sentence and an exit code, never a traceback.

demo                 build the demo federation and ask it its question
lab                  JupyterLab, in the notebooks
workspace sites staff   set up a federation on disk
contracts            what an extract must be
extracts             submit, check, approve, refuse, release, withdraw
people               a person's no
audit                what happened, and whether the log still says so
variants             read, store and count variant files
study                ask a question that is written in a file
pipelines            the scheduled work, run now
steward              the web pages of the data stewards
"""

import sys
from collections.abc import Sequence

import typer

from nhsgen.cli import ask, methods, sites, steward, tables, variants
from nhsgen.durable import storage
from nhsgen.errors import NhsgenError

__all__ = ["app", "main"]

app = typer.Typer(
    name="nhsgen",
    help="Ask one question of many hospitals' de-identified records and genomes; no record leaves its hospital.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
app.command("demo")(ask.demo)
app.command("lab")(ask.lab)
ask.study.command("methods")(methods.methods)
app.add_typer(ask.study)
app.add_typer(ask.pipelines)
app.add_typer(sites.workspace)
app.add_typer(sites.sites)
app.add_typer(sites.staff)
app.add_typer(sites.people)
app.add_typer(sites.audit)
app.add_typer(tables.contracts)
app.add_typer(tables.extracts)
app.add_typer(variants.variants)
app.add_typer(steward.steward)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code (`nhsgen.errors` lists them; 2 also for a wrong option)."""
    try:
        with storage("running the command", None):
            app(args=arguments, prog_name="nhsgen")
    except NhsgenError as error:
        print(f"nhsgen: {error}", file=sys.stderr)
        sys.exit(error.exit_code)

"""Commands that ask: the demo, the lab, studies in files, and the scheduled pipelines."""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from nhsgen import demo as demo_room
from nhsgen import lab as lab_room
from nhsgen.cli.options import Port, Where, free, group
from nhsgen.durable import building, place_for, publish
from nhsgen.errors import MissingExtra, NotFound
from nhsgen.results import PICTURES, TABLES
from nhsgen.studies import Study

__all__ = ["demo", "lab", "pipelines", "study"]

study = group("study", "Ask a question that is written in a file.")
pipelines = group("pipelines", "What analysts schedule.")

Folder = Path(".")
Asker = Annotated[str, typer.Option("--as", envvar="NHSGEN_USER", help="Who asks; kept in every site's log.")]


def demo(
    out: Annotated[Path, typer.Option(help="The folder to build it in.")] = Path("nhsgen-demo"),
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = demo_room.SEED,
) -> None:
    """Build three invented hospitals, take their extracts through approval, and ask them one rare-disease question.

    Example: nhsgen demo --out nhsgen-demo
    """
    demo_room.tell(out, seed)


def lab(
    workspace: Annotated[Path, typer.Argument(help="The federation the notebooks shall ask.")] = Path("nhsgen-demo"),
    browser: Annotated[bool, typer.Option(help="Open a browser window.")] = True,
    port: Port = 8888,
) -> None:
    """Open JupyterLab at the notebooks.

    Example: nhsgen lab nhsgen-demo
    """
    if find_spec("jupyterlab") is None:
        raise MissingExtra("JupyterLab", "lab")
    lab_room.open(workspace)
    notebooks = Path("notebooks")
    options = [f"--port={free(port)}", "--ip=127.0.0.1", *([] if browser else ["--no-browser"])]
    if not notebooks.is_dir():
        with building(Path()) as room:
            shutil.copytree(_shipped_notebooks(), room / "notebooks")
            publish(room / "notebooks", notebooks)
    os.environ["NHSGEN_WORKSPACE"] = str(workspace.resolve())
    first = notebooks / "01_a_first_question.ipynb"
    options += ["--allow-root"] if os.geteuid() == 0 else []  # in a container there is often nobody else
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *options, str(first)])


@study.command("run")
def run(
    file: Path,
    where: Where = Folder,
    asker: Asker = "researcher",
    out: Annotated[Path | None, typer.Option(help="Also save it: .csv, .parquet, .json or .html.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Also draw it: .png, .svg or .pdf.")] = None,
) -> None:
    """Ask the question in FILE and print what may be shown.

    Example: nhsgen study run question.toml -w nhsgen-demo --out answer.csv
    """
    question = Study.read(file)
    wanted = [place_for(path, forms) for path, forms in ((out, TABLES), (picture, PICTURES)) if path is not None]
    result = lab_room.open(where, asked_by=asker).run(question)
    print(result)
    for path in wanted:
        print(f"\nsaved {result.save(path)}")


@study.command("show")
def show(file: Path) -> None:
    """Say in plain English what the question in FILE is, and its hash, which is what a steward approves.

    Example: nhsgen study show question.toml
    """
    question = Study.read(file)
    print(f"{question.describe()}\n\nhash {question.hash}")


@pipelines.command("run")
def run_pipeline(
    where: Where = Folder,
    file: Annotated[Path | None, typer.Option("--study", help="The question; the demo's when not said.")] = None,
    out: Annotated[Path, typer.Option(help="The folder for the answers.")] = Path("answers"),
) -> None:
    """Check every site's release against its contracts and then ask the question: the weekly work, now, without a server.

    Example: nhsgen pipelines run -w nhsgen-demo
    """
    if find_spec("dagster") is None:
        raise MissingExtra("pipelines", "pipelines")
    if find_spec("pipelines") is None:
        raise NotFound(
            "finding the pipelines", "their folder is not beside this nhsgen", "run it from a checkout of nhsgen"
        )
    from pipelines import run_now  # noqa: PLC0415  (dagster is an optional extra)

    for line in run_now(where, file, out):
        print(line)


def _shipped_notebooks() -> Path:
    """Beside the package in a checkout, inside it when installed."""
    package = Path(demo_room.__file__).parents[1]
    return next(folder for folder in (package.parent / "notebooks", package / "notebooks") if folder.is_dir())

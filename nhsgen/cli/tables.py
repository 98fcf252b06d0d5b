"""Commands of an extract's life, and of the contracts it lives under."""

from pathlib import Path
from typing import Annotated

import typer

from nhsgen import extracts as life
from nhsgen.cli.options import Where, Who, group
from nhsgen.contracts import names, read, shipped
from nhsgen.settings import Settings
from nhsgen.workspace import Site, Workspace

__all__ = ["contracts", "extracts"]

contracts = group("contracts", "What an extract must be, and which of its columns mean what.")
extracts = group("extracts", "An extract's life: submit, check, approve twice, release, withdraw.")

Folder = Path(".")
Reason = Annotated[str, typer.Option("--because", help="Why, in a sentence; kept in the log.")]


@contracts.command("list")
def list_contracts() -> None:
    """The contracts that come with nhsgen.

    Example: nhsgen contracts list
    """
    for name in names():
        contract = read(shipped(name))
        print(f"{name:<22} {contract.version:<8} {contract.name}")


@contracts.command("show")
def show_contract(name: str) -> None:
    """A contract's tables and what its columns mean; NAME is one that comes with nhsgen, or a file.

    Example: nhsgen contracts show hes_apc
    """
    print(read(_contract(name)).describe())


@extracts.command("submit")
def submit(
    site: str,
    folder: Path,
    by: Who,
    contract: Annotated[list[str], typer.Option(help="A contract that comes with nhsgen, or a file; may be repeated.")],
    where: Where = Folder,
) -> None:
    """Hand in a folder of tables and variant files under one or more contracts.

    \b
    Example: nhsgen extracts submit northgate ./november --contract genomics_programme --contract variants_vep --as asha
    """
    extract = life.submit(Workspace.open(where).site(site), folder, [_contract(name) for name in contract], by)
    print(f"{extract.id} submitted; next: nhsgen extracts check {extract.id}")


@extracts.command("check")
def check(
    extract: str,
    by: Who,
    where: Where = Folder,
    lift: Annotated[
        list[str] | None,
        typer.Option(help="A finding that may pass, and why: 'ID=reason'. A steward's word; may be repeated."),
    ] = None,
) -> None:
    """Check an extract against its contracts and for what could identify people.

    Example: nhsgen extracts check northgate-0001 --as asha
    """
    site = _site(where, extract)
    lifted = {finding: reason for finding, _, reason in (text.partition("=") for text in lift or ())}
    report = life.check(site, extract, by, Settings.read(), lift=lifted)
    print(report)
    if not report.passed:
        raise typer.Exit(2)


@extracts.command("approve")
def approve(extract: str, by: Who, because: Reason, where: Where = Folder) -> None:
    """Say yes; two different stewards must, and neither may be who submitted it.

    \b
    Example: nhsgen extracts approve northgate-0001 --because "k is 11, no free text" --as ben
    """
    print(f"{extract} is now {life.approve(_site(where, extract), extract, by, because).state}")


@extracts.command("refuse")
def refuse(extract: str, by: Who, because: Reason, where: Where = Folder) -> None:
    """Say no.

    \b
    Example: nhsgen extracts refuse northgate-0001 --because "two postcodes in a comment" --as ben
    """
    print(f"{extract} is now {life.refuse(_site(where, extract), extract, by, because).state}")


@extracts.command("release")
def release(extract: str, by: Who, where: Where = Folder) -> None:
    """Publish an approved extract: immutable, named by the hash of its manifest.

    Example: nhsgen extracts release northgate-0001 --as ben
    """
    made = life.release(_site(where, extract), extract, by, Settings.read())
    print(f"release {made.id} is what {made.site} answers from now")


@extracts.command("withdraw")
def withdraw(extract: str, by: Who, because: Reason, where: Where = Folder) -> None:
    """Take an extract back; its release answers no more questions.

    \b
    Example: nhsgen extracts withdraw northgate-0001 --because "wrong month" --as asha
    """
    print(f"{extract} is now {life.withdraw(_site(where, extract), extract, by, because).state}")


@extracts.command("list")
def list_extracts(where: Where = Folder) -> None:
    """Every extract and its state.

    Example: nhsgen extracts list -w nhsgen-demo
    """
    for site in Workspace.open(where).sites.values():
        for extract in life.list_extracts(site):
            print(f"{extract.id:<20} {extract.state:<14} submitted by {extract.submitter}")


@extracts.command("show")
def show(extract: str, where: Where = Folder) -> None:
    """One extract: its files, its reports, who said what.

    Example: nhsgen extracts show northgate-0001 -w nhsgen-demo
    """
    print(life.show(_site(where, extract), extract))


def _site(where: Path, extract: str) -> Site:
    return life.site_of(Workspace.open(where), extract)


def _contract(name: str) -> Path:
    """A file of that path, or the shipped contract of that name."""
    path = Path(name)
    return path if path.suffix in {".yaml", ".yml"} else shipped(name)

"""Commands that set up a federation and say who is in it: workspace, sites, staff, people, audit."""

from pathlib import Path
from typing import Annotated

import typer

from nhsgen.audit import Head
from nhsgen.cli.options import Where, Who, group
from nhsgen.disclosure import PRESETS
from nhsgen.workspace import Workspace

__all__ = ["audit", "people", "sites", "staff", "workspace"]

workspace = group("workspace", "A federation on disk.")
sites = group("sites", "Who holds data.")
staff = group("staff", "Who may submit, and who may approve.")
people = group("people", "A person's no, effective at the next question.")
audit = group("audit", "What happened, and whether the log still says so.")

Folder = Path(".")


@workspace.command("create")
def create_workspace(
    path: Path, name: Annotated[str, typer.Option(help="What people call it; the folder's name when not said.")] = ""
) -> None:
    """Make an empty federation.

    Example: nhsgen workspace create kidney-study
    """
    made = Workspace.create(path, name or path.resolve().name)
    print(f"workspace '{made.name}' is at {path}")


@sites.command("add")
def add_site(
    name: str,
    by: Who,
    where: Where = Folder,
    policy: Annotated[str, typer.Option(help=f"Its disclosure rules: {', '.join(PRESETS)}.")] = "nhs",
    pooled: Annotated[
        bool, typer.Option("--pooled", help="Thresholds apply to the total of all sites, not to each site's part.")
    ] = False,
) -> None:
    """Add a site, its rules, and you as the first of its staff.

    Example: nhsgen sites add northgate --as asha --policy nhs --pooled
    """
    Workspace.open(where).add_site(name, policy=policy, pooled=pooled, by=by)
    print(f"site '{name}' added")


@sites.command("list")
def list_sites(where: Where = Folder) -> None:
    """Each site, its rules and its current release.

    Example: nhsgen sites list -w nhsgen-demo
    """
    for site in Workspace.open(where).sites.values():
        release = site.release()
        rules = f"{site.policy.name}{', pooled' if site.policy.pooled else ''}"
        print(f"{site.name:<20} rules: {rules:<16} release: {release.id[:12] if release else 'none'}")


@staff.command("enrol")
def enrol(
    site: str,
    name: str,
    role: Annotated[str, typer.Option(help="submitter or steward")],
    by: Who,
    where: Where = Folder,
) -> None:
    """Let somebody submit extracts for a site, or approve them.

    Example: nhsgen staff enrol northgate ben --role steward --as asha
    """
    Workspace.open(where).site(site).enrol(name, role, by)
    print(f"{name} is a {role} of {site}")


@staff.command("list")
def list_staff(site: str, where: Where = Folder) -> None:
    """Who may do what at a site.

    Example: nhsgen staff list northgate -w nhsgen-demo
    """
    for name, roles in sorted(Workspace.open(where).site(site).staff.items()):
        print(f"{name:<20} {', '.join(sorted(roles))}")


@people.command("withdraw")
def withdraw_people(
    site: str,
    by: Who,
    source: Annotated[Path, typer.Option("--from", help="One pseudonymous id a line.")],
    where: Where = Folder,
) -> None:
    """Take people out of every later answer, clinical and genomic.

    Example: nhsgen people withdraw northgate --from opted-out.txt --as asha
    """
    number = Workspace.open(where).site(site).withdraw_people(source, by)
    print(f"withdrawals recorded at {site}: {number}; they take effect at the next question")


@audit.command("verify")
def verify(
    where: Where = Folder,
    expect: Annotated[
        list[str] | None,
        typer.Option(help="A head printed earlier and kept elsewhere: 'SITE=SIZE:HASH'. May be repeated."),
    ] = None,
) -> None:
    """Check every site's log, entry by entry. Keep the heads it prints somewhere else: they show up a log that was cut or rewritten.

    Example: nhsgen audit verify -w nhsgen-demo
    """
    sites = Workspace.open(where).sites
    kept = dict(text.partition("=")[::2] for text in expect or ())
    for name in kept:
        Workspace.open(where).site(name)
    for site in sites.values():
        site.log.verify(expect=Head.parse(kept[site.name]) if site.name in kept else None)
        print(f"{site.name:<20} {site.log.head().size} entries, unbroken; its head is {site.log.head()}")


@audit.command("show")
def show(site: str, where: Where = Folder) -> None:
    """What happened at a site, oldest first.

    Example: nhsgen audit show northgate -w nhsgen-demo
    """
    for entry in Workspace.open(where).site(site).log.entries():
        facts = ", ".join(f"{key}: {value}" for key, value in entry.facts.items())
        print(f"{entry.number:>4}  {entry.at}  {entry.who:<16} {entry.kind:<20} {facts}")

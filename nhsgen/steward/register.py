"""The public register: what was released, what was asked and answered, what was taken back; read from the sites' audit logs.

Nobody writes it: an entry stands here because the act itself wrote it. It names the purpose, who asked and who said yes, and never
how many people answered or withdrew.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nhsgen.audit import Entry
from nhsgen.steward.guard import closed_sites
from nhsgen.studies import METHODS
from nhsgen.workspace import Site, Workspace

__all__ = ["Asked", "Given", "asked", "given"]


@dataclass(frozen=True)
class Given:
    """A release a site made: who said yes to it, and since when it is gone if it is."""

    site: str
    release: str
    at: str
    approved_by: tuple[str, ...]
    withdrawn_at: str = ""


@dataclass(frozen=True)
class Asked:
    """A study, and what each site did with it: (site, when last, what), newest first."""

    study: str
    asks: str
    purpose: str
    asked_by: tuple[str, ...]
    answers: tuple[tuple[str, str, str], ...]

    @property
    def last(self) -> str:
        return self.answers[0][1]


def given(workspace: Workspace) -> tuple[Given, ...]:
    """All releases of all sites, newest first."""
    found = [release for site in _open(workspace) for release in _of_site(site)]
    return tuple(sorted(found, key=lambda one: one.at, reverse=True))


def asked(workspace: Workspace) -> tuple[Asked, ...]:
    """All studies any site was asked, the one asked last first."""
    entries: dict[str, list[tuple[str, Entry]]] = {}
    for site in _open(workspace):
        for entry in site.log.entries():
            if entry.kind in _ANSWERS:
                entries.setdefault(entry.facts["study"], []).append((site.name, entry))
    return tuple(
        sorted((_study(study, found) for study, found in entries.items()), key=lambda one: one.last, reverse=True)
    )


_ANSWERS: Mapping[str, str] = {
    "study approved": "approved by a steward",
    "study answered": "answered with a sum over its people",
    "study refused": "refused",
}


def _open(workspace: Workspace) -> list[Site]:
    closed = closed_sites(workspace)
    return [site for site in workspace.sites.values() if site.name not in closed]


def _of_site(site: Site) -> Iterator[Given]:
    entries = site.log.entries()
    gone = {entry.facts["extract"]: entry.at for entry in entries if entry.kind == "extract withdrawn"}
    for entry in entries:
        if entry.kind == "extract released":
            facts = entry.facts
            yield Given(
                site.name, facts["release"], entry.at, tuple(facts["approved_by"]), gone.get(facts["extract"], "")
            )


def _study(study: str, found: list[tuple[str, Entry]]) -> Asked:
    facts = [entry.facts for _, entry in found]
    method = next((one["method"] for one in facts if one.get("method")), "")
    last = {(site, _what(entry)): entry.at for site, entry in sorted(found, key=lambda one: one[1].at)}
    return Asked(
        study,
        asks=METHODS[method].asks + "?" if method in METHODS else "",
        purpose=next((one["purpose"] for one in facts if one.get("purpose")), ""),
        asked_by=tuple(dict.fromkeys(entry.who for _, entry in found if entry.kind != "study approved")),
        answers=tuple(
            (site, at, what) for (site, what), at in sorted(last.items(), key=lambda one: one[1], reverse=True)
        ),
    )


def _what(entry: Entry) -> str:
    silent = entry.facts.get("silent")
    return f"did not answer: {silent}" if silent else _ANSWERS[entry.kind]

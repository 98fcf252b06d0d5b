"""An extract's life: handed in, checked, approved by two stewards, released, withdrawn. Who may do what is one table.

Every move is an entry in the site's audit log, made while the log is held, so that what was true when it was decided is still
true when it is written. An approval is for these files and this report, by hash: a file that changes is `Tampered`, and a new
check begins the approvals again. Nobody judges what they handed in themselves, and nobody counts twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nhsgen import durable
from nhsgen.audit import Entry
from nhsgen.contracts import Contract, merge_words, read
from nhsgen.errors import BadInput, NotAllowed, NotFound
from nhsgen.extracts import submission
from nhsgen.extracts.checking import CheckReport, check_files
from nhsgen.extracts.publishing import publish
from nhsgen.extracts.validation import ContractReport, validate
from nhsgen.settings import Settings
from nhsgen.workspace import Release, Role, Site, Workspace

__all__ = [
    "MOVES",
    "Extract",
    "State",
    "approve",
    "check",
    "find",
    "list_extracts",
    "recheck",
    "refuse",
    "release",
    "report",
    "show",
    "site_of",
    "submit",
    "withdraw",
]


class State(StrEnum):
    """Where an extract stands. Refused and withdrawn are final."""

    SUBMITTED = "submitted"
    BROKEN = "broken"
    CHECKED = "checked"
    APPROVED_ONCE = "approved_once"
    APPROVED = "approved"
    RELEASED = "released"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


_SUBMITTER, _STEWARD = frozenset({Role.SUBMITTER}), frozenset({Role.STEWARD})
_EITHER = _SUBMITTER | _STEWARD
_OPEN = (State.SUBMITTED, State.BROKEN, State.CHECKED, State.APPROVED_ONCE, State.APPROVED)

MOVES: Mapping[tuple[State | None, State], frozenset[Role]] = {
    (None, State.SUBMITTED): _SUBMITTER,
    **{(state, State.CHECKED): _EITHER for state in _OPEN},
    **{(state, State.BROKEN): _EITHER for state in _OPEN},
    (State.CHECKED, State.APPROVED_ONCE): _STEWARD,
    (State.APPROVED_ONCE, State.APPROVED): _STEWARD,
    (State.APPROVED, State.RELEASED): _STEWARD,
    **{(state, State.REFUSED): _STEWARD for state in _OPEN},
    **{(state, State.WITHDRAWN): _SUBMITTER for state in _OPEN},
    (State.RELEASED, State.WITHDRAWN): _EITHER,
}
"""(from, to) -> who may. "submitter" is whoever handed this extract in; "steward" is any steward but them."""


@dataclass(frozen=True)
class Extract:
    """One extract as its site's log tells it.

    sealed: sha256 of extract.json, which lists every submitted file with its own. report: sha256 of the report that counts.
    approvals: who said yes to exactly these files and this report. lifted: finding -> why a steward let it pass.
    """

    id: str
    state: State
    submitter: str
    sealed: str
    submitted_at: str
    report: str | None = None
    lifted: Mapping[str, str] = field(default_factory=dict)
    approvals: tuple[str, ...] = ()
    release: str | None = None
    history: tuple[Entry, ...] = field(default=(), repr=False)

    def after(self, entry: Entry) -> "Extract":
        """As it stands after one more entry about it."""
        facts, state = entry.facts, State(entry.facts["to"])
        moved = replace(self, state=state, history=(*self.history, entry))
        if state in {State.CHECKED, State.BROKEN}:
            return replace(moved, report=facts["report"], lifted=facts["lifted"], approvals=())
        if state in {State.APPROVED_ONCE, State.APPROVED}:
            return replace(moved, approvals=(*self.approvals, entry.who))
        return replace(moved, release=facts["release"]) if state is State.RELEASED else moved


# -- The moves ----------------------------------------------------------------------------------------------------------


def submit(site: Site, folder: str | Path, contracts: Sequence[str | Path], by: str) -> Extract:
    """Hand in a copy of every file in `folder`, under the contract files `contracts`; a later change there changes nothing here."""
    tried = "submitting an extract"
    site.require(by, Role.SUBMITTER, tried)
    merge_words([read(Path(contract)) for contract in contracts])
    place = site.path / "extracts"
    with durable.building(place) as copy:
        contents = submission.take_in(Path(folder), [Path(contract) for contract in contracts], copy)
        with site.log.held():
            site.require(by, Role.SUBMITTER, tried)
            name = f"{site.name}-{len(list_extracts(site)) + 1:04d}"
            durable.remove(place / name)  # of a run that died before its entry was written
            durable.publish(copy, place / name, last=submission.LIST)
            entry = site.log.append(
                "extract submitted",
                by,
                extract=name,
                to=State.SUBMITTED.value,
                sealed=durable.hash_of(place / name / submission.LIST),
                files=len(contents["files"]),
                contracts=[f"{contract['id']} {contract['version']}" for contract in contents["contracts"]],
            )
    return _begun(entry)


def check(
    site: Site, extract: str, by: str, settings: Settings, *, lift: Mapping[str, str] = MappingProxyType({})
) -> CheckReport:
    """Check it against its contracts and for what could identify people, and keep the report; approvals begin again.

    lift: id of a de-identification finding -> why it may pass; only a steward may say so, and only where the finding allows it.
    """
    tried = f"checking {extract}"
    now = find(site, extract)
    _require_move(site, now, State.CHECKED, by, tried)
    if lift:
        _require_steward(site, now, by, "letting a finding pass")
    reasons = {name: _reason(reason, f"letting '{name}' pass") for name, reason in lift.items()}
    files, contracts = submission.opened(_place(site, extract), now.sealed)
    found = check_files(extract, files, contracts, settings, reasons)
    kept = submission.keep_report(_place(site, extract), found.to_dict())
    with _moving(site, extract, State.CHECKED if found.passed else State.BROKEN, by, tried) as facts:
        facts |= {"report": kept, "lifted": reasons}
    return found


def approve(site: Site, extract: str, by: str, reason: str, *, report: str | None = None) -> Extract:
    """Say yes to these files and this report; the second yes must be another steward's.

    report: the sha256 of the report that was read, when the approver can say; NotAllowed when there is a newer one.
    """
    tried = f"approving {extract}"
    now = find(site, extract)
    to = State.APPROVED if now.state is State.APPROVED_ONCE else State.APPROVED_ONCE
    _require_move(site, now, to, by, tried)
    _require_sealed(site, now)
    with _moving(site, extract, to, by, tried) as facts:
        then = find(site, extract)
        _require_another(site, then, by, tried)
        if then.report != now.report or report not in {None, then.report}:
            raise NotAllowed(tried, "it was checked again since", "read the new report first")
        facts |= {"report": then.report, "sealed": then.sealed, "reason": _reason(reason, tried)}
    return find(site, extract)


def refuse(site: Site, extract: str, by: str, reason: str) -> Extract:
    """Say no, for good."""
    with _moving(site, extract, State.REFUSED, by, f"refusing {extract}") as facts:
        facts["reason"] = _reason(reason, f"refusing {extract}")
    return find(site, extract)


def withdraw(site: Site, extract: str, by: str, reason: str) -> Extract:
    """Take it back, for good; if it was released, its release answers no more questions."""
    with _moving(site, extract, State.WITHDRAWN, by, f"withdrawing {extract}") as facts:
        facts["reason"] = _reason(reason, f"withdrawing {extract}")
    return find(site, extract)


def release(site: Site, extract: str, by: str, settings: Settings) -> Release:
    """Publish an approved extract: from now on it is what the site answers. Asking again gives the same release."""
    tried = f"releasing {extract}"
    now = find(site, extract)
    if now.state is State.RELEASED:
        _require_steward(site, now, by, tried)
        return Release.open(site.path / "releases" / str(now.release))
    _require_move(site, now, State.RELEASED, by, tried)
    _require_two(site, now, tried)
    files, contracts = _require_sealed(site, now)
    facts = {
        "site": site.name,
        "extract": extract,
        "sealed": now.sealed,
        "report": now.report,
        "policy": {"name": site.policy.name, "pooled": site.policy.pooled},
    }
    made = publish(files, contracts, site.path / "releases", facts, settings)
    with site.log.held():
        then = find(site, extract)
        if then.release == made.id and then.state is State.RELEASED:
            return made  # somebody else asked for the same meanwhile
        if then.report != now.report:
            raise NotAllowed(tried, "it was checked again meanwhile", "have it approved again")
        with _moving(site, extract, State.RELEASED, by, tried) as move:
            _require_two(site, then, tried)
            move |= {"release": made.id, "approved_by": list(then.approvals), **made.manifest["people"]}
    return made


# -- Reading --------------------------------------------------------------------------------------------------------------


def list_extracts(site: Site) -> tuple[Extract, ...]:
    """Every extract of a site, in the order of submission."""
    extracts: dict[str, Extract] = {}
    for entry in site.log.entries():
        if entry.kind == "extract submitted":
            extracts[entry.facts["extract"]] = _begun(entry)
        elif entry.kind.startswith("extract "):
            extracts[entry.facts["extract"]] = extracts[entry.facts["extract"]].after(entry)
    return tuple(extracts.values())


def find(site: Site, extract: str) -> Extract:
    """The extract of that id; NotFound when the site has none."""
    for known in list_extracts(site):
        if known.id == extract:
            return known
    raise NotFound(f"finding the extract '{extract}'", f"{site.name} has none of that id", "see 'nhsgen extracts list'")


def site_of(workspace: Workspace, extract: str) -> Site:
    """The site an extract's id begins with; NotFound when no site has such an extract."""
    name = extract.rpartition("-")[0]
    if name not in workspace.sites:
        raise NotFound(f"finding the extract '{extract}'", "no site has one of that id", "see 'nhsgen extracts list'")
    return workspace.site(name)


def report(site: Site, extract: str) -> CheckReport | None:
    """The report of its last check; None before the first; Tampered when it is not what was kept."""
    kept = find(site, extract).report
    return None if kept is None else CheckReport.from_dict(submission.kept_report(_place(site, extract), kept))


def recheck(site: Site, release: Release, settings: Settings) -> ContractReport:
    """What the contracts say today of the files a release was made of; Tampered when these are not the files that were approved."""
    extract = find(site, release.extract)
    files, contracts = submission.opened(_place(site, extract.id), extract.sealed)
    return validate(files, contracts, settings)


def show(site: Site, extract: str) -> str:
    """All there is to know about it, for a person: files, report, who did what and why."""
    now = find(site, extract)
    files = submission.contents(_place(site, extract), now.sealed)["files"]
    found = report(site, extract)
    lines = [f"{now.id}: {now.state}, submitted by {now.submitter}", "", "Files"]
    lines += [f"  {name}  {said['bytes']:,} bytes  sha256 {said['sha256'][:12]}" for name, said in files.items()]
    lines += ["", "Report", str(found or "  not checked yet"), "", "What happened"]
    for entry in now.history:
        reason = f": {entry.facts['reason']}" if "reason" in entry.facts else ""
        lines.append(f"  {entry.at}  {entry.who}  {entry.facts['to']}{reason}")
    return "\n".join(lines)


# -- Who may --------------------------------------------------------------------------------------------------------------


@contextmanager
def _moving(site: Site, extract: str, to: State, by: str, tried: str) -> Iterator[dict[str, Any]]:
    """Make one move: hold the log, see that it is allowed, take the facts the block gives, write the entry."""
    with site.log.held():
        now = find(site, extract)
        _require_move(site, now, to, by, tried)
        facts: dict[str, Any] = {}
        yield facts
        site.log.append(f"extract {to}", by, **{"extract": extract, "from": now.state.value, "to": to.value, **facts})


def _require_move(site: Site, now: Extract, to: State, by: str, tried: str) -> None:
    """NotAllowed unless MOVES has it for a role that `by` has towards this extract."""
    allowed = MOVES.get((now.state, to))
    if allowed is None:
        after = sorted({str(goal) for start, goal in MOVES if start is now.state})
        raise NotAllowed(
            tried,
            f"it is {now.state}",
            f"from here it can only become {', '.join(after)}" if after else "that is final",
        )
    if not allowed & _roles(site, now, by):
        who = " or ".join(sorted(_SPOKEN[role] for role in allowed))
        raise NotAllowed(tried, f"'{by}' may not", f"this is for {who}")


_SPOKEN = {Role.SUBMITTER: "whoever submitted it", Role.STEWARD: "a steward who did not submit it"}


def _roles(site: Site, now: Extract, by: str) -> frozenset[Role]:
    """What somebody is to this extract."""
    roles = frozenset(map(Role, site.roles(by)))
    return roles & _SUBMITTER if by == now.submitter else roles & _STEWARD


def _require_steward(site: Site, now: Extract, by: str, tried: str) -> None:
    if Role.STEWARD not in _roles(site, now, by):
        raise NotAllowed(tried, f"'{by}' may not", f"this is for {_SPOKEN[Role.STEWARD]}")


def _require_another(site: Site, now: Extract, by: str, tried: str) -> None:
    """The first yes must be another person's, and still that of a steward."""
    if by in now.approvals:
        raise NotAllowed(tried, f"'{by}' has approved it already", "ask another steward")
    _require_standing(site, now, tried)


def _require_two(site: Site, now: Extract, tried: str) -> None:
    if len(set(now.approvals) - {now.submitter}) < 2:
        raise NotAllowed(tried, "two different stewards have not approved it", "ask another steward")
    _require_standing(site, now, tried)


def _require_standing(site: Site, now: Extract, tried: str) -> None:
    for name in now.approvals:
        if Role.STEWARD not in _roles(site, now, name):
            raise NotAllowed(
                tried, f"'{name}', who approved it, is a steward no more", "check it again: approvals begin anew"
            )


def _reason(reason: str, tried: str) -> str:
    said = " ".join(reason.split())
    if not said:
        raise BadInput(tried, "no reason is given", "say why, in a sentence: it is kept in the log")
    return said


def _require_sealed(site: Site, now: Extract) -> tuple[Path, list[Contract]]:
    """Files, contracts and report as they were when they were approved; Tampered when not."""
    if now.report is not None:
        submission.kept_report(_place(site, now.id), now.report)
    return submission.opened(_place(site, now.id), now.sealed)


def _place(site: Site, extract: str) -> Path:
    return site.path / "extracts" / extract


def _begun(entry: Entry) -> Extract:
    facts = entry.facts
    return Extract(facts["extract"], State.SUBMITTED, entry.who, facts["sealed"], entry.at, history=(entry,))

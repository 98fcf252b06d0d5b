"""What each page shows, and the two things a steward does here: approve and refuse."""

import re
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from functools import wraps
from http import HTTPStatus
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from nhsgen import extracts
from nhsgen.errors import BadInput, NotAllowed
from nhsgen.extracts import CheckReport, Extract, State
from nhsgen.steward import guard, register
from nhsgen.workspace import Role, Site, Workspace

__all__ = ["Pages"]

# state -> how it looks, what we call it, what is to be done next.
STATES: Mapping[State, tuple[str, str, str]] = {
    State.SUBMITTED: ("", "submitted", "It has not been checked yet."),
    State.BROKEN: (
        "bad",
        "check failed",
        "Its submitter mends it and submits it again, or a finding is let pass when it is checked again.",
    ),
    State.CHECKED: (
        "care",
        "waiting for two stewards",
        "Two stewards must approve it, and neither may be who submitted it.",
    ),
    State.APPROVED_ONCE: ("care", "waiting for one more steward", "One more steward must approve it."),
    State.APPROVED: ("good", "approved", "A steward may release it: nhsgen extracts release."),
    State.RELEASED: ("good", "released", "It answers questions."),
    State.REFUSED: ("bad", "refused", "That is final."),
    State.WITHDRAWN: ("bad", "withdrawn", "That is final."),
}

STAFF_PAGES = (("queue", "Extracts"), ("register", "Public register"))
PUBLIC_PAGES = (("register", "Public register"), ("sign_in", "Sign in"))

Page = Callable[["Pages", Request, str], Coroutine[Any, Any, Response]]


def staff_only(page: Page) -> Callable[["Pages", Request], Coroutine[Any, Any, Response]]:
    """Hand the page the name of who is signed in; send everybody else to sign in first."""

    @wraps(page)
    async def guarded(self: "Pages", request: Request) -> Response:
        name = guard.signed_in(request, self.workspace)
        if name is not None:
            return await page(self, request, name)
        if request.method == "GET":
            return self._to(request, "sign_in")
        raise NotAllowed("doing this", "you are not signed in", "sign in and try again")

    return guarded


class Pages:
    """The pages of one workspace; each reads it anew."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._templates = Environment(
            loader=PackageLoader("nhsgen.steward"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {"day": _day, "moment": _moment, "facts": _facts}
        self._style = files("nhsgen.steward").joinpath("style.css").read_text(encoding="utf-8")

    # -- For everybody ------------------------------------------------------------------------------------------------

    async def home(self, request: Request) -> Response:
        name = guard.signed_in(request, self.workspace)
        return self._to(request, "queue" if name else "register")

    async def style(self, request: Request) -> Response:
        return Response(self._style, media_type="text/css")

    async def register(self, request: Request) -> Response:
        given, asked = await run_in_threadpool(lambda: (register.given(self.workspace), register.asked(self.workspace)))
        return self._page(request, "register.html", here="register", given=given, asked=asked)

    async def sign_in_page(self, request: Request) -> Response:
        return self._page(request, "sign_in.html", here="sign_in", refused="")

    async def sign_in(self, request: Request) -> Response:
        fields = await guard.form(request)
        try:
            guard.sign_in(request, self.workspace, fields.get("name", "").strip())
        except NotAllowed as refusal:
            return self._page(request, "sign_in.html", HTTPStatus.FORBIDDEN, here="sign_in", refused=str(refusal))
        return self._to(request, "queue")

    async def sign_out(self, request: Request) -> Response:
        await guard.form(request)
        request.session.clear()
        return self._to(request, "sign_in")

    def refusal(self, request: Request, sentence: str, status: HTTPStatus) -> Response:
        return self._page(
            request,
            "refusal.html",
            status,
            here="",
            heading=_HEADINGS.get(status, "That did not work"),
            sentence=sentence,
        )

    # -- For a site's staff -------------------------------------------------------------------------------------------

    @staff_only
    async def queue(self, request: Request, name: str) -> Response:
        sites = guard.sites_of(self.workspace, name)
        found = await run_in_threadpool(lambda: [(site, extracts.list_extracts(site)) for site in sites])
        return self._page(request, "queue.html", here="queue", sites=found, states=STATES)

    @staff_only
    async def extract(self, request: Request, name: str) -> Response:
        site, extract = self._find(request, name)
        report = await run_in_threadpool(extracts.report, site, extract.id)
        shown: dict[str, Any] = {
            "moves": _open_to(site, extract, name),
            "steward": Role.STEWARD in site.roles(name),
            "contract_findings": _of_contract(report),
            "people_findings": _of_people(report),
        }
        return self._page(
            request, "extract.html", here="queue", site=site, extract=extract, report=report, states=STATES, **shown
        )

    @staff_only
    async def decide(self, request: Request, name: str) -> Response:
        fields = await guard.form(request)
        site, extract = self._find(request, name)
        because, said = fields.get("because", ""), fields.get("decision", "")
        if said == "approve":
            await run_in_threadpool(extracts.approve, site, extract.id, name, because, report=fields.get("report", ""))
        elif said == "refuse":
            await run_in_threadpool(extracts.refuse, site, extract.id, name, because)
        else:
            raise BadInput(
                "reading the form", "it says neither approve nor refuse", "go back and press one of the buttons"
            )
        request.session["said"] = f"{extract.id}: you {'approved' if said == 'approve' else 'refused'} it."
        return self._to(request, "extract", extract=extract.id)

    @staff_only
    async def log(self, request: Request, name: str) -> Response:
        site = self.workspace.site(request.path_params["site"])
        _on_staff(site, name)
        entries = await run_in_threadpool(site.log.entries)
        return self._page(request, "log.html", here="log", site=site, entries=entries[::-1], head=str(site.log.head()))

    def _find(self, request: Request, name: str) -> tuple[Site, Extract]:
        site = extracts.site_of(self.workspace, request.path_params["extract"])
        _on_staff(site, name)
        return site, extracts.find(site, request.path_params["extract"])

    def _page(self, request: Request, template: str, status: HTTPStatus = HTTPStatus.OK, **shown: Any) -> Response:
        name = guard.signed_in(request, self.workspace)
        text = self._templates.get_template(template).render(
            shown,
            at=lambda page, **where: _at(request, page, **where),
            name=name,
            pages=STAFF_PAGES if name else PUBLIC_PAGES,
            closed=guard.closed_sites(self.workspace),
            said=request.session.pop("said", ""),
            token=lambda: guard.token(request),  # called where a form is: who only reads gets no cookie
            workspace=self.workspace.name,
        )
        return HTMLResponse(text, status)

    def _to(self, request: Request, page: str, **where: str) -> Response:
        """Show another page; the browser asks for it anew, so that reloading sends nothing twice."""
        return RedirectResponse(_at(request, page, **where), HTTPStatus.SEE_OTHER)


def _at(request: Request, page: str, **where: str) -> str:
    """The path of a page, below wherever the app is mounted."""
    return str(request.scope.get("root_path", "")) + str(request.app.url_path_for(page, **where))


def _open_to(site: Site, extract: Extract, name: str) -> frozenset[str]:
    """Which decisions the page offers; whether one is allowed is decided by `extracts` when it is made."""
    if Role.STEWARD not in site.roles(name) or name == extract.submitter:
        return frozenset()
    goals = {to for state, to in extracts.MOVES if state is extract.state}
    approve = bool(goals & {State.APPROVED_ONCE, State.APPROVED}) and name not in extract.approvals
    return frozenset(["approve"] * approve + ["refuse"] * (State.REFUSED in goals))


def _of_contract(report: CheckReport | None) -> list[tuple[str, ...]]:
    """Rows of the first table of findings: look, weight, file, column, sentence; what stops the extract first."""
    if report is None:
        return []
    rows: list[tuple[str, ...]] = []
    for found in (*report.contract.errors, *report.contract.warnings):
        first = f"; first rows {', '.join(map(str, found.rows))}" if found.rows else ""
        look, word = ("bad", "error") if found.severity == "error" else ("care", "warning")
        rows.append((look, word, found.file, found.column or "", found.says + first))
    return rows


def _of_people(report: CheckReport | None) -> list[tuple[str, ...]]:
    """The same of the second table."""
    if report is None:
        return []
    rows: list[tuple[str, ...]] = []
    for found in (*report.deidentification.blocking, *report.deidentification.to_look_at):
        first = f", first in row {found.first_row:,}" if found.first_row else ""
        rows_found = f": {found.rows:,} rows{first}" if found.share else ""
        if found.level != "blocks":
            look, word = "care", "to look at"
        else:
            look, word = ("care", "let pass") if found.id in report.lifted else ("bad", "stops it")
        rows.append((look, word, found.table, found.column or "", found.says + rows_found))
    return rows


_HEADINGS = {
    HTTPStatus.NOT_FOUND: "There is no such page",
    HTTPStatus.FORBIDDEN: "You may not do that",
    HTTPStatus.BAD_REQUEST: "That could not be read",
    HTTPStatus.CONFLICT: "Something was changed that must not change",
}


def _on_staff(site: Site, name: str) -> None:
    if not site.roles(name):
        raise NotAllowed(f"opening {site.name}", "you are not on its staff", "ask one of its stewards to enrol you")


def _day(at: str) -> str:
    return f"{datetime.fromisoformat(at):%-d %b %Y}"


def _moment(at: str) -> str:
    return f"{datetime.fromisoformat(at):%-d %b %Y, %H:%M}"


def _facts(facts: Mapping[str, Any]) -> str:
    """What an entry of the log says, in few signs: a move is told by the entry's kind, and what is empty says nothing."""
    said = {
        name: value for name, value in facts.items() if name not in {"from", "to"} and value not in ("", [], {}, None)
    }
    return "; ".join(f"{name.replace('_', ' ')}: {_short(value)}" for name, value in said.items())


def _short(value: object) -> str:
    """A hash by its first twelve digits, a list by its members."""
    if isinstance(value, list):
        return ", ".join(map(_short, value))
    text = str(value)
    return f"{text[:12]}…" if re.fullmatch("[0-9a-f]{64}", text) else text

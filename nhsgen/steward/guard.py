"""Who is signed in, the token every form carries, and the headers every answer carries.

Sign-in is by enrolled name alone, for development on one's own machine; the pages say so. The session is a signed cookie that
holds a name and a token, nothing else: whether that name may still do something is read from the sites' logs each time.
"""

import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nhsgen.errors import BadInput, NotAllowed, Tampered
from nhsgen.workspace import Site, Workspace

__all__ = ["HEADERS", "SafeHeaders", "closed_sites", "form", "sign_in", "signed_in", "sites_of", "token"]

FORM_BYTES = 64 * 1024

HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class SafeHeaders:
    """Puts `HEADERS` on every answer, refusals too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, send_safely if scope["type"] == "http" else send)


def sites_of(workspace: Workspace, name: str) -> tuple[Site, ...]:
    """The sites on whose staff this person is; nobody is on the staff of a site whose log does not verify."""
    closed = set(closed_sites(workspace))
    return tuple(site for site in workspace.sites.values() if site.name not in closed and site.roles(name))


def closed_sites(workspace: Workspace) -> tuple[str, ...]:
    """Names of the sites whose audit log is not what was written: nothing about them can be believed."""
    closed = []
    for site in workspace.sites.values():
        try:
            site.roles("")
        except Tampered:
            closed.append(site.name)
    return tuple(closed)


def sign_in(request: Request, workspace: Workspace, name: str) -> None:
    """Begin a new session for `name`; NotAllowed when no site has enrolled them."""
    if not name or not sites_of(workspace, name):
        raise NotAllowed("signing in", "no site has enrolled that name", "ask one of your site's stewards to enrol you")
    request.session.clear()  # a token known before signing in is worth nothing after
    request.session["name"] = name


def signed_in(request: Request, workspace: Workspace) -> str | None:
    """Who is asking, as long as a site still has them on its staff."""
    name = request.session.get("name")
    return name if isinstance(name, str) and sites_of(workspace, name) else None


def token(request: Request) -> str:
    """The session's token, which every form sends back: another site's page cannot know it."""
    found = request.session.setdefault("token", secrets.token_urlsafe(24))
    return str(found)


async def form(request: Request) -> dict[str, str]:
    """The fields of a posted form; NotAllowed without the session's token."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > FORM_BYTES:
            raise BadInput("reading the form", "it is too long", "shorten what you wrote")
    try:
        fields = dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=20))
    except ValueError as error:
        raise BadInput("reading the form", "it is not a form", "go back and send it again") from error
    # Bytes, because compare_digest refuses text that is not ASCII.
    if not hmac.compare_digest(fields.pop("token", "").encode(), token(request).encode()):
        raise NotAllowed(
            "reading the form", "it does not come from your session", "go back, reload the page, send it again"
        )
    return fields

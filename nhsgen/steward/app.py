"""The routes, and how the pages are served.

The app owns no state: what it shows is read from the workspace at every request, and what it changes goes through
`nhsgen.extracts`. Every refusal of the house becomes its one sentence, under the HTTP status that fits.
"""

import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nhsgen.errors import BadInput, NhsgenError, NotAllowed, NotFound, NotSafe, StorageFailed, Tampered
from nhsgen.steward.guard import SafeHeaders
from nhsgen.steward.pages import Pages
from nhsgen.workspace import Workspace

__all__ = ["create_app", "serve"]

HERE = ("localhost", "127.0.0.1", "[::1]")
EIGHT_HOURS = 8 * 60 * 60

# The nearest class above an error says its status.
STATUS: Mapping[type[NhsgenError], HTTPStatus] = {
    BadInput: HTTPStatus.BAD_REQUEST,
    NotFound: HTTPStatus.NOT_FOUND,
    NotAllowed: HTTPStatus.FORBIDDEN,
    NotSafe: HTTPStatus.FORBIDDEN,
    Tampered: HTTPStatus.CONFLICT,
    StorageFailed: HTTPStatus.INSUFFICIENT_STORAGE,
    NhsgenError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


def create_app(workspace: Workspace, secret: str, *, hosts: Sequence[str] = HERE, https: bool = False) -> Starlette:
    """The pages of `workspace`.

    secret: signs the sessions; a new one signs everybody out. hosts: names the pages answer to, so that no other site's name can
    be pointed at them. https: whether they are served over it, so that the cookie never travels without.
    """
    pages = Pages(workspace)

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, NhsgenError)
        status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
        return pages.refusal(request, str(error), status)

    async def unknown(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status = HTTPStatus(error.status_code)
        return pages.refusal(request, f"{status.description or status.phrase}.", status)

    return Starlette(
        routes=[
            Route("/", pages.home, name="home"),
            Route("/style.css", pages.style, name="style"),
            Route("/sign-in", pages.sign_in_page, name="sign_in", methods=["GET"]),
            Route("/sign-in", pages.sign_in, methods=["POST"]),
            Route("/sign-out", pages.sign_out, name="sign_out", methods=["POST"]),
            Route("/extracts", pages.queue, name="queue"),
            Route("/extracts/{extract}", pages.extract, name="extract"),
            Route("/extracts/{extract}/decision", pages.decide, name="decide", methods=["POST"]),
            Route("/log/{site}", pages.log, name="log"),
            Route("/register", pages.register, name="register"),
        ],
        middleware=[
            Middleware(SafeHeaders),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts)),
            Middleware(
                SessionMiddleware,
                secret_key=secret,
                session_cookie="nhsgen_steward",
                max_age=EIGHT_HOURS,
                same_site="lax",
                https_only=https,
            ),
        ],
        exception_handlers={NhsgenError: refused, HTTPException: unknown},
    )


def serve(workspace: Workspace, host: str = "127.0.0.1", port: int = 8765) -> None:
    """Serve the pages until interrupted; sessions end with the process."""
    app = create_app(workspace, secrets.token_urlsafe(32), hosts=(*HERE, host))
    print(f"The stewards' pages of '{workspace.name}' are at http://{host}:{port} (Ctrl-C ends them)")
    uvicorn.run(app, host=host, port=port, log_level="warning", server_header=False)

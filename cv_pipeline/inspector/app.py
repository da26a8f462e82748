"""The web application: its parts put together, who asks found out, and every error explained."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cv_pipeline import __version__
from cv_pipeline.actor import acting_as
from cv_pipeline.catalog.sql import time_limit
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.inspector.access.access import NOBODY, Authenticator
from cv_pipeline.inspector.access.assignments import is_own
from cv_pipeline.inspector.access.front_door import FrontDoor
from cv_pipeline.inspector.access.protection import BodyLimit, check_host, check_origin
from cv_pipeline.inspector.access.settings import Settings
from cv_pipeline.inspector.audit import AuditLog
from cv_pipeline.inspector.database import METADATA
from cv_pipeline.inspector.pages import parts
from cv_pipeline.inspector.pages.signin import sign_in_view
from cv_pipeline.inspector.problems import Forbidden, SignInNeeded, status_of
from cv_pipeline.inspector.rendering import render_page
from cv_pipeline.inspector.routes import API
from cv_pipeline.inspector.static_files import KeptStaticFiles
from cv_pipeline.inspector.traffic import Traffic
from cv_pipeline.inspector.warm_up import WarmUp
from cv_pipeline.inspector.workspace import Workspace

_logger = logging.getLogger(__name__)

QUERY_SECONDS = 20.0
"""Seconds after which a query that somebody waits for is broken off: others wait behind it."""
SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' data: blob:; script-src 'self'; style-src 'self';"
        " connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none';"
        " base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def create_app(
    workspace: Workspace,
    *,
    authenticator: Authenticator | None = None,
    settings: Settings | None = None,
) -> FastAPI:
    """Make the application.

    Args:
        workspace: what it reads.
        authenticator: finds out who asks; by the accounts of the workspace when there is none.
        settings: of the front door; when there are none, it may be reached by any host's name.
    """
    settings = settings or Settings(allowed_hosts=None)
    front_door = FrontDoor(workspace.database, settings)
    traffic = Traffic()
    warm_up = WarmUp(workspace, traffic)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        warm_up.start()
        yield
        await run_in_threadpool(warm_up.end)
        front_door.close()
        app.state.audit_log.close()
        workspace.close()

    app = FastAPI(
        title="cv_pipeline inspector",
        version=__version__,
        summary="From a metric to the images behind it to a corrective run.",
        lifespan=lifespan,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.workspace = workspace
    app.state.front_door = front_door
    app.state.audit_log = AuditLog(workspace.home)
    app.state.authenticator = authenticator or front_door.authenticator
    app.mount("/static", KeptStaticFiles(), name="static")
    for part in parts():
        app.router.routes.extend(part.router.routes)
    METADATA.create_all(workspace.database)  # those of the parts that were found just now
    app.add_middleware(_Around, traffic=traffic)
    app.add_middleware(BodyLimit, most=settings.max_body_bytes)
    app.add_exception_handler(CVPipelineError, _explain)
    app.add_exception_handler(RequestValidationError, _explain)
    app.add_exception_handler(HTTPException, _explain)
    return app


class _Around:
    """Middleware that finds out who asks, acts as them, and protects and explains every answer.

    Args:
        app: what answers.
        traffic: is told of every request.
    """

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self._app = app
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with self._traffic.request():
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        request.state.access = NOBODY
        answered = False

        async def protected(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                if request.method not in ("GET", "HEAD"):
                    request.app.state.workspace.changed()
                _protect(MutableHeaders(scope=message), request.url.path)
            await send(message)

        try:
            await _find_out(request)
            with acting_as(request.state.access.user), time_limit(QUERY_SECONDS):
                await self._app(scope, receive, protected)
        except Exception as error:
            if answered:  # half of it is sent: only breaking off tells that it is not whole
                raise
            await _failed(request, error)(scope, receive, protected)


async def _find_out(request: Request) -> None:
    """See that the request may be looked at, and who asks."""
    check_host(request, request.app.state.front_door.settings.allowed_hosts)
    if request.state.refused is not None:
        raise request.state.refused
    if not request.url.path.startswith("/static/"):
        request.state.access = await run_in_threadpool(request.app.state.authenticator, request)
    check_origin(request, request.state.access)


def _protect(headers: MutableHeaders, path: str) -> None:
    for name, value in SECURITY.items():
        headers.setdefault(name, value)
    # a static file that was not asked for by the state it is in is asked for each time
    headers.setdefault("Cache-Control", "no-cache" if path.startswith("/static/") else "no-store")


def _failed(request: Request, error: Exception) -> Response:
    if isinstance(error, CVPipelineError | HTTPException):
        return _explain(request, error)
    _logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _answer(
        request, 500, "This is a fault of the inspector.", "Its log says more; please report it."
    )


def _explain(request: Request, error: Any) -> Response:
    """Answer with what went wrong and what to do next."""
    if isinstance(error, CVPipelineError):
        response = _answer(request, status_of(error), error.what, error.do, error)
        response.headers.update(getattr(error, "headers", {}))
        return response
    if isinstance(error, RequestValidationError):
        told = "; ".join(
            f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()[:5]
        )
        return _answer(request, 422, f"The request is not understood: {told}.", "")
    error = request.state.refused or error  # what broke off the reading of the body
    what = {404: "There is no such page.", 405: "This cannot be done here."}
    return _answer(request, error.status_code, what.get(error.status_code, str(error.detail)), "")


def _answer(
    request: Request, status: int, what: str, do: str, error: Exception | None = None
) -> Response:
    if _wants_json(request):
        return JSONResponse({"error": what, "do": do}, status_code=status)
    if isinstance(error, SignInNeeded):
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        door = request.app.state.front_door
        view = sign_in_view(door, next_page=wanted, why=f"{what} You get to the page right after.")
        return render_page(request, "signin_needed.html", status=status, view=view)
    own = _own_batch(request) if isinstance(error, Forbidden) else ""
    return render_page(request, "error.html", status=status, code=status, what=what, do=do, own=own)


def _own_batch(request: Request) -> str:
    """The batch whose page was refused, where it is assigned to whoever asks; else nothing."""
    project, name = (request.path_params.get(part) for part in ("project", "name"))
    if project is None or name is None or "/labeling/batches/" not in request.url.path:
        return ""
    access = request.state.access
    database = request.app.state.workspace.database
    return str(name) if is_own(access, database, project=project, batch=name) else ""


def _wants_json(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return request.url.path.startswith("/api/") or "text/html" not in accepted

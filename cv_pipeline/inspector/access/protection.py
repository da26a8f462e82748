"""What every request must be before anything else looks at it.

It names a host that the inspector is known by, its body is not too large, and a change that a
browser sends comes from a page of the inspector. This is enforced here, for every route there is.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.access.secrets import same
from cv_pipeline.inspector.problems import RequestError

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER = "x-csrf-token"


class WrongHost(RequestError):
    """A request names a host that the inspector is not known by."""

    status = 421


class NotFromHere(RequestError):
    """A change does not come from a page of the inspector."""

    status = 403


def check_host(connection: HTTPConnection, allowed: tuple[str, ...] | None) -> None:
    """Refuse a request for another host, as a page elsewhere sends whose name leads here.

    Args:
        connection: the request.
        allowed: the names, without a port; None for any.

    Raises:
        WrongHost: it names another.
    """
    if allowed is None:
        return
    host = connection.headers.get("host", "")
    name, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    name = name if colon else host
    # what is no port would end up in addresses that are made of it: localhost:x@evil.example
    if name.lower() not in allowed or (colon and not port.isdecimal()):
        raise WrongHost(
            f"The inspector is not known as {host!r}.",
            do="Add the name to allowed_hosts in CV_HOME/inspector/inspector.yaml.",
        )


def check_origin(request: Request, access: Access) -> None:
    """Refuse a change that a browser was made to send by another site.

    Args:
        request: the request.
        access: who asks. A token is sent by whoever has it, never by a browser alone.

    Raises:
        NotFromHere: another site sent it, or the page's proof is missing or wrong.
    """
    if request.method in SAFE or access.means == "token":
        return
    do = "Load the page again, and try again."
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise NotFromHere("The request comes from another site.", do=do)
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise NotFromHere("The request comes from another site.", do=do)
    if access.means == "session" and not same(request.headers.get(CSRF_HEADER, ""), access.csrf):
        raise NotFromHere("The request lacks the proof that it comes from a page here.", do=do)


class BodyLimit:
    """Middleware that stops reading a body that is too large, or that would have to be unpacked.

    Args:
        app: what answers.
        most: largest number of bytes.
    """

    def __init__(self, app: ASGIApp, *, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        stated = headers.get("content-length", "0")
        refused: HTTPException | None = None
        if headers.get("content-encoding", "identity") != "identity":
            refused = HTTPException(415, "A body must be sent as it is, not packed.")
        elif not stated.isdecimal() or int(stated) > self._most:
            refused = self._too_large()
        state = scope["state"] = {**scope.get("state", {}), "refused": refused}
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                state["refused"] = self._too_large()
                raise state["refused"]
            return message

        await self._app(scope, limited, send)

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"The body of a request has at most {self._most:,} bytes.")

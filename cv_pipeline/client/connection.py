"""The connection of a client: addresses, the token, and errors as the inspector tells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from cv_pipeline.errors import CVPipelineError

API = "/api/v1"

Model = TypeVar("Model", bound=BaseModel)


class ClientError(CVPipelineError):
    """The inspector refused, or does not answer.

    Attributes:
        status: HTTP status; 0 when there was no answer.
    """

    def __init__(self, what: str, *, do: str = "", status: int = 0) -> None:
        self.status = status
        super().__init__(what, do=do)


class Connection:
    """A connection to one inspector.

    Args:
        url: its address, such as ``http://127.0.0.1:8000``.
        token: a token of ``cvp token create``.
        timeout: seconds to wait for an answer.
        transport: what carries the requests; the network by default.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str,
        timeout: float,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx.Client(
            base_url=url.rstrip("/"), headers=headers, timeout=timeout, transport=transport
        )

    def close(self) -> None:
        """End the connection."""
        self._http.close()

    def get(self, model: type[Model], path: str, **parameters: Any) -> Model:
        """Ask for what is at an address below ``/api/v1``."""
        return model.model_validate(self.call("GET", path, parameters=parameters))

    def call(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call the API; the answer as plain values.

        Raises:
            ClientError: it refused, or does not answer.
        """
        known = {k: v for k, v in (parameters or {}).items() if v is not None}
        response = self._send(method, API + path, params=known, json=body)
        return response.json() if response.content else None

    def read(self, path: str, **parameters: Any) -> bytes:
        """The bytes of a picture.

        Raises:
            ClientError: there is none, or the inspector does not answer.
        """
        return self._send("GET", path, params=parameters).content

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise ClientError(
                f"The inspector at {self._http.base_url} does not answer: {error}.",
                do="Start it with: cvp ui",
            ) from error
        if response.is_success:
            return response
        try:
            told = response.json()
            what, do = str(told["error"]), str(told.get("do", ""))
        except (ValueError, KeyError, TypeError):
            what, do = f"{method} {path} was answered with {response.status_code}.", ""
        raise ClientError(what, do=do, status=response.status_code)


def segment(text: str) -> str:
    """A part of an address."""
    return quote(text, safe="")

"""A connection to Label Studio: every request has a time limit, and every failure a sentence.

What only reads is tried again when the server is restarting or an answer was cut off; what changes
something is sent once, and whoever sent it looks at what became of it. The token is read from the
environment, or from the files of the server that ``cvp ui`` runs here; it stands in no message, log
or ``repr``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from cv_pipeline.errors import LabelingError, SettingsError, ToolDenied, ToolUnavailable
from cv_pipeline.labeling.tool.local_server import admin_token, running_url
from cv_pipeline.project import Project
from cv_pipeline.settings import expand

URL_VARIABLE = "CV_LABEL_STUDIO_URL"
"""Where ``cvp ui`` tells the processes that it starts where Label Studio is."""
TOKEN_VARIABLE = "CV_LABEL_STUDIO_TOKEN"  # noqa: S105 - the name of a variable, no secret
OLDEST = (1, 20)
"""Oldest version of Label Studio that has what is used here."""
TRIES = 5
_FIRST_WAIT = 0.3
_LIMITS = httpx.Timeout(180.0, connect=5.0)
_AGAIN = frozenset({429, 500, 502, 503, 504})
_SHOWN = 200

Parameters = Mapping[str, str | int]


class Connection:
    """Requests to one Label Studio, as the account of one token.

    Args:
        url: its address, such as ``http://127.0.0.1:8080``.
        token: a personal access token, or a legacy one.

    Attributes:
        last_bytes: size of the last answer that was read.
        last_at: when it was given, by the server's clock; None when it did not say.

    Raises:
        SettingsError: that is no address.
    """

    def __init__(self, url: str, token: str) -> None:
        if not _is_address(url):
            raise SettingsError(
                f"labeling.url {url!r} is no address of Label Studio.",
                do="Write one such as http://127.0.0.1:8080, without a name or password in it.",
            )
        self.url = url.rstrip("/")
        self._token = token
        # a personal access token is a JWT that is exchanged for one of five minutes
        self._exchanged = token.count(".") == 2
        self._access = "" if self._exchanged else token
        self._client = httpx.Client(base_url=self.url, timeout=_LIMITS)
        self.last_bytes = 0
        self.last_at: datetime | None = None

    def __repr__(self) -> str:
        """Its address, and not its token."""
        return f"Connection({self.url!r})"

    def close(self) -> None:
        """Give the sockets back."""
        self._client.close()

    def get(self, path: str, parameters: Parameters | None = None) -> Any:
        """The JSON answer to a question; tried again when the server is busy or restarting.

        Raises:
            ToolUnavailable: it does not answer, or not as it should.
            ToolDenied: the token is not accepted.
            LabelingError: there is no such thing, or the question is refused.
        """
        return self._json(self._persistent("GET", path, parameters), path)

    def found(self, path: str, parameters: Parameters | None = None) -> Any:
        """Like :meth:`get`, but None when there is no such thing."""
        answer = self._persistent("GET", path, parameters, missing=True)
        return None if answer is None else self._json(answer, path)

    def send(self, method: str, path: str, body: Any, parameters: Parameters | None = None) -> Any:
        """Change something, sent once; returns the JSON answer, None when it is empty.

        Raises:
            ToolUnavailable: whether it was done is not known.
            ToolDenied: the token is not accepted.
            LabelingError: it is refused.
        """
        answer = self._once(method, path, parameters, body)
        if answer.status_code == httpx.codes.UNAUTHORIZED and self._exchanged:
            self._access = ""
            answer = self._once(method, path, parameters, body)
        answer = self._accepted(answer, method, path)
        return self._json(answer, path) if answer.content else None

    def _persistent(
        self, method: str, path: str, parameters: Parameters | None, *, missing: bool = False
    ) -> Any:
        """The answer to something that may be asked as often as it takes."""
        wait = _FIRST_WAIT
        for attempt in range(1, TRIES + 1):
            try:
                answer = self._once(method, path, parameters, None)
                if answer.status_code == httpx.codes.UNAUTHORIZED and self._exchanged:
                    self._access = ""  # five minutes are over
                    answer = self._once(method, path, parameters, None)
            except ToolUnavailable:
                if attempt == TRIES:
                    raise
            else:
                if answer.status_code == httpx.codes.NOT_FOUND and missing:
                    self._is_its_answer(answer, path)
                    return None
                if answer.status_code not in _AGAIN or attempt == TRIES:
                    return self._accepted(answer, method, path)
            time.sleep(wait)
            wait *= 2
        raise AssertionError  # the last attempt returns or raises

    def _once(
        self, method: str, path: str, parameters: Parameters | None, body: Any
    ) -> httpx.Response:
        headers = {"Authorization": self._credential()}
        return self._sent(method, path, params=parameters, json=body, headers=headers)

    def _sent(self, method: str, path: str, **more: Any) -> httpx.Response:
        if more.get("json") is None:
            more.pop("json", None)
        try:
            return self._client.request(method, path, **more)
        except httpx.TimeoutException as error:
            raise ToolUnavailable(
                f"Label Studio at {self.url} did not answer {path} in time.",
                do="See that it is not overloaded, and run the command again.",
            ) from error
        except httpx.RemoteProtocolError as error:
            raise ToolUnavailable(
                f"The answer of Label Studio at {self.url} to {path} was cut off.",
                do="Run the command again: nothing is lost.",
            ) from error
        except httpx.HTTPError as error:
            raise ToolUnavailable(
                f"Label Studio at {self.url} cannot be reached: {error}.",
                do="Start it (cvp ui does, where it is installed), or mend labeling.url.",
            ) from error

    def _credential(self) -> str:
        if not self._exchanged:
            return f"Token {self._token}"
        if not self._access:
            answer = self._sent("POST", "/api/token/refresh", json={"refresh": self._token})
            if answer.status_code in (400, 401, 403):
                raise self._expired()
            # any server may be asked, so what answers must be shown to be what is meant
            told = self._json(self._accepted(answer, "POST", "/api/token/refresh"), "/api/token")
            if not isinstance(told, dict) or not isinstance(told.get("access"), str):
                raise self._not_label_studio("/api/token/refresh")
            self._access = told["access"]
        return f"Bearer {self._access}"

    def _accepted(self, answer: httpx.Response, method: str, path: str) -> httpx.Response:
        status = answer.status_code
        if answer.is_success:
            return answer
        if answer.is_redirect:
            elsewhere = answer.headers.get("location", "")[:_SHOWN]
            raise ToolUnavailable(
                f"{self.url} sends {path} elsewhere: {elsewhere}.",
                do="Make labeling.url the address that Label Studio itself has.",
            )
        if status == httpx.codes.UNAUTHORIZED:
            raise self._expired()
        told = self._told(answer)
        if status == httpx.codes.FORBIDDEN:
            raise ToolDenied(
                f"Label Studio at {self.url} does not allow {method} {path}: {told}.",
                do=f"Use the token of an account that may, in {TOKEN_VARIABLE}.",
            )
        if status in _AGAIN:
            raise ToolUnavailable(
                f"Label Studio at {self.url} failed at {method} {path} ({status}): {told}.",
                do="Its log says more; run the command again.",
            )
        raise LabelingError(
            f"Label Studio at {self.url} refused {method} {path} ({status}): {told}.",
            do="See that labeling.url is the right server.",
        )

    def _expired(self) -> ToolDenied:
        return ToolDenied(
            f"Label Studio at {self.url} does not accept the token: it is expired, revoked, or of"
            " another server.",
            do=f"Make a new one under Account & Settings → Access Token, and set {TOKEN_VARIABLE}.",
        )

    def _json(self, answer: httpx.Response, path: str) -> Any:
        self.last_bytes = len(answer.content)
        self.last_at = _date(answer)
        try:
            return answer.json()
        except ValueError:
            raise self._not_label_studio(path) from None

    def _is_its_answer(self, answer: httpx.Response, path: str) -> None:
        """See that it is Label Studio that says so: a proxy's 404 must not count as a deletion."""
        told = self._json(answer, path)
        if not isinstance(told, dict) or "status_code" not in told or "version" not in told:
            raise self._not_label_studio(path)

    def _not_label_studio(self, path: str) -> ToolUnavailable:
        return ToolUnavailable(
            f"What answers at {self.url}{path} is not Label Studio.",
            do="Set labeling.url, or CV_LABEL_STUDIO_URL, to its address.",
        )

    @staticmethod
    def _told(answer: httpx.Response) -> str:
        """What the server says about a refusal, short."""
        try:
            told = answer.json()
        except ValueError:
            return "without a reason"
        if not isinstance(told, dict):
            return str(told)[:_SHOWN]
        reasons = told.get("validation_errors") or told.get("detail") or told
        return str(reasons)[:_SHOWN].rstrip(".")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises when it is none
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc


def _date(answer: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).astimezone(UTC)
    except ValueError:
        return None


def require_version(connection: Connection) -> str:
    """The version of the Label Studio behind a connection.

    Raises:
        ToolUnavailable: it is too old, or something else answers.
    """
    told = connection.get("/api/version")
    release = told.get("release") if isinstance(told, dict) else None
    if not isinstance(release, str) or "label-studio-os-package" not in told:
        raise ToolUnavailable(
            f"What answers at {connection.url} is not Label Studio.",
            do="Set labeling.url, or CV_LABEL_STUDIO_URL, to its address.",
        )
    numbers = tuple(int(part) for part in release.split(".")[:2] if part.isdecimal())
    if numbers < OLDEST:
        raise ToolUnavailable(
            f"Label Studio at {connection.url} is version {release}.",
            do=f"Use {OLDEST[0]}.{OLDEST[1]} or later.",
        )
    return release


def tool_url(project: Project) -> str | None:
    """Address of a project's Label Studio; None when none is named, or none runs.

    Where the environment does not say, ``${CV_LABEL_STUDIO_URL}`` is the one that ``cvp ui`` runs
    on the same ``CV_HOME``.
    """
    named = project.labeling.url
    if named is None:
        return None
    if named.strip() == f"${{{URL_VARIABLE}}}" and not os.environ.get(URL_VARIABLE):
        return running_url()
    try:
        return expand(named).strip() or None
    except SettingsError:
        return None  # nobody told where it runs, so it does not


def connect(project: Project) -> Connection:
    """The connection to a project's Label Studio.

    Raises:
        SettingsError: the project names none, none runs, or there is no token.
    """
    url = tool_url(project)
    if url is None:
        named = project.labeling.url
        raise SettingsError(
            f"Project {project.name} has no annotation tool: labeling.url is"
            f" {'not set' if named is None else f'{named!r}, which is empty here'}.",
            do="Set labeling.url in its project.yaml, or start one with: cvp ui",
        )
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token and url == running_url():  # it is ours, and so is what it lets in
        token = admin_token() or ""
    if not token:
        raise SettingsError(
            f"There is no token for Label Studio at {url}.",
            do=f"Make one under Account & Settings → Access Token, and set {TOKEN_VARIABLE}.",
        )
    return Connection(url, token)

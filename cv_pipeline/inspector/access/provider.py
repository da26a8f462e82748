"""The OpenID Connect provider that people sign in at, and what it says of them.

Nothing that it says is believed before its signature, issuer, audience, times and nonce are right.
Its addresses come from its own discovery document alone, never from a request.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from cv_pipeline.inspector.access.settings import LOOPBACK, SingleSignOn
from cv_pipeline.inspector.problems import RequestError

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""Signatures that are believed: none that the client's secret could make."""
FRESH_SECONDS = 3600.0
TIMEOUT_SECONDS = 5.0
LEEWAY_SECONDS = 60


class ProviderError(RequestError):
    """The provider of single sign-on does not answer, or not as it should."""

    status = 502


@dataclass(frozen=True)
class Claims:
    """What the provider says of who signs in.

    Attributes:
        subject: who they are there, for ever.
        name: what they are called.
        email: their address, when the provider vouches for it; else empty.
        groups: what groups they are in.
    """

    subject: str
    name: str
    email: str
    groups: tuple[str, ...]


class Provider:
    """A provider.

    Args:
        settings: where it is, and what the inspector is called there.
        secret: what the inspector proves that with; None for a public client.
    """

    def __init__(self, settings: SingleSignOn, secret: str | None) -> None:
        self._settings = settings
        self._secret = secret
        self._lock = threading.Lock()
        self._known: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._read = 0.0

    def address(self, *, redirect: str, state: str, nonce: str, verifier: str) -> str:
        """Where a browser is sent to sign in.

        Args:
            redirect: address that it comes back to.
            state: proof that it is the same browser.
            nonce: proof that the answer belongs to this question.
            verifier: proof, kept here, that who asks for the answer began this.
        """
        with self._client(redirect) as client:
            address, _ = client.create_authorization_url(
                self._metadata()["authorization_endpoint"],
                state=state,
                nonce=nonce,
                code_verifier=verifier,
            )
        return str(address)

    def claims(self, code: str, *, redirect: str, nonce: str, verifier: str) -> Claims:
        """What the provider says of who came back with a code.

        Raises:
            ProviderError: it does not answer, or what it says is not signed by it, is meant for
                somebody else, or is too old.
        """
        metadata = self._metadata()
        try:
            with self._client(redirect) as client:
                token = client.fetch_token(
                    metadata["token_endpoint"], code=code, code_verifier=verifier
                )
            said = self._checked(str(token.get("id_token", "")), nonce)
            more = {}
            if metadata.get("userinfo_endpoint"):
                bearer = {"Authorization": f"Bearer {token['access_token']}"}
                more = self._get(metadata["userinfo_endpoint"], headers=bearer)
        except (OAuthError, JoseError, httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise ProviderError(
                f"Sign-in at {self._settings.issuer} failed: {error}.", do="Try again."
            ) from error
        if more.get("sub") == said["sub"]:
            said = more | said
        return _claims(said, self._settings)

    def _checked(self, id_token: str, nonce: str) -> dict[str, Any]:
        try:
            token = jwt.decode(id_token, self._key_set(), algorithms=ALGORITHMS)
        except (JoseError, ValueError):  # it may have new keys
            token = jwt.decode(id_token, self._key_set(anew=True), algorithms=ALGORITHMS)
        claims = CodeIDToken(
            token.claims,
            token.header,
            options={
                "iss": {"essential": True, "value": self._settings.issuer},
                "aud": {"essential": True, "value": self._settings.client_id},
            },
            params={"nonce": nonce, "client_id": self._settings.client_id},
        )
        claims.validate(now=int(time.time()), leeway=LEEWAY_SECONDS)
        return dict(claims)

    def _client(self, redirect: str) -> OAuth2Client:
        return OAuth2Client(
            client_id=self._settings.client_id,
            client_secret=self._secret,
            token_endpoint_auth_method="client_secret_basic" if self._secret else "none",
            scope=" ".join(self._settings.scopes),
            redirect_uri=redirect,
            code_challenge_method="S256",
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
        )

    def _metadata(self) -> dict[str, Any]:
        with self._lock:
            if self._known and time.monotonic() - self._read < FRESH_SECONDS:
                return self._known
            issuer = self._settings.issuer
            found = self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != issuer:
                raise ProviderError(
                    f"The provider calls itself {found.get('issuer')!r}, not {issuer!r}.",
                    do="Write single_sign_on.issuer as it does.",
                )
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                _require_safe(str(found.get(name, "")))
            if "userinfo_endpoint" in found:
                _require_safe(str(found["userinfo_endpoint"]))
            self._known, self._read, self._keys = found, time.monotonic(), None
            return found

    def _key_set(self, *, anew: bool = False) -> KeySet:
        address = str(self._metadata()["jwks_uri"])
        with self._lock:
            if self._keys is None or anew:
                keys: Any = self._get(address)
                self._keys = KeySet.import_key_set(keys)
            return self._keys

    def _get(self, address: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        try:
            response = httpx.get(
                address, headers=headers, timeout=TIMEOUT_SECONDS, follow_redirects=False
            )
            return _json(response)
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderError(
                f"The provider of single sign-on does not answer at {address}: {error}.",
                do="Sign in by password, or try again later.",
            ) from error


def _json(response: httpx.Response) -> dict[str, Any]:
    response.raise_for_status()
    found = response.json()
    if not isinstance(found, dict):
        raise ValueError(f"{response.url} answers with something else than an object")
    return found


def _require_safe(address: str) -> None:
    parts = urlsplit(address)
    local = parts.hostname in {host.strip("[]") for host in LOOPBACK}
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise ProviderError(
            f"The provider names an address without https: {address!r}.", do="Take another one."
        )


def _claims(said: dict[str, Any], settings: SingleSignOn) -> Claims:
    groups = said.get(settings.groups_claim, ())
    if isinstance(groups, str):
        groups = [groups]
    email = str(said.get("email", "")) if said.get("email_verified") is True else ""
    name = str(said.get("preferred_username") or email or said["sub"])
    return Claims(
        subject=f"{settings.issuer} {said['sub']}",
        name=name.strip().lower(),
        email=email.strip().lower(),
        groups=tuple(str(group) for group in groups) if isinstance(groups, list | tuple) else (),
    )

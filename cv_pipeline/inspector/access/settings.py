"""Settings of the front door: ``CV_HOME/inspector/inspector.yaml``, and secrets in the environment.

A mistake in the file is reported with its line; without a file the defaults hold.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator

from cv_pipeline.errors import SettingsError
from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.mistakes import describe
from cv_pipeline.section import Section
from cv_pipeline.yaml_file import parse_yaml

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
SECRET = "CV_OIDC_CLIENT_SECRET"  # noqa: S105  # the name of a variable, not its value


class SingleSignOn(Section):
    """Sign-in at an OpenID Connect provider."""

    issuer: str = Field(description="address of the provider, as its discovery document says it")
    client_id: str = Field(min_length=1, description="what the inspector is called there")
    label: str = Field("single sign-on", min_length=1, description="what the button says")
    scopes: tuple[str, ...] = Field(
        ("openid", "profile", "email"), description="what is asked of the provider"
    )
    groups_claim: str = Field("groups", description="claim that names the groups of who signs in")
    roles: dict[str, dict[str, Role]] = Field(
        default_factory=dict,
        description="group to the roles that it gives: project, or *, to the role there",
    )
    allowed_domains: tuple[str, ...] = Field(
        (), description="domains of e-mail addresses that may sign in; empty for all"
    )

    @field_validator("issuer")
    @classmethod
    def _is_safe(cls, issuer: str) -> str:
        host = issuer.removeprefix("http://").partition("/")[0].partition(":")[0]
        if not issuer.startswith("https://") and host not in LOOPBACK:
            raise ValueError(f"must begin with https://, found {issuer!r}")
        return issuer

    @field_validator("scopes")
    @classmethod
    def _asks_who(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        return scopes if "openid" in scopes else ("openid", *scopes)


class Settings(Section):
    """Settings of the front door."""

    allowed_hosts: tuple[str, ...] | None = Field(
        LOOPBACK,
        description="names that the inspector is reached by, without a port; null for any, for"
        " which a proxy in front must vouch",
    )
    secure_cookies: Literal["auto", "always"] = Field(
        "auto", description="auto: cookies are kept to https when it is reached by https"
    )
    idle_hours: float = Field(12, gt=0, le=24 * 30, description="end of a session that is not used")
    session_days: float = Field(14, gt=0, le=90, description="end of a session that is used")
    max_body_bytes: int = Field(
        10_000_000, ge=1000, description="largest body of a request that is read"
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/\s]+$",
        description="address that browsers reach it by, where a proxy stands before it:"
        " https://inspector.example",
    )
    single_sign_on: SingleSignOn | None = Field(
        None, description="an OpenID Connect provider that people sign in at"
    )
    client_secret: SecretStr | None = Field(
        None, exclude=True, description=f"never in the file: {SECRET} in the environment"
    )

    @property
    def idle(self) -> timedelta:
        """How long a session lasts that is not used."""
        return timedelta(hours=self.idle_hours)

    @property
    def longest(self) -> timedelta:
        """How long a session lasts at most."""
        return timedelta(days=self.session_days)


def load_settings(home: Path) -> Settings:
    """Settings of a state folder, and the secret of the environment.

    Args:
        home: ``CV_HOME``.

    Raises:
        SettingsError: the file has mistakes, each named with its line, or the secret lies in it.
        ProjectError: it is not YAML.
    """
    path = home / "inspector" / "inspector.yaml"
    secret = os.environ.get(SECRET)
    if not path.is_file():
        return Settings()
    file = parse_yaml(path.read_text(encoding="utf-8"), path)
    if "client_secret" in file.values:
        raise SettingsError(
            f"{path}, line {file.line(('client_secret',))}: a secret does not belong in a file.",
            do=f"Put it in the environment, as {SECRET}.",
        )
    try:
        return Settings.model_validate({**file.values, "client_secret": secret})
    except ValidationError as error:
        told = [describe(e, file, root=Settings, mapped={}, known={}) for e in error.errors()]
        raise SettingsError(
            f"{path} cannot be used:\n" + "\n".join(f"  {line}" for line in told) + "\n",
            do="See docs/inspector/access.md for every key.",
        ) from error

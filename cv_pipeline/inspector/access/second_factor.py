"""The second factor of an account: codes of an authenticator app (TOTP, RFC 6238), if it wants one.

A code is good for half a minute, with one such step before and after for clocks that differ, and
once. Ten recovery codes stand in for a lost device, each once. The secret lies in the inspector's
database, readable for who runs the server alone; of recovery codes only hashes do.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyotp
from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Engine,
    ForeignKey,
    Integer,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from cv_pipeline.inspector.access.accounts import USERS
from cv_pipeline.inspector.access.secrets import same, secret_hash
from cv_pipeline.inspector.database import METADATA
from cv_pipeline.inspector.problems import RequestError

STEP_SECONDS = 30
DRIFT = 1
"""Steps that a clock may be ahead or behind."""
RECOVERY_CODES = 10
ISSUER = "cv_pipeline"
NEEDED = "X-Second-Factor"
"""Header of an answer that asks for a code, beside the password that was right."""

FACTORS = Table(
    "second_factors",
    METADATA,
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    # what the app knows too, base32
    Column("secret", String, nullable=False),
    # null until a first code showed that the app knows it
    Column("confirmed_at", DateTime),
    # the newest step whose code was used: neither it nor an earlier one is good again
    Column("last_step", Integer, nullable=False, default=0),
)
CODES = Table(
    "recovery_codes",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("hash", String(64), nullable=False),
)


class FactorError(RequestError):
    """The second factor cannot be changed like this."""

    status = 409


class FactorNeeded(RequestError):
    """The password is right, and a code of the second factor is needed too."""

    status = 401

    def __init__(self, *, wrong: bool) -> None:
        super().__init__(
            "The code is wrong, or was used already."
            if wrong
            else "This account has a second factor.",
            do="Type the code that your app shows now, or one of your recovery codes.",
        )
        self.headers = {NEEDED: "needed"}


@dataclass(frozen=True)
class Begun:
    """A second factor that is to be confirmed by a first code.

    Attributes:
        secret: to be typed into an app.
        address: the same for an app, as ``otpauth://``.
    """

    secret: str
    address: str


class SecondFactors:
    """The second factors of all accounts.

    Args:
        database: the inspector's own state.
    """

    def __init__(self, database: Engine) -> None:
        self._database = database

    def on(self, name: str) -> bool:
        """Whether an account has a second factor."""
        with self._database.connect() as connection:
            row = _factor(connection, name)
        return row is not None and row.confirmed_at is not None

    def names(self) -> set[str]:
        """Names of the accounts that have one."""
        of_users = select(USERS.c.name).join(FACTORS, FACTORS.c.user_id == USERS.c.id)
        with self._database.connect() as connection:
            return set(
                connection.execute(of_users.where(FACTORS.c.confirmed_at.is_not(None))).scalars()
            )

    def codes_left(self, name: str) -> int:
        """How many recovery codes an account has."""
        counted = select(func.count()).select_from(CODES.join(USERS)).where(USERS.c.name == name)
        with self._database.connect() as connection:
            return connection.scalar(counted) or 0

    def begin(self, name: str) -> Begun:
        """Begin with a second factor; until it is confirmed nothing asks for it.

        Raises:
            FactorError: the account has one.
        """
        secret = pyotp.random_base32()
        with self._database.connect() as connection:
            connection.execute(text("BEGIN IMMEDIATE"))
            row = _factor(connection, name)
            if row is not None and row.confirmed_at is not None:
                raise FactorError("You have a second factor.", do="Take it away first.")
            user_id = _user_id(connection, name)
            connection.execute(delete(FACTORS).where(FACTORS.c.user_id == user_id))
            connection.execute(insert(FACTORS).values(user_id=user_id, secret=secret, last_step=0))
            connection.commit()
        return Begun(secret, pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER))

    def confirm(self, name: str, code: str) -> list[str]:
        """Confirm it by a first code; returns the recovery codes, which are shown this once.

        Raises:
            FactorError: none was begun, or the code is wrong.
        """
        with self._database.connect() as connection:
            connection.execute(text("BEGIN IMMEDIATE"))
            row = _factor(connection, name)
            if row is None or row.confirmed_at is not None:
                raise FactorError("No second factor was begun.", do="Begin again.")
            step = matching_step(row.secret, code, after=row.last_step)
            if step is None:
                raise FactorError(
                    "The code is wrong.",
                    do="Type the one that the app shows now; its clock and the server's have to"
                    " agree to half a minute.",
                )
            connection.execute(
                update(FACTORS)
                .where(FACTORS.c.user_id == row.user_id)
                .values(confirmed_at=datetime.now(UTC).replace(tzinfo=None), last_step=step)
            )
            made = [_recovery_code() for _ in range(RECOVERY_CODES)]
            connection.execute(delete(CODES).where(CODES.c.user_id == row.user_id))
            connection.execute(
                insert(CODES),
                [{"user_id": row.user_id, "hash": secret_hash(_plain(code))} for code in made],
            )
            connection.commit()
        return made

    def passes(self, name: str, code: str) -> bool:
        """Whether a code of an account is good; it is used with that, and no other time."""
        with self._database.connect() as connection:
            connection.execute(text("BEGIN IMMEDIATE"))  # of two at once, one uses it
            row = _factor(connection, name)
            if row is None or row.confirmed_at is None:
                return False
            step = matching_step(row.secret, code, after=row.last_step)
            if step is not None:
                connection.execute(
                    update(FACTORS).where(FACTORS.c.user_id == row.user_id).values(last_step=step)
                )
                used = True
            else:
                found = (CODES.c.user_id == row.user_id) & (
                    CODES.c.hash == secret_hash(_plain(code))
                )
                used = connection.execute(delete(CODES).where(found)).rowcount == 1
            connection.commit()
        return used

    def take_away(self, name: str) -> bool:
        """Take the second factor of an account away; returns whether it had one."""
        with self._database.begin() as connection:
            user_id = _user_id(connection, name)
            connection.execute(delete(CODES).where(CODES.c.user_id == user_id))
            gone = delete(FACTORS).where(FACTORS.c.user_id == user_id)
            return connection.execute(gone).rowcount == 1


def matching_step(
    secret: str, code: str, *, after: int = 0, now: float | None = None
) -> int | None:
    """The step whose code this is, if it is one of now and later than another; else None.

    Args:
        secret: of the factor, base32.
        code: six digits; blanks between them are as an app shows them.
        after: the newest step whose code was used.
        now: seconds since 1970; the clock's by default.
    """
    given, totp = _plain(code), pyotp.TOTP(secret, interval=STEP_SECONDS)
    present = int(time.time() if now is None else now) // STEP_SECONDS
    for step in range(present - DRIFT, present + DRIFT + 1):
        if step > after and same(given, totp.at(step * STEP_SECONDS)):
            return step
    return None


def _plain(code: str) -> str:
    return "".join(code.split()).replace("-", "").lower()


def _recovery_code() -> str:
    """Almost sixty random bits, in three groups of letters and digits that are not mistaken."""
    signs = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(signs) for _ in range(4)) for _ in range(3))


def _user_id(connection: Connection, name: str) -> int:
    found: int = connection.execute(select(USERS.c.id).where(USERS.c.name == name)).scalar_one()
    return found


def _factor(connection: Connection, name: str) -> Any:
    of_user = select(FACTORS).join(USERS).where(USERS.c.name == name)
    return connection.execute(of_user).one_or_none()

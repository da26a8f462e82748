"""Accounts and their roles, in the inspector's database.

An account is never deleted, only disabled, so that its name in logs always means the same person.
The last admin of every project can be neither disabled nor given another role.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
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
from sqlalchemy.exc import IntegrityError

from cv_pipeline.errors import nearest
from cv_pipeline.inspector.access.passwords import (
    hash_password,
    is_outdated,
    is_password,
    require_strength,
)
from cv_pipeline.inspector.access.roles import EVERY_PROJECT, Role
from cv_pipeline.inspector.database import METADATA
from cv_pipeline.inspector.problems import NotFound, RequestError
from cv_pipeline.project import PROJECT_NAME

USERS = Table(
    "users",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    # argon2id; null for who signs in elsewhere
    Column("password", String),
    # issuer and subject of who signs in elsewhere
    Column("subject", String, unique=True),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("created_at", DateTime, nullable=False),
    Column("signed_in_at", DateTime),
)
ROLES = Table(
    "roles",
    METADATA,
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    # name of a project, or * for every one
    Column("project", String, primary_key=True),
    Column("role", String, nullable=False),
    # groups: it comes from the groups that the provider names, anew at every sign-in
    Column("origin", String, nullable=False, default="given"),
)
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,62}")


class AccountError(RequestError):
    """An account cannot be made or changed like this."""

    status = 409


@dataclass(frozen=True)
class Account:
    """An account.

    Attributes:
        id: number.
        name: what it is called everywhere.
        roles: project, or ``*``, to the role there.
        disabled: whether it can no longer be used.
        has_password: whether it can sign in here.
        subject: who it is at the provider of single sign-on; empty for nobody.
        created_at: since when it is.
        signed_in_at: when somebody last signed in with it.
    """

    id: int
    name: str
    roles: Mapping[str, Role] = field(default_factory=dict)
    disabled: bool = False
    has_password: bool = False
    subject: str = ""
    created_at: datetime | None = None
    signed_in_at: datetime | None = None


class Accounts:
    """The accounts of a database.

    Args:
        database: the inspector's own state.
    """

    def __init__(self, database: Engine) -> None:
        self._database = database

    def any(self) -> bool:
        """Whether there is an account."""
        with self._database.connect() as connection:
            return bool(connection.execute(select(func.count()).select_from(USERS)).scalar())

    def list(self) -> list[Account]:
        """Every account by its name."""
        with self._database.connect() as connection:
            rows = connection.execute(select(USERS).order_by(USERS.c.name)).all()
            given = connection.execute(select(ROLES).order_by(ROLES.c.project)).all()
        return [_account(row, [r for r in given if r.user_id == row.id]) for row in rows]

    def get(self, name: str) -> Account:
        """The account of a name.

        Raises:
            NotFound: there is none; the message names the nearest.
        """
        with self._database.connect() as connection:
            return _found(connection, name)

    def of_subject(self, subject: str) -> Account | None:
        """The account of who signs in elsewhere; None before they first do."""
        with self._database.connect() as connection:
            name = connection.execute(
                select(USERS.c.name).where(USERS.c.subject == subject)
            ).scalar()
            return None if name is None else _found(connection, name)

    def add(
        self,
        name: str,
        *,
        password: str | None = None,
        roles: Mapping[str, Role] | None = None,
        subject: str | None = None,
        first: bool = False,
    ) -> Account:
        """Make an account.

        Args:
            name: what it is called: lower-case letters, digits, ``.``, ``_``, ``@``, ``+``, ``-``.
            password: None for who signs in elsewhere.
            roles: project, or ``*``, to the role there.
            subject: who it is at the provider of single sign-on.
            first: only when there is no account yet.

        Raises:
            AccountError: the name cannot be one or is taken, or it is not the first.
            WeakPassword: the password is easily guessed.
        """
        if not _NAME.fullmatch(name):
            raise AccountError(
                f"{name!r} cannot be the name of an account.",
                do="Use up to 63 lower-case letters, digits, . _ @ + and -, a letter or digit"
                " first.",
            )
        for project in roles or {}:
            require_project_name(project)
        hashed = None
        if password is not None:
            require_strength(password, name=name)
            hashed = hash_password(password)
        row = {
            "name": name,
            "password": hashed,
            "subject": subject,
            "disabled": False,
            "created_at": _now(),
        }
        with self._database.connect() as connection:
            connection.execute(text("BEGIN IMMEDIATE"))
            if first and connection.execute(select(func.count()).select_from(USERS)).scalar():
                raise AccountError(
                    "There is an account already.", do="Sign in, or ask an admin for an account."
                )
            try:
                key = connection.execute(insert(USERS).values(row)).inserted_primary_key
            except IntegrityError as error:
                raise AccountError(
                    f"There is an account {name!r} already.", do="Take another name."
                ) from error
            assert key is not None
            for project, role in (roles or {}).items():
                given = {"user_id": key[0], "project": project, "role": role.value}
                connection.execute(insert(ROLES).values(given | {"origin": "given"}))
            connection.commit()
            return _found(connection, name)

    def give_role(self, name: str, project: str, role: Role | None) -> None:
        """Give an account a role in a project, or in every one with ``*``; None takes it away.

        Raises:
            NotFound: there is no such account.
            AccountError: no admin of every project would be left.
        """
        require_project_name(project)
        with self._database.begin() as connection:
            account, admins = _found(connection, name), _admins(connection)
            _drop_role(connection, account.id, project)
            if role is not None:
                row = {"user_id": account.id, "project": project, "role": role.value}
                connection.execute(insert(ROLES).values(row | {"origin": "given"}))
            _require_admin(connection, before=admins)

    def set_group_roles(self, name: str, roles: Mapping[str, Role]) -> None:
        """Replace the roles that come from groups; those that were given here stay."""
        with self._database.begin() as connection:
            account = _found(connection, name)
            of_groups = (ROLES.c.user_id == account.id) & (ROLES.c.origin == "groups")
            connection.execute(delete(ROLES).where(of_groups))
            kept = set(
                connection.execute(
                    select(ROLES.c.project).where(ROLES.c.user_id == account.id)
                ).scalars()
            )
            for project, role in roles.items():
                if project not in kept:
                    row = {"user_id": account.id, "project": project, "role": role.value}
                    connection.execute(insert(ROLES).values(row | {"origin": "groups"}))

    def set_password(self, name: str, password: str) -> None:
        """Give an account another password.

        Raises:
            NotFound: there is no such account.
            WeakPassword: the password is easily guessed.
        """
        require_strength(password, name=name)
        hashed = hash_password(password)
        with self._database.begin() as connection:
            account = _found(connection, name)
            connection.execute(
                update(USERS).where(USERS.c.id == account.id).values(password=hashed)
            )

    def set_disabled(self, name: str, *, disabled: bool) -> None:
        """Disable an account, or let it be used again.

        Raises:
            NotFound: there is no such account.
            AccountError: no admin of every project would be left.
        """
        with self._database.begin() as connection:
            account, admins = _found(connection, name), _admins(connection)
            connection.execute(
                update(USERS).where(USERS.c.id == account.id).values(disabled=disabled)
            )
            _require_admin(connection, before=admins)

    def checked(self, name: str, password: str) -> Account | None:
        """The account of a name and its password; None when they are not, or it is disabled.

        It takes as long for names that there are not.
        """
        with self._database.connect() as connection:
            row = connection.execute(select(USERS).where(USERS.c.name == name)).one_or_none()
        right = is_password(password, row.password if row else None)
        if not right or row is None or row.disabled:
            return None
        if is_outdated(row.password):
            hashed = hash_password(password)
            with self._database.begin() as connection:
                connection.execute(
                    update(USERS).where(USERS.c.id == row.id).values(password=hashed)
                )
        return self.get(name)

    def signed_in(self, account: Account) -> None:
        """Remember that somebody signed in."""
        with self._database.begin() as connection:
            connection.execute(
                update(USERS).where(USERS.c.id == account.id).values(signed_in_at=_now())
            )


def require_project_name(project: str) -> None:
    """Refuse what cannot be the name of a project.

    Raises:
        AccountError: it cannot.
    """
    if project != EVERY_PROJECT and not re.fullmatch(PROJECT_NAME, project):
        raise AccountError(
            f"{project!r} cannot be the name of a project.", do="Use its name, or * for all."
        )


def roles_of(connection: Connection, user_id: int) -> dict[str, Role]:
    """Roles of an account: project, or ``*``, to the role there."""
    rows = connection.execute(
        select(ROLES.c.project, ROLES.c.role).where(ROLES.c.user_id == user_id)
    )
    return {row.project: Role(row.role) for row in rows}


def _found(connection: Connection, name: str) -> Account:
    row = connection.execute(select(USERS).where(USERS.c.name == name)).one_or_none()
    if row is None:
        known = connection.execute(select(USERS.c.name)).scalars().all()
        raise NotFound(f"There is no account {name!r}.", do=nearest(name, known))
    roles = connection.execute(select(ROLES).where(ROLES.c.user_id == row.id)).all()
    return _account(row, roles)


def _account(row: Any, roles: Any) -> Account:
    return Account(
        id=row.id,
        name=row.name,
        roles={r.project: Role(r.role) for r in roles},
        disabled=row.disabled,
        has_password=row.password is not None,
        subject=row.subject or "",
        created_at=_aware(row.created_at),
        signed_in_at=_aware(row.signed_in_at),
    )


def _drop_role(connection: Connection, user_id: int, project: str) -> None:
    connection.execute(
        delete(ROLES).where((ROLES.c.user_id == user_id) & (ROLES.c.project == project))
    )


def _admins(connection: Connection) -> int:
    """How many can administer every project."""
    is_admin = (ROLES.c.project == EVERY_PROJECT) & (ROLES.c.role == Role.ADMIN.value)
    of_users = ROLES.join(USERS)
    counted = select(func.count()).select_from(of_users).where(is_admin & ~USERS.c.disabled)
    return connection.execute(counted).scalar_one()


def _require_admin(connection: Connection, *, before: int) -> None:
    """Refuse a change after which nobody could undo it."""
    if before and not _admins(connection):
        raise AccountError(
            "No admin of every project would be left.",
            do="Give somebody else the role admin in * first.",
        )


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _aware(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC)

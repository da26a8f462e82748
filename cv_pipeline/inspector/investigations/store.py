"""Keeps investigations: what was looked at, when, with how many clicks, and what came of it.

Steps are only ever added. An investigation begins with its first step, whichever arrives first, so
nothing is lost when a page is left at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from cv_pipeline.inspector.database import METADATA
from cv_pipeline.inspector.investigations.steps import Step
from cv_pipeline.inspector.problems import NotFound

_NAME = re.compile(r"[0-9a-f]{24}")
MOST_STEPS = 2_000
"""Steps of one investigation; more are not kept."""

_investigations = Table(
    "investigations",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("project", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("alert", Text, nullable=False),
    Column("began_by", String(200), nullable=False),
    Column("began_at", DateTime, nullable=False),
    Column("conclusion", Text, nullable=False, default=""),
    Column("closed_by", String(200)),
    Column("closed_at", DateTime),
    Index("investigations_of_project", "project", "began_at"),
)
_steps = Table(
    "investigation_steps",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("investigation", ForeignKey("investigations.id"), nullable=False, index=True),
    Column("user", String(200), nullable=False),
    Column("at", DateTime, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("address", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("elapsed_s", Float, nullable=False),
    Column("clicks", Integer, nullable=False),
    Column("machine_s", Float, nullable=False),
)
_comments = Table(
    "investigation_comments",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("investigation", ForeignKey("investigations.id"), nullable=False, index=True),
    Column("user", String(200), nullable=False),
    Column("at", DateTime, nullable=False),
    Column("text", Text, nullable=False),
)
_runs = Table(
    "investigation_runs",
    METADATA,
    Column("investigation", ForeignKey("investigations.id"), primary_key=True),
    Column("run_id", String(64), primary_key=True, index=True),
    Column("user", String(200), nullable=False),
    Column("at", DateTime, nullable=False),
)


@dataclass(frozen=True)
class Comment:
    """What somebody said of an investigation."""

    user: str
    at: datetime
    text: str


@dataclass(frozen=True)
class Investigation:
    """An investigation without its steps.

    Attributes:
        id: its name in addresses.
        project: the project.
        title: what is looked into.
        alert: key of the alert that it began with; empty for none.
        began_by: who began it.
        began_at: when, UTC.
        conclusion: what was found; empty while it is open.
        closed_by: who closed it.
        closed_at: when; None while it is open.
    """

    id: str
    project: str
    title: str
    alert: str
    began_by: str
    began_at: datetime
    conclusion: str
    closed_by: str | None
    closed_at: datetime | None


class Investigations:
    """The investigations of all projects.

    Args:
        database: the inspector's database.
    """

    def __init__(self, database: Engine) -> None:
        self._database = database

    def add_steps(
        self,
        project: str,
        investigation: str,
        steps: Sequence[Step],
        *,
        user: str,
        title: str,
        alert: str,
    ) -> None:
        """Add steps to an investigation, which begins with the first.

        Raises:
            NotFound: it is one of another project.
        """
        with self._database.begin() as connection:
            self._begin(connection, project, investigation, user=user, title=title, alert=alert)
            kept = connection.scalar(
                select(func.count())
                .select_from(_steps)
                .where(_steps.c.investigation == investigation)
            )
            now = datetime.now(UTC)
            rows = [
                {"investigation": investigation, "user": user, "at": now, **vars(step)}
                for step in steps[: max(0, MOST_STEPS - int(kept or 0))]
            ]
            if rows:
                connection.execute(insert(_steps), rows)

    def link_run(self, project: str, investigation: str, *, run_id: str, user: str) -> None:
        """Remember that a run was launched from an investigation; an unknown one is begun."""
        with self._database.begin() as connection:
            self._begin(
                connection, project, investigation, user=user, title="A corrective run", alert=""
            )
            connection.execute(
                insert(_runs).prefix_with("OR IGNORE", dialect="sqlite"),
                [
                    {
                        "investigation": investigation,
                        "run_id": run_id,
                        "user": user,
                        "at": datetime.now(UTC),
                    }
                ],
            )

    def require_open_to(self, project: str, investigation: str) -> None:
        """See that a project can have an investigation of a name: its own, or one to come.

        Raises:
            NotFound: it is no name, or one of another project.
        """
        with self._database.connect() as connection:
            known = connection.scalar(
                select(_investigations.c.project).where(_investigations.c.id == investigation)
            )
        if not _NAME.fullmatch(investigation) or known not in (None, project):
            raise NotFound(f"Project {project} has no investigation {investigation[:40]!r}.")

    def comment(self, project: str, investigation: str, *, user: str, text: str) -> None:
        """Say something of an investigation.

        Raises:
            NotFound: there is none of that name in the project.
        """
        self.get(project, investigation)
        with self._database.begin() as connection:
            connection.execute(
                insert(_comments),
                [
                    {
                        "investigation": investigation,
                        "user": user,
                        "at": datetime.now(UTC),
                        "text": text,
                    }
                ],
            )

    def change(
        self,
        project: str,
        investigation: str,
        *,
        user: str,
        title: str | None = None,
        conclusion: str | None = None,
        closed: bool | None = None,
    ) -> None:
        """Give an investigation another title or a conclusion, close it or open it again.

        Raises:
            NotFound: there is none of that name in the project.
        """
        self.get(project, investigation)
        values: dict[str, Any] = {}
        if title is not None:
            values["title"] = title
        if conclusion is not None:
            values["conclusion"] = conclusion
        if closed is not None:
            values["closed_by"] = user if closed else None
            values["closed_at"] = datetime.now(UTC) if closed else None
        if values:
            with self._database.begin() as connection:
                connection.execute(
                    update(_investigations)
                    .where(_investigations.c.id == investigation)
                    .values(**values)
                )

    def get(self, project: str, investigation: str) -> Investigation:
        """One investigation.

        Raises:
            NotFound: there is none of that name in the project.
        """
        with self._database.connect() as connection:
            row = connection.execute(
                select(_investigations).where(
                    _investigations.c.id == investigation, _investigations.c.project == project
                )
            ).first()
        if row is None:
            raise NotFound(
                f"Project {project} has no investigation {investigation[:40]!r}.",
                do="The list of investigations has them all.",
            )
        return _investigation(row)

    def newest(self, project: str, *, limit: int = 100) -> list[Investigation]:
        """The investigations of a project, the newest first."""
        with self._database.connect() as connection:
            rows = connection.execute(
                select(_investigations)
                .where(_investigations.c.project == project)
                .order_by(_investigations.c.began_at.desc(), _investigations.c.id)
                .limit(limit)
            ).all()
        return [_investigation(row) for row in rows]

    def steps(self, investigations: Sequence[str]) -> dict[str, list[tuple[str, datetime, Step]]]:
        """Who, when and what of the steps of some investigations, in the order of their time."""
        found: dict[str, list[tuple[str, datetime, Step]]] = {i: [] for i in investigations}
        with self._database.connect() as connection:
            rows = connection.execute(
                select(_steps)
                .where(_steps.c.investigation.in_(list(investigations)))
                .order_by(_steps.c.elapsed_s, _steps.c.number)
            ).all()
        for row in rows:
            step = Step(
                kind=row.kind,
                address=row.address,
                title=row.title,
                elapsed_s=row.elapsed_s,
                clicks=row.clicks,
                machine_s=row.machine_s,
            )
            found[row.investigation].append((row.user, _utc(row.at), step))
        return found

    def comments(self, investigation: str) -> list[Comment]:
        """What was said of an investigation, oldest first."""
        with self._database.connect() as connection:
            rows = connection.execute(
                select(_comments)
                .where(_comments.c.investigation == investigation)
                .order_by(_comments.c.number)
            ).all()
        return [Comment(row.user, _utc(row.at), row.text) for row in rows]

    def runs(self, investigations: Sequence[str]) -> dict[str, list[str]]:
        """Ids of the runs that some investigations launched, oldest first."""
        found: dict[str, list[str]] = {i: [] for i in investigations}
        with self._database.connect() as connection:
            rows = connection.execute(
                select(_runs)
                .where(_runs.c.investigation.in_(list(investigations)))
                .order_by(_runs.c.at)
            ).all()
        for row in rows:
            found[row.investigation].append(row.run_id)
        return found

    def of_run(self, project: str, run_id: str) -> list[Investigation]:
        """The investigations that a run was launched from."""
        with self._database.connect() as connection:
            rows = connection.execute(
                select(_investigations)
                .join(_runs, _runs.c.investigation == _investigations.c.id)
                .where(_runs.c.run_id == run_id, _investigations.c.project == project)
            ).all()
        return [_investigation(row) for row in rows]

    @staticmethod
    def _begin(
        connection: Connection,
        project: str,
        investigation: str,
        *,
        user: str,
        title: str,
        alert: str,
    ) -> None:
        """Make an investigation, unless it is there."""
        known = connection.scalar(
            select(_investigations.c.project).where(_investigations.c.id == investigation)
        )
        if known is None:
            try:
                with connection.begin_nested():
                    connection.execute(
                        insert(_investigations),
                        [
                            {
                                "id": investigation,
                                "project": project,
                                "title": title,
                                "alert": alert,
                                "began_by": user,
                                "began_at": datetime.now(UTC),
                                "conclusion": "",
                            }
                        ],
                    )
                return
            except IntegrityError:  # another request was faster
                known = connection.scalar(
                    select(_investigations.c.project).where(_investigations.c.id == investigation)
                )
        if known != project:
            raise NotFound(f"Project {project} has no investigation {investigation[:40]!r}.")


def _investigation(row: Any) -> Investigation:
    return Investigation(
        id=row.id,
        project=row.project,
        title=row.title,
        alert=row.alert,
        began_by=row.began_by,
        began_at=_utc(row.began_at),
        conclusion=row.conclusion,
        closed_by=row.closed_by,
        closed_at=None if row.closed_at is None else _utc(row.closed_at),
    )


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)

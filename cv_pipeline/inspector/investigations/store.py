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
    ColumnElement,
    Connection,
    Engine,
    and_,
    exists,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from cv_pipeline.inspector.investigations.steps import Step
from cv_pipeline.inspector.investigations.tables import COMMENTS, INVESTIGATIONS, RUNS, STEPS
from cv_pipeline.inspector.problems import NotFound

_NAME = re.compile(r"[0-9a-f]{24}")
MOST_STEPS = 2_000
"""Steps of one investigation; more are not kept."""


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
                .select_from(STEPS)
                .where(STEPS.c.investigation == investigation)
            )
            now = datetime.now(UTC)
            rows = [
                {"investigation": investigation, "user": user, "at": now, **vars(step)}
                for step in steps[: max(0, MOST_STEPS - int(kept or 0))]
            ]
            if rows:
                connection.execute(insert(STEPS), rows)

    def link_run(self, project: str, investigation: str, *, run_id: str, user: str) -> None:
        """Remember that a run was launched from an investigation; an unknown one is begun."""
        with self._database.begin() as connection:
            self._begin(
                connection, project, investigation, user=user, title="A corrective run", alert=""
            )
            connection.execute(
                insert(RUNS).prefix_with("OR IGNORE", dialect="sqlite"),
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
                select(INVESTIGATIONS.c.project).where(INVESTIGATIONS.c.id == investigation)
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
                insert(COMMENTS),
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
                    update(INVESTIGATIONS)
                    .where(INVESTIGATIONS.c.id == investigation)
                    .values(**values)
                )

    def get(self, project: str, investigation: str) -> Investigation:
        """One investigation.

        Raises:
            NotFound: there is none of that name in the project.
        """
        with self._database.connect() as connection:
            row = connection.execute(
                select(INVESTIGATIONS).where(
                    INVESTIGATIONS.c.id == investigation, INVESTIGATIONS.c.project == project
                )
            ).first()
        if row is None:
            raise NotFound(
                f"Project {project} has no investigation {investigation[:40]!r}.",
                do="The list of investigations has them all.",
            )
        return _investigation(row)

    def open_of(
        self, project: str, *, user: str, alerts: Sequence[str]
    ) -> dict[str, tuple[Investigation, float, int]]:
        """What somebody looks into already: alert to the newest open one, its seconds and clicks.

        Those are of its last step, from where it goes on.
        """
        step = STEPS.c
        with self._database.connect() as connection:
            rows = connection.execute(
                select(
                    INVESTIGATIONS,
                    func.coalesce(func.max(step.elapsed_s), 0.0).label("elapsed_s"),
                    func.coalesce(func.max(step.clicks), 0).label("clicks"),
                )
                .outerjoin(STEPS, step.investigation == INVESTIGATIONS.c.id)
                .where(
                    INVESTIGATIONS.c.project == project,
                    INVESTIGATIONS.c.began_by == user,
                    INVESTIGATIONS.c.closed_at.is_(None),
                    INVESTIGATIONS.c.alert.in_([a for a in alerts if a]),
                )
                .group_by(INVESTIGATIONS.c.id)
                .order_by(INVESTIGATIONS.c.began_at)
            ).all()
        return {row.alert: (_investigation(row), row.elapsed_s, row.clicks) for row in rows}

    def idle(self, project: str) -> int:
        """How many investigations of a project nothing was done in after the first click."""
        with self._database.connect() as connection:
            return int(
                connection.scalar(
                    select(func.count())
                    .select_from(INVESTIGATIONS)
                    .where(INVESTIGATIONS.c.project == project, not_(_worked()))
                )
                or 0
            )

    def newest(self, project: str, *, limit: int = 100, idle: bool = True) -> list[Investigation]:
        """The investigations of a project, the newest first.

        Args:
            project: name of the project.
            limit: at most so many.
            idle: those too in which nothing was done after the first click.
        """
        wanted = INVESTIGATIONS.c.project == project
        with self._database.connect() as connection:
            rows = connection.execute(
                select(INVESTIGATIONS)
                .where(wanted if idle else and_(wanted, _worked()))
                .order_by(INVESTIGATIONS.c.began_at.desc(), INVESTIGATIONS.c.id)
                .limit(limit)
            ).all()
        return [_investigation(row) for row in rows]

    def steps(self, investigations: Sequence[str]) -> dict[str, list[tuple[str, datetime, Step]]]:
        """Who, when and what of the steps of some investigations, in the order of their time."""
        found: dict[str, list[tuple[str, datetime, Step]]] = {i: [] for i in investigations}
        with self._database.connect() as connection:
            rows = connection.execute(
                select(STEPS)
                .where(STEPS.c.investigation.in_(list(investigations)))
                .order_by(STEPS.c.elapsed_s, STEPS.c.number)
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
                select(COMMENTS)
                .where(COMMENTS.c.investigation == investigation)
                .order_by(COMMENTS.c.number)
            ).all()
        return [Comment(row.user, _utc(row.at), row.text) for row in rows]

    def runs(self, investigations: Sequence[str]) -> dict[str, list[str]]:
        """Ids of the runs that some investigations launched, oldest first."""
        found: dict[str, list[str]] = {i: [] for i in investigations}
        with self._database.connect() as connection:
            rows = connection.execute(
                select(RUNS)
                .where(RUNS.c.investigation.in_(list(investigations)))
                .order_by(RUNS.c.at)
            ).all()
        for row in rows:
            found[row.investigation].append(row.run_id)
        return found

    def of_runs(self, project: str, run_ids: Sequence[str]) -> dict[str, list[Investigation]]:
        """The investigations that each of some runs was launched from."""
        found: dict[str, list[Investigation]] = {i: [] for i in run_ids}
        with self._database.connect() as connection:
            rows = connection.execute(
                select(INVESTIGATIONS, RUNS.c.run_id)
                .join(RUNS, RUNS.c.investigation == INVESTIGATIONS.c.id)
                .where(RUNS.c.run_id.in_(found), INVESTIGATIONS.c.project == project)
            ).all()
        for row in rows:
            found[row.run_id].append(_investigation(row))
        return found

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
            select(INVESTIGATIONS.c.project).where(INVESTIGATIONS.c.id == investigation)
        )
        if known is None:
            try:
                with connection.begin_nested():
                    connection.execute(
                        insert(INVESTIGATIONS),
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
                    select(INVESTIGATIONS.c.project).where(INVESTIGATIONS.c.id == investigation)
                )
        if known != project:
            raise NotFound(f"Project {project} has no investigation {investigation[:40]!r}.")


def _worked() -> ColumnElement[bool]:
    """Whether something was done: images looked at, clicked on, said, concluded or launched."""
    mine = INVESTIGATIONS.c.id
    return or_(
        exists().where(
            STEPS.c.investigation == mine,
            or_(STEPS.c.kind.in_(("images", "image")), STEPS.c.clicks > 1),
        ),
        exists().where(COMMENTS.c.investigation == mine),
        exists().where(RUNS.c.investigation == mine),
        INVESTIGATIONS.c.conclusion != "",
    )


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

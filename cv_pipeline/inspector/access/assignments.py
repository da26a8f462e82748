"""Which batches of images are assigned to whom, and which images somebody may see by that.

Who may view a project sees all of its images. An annotator sees the images of the batches that are
assigned to them, and is not told that there are others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sqlalchemy import Column, DateTime, Engine, String, Table, delete, insert, select

from cv_pipeline.catalog.snapshot import Snapshot
from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.database import METADATA
from cv_pipeline.inspector.workspace import Workspace

ASSIGNMENTS = Table(
    "assignments",
    METADATA,
    Column("project", String, primary_key=True),
    Column("batch", String, primary_key=True),
    # name of the account that it is assigned to
    Column("user", String, primary_key=True),
    # name of the account that assigned it
    Column("actor", String, nullable=False),
    Column("at", DateTime, nullable=False),
)


@dataclass(frozen=True)
class Assignment:
    """A batch that is assigned to somebody."""

    batch: str
    user: str
    actor: str
    at: datetime


def assignments(
    database: Engine, *, project: str, user: str | None = None, batch: str | None = None
) -> list[Assignment]:
    """What is assigned in a project, by batch and account.

    Args:
        database: the inspector's own state.
        project: name of the project.
        user: only what is assigned to this account.
        batch: only of this batch.
    """
    columns = ASSIGNMENTS.c
    asked = select(columns.batch, columns.user, columns.actor, columns.at)
    asked = asked.where(columns.project == project).order_by(columns.batch, columns.user)
    if user is not None:
        asked = asked.where(columns.user == user)
    if batch is not None:
        asked = asked.where(columns.batch == batch)
    with database.connect() as connection:
        rows = connection.execute(asked).all()
    return [Assignment(r.batch, r.user, r.actor, r.at.replace(tzinfo=UTC)) for r in rows]


def is_own(access: Access, database: Engine, *, project: str, batch: str) -> bool:
    """Whether a batch is assigned to whoever asks."""
    own = assignments(database, project=project, user=access.user, batch=batch)
    return access.may(Permission.ASSIGNED, project) and bool(own)


def assign(
    database: Engine, *, project: str, batch: str, users: Collection[str], actor: str
) -> tuple[list[str], list[str]]:
    """Assign a batch to some accounts, and to no others.

    Args:
        database: the inspector's own state.
        project: name of the project.
        batch: name of the batch.
        users: names of the accounts that have it from now on.
        actor: who assigns.

    Returns:
        The accounts that it is new to, and those that it was taken from, sorted.
    """
    columns = ASSIGNMENTS.c
    of_batch = (columns.project == project) & (columns.batch == batch)
    with database.begin() as connection:
        before = set(connection.execute(select(columns.user).where(of_batch)).scalars())
        given, taken = sorted(set(users) - before), sorted(before - set(users))
        if taken:
            connection.execute(delete(ASSIGNMENTS).where(of_batch & columns.user.in_(taken)))
        now = datetime.now(UTC).replace(tzinfo=None)
        for user in given:
            row = {"project": project, "batch": batch, "user": user, "actor": actor, "at": now}
            connection.execute(insert(ASSIGNMENTS).values(row))
    return given, taken


def share_batches(
    database: Engine,
    *,
    project: str,
    shared: Mapping[str, Collection[str]],
    known: Collection[str],
    actor: str,
) -> list[str]:
    """Assign batches to the accounts of those who have work in them.

    Args:
        database: the inspector's own state.
        project: name of the project.
        shared: name of a batch to the accounts that have work in it.
        known: accounts of all annotators; what is assigned to others stays as it is.
        actor: who assigns.

    Returns:
        The batches whose accounts changed, sorted.
    """
    changed = []
    present = {each.batch for each in assignments(database, project=project)}
    for batch in sorted({*present, *shared}):
        users = {each.user for each in assignments(database, project=project, batch=batch)}
        wanted = (users - set(known)) | set(shared.get(batch, ()))
        if wanted != users:
            assign(database, project=project, batch=batch, users=wanted, actor=actor)
            changed.append(batch)
    return changed


def visible_images(access: Access, workspace: Workspace, project: str) -> frozenset[str] | None:
    """Ids of the images that somebody may see.

    Args:
        access: who asks.
        workspace: what pages read.
        project: name of the project.

    Returns:
        None for every image of the project; else the ids of those that are assigned, which may be
        none at all. Lists show only these: use :func:`visible_numbers` there.
    """
    numbers = visible_numbers(access, workspace, project)
    if numbers is None:
        return None
    snapshot = workspace.snapshot(project)
    key = ("visible", *_state(snapshot), numbers.tobytes())
    found: frozenset[str] = workspace.kept.get(
        key, lambda: frozenset(snapshot.image_ids(numbers).to_pylist())
    )
    return found


def visible_numbers(access: Access, workspace: Workspace, project: str) -> NDArray[np.int32] | None:
    """Like :func:`visible_images`, as ascending numbers of images in ``workspace.snapshot``.

    A list of images is kept to them with ``numbers[np.isin(numbers, visible)]``.
    """
    if access.may(Permission.VIEW, project):
        return None
    if not access.may(Permission.ASSIGNED, project):
        return np.empty(0, dtype=np.int32)
    own = assignments(workspace.database, project=project, user=access.user)
    batches = sorted({assignment.batch for assignment in own})
    if not batches:
        return np.empty(0, dtype=np.int32)
    snapshot = workspace.snapshot(project)
    key = ("assigned", *_state(snapshot), *batches)
    found: NDArray[np.int32] = workspace.kept.get(key, lambda: images_of(snapshot, batches))
    return found


def images_of(snapshot: Snapshot, batches: Collection[str]) -> NDArray[np.int32]:
    """Numbers of the images of some batches, ascending and each once."""
    rows = snapshot.set_aside
    of_batches = pc.is_in(rows["name"].cast(pa.string()), pa.array(sorted(batches), pa.string()))
    numbers: NDArray[np.int32] = np.unique(rows["n"].filter(of_batches).to_numpy())
    return numbers


def _state(snapshot: Snapshot) -> tuple[str, ...]:
    """What tells the batches of a snapshot from any others."""
    return (snapshot.project, snapshot.identities["images"], snapshot.identities["image_batches"])

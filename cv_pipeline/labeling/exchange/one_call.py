"""Push and pull in one call each, by the name of a project: ``cv_pipeline.push("fruit", "x")``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import LabelingError, SettingsError
from cv_pipeline.labeling.exchange.people import record_people
from cv_pipeline.labeling.exchange.pull import Progress, PullReport
from cv_pipeline.labeling.exchange.pull import pull as pull_batches
from cv_pipeline.labeling.exchange.push import push as push_batch
from cv_pipeline.labeling.exchange.push_report import PushReport
from cv_pipeline.labeling.tool.connection import connect
from cv_pipeline.labeling.tool.label_studio import Tool
from cv_pipeline.project import Project, find_project
from cv_pipeline.settings import projects_dir, store_url
from cv_pipeline.storage import ObjectStore, open_store


def push(
    project: str,
    batch: str,
    *,
    prelabel_model: str | None = None,
    again: bool = False,
    store: ObjectStore | None = None,
    progress: Progress | None = None,
) -> PushReport:
    """Push a batch of images to the annotation tool; doing it again goes on where it was.

    Args:
        project: name of the project.
        batch: name of the batch, as images were set aside under.
        prelabel_model: digest of the model whose pre-labels annotators begin with, or a prefix of
            it; empty for none, and by default the champion's, or what the project names.
        again: whether images whose tasks were deleted in the tool are pushed once more.
        store: the object store; by default the one of ``CV_STORE``.
        progress: is told how many of how many tasks are made.

    Raises:
        ProjectError: there is no such project.
        SettingsError: it has no annotation tool, or there is no token.
        PushRefused: volume work may not start yet; everything that is missing is named.
        LabelingError: the tool does not answer, or refuses it.
    """
    found = find_project(project, projects_dir())
    opened = store or open_store(store_url())
    with tool_of(found) as tool:
        return push_batch(
            found,
            batch,
            catalog=Catalog(opened, project),
            store=opened,
            tool=tool,
            prelabel_model=prelabel_model,
            again=again,
            progress=progress,
        )


def pull(
    project: str,
    *,
    whole: bool = False,
    lost: bool = False,
    store: ObjectStore | None = None,
    progress: Progress | None = None,
) -> PullReport:
    """Pull what annotators did since the last time.

    Args:
        project: name of the project.
        whole: whether everything is read anew, and not only what changed.
        lost: whether it is true that none of the tool's projects of ours is there any more.
        store: the object store; by default the one of ``CV_STORE``.
        progress: is told how many of how many tasks were read.

    Raises:
        ProjectError: there is no such project.
        SettingsError: it has no annotation tool, or there is no token.
        LabelingError: the tool does not answer, or not as it should.
    """
    found = find_project(project, projects_dir())
    opened = store or open_store(store_url())
    with tool_of(found) as tool:
        return pull_batches(
            found,
            catalog=Catalog(opened, project),
            store=opened,
            tool=tool,
            whole=whole,
            lost=lost,
            progress=progress,
        )


def ask_for_people(project: Project, catalog: Catalog) -> bool:
    """Write down who has an account in the tool, as far as one answers.

    Returns:
        Whether one did.
    """
    try:
        with tool_of(project) as tool:
            members = tool.members()
    except (LabelingError, SettingsError):
        record_people(catalog, project.labeling)
        return False
    record_people(catalog, project.labeling, members)
    return True


@contextmanager
def tool_of(project: Project) -> Iterator[Tool]:
    """A project's annotation tool, as long as it is needed.

    Raises:
        SettingsError: it has none, none runs, or there is no token.
    """
    connection = connect(project)
    try:
        yield Tool(connection)
    finally:
        connection.close()

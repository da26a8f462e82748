"""Where models look on images, worked out behind the requests that ask for it.

The first map of a model needs libraries and weights that take many seconds to be read, and any map
both processors: one is worked out at a time, whoever asks waits a moment, and asks again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from weakref import WeakKeyDictionary

from cv_pipeline.inspector.jobs import Job, Jobs
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.provenance.explained import ActivationPicture, open_explainer

PATIENCE = 1.0
"""Seconds that a request waits for a map."""

_JOBS: WeakKeyDictionary[Workspace, Jobs] = WeakKeyDictionary()
_LOCK = threading.Lock()


def get_ready(workspace: Workspace, project: str, model: str) -> Job[bool]:
    """Read a model, so that its first map need not; at once where that is done or under way.

    Raises:
        Busy: too much is being worked out.
    """

    def read(_: object) -> bool:
        open_explainer(
            f"{project}@{model}",
            instance=workspace.instance,
            store=workspace.store,
            cache=workspace.cache,
        )
        return True

    return _jobs(workspace).ask(("model", project, model), read, wait=0.0)


def ask_for_map(
    workspace: Workspace, key: tuple[str, ...], explain: Callable[[], ActivationPicture]
) -> Job[ActivationPicture]:
    """A map, or how far it is.

    Args:
        workspace: what pages read.
        key: names the map.
        explain: works it out.

    Raises:
        Busy: too much is being worked out.
    """
    return _jobs(workspace).ask(("map", *key), lambda _: explain(), wait=PATIENCE)


def _jobs(workspace: Workspace) -> Jobs:
    with _LOCK:
        return _JOBS.setdefault(workspace, Jobs(of="maps of where models look"))

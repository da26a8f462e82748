"""Opens what the first pages would wait for, behind them, when the inspector starts.

Whatever cannot be opened is left to the page that needs it, which says why.
"""

from __future__ import annotations

import logging
import threading

from cv_pipeline.inspector.images.facet_index import FacetIndex
from cv_pipeline.inspector.workspace import Workspace

_logger = logging.getLogger(__name__)


class WarmUp:
    """Opens the lakes and newest evaluations of a workspace, one after the other.

    Args:
        workspace: what is opened.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="warm-up", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Stop after the lake that is being opened, and wait for that."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        for project in self._workspace.project_names():
            for step in (self._lake, self._evaluation):
                if self._ended.is_set():
                    return
                try:
                    step(project)
                except Exception as error:
                    _logger.info("%s is opened when it is asked for: %s", project, error)

    def _lake(self, project: str) -> None:
        FacetIndex(self._workspace.snapshot(project), self._workspace.kept).lay_out()

    def _evaluation(self, project: str) -> None:
        _ = self._workspace.evaluated(project).evaluation

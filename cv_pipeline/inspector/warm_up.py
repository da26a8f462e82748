"""Opens what the first pages would wait for, behind them, when the inspector starts.

What most pages wait for comes first, and whoever asks meanwhile is answered first. Whatever cannot
be opened is left to the page that needs it, which says why.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module

from cv_pipeline.catalog.query import parse
from cv_pipeline.inspector.images.facet_index import FacetIndex
from cv_pipeline.inspector.rendering import load_template
from cv_pipeline.inspector.traffic import Traffic
from cv_pipeline.inspector.workspace import Workspace

_logger = logging.getLogger(__name__)

QUIET_SECONDS = 0.5
"""How long nobody must have asked for anything before it goes on."""
PATIENCE = 20.0
"""Seconds that it gives way in all: where somebody always asks, it goes on beside them."""
IDLE_SECONDS = 10.0
"""How long nobody must have asked for anything before the libraries of models are imported."""
_LOOK_AGAIN = 0.1
_EXPLAINER = "cv_pipeline.evaluation.activation_maps.explainer"
_FIRST_PAGES = ("pages/images.html", "pages/board.html", "pages/home.html", "pages/image.html")


class WarmUp:
    """Opens the lakes and newest evaluations of a workspace, one after the other.

    Args:
        workspace: what is opened.
        traffic: whom it gives way to.
    """

    def __init__(self, workspace: Workspace, traffic: Traffic) -> None:
        self._workspace = workspace
        self._traffic = traffic
        self._patience = PATIENCE
        self._evaluated = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="warm-up", daemon=True)

    def start(self) -> None:
        """Begin; what every page needs is there once this returns, within half a second."""
        self._tools()
        self._thread.start()

    def end(self) -> None:
        """Stop after what is being opened, and wait for that."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        for project, step in self._steps():
            self._give_way()
            if self._ended.is_set():
                return
            try:
                step()
            except Exception as error:
                _logger.info("%s is opened when it is asked for: %s", project, error)
        if self._evaluated:
            self._models()

    def _tools(self) -> None:
        """What the first query and the first page are read with, whatever lake they are of."""
        parse("all images")
        for template in _FIRST_PAGES:
            load_template(template)

    def _steps(self) -> Iterator[tuple[str, Callable[[], object]]]:
        """The lakes, which every page of images needs; then evaluations; what is counted last."""
        projects = self._workspace.project_names()
        for project in projects:
            yield project, partial(self._workspace.snapshot, project)
        for project in projects:
            yield project, partial(self._evaluation, project)
        for project in projects:
            for part in FacetIndex.PARTS:
                yield project, partial(self._lay_out, project, part)

    def _evaluation(self, project: str) -> None:
        _ = self._workspace.evaluated(project).evaluation
        self._evaluated = True

    def _lay_out(self, project: str, part: str) -> None:
        getattr(FacetIndex(self._workspace.snapshot(project), self._workspace.kept), part)

    def _models(self) -> None:
        """What a map of where a model looks needs, which takes seconds and much memory."""
        began = time.monotonic()
        while min(self._traffic.quiet_for(), time.monotonic() - began) < IDLE_SECONDS:
            if self._ended.wait(_LOOK_AGAIN):
                return
        import_module(_EXPLAINER)

    def _give_way(self) -> None:
        while self._patience > 0 and self._traffic.quiet_for() < QUIET_SECONDS:
            began = time.monotonic()
            if self._ended.wait(_LOOK_AGAIN):
                return
            self._patience -= time.monotonic() - began

"""Pulls and imports annotations when something changed in the annotation tool, or was pulled.

Label Studio's webhooks are sent once and lost when nobody listens, so they are no more than a hint:
what counts is asked, every minute. The sensor only looks; the run that it starts does the pulling.
What somebody pulled by hand is no label before it is imported: that starts a run as well, whether
the tool answers or not.
"""

from __future__ import annotations

import dagster as dg

from cv_pipeline.errors import CVPipelineError
from cv_pipeline.labeling.exchange.imported import pulled_and_not_imported, states_pulled
from cv_pipeline.labeling.exchange.one_call import tool_of
from cv_pipeline.labeling.tool.changes import changes_in_tool
from cv_pipeline.labeling.tool.connection import tool_url
from sensors.watch import Seen, Watched, watching_sensor


def annotations_sensor(project: str) -> dg.SensorDefinition:
    """The annotations sensor of one project."""
    return watching_sensor(
        project,
        "annotations",
        job=f"{project}_annotations",
        description=f"Pulls and imports what annotators of {project} did, when they did something.",
        look=_look,
    )


def _look(watched: Watched) -> Seen | str:
    waiting = pulled_and_not_imported(watched.catalog)
    has_tool = tool_url(watched.project) is not None
    try:
        state = _changes(watched) if has_tool else ""
    except CVPipelineError:
        if not waiting:
            raise
        state = ""
    if waiting:
        # an import that fails again and again must not keep what people do meanwhile from a pull
        cause = f"pulled-{states_pulled(watched.catalog)}{f'-{state}' if state else ''}"
        return Seen(cause, f"the import of {waiting:,} pulled states was")
    if not has_tool:
        return f"{watched.project.name} has no annotation tool, or none is running"
    if not state:
        return "nothing changed since the last pull"
    # a run succeeds when the tool is down, for what was pulled before counts: try again
    return Seen(state, "what changed was", again=True)


def _changes(watched: Watched) -> str:
    with tool_of(watched.project) as tool:
        return changes_in_tool(watched.catalog, tool)

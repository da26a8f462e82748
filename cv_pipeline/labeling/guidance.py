"""What annotators read before they begin: the text of the guideline, as the tool shows it."""

from __future__ import annotations

import html

from cv_pipeline.project import Project
from cv_pipeline.settings import projects_dir

_MOST = 100_000


def instructions_for(project: Project) -> str:
    """The guideline of a project as HTML; empty where there is no text of its version.

    It is shown as it is written: nothing in it becomes markup of the tool's page.
    """
    version = project.ontology.guideline_version
    path = projects_dir() / project.name / "guidelines" / f"{version}.md"
    try:
        text = path.read_text(encoding="utf-8")[:_MOST]
    except (OSError, UnicodeDecodeError):
        return ""
    return f'<div style="white-space: pre-wrap">{html.escape(text.strip())}</div>'

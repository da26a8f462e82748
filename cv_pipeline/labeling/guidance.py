"""What annotators read before they begin: the text of the guideline, as the tool shows it."""

from __future__ import annotations

import html

from cv_pipeline.annotations.ontology.guidelines import read_guideline
from cv_pipeline.project import Project


def instructions_for(project: Project) -> str:
    """The guideline of a project as HTML; empty where there is no text of its version.

    It is shown as it is written: nothing in it becomes markup of the tool's page.

    Raises:
        ProjectError: the file cannot be read.
    """
    guideline = read_guideline(project)
    if guideline is None:
        return ""
    return f'<div style="white-space: pre-wrap">{html.escape(guideline.text.strip())}</div>'

"""What annotators read before they begin: the text of the guideline, as the tool shows it."""

from __future__ import annotations

from cv_pipeline.annotations.ontology.guidelines import read_guideline
from cv_pipeline.markdown import rendered
from cv_pipeline.project import Project


def instructions_for(project: Project) -> str:
    """The guideline of a project as HTML; empty where there is no text of its version.

    Only what Markdown means becomes markup of the tool's page; tags in the text stay text.

    Raises:
        ProjectError: the file cannot be read.
    """
    guideline = read_guideline(project)
    if guideline is None:
        return ""
    return str(rendered(guideline.text))

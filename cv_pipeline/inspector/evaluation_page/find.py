"""Finds the evaluation that an address means."""

from __future__ import annotations

from cv_pipeline.inspector.problems import NotFound
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.provenance.evaluated import Evaluated


def find_evaluation(workspace: Workspace, project: str, ref: str) -> Evaluated:
    """The evaluation of a project that a digest, a prefix or ``latest`` means.

    Raises:
        NotFound: nothing of the project was evaluated; other projects are not spoken of.
        ProvenanceError: there is none of that digest.
    """
    workspace.project(project)
    with workspace.log() as log:
        if log.latest(f"{project}/eval_slices") is None:
            raise NotFound(
                f"Nothing of project {project} was evaluated yet.", do=f"Run: cvp run {project}"
            )
    return workspace.evaluated(project, ref)

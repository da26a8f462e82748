"""Declares and launches corrective runs for somebody who is signed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cv_pipeline.correction import CorrectiveRecord, declare, write_corrective
from cv_pipeline.errors import CorrectiveError
from cv_pipeline.inspector.problems import NotFound
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.provenance.corrective_runs import submit
from cv_pipeline.provenance.references import find_event
from cv_pipeline.provenance.run_tags import INSPECTOR
from cv_pipeline.storage.folders import fetch
from cv_pipeline.training import ModelCard, read_model_card


@dataclass(frozen=True)
class Launched:
    """A run that was handed to Dagster, and what was declared for it."""

    run_id: str
    record: CorrectiveRecord


def parent_card(workspace: Workspace, project: str, ref: str) -> ModelCard:
    """The card of the model that a run is to better.

    Raises:
        NotFound: the project has no model.
        ProvenanceError: it has none of that digest.
    """
    with workspace.log() as log:
        if log.latest(f"{project}/trained_model") is None:  # other projects are not spoken of
            raise NotFound(
                f"Project {project} has no model to better yet.", do=f"Run: cvp run {project}"
            )
        event = find_event(log, asset="trained_model", ref=f"{project}@{ref}")
    folder = fetch(
        workspace.store,
        f"projects/{project}/models/{event.version}",
        marker="model.json",
        cache=workspace.cache,
    )
    return read_model_card(folder)


def splits_of(workspace: Workspace, project: str, dataset: str) -> pa.Table:
    """image_id and split of a dataset version."""

    def read() -> pa.Table:
        where = workspace.store.arrow(f"projects/{project}/datasets/{dataset}/manifest.parquet")
        return pq.read_table(where.path, filesystem=where.filesystem, columns=["image_id", "split"])

    found: pa.Table = workspace.kept.get(("splits", project, dataset), read)
    return found


def launch(
    workspace: Workspace,
    project: str,
    *,
    parent: str,
    query: str | None,
    weight: int | None,
    label: str | None,
    changes: Mapping[str, Any],
    reason: str,
) -> Launched:
    """Declare a corrective run of who acts, and hand it to Dagster once nothing is wrong with it.

    Args:
        workspace: what is read.
        project: name of the project.
        parent: digest or prefix of the model that it is to better, or ``latest``.
        query: images that are added and drawn more often; None for none.
        weight: times that each of them is drawn in an epoch; the usual by default.
        label: class whose recall on them it is judged by; None for all.
        changes: parameters that differ from the parent's.
        reason: why, in words.

    Raises:
        CorrectiveError: it changes nothing, a parameter is wrong, or Dagster did not take it.
        ProvenanceError: there is no such parent.
        QueryError: the query cannot be understood.
    """
    card = parent_card(workspace, project, parent)
    record = declare(
        workspace.lake(project),
        workspace.project(project),
        parent=card,
        query=query,
        weight=weight,
        label=label,
        changes=changes,
        reason=reason,
    )
    write_corrective(workspace.store, record)
    try:
        return Launched(submit(record, workspace.dagster_ui, origin=INSPECTOR), record)
    except CorrectiveError as error:
        raise CorrectiveError(
            error.what,
            do="Start Dagster with: cvp ui. Then launch it again; nothing has run yet.",
        ) from error

"""From two references to the comparison of two models, on what they were really evaluated on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
from dagster import DagsterInstance

from cv_pipeline.catalog.lake import current_metadata
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import CatalogError, ProvenanceError
from cv_pipeline.evaluation.comparison import Comparison, Side, compare
from cv_pipeline.evaluation.slicing.lake import declared_slices
from cv_pipeline.evaluation.slicing.slices import WHOLE
from cv_pipeline.project import Project, find_project
from cv_pipeline.provenance.evaluated import Evaluated
from cv_pipeline.provenance.event_log import EventLog, Materialization
from cv_pipeline.provenance.lineage_index import LineageIndex
from cv_pipeline.provenance.references import find_event
from cv_pipeline.settings import cv_home, projects_dir, store_url
from cv_pipeline.storage import ObjectStore, open_store

CHAMPION = "champion"


def compare_models(
    project: str,
    before: str,
    after: str,
    *,
    projects: Path | None = None,
    instance: DagsterInstance | None = None,
    store: ObjectStore | None = None,
    cache: Path | None = None,
) -> Comparison:
    """Compare two models of a project on the images that both were evaluated on.

    Both are taken as evaluated on one dataset version, the newest that both were evaluated on;
    without one, each as evaluated last, on the images that the two versions share.

    Args:
        project: name of the project; the slices that it declares are compared.
        before: the first model: a digest, a prefix, ``latest`` or ``champion``.
        after: the second, likewise.
        projects: folder of the projects; by default ``CV_PROJECTS``.
        instance: the Dagster instance; by default the one of ``DAGSTER_HOME``.
        store: the object store; by default the one of ``CV_STORE``.
        cache: folder for copies from a remote store; by default the one of ``CV_HOME``.

    Raises:
        ProjectError: there is no such project.
        ProvenanceError: a reference is unknown or ambiguous, or a model was never evaluated.
        EvaluationError: the evaluations cannot be read, or share no image.
    """
    settings = find_project(project, projects or projects_dir())
    log = LineageIndex(instance or DagsterInstance.get())
    where = store or open_store(store_url())
    events = evaluations_to_compare(
        log, *(find_model(log, project, ref) for ref in (before, after))
    )
    first, second = (
        Evaluated.of(log, event, store=where, cache=cache or cv_home() / "cache")
        for event in events
    )
    metadata, declared = _slicing(settings, Catalog(where, project), second)
    evaluations = (first.evaluation, second.evaluation)
    keys = {k for e in evaluations for k in e.slices["slice_key"].unique().to_pylist()}
    return compare(
        side_of(first),
        side_of(second),
        metadata=metadata,
        keys=sorted(keys - {WHOLE, *declared}),
        declared=declared,
    )


def side_of(evaluated: Evaluated) -> Side:
    """An evaluated model, with all that a comparison can use."""
    return Side(
        evaluated.evaluation,
        dataset=evaluated.dataset_folder(),
        predictions=evaluated.predictions_folder(),
        costs=evaluated.costs(),
    )


def find_model(log: EventLog, project: str, ref: str) -> Materialization:
    """The model that a digest, a prefix, ``latest`` or ``champion`` means.

    Raises:
        ProvenanceError: there is none, or several.
    """
    version = ref.rpartition("@")[2]
    if version == CHAMPION:
        newest = log.latest(f"{project}/{CHAMPION}")
        # an evaluated model that fails its verdict leaves a project without a champion
        known = newest and str(newest.metadata.get("champion", newest.version))
        if not known or known == "none":
            raise ProvenanceError(
                f"Project {project!r} has no champion yet.",
                do=f"cvp verdict {project} says what a model lacks; when it passes, promote it:"
                f" cvp run {project} --select champion",
            )
        version = known
    return find_event(log, asset="trained_model", ref=f"{project}@{version}")


def evaluations_to_compare(
    log: EventLog, before: Materialization, after: Materialization
) -> tuple[Materialization, Materialization]:
    """The evaluations of two models to compare: the newest ones on one dataset version.

    Raises:
        ProvenanceError: a model was never evaluated.
    """
    newest: list[dict[str, Materialization]] = [{}, {}]
    for event in log.newest_first(f"{before.project}/eval_slices"):
        for known, model in zip(newest, (before, after), strict=True):
            if event.metadata.get("model") == model.version:
                known.setdefault(str(event.metadata["dataset"]), event)
    for known, model in zip(newest, (before, after), strict=True):
        if not known:
            raise ProvenanceError(
                f"The model {model.version[:16]} was never evaluated.",
                do=f"cvp run {model.project} --select predictions,eval_slices",
            )
    shared = next((dataset for dataset in newest[1] if dataset in newest[0]), None)
    if shared is not None:
        return newest[0][shared], newest[1][shared]
    first, second = (next(iter(known.values())) for known in newest)
    return first, second


def _slicing(
    project: Project, catalog: Catalog, evaluated: Evaluated
) -> tuple[pa.Table | None, Mapping[str, pa.Array]]:
    """Metadata and declared slices, as they were for an evaluation; none where they are gone."""
    versions = evaluated.dataset.metadata.get("table_versions")
    if versions is None:
        return None, {}
    versions = {name: int(version) for name, version in versions.items()}
    try:
        metadata = current_metadata(catalog, version=versions["image_metadata"])
        declared = declared_slices(project, catalog, table_versions=versions)
    except CatalogError:
        return None, {}
    return metadata, {name: slice_.image_ids for name, slice_ in declared.items()}

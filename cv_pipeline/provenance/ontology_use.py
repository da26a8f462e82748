"""Which dataset versions and models were made under which version of the ontology."""

from __future__ import annotations

import json
from dataclasses import dataclass

from cv_pipeline.datasets.record import DATASET_FILE
from cv_pipeline.errors import StorageError
from cv_pipeline.provenance.event_log import EventLog
from cv_pipeline.storage import ObjectStore


@dataclass(frozen=True)
class OntologyUse:
    """What was made under one version of the ontology.

    Attributes:
        version: of the ontology; empty where the folder of a dataset version is gone.
        datasets: digests of dataset versions, the oldest first.
        models: digests of models that were trained on them, the oldest first.
    """

    version: str
    datasets: tuple[str, ...]
    models: tuple[str, ...]


def ontology_use(log: EventLog, store: ObjectStore, *, project: str) -> tuple[OntologyUse, ...]:
    """What was made under each version, in the order in which versions were first used.

    Args:
        log: the record of provenance.
        store: where dataset versions lie.
        project: name of the project.
    """
    datasets: dict[str, list[str]] = {}
    version_of: dict[str, str] = {}
    for event in log.oldest_first(f"{project}/dataset_version"):
        if event.version not in version_of:
            version = _version(store, project, event.version)
            version_of[event.version] = version
            datasets.setdefault(version, []).append(event.version)
    models: dict[str, dict[str, None]] = {}
    for event in log.oldest_first(f"{project}/trained_model"):
        parent = event.input(f"{project}/dataset_version")
        if parent is not None and parent.version in version_of:
            models.setdefault(version_of[parent.version], {})[event.version] = None
    return tuple(
        OntologyUse(version, tuple(digests), tuple(models.get(version, ())))
        for version, digests in datasets.items()
    )


def _version(store: ObjectStore, project: str, digest: str) -> str:
    """Version of the ontology that a dataset version was made under."""
    try:
        data = store.read(f"projects/{project}/datasets/{digest}/{DATASET_FILE}")
        return str(json.loads(data)["ontology"]["version"])
    except (StorageError, ValueError, KeyError, TypeError):
        return ""

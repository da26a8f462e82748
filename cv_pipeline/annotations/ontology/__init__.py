"""Versions of the ontology and of the guideline: what led from one to the next, and their texts."""

from __future__ import annotations

from cv_pipeline.annotations.ontology.chain import Chain, ontology_at
from cv_pipeline.annotations.ontology.guidelines import (
    Guideline,
    guideline_path,
    read_guideline,
)
from cv_pipeline.annotations.ontology.migrate import Migrated, migrate
from cv_pipeline.annotations.ontology.record import (
    Locked,
    changed_versions,
    lock,
    require_unchanged,
)
from cv_pipeline.annotations.ontology.relabelling import set_aside_to_relabel

__all__ = [
    "Chain",
    "Guideline",
    "Locked",
    "Migrated",
    "changed_versions",
    "guideline_path",
    "lock",
    "migrate",
    "ontology_at",
    "read_guideline",
    "require_unchanged",
    "set_aside_to_relabel",
]

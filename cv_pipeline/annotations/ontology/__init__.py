"""Versions of the ontology and of the guideline: what led from one to the next, and their texts."""

from __future__ import annotations

from cv_pipeline.annotations.ontology.chain import Chain, ontology_at
from cv_pipeline.annotations.ontology.migrate import Migrated, migrate

__all__ = ["Chain", "Migrated", "migrate", "ontology_at"]

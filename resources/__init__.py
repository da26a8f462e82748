"""Dagster resources: what the assets are given to work with."""

from __future__ import annotations

from resources.object_store import ObjectStoreResource
from resources.projects import Projects
from resources.tracking import Tracking

__all__ = ["ObjectStoreResource", "Projects", "Tracking"]

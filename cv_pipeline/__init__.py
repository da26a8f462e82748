"""cv_pipeline: raw images to retrained models as Dagster assets, with two-way provenance."""

from __future__ import annotations

__version__ = "0.1.0"

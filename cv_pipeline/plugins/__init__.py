"""Data algorithms that can be plugged in at four points: label, sample, review and augment.

Each is an entry point of an installed distribution; docs/labeling/algorithms.md shows one.
"""

from __future__ import annotations

from cv_pipeline.plugins.registry import GROUPS, Point, load_plugin, plugin_names

__all__ = ["GROUPS", "Point", "load_plugin", "plugin_names"]

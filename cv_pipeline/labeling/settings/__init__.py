"""The section ``labeling`` of a ``project.yaml``."""

from __future__ import annotations

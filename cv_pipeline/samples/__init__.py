"""Generated sample data: worlds whose faults are known, so that every check can be tested."""

from __future__ import annotations

from cv_pipeline.samples.worlds import WORLDS, generate, label_more

__all__ = ["WORLDS", "generate", "label_more"]

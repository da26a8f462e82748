"""Review algorithms: whose labels of which images a second person should look at first."""

from __future__ import annotations

from cv_pipeline.plugins.review.interface import Need, Reviewer, Work, needs_of, ranked

__all__ = ["Need", "Reviewer", "Work", "needs_of", "ranked"]

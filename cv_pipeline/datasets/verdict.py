"""What one check said of one dataset candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Verdict:
    """The outcome of one check.

    Attributes:
        check: name of the check.
        passed: whether it found nothing beyond its threshold.
        severity: ``error`` blocks the dataset version, ``warn`` only tells.
        summary: one sentence with the numbers.
    """

    check: str
    passed: bool
    severity: Literal["error", "warn"]
    summary: str

    @property
    def blocks(self) -> bool:
        """Whether the gate must refuse the candidate because of it."""
        return not self.passed and self.severity == "error"

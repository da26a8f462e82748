"""Who labels what: skill, pace, load, estimates, and whose labels to look at first."""

from __future__ import annotations

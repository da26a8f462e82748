"""Building annotations with a real tool: batches pushed, work pulled, nothing lost on the way."""

from __future__ import annotations

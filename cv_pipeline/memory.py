"""Memory that was freed goes back to the system between steps, so that their peaks do not add up.

Arrow's pool and the C library keep what is freed for later: after a candidate of a million images
that is 3 GB, which the checks on it would come on top of.
"""

from __future__ import annotations

import ctypes
import sys

import pyarrow as pa


def give_back_memory() -> None:
    """Return the memory that nothing uses any more; a hint, which some systems do not know."""
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)

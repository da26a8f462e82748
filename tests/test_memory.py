"""Freed memory goes back to the system."""

from __future__ import annotations

import sys

import numpy as np
import psutil
import pytest

from cv_pipeline.memory import give_back_memory

BLOCK = 100_000  # bytes: small enough for the C library to keep when it is freed


@pytest.mark.skipif(sys.platform != "linux", reason="only the GNU C library can be asked")
def test_freed_blocks_are_given_back() -> None:
    process = psutil.Process()
    blocks = [np.ones(BLOCK, dtype=np.uint8) for _ in range(3000)]
    held = process.memory_info().rss
    last = blocks.pop()  # above the rest, so that the heap cannot just shrink
    blocks.clear()
    give_back_memory()
    assert held - process.memory_info().rss > 0.9 * 2999 * BLOCK
    assert last.all()

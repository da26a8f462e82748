"""What `import cv_pipeline` offers, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import cv_pipeline


def test_every_public_name_exists():
    for name in cv_pipeline.__all__:
        assert getattr(cv_pipeline, name)
    assert not hasattr(cv_pipeline, "no_such_name")


def test_importing_it_imports_nothing_else():
    code = "import sys, cv_pipeline; print([m for m in ('dagster', 'pyarrow') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

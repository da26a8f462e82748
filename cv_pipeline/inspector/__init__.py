"""The inspector: from a metric to the images behind it to a corrective run, in a browser.

One function makes a page and its JSON twin, so neither can do what the other cannot; every route
declares the permission that it needs.
"""

from __future__ import annotations

from cv_pipeline.inspector.app import create_app

__all__ = ["create_app"]

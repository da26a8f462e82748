"""The inspector: from a metric to the images behind it to a corrective run, in a browser.

One function makes a page and its JSON twin, so neither can do what the other cannot; every route
declares the permission that it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cv_pipeline.inspector.app import create_app

__all__ = ["create_app"]


def __getattr__(name: str) -> Any:
    """The application is imported when it is asked for: the command line needs only parts."""
    if name == "create_app":
        from cv_pipeline.inspector.app import create_app

        return create_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""The pages, one module each, and the list of them that the application serves."""

from __future__ import annotations

import importlib
import pkgutil

from cv_pipeline.inspector.routes import Routes


def parts() -> tuple[Routes, ...]:
    """Routes of every module of this package, by its name; each calls its own ``routes``."""
    found = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in found]
    return tuple(module.routes for module in modules)

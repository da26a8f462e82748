"""What tells this installation's projects in the tool from those of another one."""

from __future__ import annotations

import secrets

from cv_pipeline.storage import ObjectStore

_KEY = "labeling/installation"


def installation(store: ObjectStore) -> str:
    """A name that is made once for each object store; no secret."""
    store.create(_KEY, f"cv-{secrets.token_hex(6)}".encode())
    return store.read(_KEY).decode()

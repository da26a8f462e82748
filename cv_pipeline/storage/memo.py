"""What a deterministic step made from a recipe, so that the same recipe is not run twice.

A recipe names everything that decides the result: input digests, configuration, seed, code
version. The entry is written after the result is published, so that it never points at nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cv_pipeline.errors import ObjectNotFound
from cv_pipeline.storage.object_store import ObjectStore


class Memo:
    """Results of one stage of one project, by recipe.

    Args:
        store: the object store.
        project: name of the project.
        stage: name of the stage, such as ``trained_model``.
    """

    def __init__(self, store: ObjectStore, *, project: str, stage: str) -> None:
        self._store = store
        self._prefix = f"projects/{project}/memo/{stage}"

    def get(self, recipe: Mapping[str, Any]) -> dict[str, Any] | None:
        """The result of this recipe, or None when it was never run to its end."""
        try:
            entry: dict[str, Any] = json.loads(self._store.read(self._key(recipe)))
        except ObjectNotFound:
            return None
        except ValueError:  # not JSON: as good as absent, and the next put replaces it
            return None
        return entry

    def put(self, recipe: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """Remember the result of a recipe."""
        self._store.write(self._key(recipe), json.dumps(dict(result), sort_keys=True).encode())

    def _key(self, recipe: Mapping[str, Any]) -> str:
        canonical = json.dumps(recipe, sort_keys=True, separators=(",", ":"), default=str)
        return f"{self._prefix}/{hashlib.sha256(canonical.encode()).hexdigest()}.json"

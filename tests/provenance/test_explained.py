"""What a call for an activation map reads."""

from __future__ import annotations

from types import SimpleNamespace

import dagster as dg
import pytest

from cv_pipeline.catalog.datalake.datalake import Datalake
from cv_pipeline.errors import CatalogError
from cv_pipeline.provenance import explained
from cv_pipeline.storage import open_store


def test_the_image_is_looked_up_in_the_store_that_was_given(monkeypatch, tmp_path):
    opened = []

    def open_lake(project, **said):
        opened.append((project, said))
        raise CatalogError("Enough.")

    event = SimpleNamespace(project="tiny", version="m")
    monkeypatch.setattr(explained, "find_event", lambda *_, **__: event)
    monkeypatch.setattr(Datalake, "open", open_lake)
    store = open_store(str(tmp_path / "store"))
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(CatalogError, match="Enough"):
        explained.activation_map("tiny@latest", "001.png", instance=instance, store=store)
    assert opened == [("tiny", {"store": store})]

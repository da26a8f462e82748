from __future__ import annotations

from pathlib import Path

import pytest

from cv_pipeline.errors import SourceError
from cv_pipeline.samples import WORLDS, generate


def test_known_worlds() -> None:
    assert sorted(WORLDS) == ["fruit"]


def test_an_unknown_world_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no demo world 'friut'\. Did you mean 'fruit'\?"):
        generate("friut", tmp_path / "w", progress=lambda done, total, what: None)

"""The demo worlds by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from cv_pipeline.errors import SourceError, nearest
from cv_pipeline.samples import fruit

WORLDS = {"fruit": fruit.generate}


def generate(
    name: str,
    folder: Path,
    *,
    seed: int = 0,
    progress: Callable[[int, int, str], None],
) -> fruit.FruitWorld:
    """Generate the demo world called ``name`` into ``folder``, unless it is there already.

    Raises:
        SourceError: there is no such world, or the folder holds files that are not its own.
    """
    if name not in WORLDS:
        raise SourceError(f"There is no demo world {name!r}.", do=nearest(name, WORLDS))
    return WORLDS[name](folder, seed=seed, progress=progress)


def label_more(name: str, folder: Path, paths: Sequence[str], *, seed: int, batch: str) -> int:
    """Have images of the demo world called ``name`` labelled; returns how many were.

    Raises:
        SourceError: there is no such demo world, or an image is not one of its.
    """
    if name not in WORLDS:
        raise SourceError(f"There is no demo world {name!r}.", do=nearest(name, WORLDS))
    return fruit.label_more(folder, paths, seed=seed, name=batch)

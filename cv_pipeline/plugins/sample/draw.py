"""Selects a batch: some images by chance, the others by sampling algorithms.

A share of every selection is the control arm, drawn at random from the whole pool before any
algorithm has chosen: what algorithms are worth is measured against it. What a plug-in returns is
checked before it is used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.errors import PluginError
from cv_pipeline.plugins.registry import blamed_on, load_plugin
from cv_pipeline.plugins.sample.interface import Need, Pool, Sampler

CONTROL = "random"
"""Name of the control arm, and of the algorithm that it is."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """A selection.

    Attributes:
        rows: (budget,) positions in the pool, arm after arm.
        arms: (budget,) which algorithm chose each; ``random`` for the control arm.
        places: (budget,) its place in the order of its arm, from 0.
    """

    rows: NDArray[np.int64]
    arms: NDArray[np.str_]
    places: NDArray[np.int64]


def needs_of(algorithms: Sequence[str]) -> frozenset[Need]:
    """What some sampling algorithms read of a pool.

    Raises:
        PluginError: an algorithm is not there.
    """
    return frozenset(need for name in algorithms for need in _sampler(name).needs)


def draw(pool: Pool, *, algorithms: Sequence[str], budget: int, control: float, seed: int) -> Drawn:
    """Select images.

    Args:
        pool: what to choose from.
        algorithms: sampling algorithms; they share equally what the control arm leaves, and each
            chooses among what those before it left.
        budget: how many images: at most those of the pool.
        control: least share of the control arm, above 0: at least one image is drawn by chance.
        seed: of whatever is left to chance.

    Raises:
        PluginError: an algorithm is not there, raised, or returned what its interface does not
            allow.
        ValueError: the budget is more than there is, or no algorithm is named.
    """
    if not 0 < budget <= len(pool) or not algorithms:
        raise ValueError(f"{budget} of {len(pool)} images by {list(algorithms)}")
    of_control = min(budget, math.ceil(control * budget - 1e-9) or 1)
    rng = np.random.default_rng([seed, 0])
    chosen = [rng.choice(len(pool), of_control, replace=False)]
    arms = [CONTROL]
    left = np.setdiff1d(np.arange(len(pool)), chosen[0])
    for number, name in enumerate(algorithms):
        share = (budget - of_control) // len(algorithms)
        share += number < (budget - of_control) % len(algorithms)
        if share == 0:
            continue
        own = int(np.random.default_rng([seed, number + 1]).integers(2**63))
        rows = left[sampled(name, pool.take(left), budget=share, seed=own)]
        chosen.append(rows)
        arms.append(name)
        left = np.setdiff1d(left, rows)
    return Drawn(
        rows=np.concatenate(chosen),
        arms=np.repeat(np.array(arms), [len(rows) for rows in chosen]),
        places=np.concatenate([np.arange(len(rows)) for rows in chosen]),
    )


def sampled(name: str, pool: Pool, *, budget: int, seed: int) -> NDArray[np.int64]:
    """What one sampling algorithm chooses, checked.

    Raises:
        PluginError: it is not there, raised, or returned what its interface does not allow.
    """
    sampler = _sampler(name)
    with blamed_on("sample", name):
        rows = np.asarray(sampler(pool, budget=budget, seed=seed))
    problem = _problem(rows, images=len(pool), budget=budget)
    if problem:
        raise PluginError(
            f"The sample algorithm {name!r} returned {problem}.",
            do=f"It must return {budget} distinct positions in the pool, 0 to {len(pool) - 1}.",
        )
    return rows.astype(np.int64)


def _problem(rows: NDArray[Any], *, images: int, budget: int) -> str:
    """What is wrong with the positions that an algorithm returned; empty when nothing is."""
    if rows.dtype.kind == "f" and not np.isfinite(rows.astype(np.float64)).all():
        return "positions that are no numbers (NaN or infinite)"
    if rows.dtype.kind not in "iu":
        return f"an array of {rows.dtype} and not of whole numbers"
    if rows.shape != (budget,):
        return f"an array of shape {rows.shape} and not ({budget},)"
    unknown = rows[(rows < 0) | (rows >= images)]
    if len(unknown):
        return f"positions of images that are not in the pool, such as {unknown[0]}"
    distinct = len(np.unique(rows))
    if distinct < budget:
        return f"{budget - distinct} positions twice"
    return ""


def _sampler(name: str) -> Sampler:
    sampler: Sampler = load_plugin("sample", name)
    if not callable(sampler) or not isinstance(getattr(sampler, "needs", None), tuple):
        raise PluginError(
            f"The sample algorithm {name!r} is no sampler.",
            do="Give it needs, a tuple of names, and __call__(pool, *, budget, seed).",
        )
    return sampler

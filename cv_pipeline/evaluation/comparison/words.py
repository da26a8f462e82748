"""A comparison in one sentence."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.evaluation.comparison.paired import Difference

SLICES_TOLD = 3


def sentence(
    metric: str,
    difference: Difference | None,
    *,
    images: int,
    gained: int,
    lost: int,
    slices: pa.Table,
) -> str:
    """Say which model is better, by how much and how surely, and on which images.

    Args:
        metric: the optimizing metric.
        difference: of it; None where it was not compared.
        images: shared images.
        gained: images that the second model does better.
        lost: images that it does worse.
        slices: schema COMPARED_SLICES, the surest first.
    """
    parts = [_of_metric(metric, difference), f"{gained} of {images} images gained, {lost} lost"]
    told = slices.filter(slices["significant"]).slice(0, SLICES_TOLD).to_pylist()
    parts += [
        f"{_name(row)}: {row['metric']}{_of_class(row)} {row['difference']:+.2f}" for row in told
    ]
    unsure = int(pc.sum(pc.invert(slices["small"])).as_py() or 0)
    if unsure and not told:
        parts.append("no slice differs significantly")
    return "; ".join(parts) + "."


def _of_metric(metric: str, found: Difference | None) -> str:
    if found is None or found.difference is None:
        return f"{metric} is not defined for both models"
    size = f"{abs(found.difference):.3g}"
    if found.low is None or found.high is None or found.p_value is None:
        return f"{metric} differs by {found.difference:+.3g}, which one image cannot prove"
    interval = f"{found.low:+.3g} to {found.high:+.3g}"
    if not found.significant:
        return (
            f"no significant difference on {metric}: {found.difference:+.3g} ({interval}),"
            f" {probability(found.p_value)}"
        )
    word = "better" if found.difference > 0 else "worse"
    if found.difference < 0:
        interval = f"{-found.high:.3g} to {-found.low:.3g}"
    else:
        interval = f"{found.low:.3g} to {found.high:.3g}"
    return f"{word} on {metric} by {size} ({interval}), {probability(found.p_value)}"


def probability(p_value: float) -> str:
    """A probability as people write it."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def _name(row: dict[str, object]) -> str:
    value = row["slice_value"]
    return f"without {row['slice_key']}" if value is None else f"{row['slice_key']} {value}"


def _of_class(row: dict[str, object]) -> str:
    return "" if row["label"] is None else f" of {row['label']}"

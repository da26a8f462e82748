"""What labels cost as an asset tells it: figures, a table and a picture of the marginal cost.

The same labels and prices give the same picture, under a name that is the digest of its bytes. It
shows numbers only, and no image.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.batches.declared import declared_batches
from cv_pipeline.labeling.settings.section import Labeling
from cv_pipeline.labeling.workload.labels_made import labels_made
from cv_pipeline.quality.label_cost import GroupCost, LabelCost, label_cost

COST_TABLE = pa.schema(
    [
        # point, week, batch, pre-labels, arm, role or annotator: what the rows are groups of
        pa.field("by", pa.string(), nullable=False),
        # which group
        pa.field("group", pa.string(), nullable=False),
        # labels that stand
        pa.field("labels", pa.int64(), nullable=False),
        # hours of work
        pa.field("hours", pa.float64(), nullable=False),
        # seconds of work per label
        pa.field("seconds_per_label", pa.float64(), nullable=False),
        # cost per label; null where there are no prices
        pa.field("cost_per_label", pa.float64()),
        # lower end of the 95 % interval of the cost, or of the seconds where there are no prices
        pa.field("low", pa.float64(), nullable=False),
        # upper end
        pa.field("high", pa.float64(), nullable=False),
    ]
)


@dataclass(frozen=True, eq=False)
class CostMetadata:
    """What an asset tells of the cost of labels.

    Attributes:
        values: name to figure or sentence.
        table: every group, schema :data:`COST_TABLE`.
        chart: key of the picture in the object store.
    """

    values: dict[str, float | str]
    table: pa.Table
    chart: str


def project_cost(catalog: Catalog, labeling: Labeling) -> LabelCost | None:
    """What the labels of a project cost; None where there are none yet."""
    labels = labels_made(catalog, declared_batches(catalog))
    return label_cost(labels, prices=labeling.prices, annotators=labeling.annotators)


def cost_metadata(catalog: Catalog, labeling: Labeling) -> CostMetadata | None:
    """What an asset tells of the cost of labels, with the picture kept in the object store.

    Args:
        catalog: the project's tables.
        labeling: what the project declares of labelling.

    Returns:
        None where there are no labels yet.
    """
    cost = project_cost(catalog, labeling)
    if cost is None:
        return None
    picture = cost_chart(cost)
    digest = hashlib.sha256(picture).hexdigest()
    key = f"projects/{catalog.project}/label_cost/{digest}.png"
    if not catalog.store.exists(key):
        catalog.store.write(key, picture)
    every = cost.every
    values: dict[str, float | str] = {
        "seconds_per_label": every.seconds,
        "label_hours": every.hours,
        "lead_times": cost.times.words,
    }
    if every.per_label is not None and every.cost is not None:
        values |= {"cost_per_label": every.per_label, "label_cost": every.cost}
        values["currency"] = cost.currency
    return CostMetadata(values, cost_table(cost), key)


def cost_table(cost: LabelCost) -> pa.Table:
    """Every group of labels with what one of them costs.

    Returns:
        Rows of schema :data:`COST_TABLE`.
    """
    prelabels: tuple[GroupCost, ...] = ()
    if cost.prelabels is not None:
        prelabels = (cost.prelabels[0], cost.prelabels[1].group)
    control = () if cost.control is None else (cost.control,)
    parts: tuple[tuple[str, Sequence[GroupCost]], ...] = (
        ("all", (cost.every,)),
        ("labels", cost.points),
        ("week", cost.weeks),
        ("batch", cost.batches),
        ("pre-labels", prelabels),
        ("arm", (*control, *(arm.group for arm in cost.arms))),
        ("role", cost.roles),
        ("annotator", cost.annotators),
    )
    rows = [
        {
            "by": by,
            "group": group.name,
            "labels": group.labels,
            "hours": group.hours,
            "seconds_per_label": group.seconds,
            "cost_per_label": group.per_label,
            "low": group.value(money=bool(cost.currency))[1],
            "high": group.value(money=bool(cost.currency))[2],
        }
        for by, groups in parts
        for group in groups
    ]
    return pa.Table.from_pylist(rows, schema=COST_TABLE)


def cost_chart(cost: LabelCost) -> bytes:
    """The marginal cost: what a label cost among the first, the second thousand and so on.

    Returns:
        PNG.
    """
    from matplotlib.figure import Figure

    money = bool(cost.currency)
    ends, done = [], 0
    for point in cost.points:
        done += point.labels + point.wasted
        ends.append(done)
    values = [point.value(money=money) for point in cost.points]
    figure = Figure(figsize=(7.2, 3.8), layout="constrained", facecolor="white")
    axes = figure.subplots()
    middle, low, high = (list(part) for part in zip(*values, strict=True))
    axes.fill_between(ends, low, high, color="#0072B2", alpha=0.18, lw=0, label="95 % interval")
    axes.plot(ends, middle, color="#0072B2", marker="o", ms=3, label=f"{cost.step:,} at a time")
    mean = cost.every.value(money=money)[0]
    axes.axhline(mean, color="#999999", ls="--", lw=1, label="mean of all")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"labels made, by {cost.ordered_by}")
    axes.set_ylabel(f"{cost.currency} per label" if money else "seconds per label")
    axes.set_title("Marginal cost of a label", loc="left", fontsize=11)
    axes.legend(frameon=False, fontsize=8)
    axes.grid(alpha=0.25)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110, metadata={"Software": None})
    return out.getvalue()

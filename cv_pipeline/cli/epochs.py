"""``cvp epochs``: how a training went, and which images got worse in an epoch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.errors import TrainingError
from cv_pipeline.settings import dagster_home

if TYPE_CHECKING:
    from cv_pipeline.provenance.epochs import TrainingCurve, WorseImages


def epochs(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    model: Annotated[
        str, typer.Argument(help="Digest of a model, a prefix, or latest.")
    ] = "latest",
    epoch: Annotated[
        int | None, typer.Option(help="List the validation images that got worse in this epoch.")
    ] = None,
    against: Annotated[
        int | None, typer.Option(help="The epoch to compare it with; the one before by default.")
    ] = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="Images to print.")] = 20,
    as_json: Json = False,
) -> None:
    """Show loss and metric by epoch with their drops marked, or the images behind a drop."""
    dagster_home()
    from cv_pipeline.provenance.epochs import images_that_got_worse, training_curve

    ref = f"{project}@{model}"
    if epoch is None:
        if against is not None:
            raise TrainingError("--against compares with an epoch.", do="Add --epoch.")
        curve = training_curve(ref)
        if as_json:
            print_json(curve.to_json())
        else:
            _print_curve(curve)
        return
    found = images_that_got_worse(ref, epoch=epoch, against=against)
    if as_json:
        print_json(found.to_json())
    else:
        _print_images(found, count)


def _print_curve(curve: TrainingCurve) -> None:
    drops = {drop.epoch: drop for drop in curve.drops}
    table = Table("epoch", "loss", curve.metric, "", box=None)
    for row in curve.epochs:
        value, drop = row["validation"], drops.get(row["epoch"])
        fell = (
            f"[red]fell {drop.drop:.1%} from epoch {drop.reference_epoch}[/]"
            f" ({drop.reference:.3f}, the {drop.against})"
            if drop
            else ""
        )
        shown = "–" if value is None else f"{value:.4f}"
        table.add_row(str(row["epoch"]), f"{row['train_loss']:.4f}", shown, fell)
    console.print(f"[bold]{curve.project}[/] model [yellow]{curve.model[:16]}[/]\n")
    console.print(table)
    if drops:
        worst = max(curve.drops, key=lambda d: d.drop)
        console.print(
            f"\nWhich images: cvp epochs {curve.project} {curve.model[:16]} --epoch {worst.epoch}"
            f" --against {worst.reference_epoch}",
            markup=False,
            soft_wrap=True,
        )


def _print_images(found: WorseImages, count: int) -> None:
    table = Table("image", "path", "score", "change", "labels", "lost", box=None)
    for row in found.images[:count]:
        lost = set(row["lost"] or ())
        gone = [label for label in row["labels"] if label["annotation_id"] in lost]
        table.add_row(
            f"[yellow]{row['image_id'][:12]}[/]",
            escape(row["path"]),
            f"{row['score_before']:.3f} → {row['score']:.3f}",
            f"{row['change']:+.3f}",
            _counted(row["labels"]),
            _counted(gone),
        )
    console.print(
        f"{len(found.images)} validation images got worse from epoch {found.against} to"
        f" {found.epoch}.",
        markup=False,
    )
    if found.images:
        console.print(table)
    if len(found.images) > count:
        console.print(f"… and {len(found.images) - count} more: -n prints more of them.")


def _counted(labels: Sequence[Mapping[str, Any]]) -> str:
    counts = Counter(label["label"] for label in labels)
    return escape(", ".join(f"{n} {label}" for label, n in sorted(counts.items()))) or "–"

"""Whether one picture is in two splits or folds, under another encoding, size, side or crop."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.datasets.checks.context import CheckContext
from cv_pipeline.datasets.checks.finding import DIVIDE_ANEW, Finding, counted

LEAKS = pa.schema(
    [
        # one image
        pa.field("image_a", pa.string(), nullable=False),
        # its split, and its fold where there are folds, such as train (fold 2)
        pa.field("split_a", pa.string(), nullable=False),
        # its path
        pa.field("path_a", pa.string(), nullable=False),
        # the other image
        pa.field("image_b", pa.string(), nullable=False),
        # likewise
        pa.field("split_b", pa.string(), nullable=False),
        # its path
        pa.field("path_b", pa.string(), nullable=False),
        # exact, same (re-encoded, resized), mirrored, cropped or cropped_mirrored
        pa.field("kind", pa.string(), nullable=False),
        # bits in which their hashes differ; 0 for exact
        pa.field("distance", pa.int32(), nullable=False),
    ]
)
KINDS = {
    "same": "re-encoded or resized",
    "mirrored": "mirrored",
    "cropped": "cropped",
    "cropped_mirrored": "cropped and mirrored",
    "exact": "exact",
}


def check_leakage(context: CheckContext, threshold: float) -> Finding:
    """Count the pairs of images that show one picture and lie in different splits or folds.

    Pairs are those of ``near_duplicates.parquet`` (how they are found and confirmed is said in
    ``datasets.near_duplicates``), and rows of the manifest with one ``image_id``. The split rule
    keeps pairs together, and new images out that belong to images of two splits, so that pairs
    cross only where an official split parts them, or where both images had their split before they
    were known to be one picture.

    Args:
        context: the candidate.
        threshold: most pairs across splits that pass.

    Returns:
        Rows of schema :data:`LEAKS`, the pairs across splits.
    """
    pairs = context.near_duplicates.drop_columns("mismatch")
    rows = _across(pairs, context.manifest)
    rows = pa.concat_tables([rows, _exact(context.manifest)])
    bridges = context.record.bridges
    metrics = {"pairs": len(pairs), "pairs_across_splits": len(rows), "left_out": bridges}
    metrics |= {f"pairs_{k}": n for k, n in Counter(pairs["kind"].to_pylist()).items()}
    summary = _summary(pairs, rows)
    if len(rows) and context.record.rule.sticky:
        summary += DIVIDE_ANEW
    if bridges:
        joins = "joins" if bridges == 1 else "join"
        summary += f" {counted(bridges, 'image')} left out that {joins} images of two splits."
    return Finding(len(rows) <= threshold, summary, metrics, rows)


def _summary(pairs: pa.Table, rows: pa.Table) -> str:
    if len(rows):
        sides = pc.binary_join_element_wise(rows["split_a"], rows["split_b"], "/")
        where = Counter("/".join(sorted(side.split("/"))) for side in sides.to_pylist())
        listed = ", ".join(f"{n:,} {side}" for side, n in where.most_common())
        pair = counted(len(rows), "pair")
        return f"Near-duplicate images cross splits in {pair} ({_kinds(rows)}): {listed}."
    if not len(pairs):
        return "There are no near-duplicate images."
    pair = counted(len(pairs), "pair")
    return f"No near-duplicate images cross splits; {pair} ({_kinds(pairs)}) kept together."


def _kinds(pairs: pa.Table) -> str:
    kinds = Counter(pairs["kind"].to_pylist()).most_common()
    return ", ".join(f"{n:,} {KINDS[kind]}" for kind, n in kinds)


def _across(pairs: pa.Table, manifest: pa.Table) -> pa.Table:
    """The pairs whose images are in different splits or folds, as :data:`LEAKS`."""
    image_ids = manifest["image_id"].combine_chunks()
    ends = [pc.index_in(pairs[f"image_{side}"], value_set=image_ids) for side in "ab"]
    part = parts_of(manifest)
    parted = pc.not_equal(*(part.take(end) for end in ends))
    rows, ends = pairs.filter(parted), [end.filter(parted) for end in ends]
    columns = {name: rows[name] for name in rows.column_names}
    for side, end in zip("ab", ends, strict=True):
        columns[f"split_{side}"] = part.take(end)
        columns[f"path_{side}"] = manifest["path"].take(end)
    return pa.Table.from_arrays([columns[name] for name in LEAKS.names], schema=LEAKS)


def parts_of(manifest: pa.Table) -> pa.ChunkedArray:
    """Split of each image, with its fold where it has one, such as ``train (fold 2)``."""
    fold = manifest["fold"].cast(pa.string())
    named = pc.binary_join_element_wise(manifest["split"], " (fold ", fold, ")", "")
    return pc.coalesce(named, manifest["split"])


def _exact(manifest: pa.Table) -> pa.Table:
    """Images that the manifest names in two splits."""
    counts = manifest["image_id"].value_counts()
    twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    named = manifest.filter(pc.is_in(manifest["image_id"], value_set=twice))
    sides = named.select(["image_id", "split", "path"])
    both = sides.join(sides, "image_id", join_type="inner", left_suffix="_a", right_suffix="_b")
    both = both.filter(pc.less(both["split_a"], both["split_b"]))
    both = both.append_column("image_a", both["image_id"])
    both = both.append_column("image_b", both["image_id"])
    both = both.append_column("kind", pa.repeat("exact", len(both)))
    both = both.append_column("distance", pa.array([0] * len(both), pa.int32()))
    return both.select(LEAKS.names).cast(LEAKS)

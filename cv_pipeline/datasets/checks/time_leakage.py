"""Whether the future, or the same moment, is trained on."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.datasets.checks.context import CheckContext
from cv_pipeline.datasets.checks.finding import Finding, counted
from cv_pipeline.datasets.splitting.splits import SPLITS

TIME_LEAKS = pa.schema(
    [
        # later (trained on, and newer than what is tested) or burst (moments of one camera)
        pa.field("kind", pa.string(), nullable=False),
        # one image: the training image, or the earlier of the two
        pa.field("image_a", pa.string(), nullable=False),
        # its split
        pa.field("split_a", pa.string(), nullable=False),
        # the other: the oldest test image, or the later of the two
        pa.field("image_b", pa.string(), nullable=False),
        # its split
        pa.field("split_b", pa.string(), nullable=False),
        # folder that both files of a burst lie in; empty for kind later
        pa.field("folder", pa.string(), nullable=False),
        # seconds from the second's capture to the first's (later), or from the first's to the
        # second's (burst)
        pa.field("seconds", pa.float64(), nullable=False),
    ]
)
BURST_SECONDS = 5
"""Seconds within which images of one folder are of one moment."""
_SECOND, _DAY = 1_000_000, 86_400_000_000


def check_time_leakage(context: CheckContext, threshold: float) -> Finding:
    """Look for training images that tell what held-out ones show, by when they were captured.

    With strategy ``time``: training images captured after the oldest test image (validation image,
    where nothing is for testing). They get there with a group or near-duplicates that span the cut,
    or by an official split. Otherwise: bursts, which are images of one folder captured within
    ``BURST_SECONDS`` of the one before, in different splits. Images without a capture time are
    counted and not judged; for bursts, those whose time is a bare date neither.

    Args:
        context: the candidate.
        threshold: largest share of the training images (later) or of all images (bursts) that
            passes.

    Returns:
        Rows of schema :data:`TIME_LEAKS`.
    """
    manifest = context.manifest
    untimed = manifest["captured_at"].null_count
    by_time = context.record.rule.strategy == "time"
    timed = manifest.filter(manifest["captured_at"].is_valid())
    rows = _later(timed) if by_time else _bursts(timed)
    if by_time:
        of = pc.sum(pc.equal(manifest["split"], "train")).as_py() or 0
        touched = len(rows)
    else:
        both = pa.chunked_array([*rows["image_a"].chunks, *rows["image_b"].chunks], pa.string())
        of, touched = len(manifest), len(pc.unique(both))
    share = touched / of if of else 0.0
    metrics = {"time_leaks": touched, "time_leak_share": share, "untimed": untimed}
    told = _summary_of_time(rows, touched, share) if by_time else _summary_of_bursts(touched, share)
    if untimed:
        told += f" {counted(untimed, 'image')} without a capture time."
    if by_time:
        told += _advice(context)
    return Finding(share <= threshold, told, metrics, rows)


def _summary_of_time(rows: pa.Table, touched: int, share: float) -> str:
    if not touched:
        return "Nothing that is trained on is newer than what is tested."
    what, far = counted(touched, "training image"), pc.max(rows["seconds"]).as_py()
    return (
        f"{what} ({share:.1%}) captured after the oldest {rows['split_b'][0]} image, the newest"
        f" {far * _SECOND / _DAY:,.1f} days after it."
    )


def _summary_of_bursts(touched: int, share: float) -> str:
    if not touched:
        return f"No images captured within {BURST_SECONDS} seconds of each other cross splits."
    return (
        f"{counted(touched, 'image')} ({share:.1%}) captured within {BURST_SECONDS} seconds of one"
        " in another split. Name a metadata key that tells such moments in dataset.split.group_by,"
        " or divide by time."
    )


def _advice(context: CheckContext) -> str:
    """What to do where the newest part has outgrown its share, for the cuts stay as they were."""
    rule, splits = context.record.rule, context.record.splits
    last = next((s for s in reversed(SPLITS) if rule.ratios.get(s, 0) > 0), None)
    share = splits.get(last, 0) / sum(splits.values()) if last and splits else 0.0
    if last is None or not rule.sticky or share <= 2 * rule.ratios[last]:
        return ""
    return (
        f" {last} has grown to {share:.0%} of the images: another dataset.split.seed makes the cuts"
        " anew."
    )


def _later(timed: pa.Table) -> pa.Table:
    held_out = next((s for s in ("test", "val") if s in pc.unique(timed["split"]).to_pylist()), "")
    tested = timed.filter(pc.equal(timed["split"], held_out))
    if not len(tested):
        return TIME_LEAKS.empty_table()
    oldest = tested.sort_by([("captured_at", "ascending"), ("image_id", "ascending")]).slice(0, 1)
    first = oldest["captured_at"][0]
    trained = timed.filter(pc.equal(timed["split"], "train"))
    later = trained.filter(pc.greater(trained["captured_at"], first))
    since = pc.subtract(later["captured_at"].cast(pa.int64()), first.cast(pa.int64()))
    size = len(later)
    columns = [
        pa.repeat("later", size),
        later["image_id"],
        later["split"],
        pa.repeat(oldest["image_id"][0], size),
        pa.repeat(held_out, size),
        pa.repeat("", size),
        pc.divide(since.cast(pa.float64()), float(_SECOND)),
    ]
    rows = pa.Table.from_arrays(columns, schema=TIME_LEAKS)
    return rows.sort_by([("seconds", "descending"), ("image_a", "ascending")])


def _bursts(timed: pa.Table) -> pa.Table:
    at = timed["captured_at"].cast(pa.int64()).to_numpy()
    precise = at % _DAY != 0
    timed, at = timed.filter(pa.array(precise)), at[precise]
    folders = pc.replace_substring_regex(timed["path"], "[^/]*$", "")
    coded = pc.dictionary_encode(folders).combine_chunks()
    folder = coded.indices.to_numpy()
    order = np.lexsort((at, folder))  # of one moment: by id, as the manifest is sorted
    at, folder = at[order], folder[order]
    split = pc.index_in(timed["split"], pa.array(SPLITS)).to_numpy()[order]
    close = (np.diff(at) <= BURST_SECONDS * _SECOND) & (np.diff(folder) == 0)
    first = np.flatnonzero(close & (np.diff(split) != 0))
    a, b = (timed.take(pa.array(order[rows])) for rows in (first, first + 1))
    columns = [
        pa.repeat("burst", len(first)),
        a["image_id"],
        a["split"],
        b["image_id"],
        b["split"],
        coded.dictionary.take(pa.array(folder[first])),
        pa.array((at[first + 1] - at[first]) / _SECOND),
    ]
    return pa.Table.from_arrays(columns, schema=TIME_LEAKS)

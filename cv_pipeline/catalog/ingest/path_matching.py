"""Which image an export means: its path there against the paths of the ingested files.

An export names images as it likes: by bare name, by a path from another root or another machine,
with another suffix. A name is matched only where one single image can be meant, so no annotation
ever lands on an image that merely resembles it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_SUFFIX = r"\.[^./]*$"
_UNMATCHED, _AMBIGUOUS = -1, -2


@dataclass(frozen=True)
class Matches:
    """The images that paths mean.

    Attributes:
        image_ids: string, one for each path; null where no image is meant for certain.
        ambiguous: bool, one for each path: several images could be meant.
    """

    image_ids: pa.Array
    ambiguous: np.ndarray


def match_images(paths: pa.Array | pa.ChunkedArray, *, files: pa.Table) -> Matches:
    """Find the image of each path.

    In this order, and then again without suffixes: the same path; one path is the end of the other
    (``a/b.jpg`` and ``data/a/b.jpg``), the longest such end first; the same file name, if neither
    the files nor the export use it twice. Several files that hold the same content are one image.

    Args:
        paths: as the export names the images, repeated as it pleases.
        files: columns ``path`` and ``image_id``.
    """
    encoded = pc.dictionary_encode(_flat(paths))
    names = normal_paths(encoded.dictionary)
    ids, codes = _encode(files["image_id"])
    known = normal_paths(_flat(files["path"]))
    found = np.full(len(names), _UNMATCHED, dtype=np.int64)
    stems = _stem(known)
    # a name without suffix may have a dot in it, as "frame_0.5" has, so it is first taken whole
    for here, there in ((names, known), (names, stems), (_stem(names), stems)):
        if not (found == _UNMATCHED).any():
            break
        _fill(found, here, _Lookup(there, codes))
        _match_ends(found, here, there, codes)
        base = _last(here, 1)
        once = pc.is_in(base, value_set=_used_once(base))
        _fill(found, _where(base, once), _Lookup(_last(there, 1), codes, ambiguous=_UNMATCHED))
    indices = encoded.indices.to_numpy()
    per_path = found[indices] if len(found) else np.zeros(0, dtype=np.int64)
    taken = ids.take(pa.array(np.maximum(per_path, 0), mask=per_path < 0))
    return Matches(taken, per_path == _AMBIGUOUS)


def normal_paths(paths: pa.Array) -> pa.Array:
    """Paths as they are compared: POSIX, without leading ``/``, ``./`` or ``../``, in NFC."""
    posix = pc.replace_substring(pc.utf8_normalize(paths, form="NFC"), "\\", "/")
    single = pc.replace_substring_regex(posix, r"(/\.?)+/", "/")
    return pc.replace_substring_regex(single, r"^(\.{0,2}/)+", "")


class _Lookup:
    """From a key to the code of the one image that has it."""

    def __init__(self, keys: pa.Array, codes: np.ndarray, *, ambiguous: int = _AMBIGUOUS) -> None:
        pairs = pa.table({"key": keys, "code": codes}).filter(pc.is_valid(keys))
        grouped = pairs.group_by("key").aggregate([("code", "min"), ("code", "max")])
        low, high = (grouped[f"code_{end}"].to_numpy() for end in ("min", "max"))
        self._keys = grouped["key"].combine_chunks()
        self._codes = np.where(low == high, low, ambiguous)

    def __call__(self, keys: pa.Array) -> np.ndarray:
        place = pc.index_in(keys, value_set=self._keys).fill_null(-1).to_numpy()
        codes = np.append(self._codes, _UNMATCHED)  # which place -1 then finds
        return np.asarray(codes[place])


def _fill(found: np.ndarray, keys: pa.Array, lookup: _Lookup) -> None:
    """Write what the look-up has for the keys not matched yet; null keys match nothing."""
    todo = (found == _UNMATCHED) & pc.is_valid(keys).to_numpy(zero_copy_only=False)
    found[todo] = lookup(keys.filter(pa.array(todo)))


def _match_ends(found: np.ndarray, here: pa.Array, there: pa.Array, codes: np.ndarray) -> None:
    """Match paths of which one is the end of the other, the longest end first."""
    depth_here, depth_there = _depth(here), _depth(there)
    deepest = max(depth_here.max(initial=0), depth_there.max(initial=0))
    for k in range(int(deepest), 0, -1):
        if not (found == _UNMATCHED).any():
            return
        short_here = _where(here, pa.array(depth_here == k))
        _fill(found, short_here, _Lookup(_last(there, k), codes))
        short_there = _where(there, pa.array(depth_there == k))
        _fill(found, _last(here, k), _Lookup(short_there, codes))


def _flat(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _encode(values: pa.ChunkedArray) -> tuple[pa.Array, np.ndarray]:
    encoded = pc.dictionary_encode(_flat(values))
    return encoded.dictionary, encoded.indices.to_numpy().astype(np.int64)


def _stem(paths: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(paths, _SUFFIX, "")


def _depth(paths: pa.Array) -> np.ndarray:
    return np.asarray(pc.count_substring(paths, "/").to_numpy()) + 1


def _last(paths: pa.Array, k: int) -> pa.Array:
    """The last ``k`` parts of each path; null where it has fewer."""
    pattern = rf"(?P<end>(?:[^/]*/){{{k - 1}}}[^/]*)$"
    return pc.struct_field(pc.extract_regex(paths, pattern), "end")


def _where(values: pa.Array, mask: pa.Array) -> pa.Array:
    return pc.if_else(mask, values, pa.scalar(None, pa.string()))


def _used_once(values: pa.Array) -> pa.Array:
    counts = pc.value_counts(values)
    return counts.field("values").filter(pc.equal(counts.field("counts"), 1))

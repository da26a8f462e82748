"""Names that images can have as files anywhere: on any system, in a list, in an archive.

A name keeps what it can of the image's own; it holds no separator, blank or dot, is short, and
differs from every other even where case and Unicode form do not count. The names of a set of images
depend on the set alone.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

LONGEST = 150
"""Bytes of a name before what makes it unique, and its suffix."""

_UNSAFE = r"[^\p{L}\p{M}\p{N}_-]+"
_MARK = 8
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)
_SUFFIXES = {
    "JPEG": ("jpg", "jpeg", "jpe", "jfif"),
    "PNG": ("png",),
    "TIFF": ("tif", "tiff"),
    "WEBP": ("webp",),
    "GIF": ("gif",),
    "BMP": ("bmp", "dib"),
    "PPM": ("ppm", "pgm", "pbm", "pnm"),
    "DICOM": ("dcm", "dicom"),
}


def unique_names(texts: pa.Array | pa.ChunkedArray, *, marks: Sequence[str]) -> list[str]:
    """A safe name for each text, unique among them.

    Where several would be the same, each gets the first 8 digits of its mark too; where that is
    not enough, or nothing of the text can be kept, it is ``id-`` and the whole mark.

    Args:
        texts: stems of image paths, or names of classes; whatever they hold.
        marks: hexadecimal digests, each another one.
    """
    plain = pc.replace_substring_regex(pc.utf8_normalize(texts, form="NFC"), _UNSAFE, "_")
    own = [_shortened(name) for name in plain.to_pylist()]
    # what Windows takes for a device, and nothing at all, cannot be a name
    level = [2 if not name else int(name.lower() in _RESERVED) for name in own]
    while True:
        names = [
            name if n == 0 else f"{name}-{mark[:_MARK]}" if n == 1 else f"id-{mark}"
            for name, mark, n in zip(own, marks, level, strict=True)
        ]
        keys = pa.array([_key(name) for name in names], pa.string()).dictionary_encode().indices
        taken = np.bincount(keys.to_numpy())[keys.to_numpy()] > 1
        # of names that clash one at least is not its whole mark yet, so this ends
        clashing = [i for i in np.flatnonzero(taken).tolist() if level[i] < 2]
        if not clashing:
            return names
        for i in clashing:
            level[i] += 1


def stems_of(paths: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Last part of each path, without its suffix."""
    base = pc.replace_substring_regex(pc.replace_substring(paths, "\\", "/"), r"(?s)^.*/", "")
    return pc.replace_substring_regex(base, r"(?s)(.)\.[^.]*$", r"\1")


def suffix_of(path: str, *, container: str) -> str:
    """Suffix without dot for a file of a container format: the path's own where it fits.

    Args:
        path: path of the image in its source.
        container: format of its content, such as ``JPEG``.
    """
    known = _SUFFIXES.get(container, (container.lower(),))
    own = path.rpartition(".")[2].lower()
    return own if own in known else known[0]


def _shortened(name: str) -> str:
    data = name.encode()
    return (name if len(data) <= LONGEST else data[:LONGEST].decode(errors="ignore")).strip("_-")


def _key(name: str) -> str:
    """What two names share that some file system cannot tell apart."""
    return name.lower() if name.isascii() else unicodedata.normalize("NFKC", name).casefold()

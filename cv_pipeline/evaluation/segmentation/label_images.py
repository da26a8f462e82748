"""Label images in two folders: files whose pixels are numbers of classes, paired by their name.

One pair is in memory at a time. What comes out fits together: both of one size, whole numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.errors import EvaluationError, nearest

KINDS = (".png", ".tif", ".tiff", ".bmp")
_NUMBERED = {"1", "L", "P", "I", "I;16", "I;16B"}
"""Pillow's modes of one whole number a pixel; of P, the number is that of the palette entry."""


def paired_files(ground_truth: Path, predictions: Path) -> list[tuple[str, Path, Path]]:
    """Name without extension, ground-truth file and predicted file, by name.

    Args:
        ground_truth: folder of label images, also in folders below it.
        predictions: the same.

    Raises:
        EvaluationError: a folder is missing or empty, a name repeats, or a file has no counterpart.
    """
    known, made = _files(ground_truth), _files(predictions)
    for there, missing, folder in (
        (known, [n for n in known if n not in made], predictions),
        (made, [n for n in made if n not in known], ground_truth),
    ):
        if missing:
            raise EvaluationError(
                f"{len(missing)} of {len(there)} label images have no counterpart in {folder},"
                f" the first of them {missing[0]!r}.",
                do="Both folders hold one file of the same name for each image.",
            )
    return [(name, known[name], made[name]) for name in known]


def read_pairs(
    files: list[tuple[str, Path, Path]],
) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64]]]:
    """Name, true and predicted (height, width) classes of each pair of files.

    Raises:
        EvaluationError: a file cannot be read, does not hold one whole number a pixel, or two are
            not of one size.
    """
    for name, known, made in files:
        truth, predicted = _label_image(known), _label_image(made)
        if truth.shape != predicted.shape:
            sizes = [f"{width} × {height}" for height, width in (truth.shape, predicted.shape)]
            raise EvaluationError(
                f"The label images {known} and {made} are of {sizes[0]} and {sizes[1]} pixels.",
                do="Scale predictions to the image, to the nearest pixel, before they are written.",
            )
        yield name, truth, predicted


def _files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        if folder.exists():
            raise EvaluationError(
                f"{folder} is a file.", do="Give the folder that the label images are in."
            )
        beside = folder.parent.iterdir() if folder.parent.is_dir() else ()
        names = [p.name for p in beside if p.is_dir()]
        raise EvaluationError(
            f"There is no folder {folder}.",
            do=nearest(folder.name, names) if names else f"No folder is in {folder.parent} either.",
        )
    out: dict[str, Path] = {}
    lossy = 0
    for path in sorted(folder.rglob("*")):
        kind = path.suffix.lower()
        lossy += kind in (".jpg", ".jpeg", ".webp")
        if kind not in KINDS or not path.is_file():
            continue
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in out:
            raise EvaluationError(
                f"{out[name]} and {path} are of one name.", do="Keep one label image an image."
            )
        out[name] = path
    if not out:
        told = f", only {lossy} JPEG or WebP files, which change numbers" if lossy else ""
        raise EvaluationError(
            f"There is no label image in {folder}{told}.", do=f"Write {', '.join(KINDS)} files."
        )
    return out


def _label_image(path: Path) -> NDArray[np.int64]:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                mode = image.mode
                pixels = np.asarray(image) if mode in _NUMBERED else None
    except (
        OSError,
        ValueError,
        SyntaxError,
        UnidentifiedImageError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        raise EvaluationError(f"{path} cannot be read: {error}.", do="Write it again.") from error
    if pixels is None:
        raise EvaluationError(
            f"{path} has pixels of the mode {mode}, not one whole number each.",
            do="Write the number of each pixel's class into a greyscale or palette image.",
        )
    out: NDArray[np.int64] = pixels.astype(np.int64)
    return out

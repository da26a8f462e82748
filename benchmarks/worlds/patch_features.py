"""Fixed features of pictures that no label was needed for: k-means on patches.

Coates, Ng and Lee, "An analysis of single-layer networks in unsupervised feature learning", AISTATS
2011: whitened patches, k-means, the triangle activation, sums over a grid of the picture. Then
principal components, and every row brought to the length 4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PATCH = 6
LENGTH = 4.0
_FIT_PATCHES = 60_000
_IMAGES_AT_ONCE = 100


def patch_features(
    images: NDArray[np.uint8], *, centroids: int, grid: tuple[int, int], components: int
) -> NDArray[np.float32]:
    """Describe pictures.

    Args:
        images: (n, height, width, 3) uint8.
        centroids: of the k-means.
        grid: rows and columns that activations are summed over.
        components: principal components that are kept.

    Returns:
        (n, components) float32, rows of length 4.
    """
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(0)
    height, width = (side - PATCH + 1 for side in images.shape[1:3])
    picks = zip(
        rng.integers(len(images), size=_FIT_PATCHES),
        rng.integers(height, size=_FIT_PATCHES),
        rng.integers(width, size=_FIT_PATCHES),
        strict=True,
    )
    patches = _even(
        np.stack([images[n, y : y + PATCH, x : x + PATCH].ravel() for n, y, x in picks])
    )
    mean = patches.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(patches - mean, rowvar=False))
    whitening = (vectors / np.sqrt(values + 0.1)) @ vectors.T
    whitening = whitening.astype(np.float32)
    means = MiniBatchKMeans(centroids, random_state=0, n_init=1, batch_size=4096, max_iter=50)
    means.fit((patches - mean) @ whitening)
    centres = means.cluster_centers_.astype(np.float32)
    parts = []
    for start in range(0, len(images), _IMAGES_AT_ONCE):
        some = images[start : start + _IMAGES_AT_ONCE]
        views = np.lib.stride_tricks.sliding_window_view(some, (PATCH, PATCH), axis=(1, 2))
        rows = views.transpose(0, 1, 2, 4, 5, 3).reshape(-1, PATCH * PATCH * 3)
        white = (_even(rows) - mean) @ whitening
        squares = (white**2).sum(axis=1)[:, None] - 2 * white @ centres.T + (centres**2).sum(axis=1)
        distance = np.sqrt(np.maximum(squares, 0))
        active = np.maximum(distance.mean(axis=1, keepdims=True) - distance, 0)
        parts.append(_summed(active.reshape(len(some), height, width, -1), grid))
    pooled = np.concatenate(parts)
    pooled = (pooled - pooled.mean(axis=0)) / (pooled.std(axis=0) + 1e-6)
    found = PCA(components, random_state=0).fit_transform(pooled)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(LENGTH * found / lengths, np.float32)


def _even(patches: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Patches of mean 0 and about equal contrast."""
    values = patches.astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    spread: NDArray[np.float32] = np.sqrt(values.var(axis=1, keepdims=True) + 10)
    return np.asarray(values / spread, np.float32)


def _summed(active: NDArray[np.float32], grid: tuple[int, int]) -> NDArray[np.float32]:
    sums = [
        cell.sum(axis=(1, 2))
        for row in np.array_split(active, grid[0], axis=1)
        for cell in np.array_split(row, grid[1], axis=2)
    ]
    return np.concatenate(sums, axis=1)

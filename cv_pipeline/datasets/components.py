"""Rows that belong together, directly or through others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def connected(size: int, i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.int64]:
    """Connected components of a graph of rows.

    Args:
        size: number of rows.
        i: (E,) one end of each edge.
        j: (E,) the other end.

    Returns:
        (size,) smallest row of the component that each row is in.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(i), np.int8), (i, j)), shape=(size, size))
    _, component = connected_components(edges, directed=False)
    _, smallest, inverse = np.unique(component, return_index=True, return_inverse=True)
    return np.asarray(smallest[inverse], dtype=np.int64)

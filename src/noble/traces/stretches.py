"""Parts of a series of samples: where a mask holds, and means over blocks."""

from __future__ import annotations

import numpy as np


def stretches(mask: np.ndarray) -> np.ndarray:
    """First index of each stretch in which a mask holds, and the index after its last, shape (stretches, 2).

    Args:
        mask: shape (count,), of bool.
    """
    return np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8))).reshape(-1, 2)


def longest_stretch(mask: np.ndarray) -> int:
    """Length of the longest stretch in which a mask holds; 0 if it holds nowhere."""
    return int(np.diff(stretches(mask), axis=1).max(initial=0))


def block_means(values: np.ndarray, size: int) -> np.ndarray:
    """Means over successive blocks of so many values; what does not fill the last one is left out, shape (blocks,).

    Fewer values than a block are one block.
    """
    size = max(1, min(size, values.size))
    return values[: values.size // size * size].reshape(-1, size).mean(axis=1)

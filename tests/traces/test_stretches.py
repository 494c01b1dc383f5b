"""Where a mask holds, and means over blocks."""

import numpy as np
import pytest

from noble.traces.stretches import block_means, longest_stretch, stretches


@pytest.mark.parametrize(
    ("mask", "expected"),
    [("", []), ("000", []), ("111", [[0, 3]]), ("0110100", [[1, 3], [4, 5]]), ("1001", [[0, 1], [3, 4]])],
)
def test_stretches_are_where_a_mask_holds(mask: str, expected: list[list[int]]):
    values = np.array([item == "1" for item in mask], dtype=bool)
    assert stretches(values).tolist() == expected
    assert longest_stretch(values) == max((stop - first for first, stop in expected), default=0)


def test_means_over_blocks_leave_out_what_fills_none():
    assert block_means(np.arange(7.0), 3).tolist() == [1.0, 4.0]
    assert block_means(np.arange(3.0), 5).tolist() == [1.0]
    assert block_means(np.empty(0), 5).tolist() == []

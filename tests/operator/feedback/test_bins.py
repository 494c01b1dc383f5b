"""Bins of a current that comes in pieces."""

import pytest
import torch

from noble.operator.feedback.bins import Binning


@pytest.mark.parametrize("dt_ms", [0.06, 0.1, 0.5, 1.7])
def test_part_means_keep_the_charge_and_do_not_depend_on_where_the_samples_begin(dt_ms):
    binning = Binning(bin_ms=0.72, parts=4, dt_ms=dt_ms)
    current = torch.rand(2, 200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    bins = binning.complete(200)
    whole = binning.part_means(current, 0, range(bins))
    assert whole.shape == (2, bins, 4)
    # Each sample lasts until the next: the charge of a bin is an integral of a staircase.
    fine = current.repeat_interleave(round(dt_ms * 1000), dim=1)  # a microsecond a column
    columns = fine[:, : bins * 720].unflatten(1, (bins, 4, 180))
    torch.testing.assert_close(whole, columns.mean(dim=3))
    first = binning.first_sample(3)
    later = binning.part_means(current[:, first:], first, range(3, bins))
    torch.testing.assert_close(later, whole[:, 3:])


def test_complete_bins_are_counted_without_rounding_errors():
    binning = Binning(bin_ms=0.72, parts=4, dt_ms=0.06)
    assert [binning.complete(count) for count in (0, 11, 12, 12_000_000)] == [0, 0, 1, 1_000_000]
    assert [binning.filling(bins) for bins in (0, 1, 1_000_000)] == [0, 12, 12_000_000]

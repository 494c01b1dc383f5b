"""Times that are uniform, however they are written, and times that are not."""

import numpy as np
import pytest

from noble.traces.grid import uniform_interval


@pytest.mark.parametrize("interval", [0.1, 0.02, 0.06, 1 / 3, 0.0123457])
@pytest.mark.parametrize("start", [0.0, -50.0, 1e6])
def test_the_interval_is_found(interval, start):
    assert uniform_interval(start + interval * np.arange(5000)) == pytest.approx(interval, rel=1e-7)


def test_intervals_of_successive_sweeps_are_one():
    starts = 1e3 + 7.3 * np.arange(20)
    found = {uniform_interval(np.round(start + 5e-5 * np.arange(2000), 6)) for start in starts}
    assert found == {5e-5}


def test_rounded_times_are_uniform():
    times = 0.05 * np.arange(3000)
    assert uniform_interval(np.round(times + 0.002 * np.sin(np.arange(3000)), 3)) == 0.05


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        ([0.0], "fewer than two"),
        ([], "fewer than two"),
        ([2.0, 1.0, 0.0], "the last is not after the first"),
        ([0.0, 1.0, np.nan], "fewer than two"),
        ([0.0, 1.0, np.nan, 3.0], "not uniform"),
        ([0.0, 1.0, 2.0, 5.0, 6.0], "they pause after sample 2, for 3 intervals"),
        ([0.0, 1.0, 2.0, 3.0, 5.0], "they pause after sample 3, for 2 intervals"),
        ([0.0, 1.2, 2.0, 3.2, 4.0], "intervals from 0.8 to 1.2 occur"),
        ([0.0, 1.0, 1.0, 2.0, 3.0], "not uniform"),
    ],
)
def test_times_that_are_not(times, reason):
    with pytest.raises(ValueError, match=reason):
        uniform_interval(np.array(times))

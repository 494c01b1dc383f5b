"""Losses on phase, against trains and rates for which they are known."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from noble.operator.core import Examples
from noble.operator.spiking.firing import Firing
from noble.operator.spiking.losses import compared_samples, phase_losses

INF = torch.inf


def constant(rates: list[float], *, bins: int = 97, bin_ms: float = 1.0) -> Firing:
    """One trace a rate (1/ms), constant over the window."""
    rate = torch.tensor(rates, dtype=torch.float64)[:, None].repeat(1, bins)
    return Firing(rate, bin_ms)


def train_of(*rows: list[float]) -> Tensor:
    longest = max(1, *(len(row) for row in rows))
    return torch.tensor([row + [INF] * (longest - len(row)) for row in rows], dtype=torch.float64)


def huber(error_ms: float) -> float:
    return float(np.sqrt(1 + error_ms**2) - 1)


def test_a_phase_that_crosses_at_every_spike_costs_nothing():
    losses = phase_losses(constant([0.1, 0.05]), train_of([10.0 * k for k in range(1, 10)], [20.0, 40.0, 60.0, 80.0]))
    torch.testing.assert_close(torch.stack(losses), torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-12)


def test_between_spikes_the_phase_is_free():
    """The same crossings with a rate that varies within the intervals."""
    rate = torch.full((1, 40), 0.1, dtype=torch.float64)
    rate[0, 10:15], rate[0, 15:20] = 0.18, 0.02
    firing = Firing(rate, 1.0)
    for loss in phase_losses(firing, train_of([10.0, 20.0, 30.0, 40.0])):
        assert float(loss) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("shift_ms", [0.5, 2.0, -3.0])
def test_a_shifted_train_costs_its_shift(shift_ms):
    timing, intervals, _ = phase_losses(constant([0.1]), train_of([10.0 * k + shift_ms for k in range(1, 9)]))
    assert float(timing) == pytest.approx(huber(shift_ms), rel=1e-9)
    assert float(intervals) == pytest.approx(0, abs=1e-12)


def test_a_wrong_rate_costs_its_interval():
    """Twelve instead of ten ms: each interval is off by two, the timing by a growing sum."""
    timing, intervals, _ = phase_losses(constant([1 / 12]), train_of([10.0 * k for k in range(1, 9)]))
    assert float(intervals) == pytest.approx(huber(10 * (10 / 12 - 1)), rel=1e-9)
    assert float(timing) == pytest.approx(np.mean([huber(10 * (10 * k / 12 - k)) for k in range(1, 9)]), rel=1e-9)


def test_an_error_counts_by_the_shorter_neighbouring_interval():
    spikes = [10.0, 20.0, 60.0]
    timing, intervals, _ = phase_losses(constant([0.1]), train_of(spikes))
    local = [10.0, 10.0, 40.0]
    assert float(timing) == pytest.approx(
        np.mean([huber((time / 10 - k) * gap) for k, (time, gap) in enumerate(zip(spikes, local, strict=True), 1)])
    )
    assert float(intervals) == pytest.approx(np.mean([huber(0.0), huber((4 - 1) * 40.0)]))


def test_a_phase_that_runs_on_after_the_last_spike_costs():
    for bins, over in [(97, 0.0), (99, 0.0), (100, 0.05), (105, 0.55)]:
        silence = phase_losses(constant([0.1], bins=bins), train_of([10.0 * k for k in range(1, 10)]))[2]
        assert float(silence) == pytest.approx(huber(10 * over), abs=1e-5)


def test_a_silent_trace_costs_only_if_it_would_fire():
    timing, intervals, silence = phase_losses(constant([0.008, 0.02]), train_of([], []))
    assert float(timing) == float(intervals) == 0
    assert float(silence) == pytest.approx((0 + huber(50 * (97 * 0.02 - 0.95))) / 2)


def test_a_single_spike_is_timed_but_has_no_interval():
    timing, intervals, _ = phase_losses(constant([0.02]), train_of([60.0]))
    assert float(timing) == pytest.approx(huber(50 * 0.2))
    assert float(intervals) == 0


def test_the_number_of_spikes_of_another_trace_does_not_matter():
    alone = phase_losses(constant([0.02]), train_of([60.0]))
    beside = phase_losses(constant([0.02, 0.1]), train_of([60.0], [10.0 * k for k in range(1, 10)]))
    for one, two in zip(alone, beside, strict=True):
        assert float(two) == pytest.approx(float(one) / 2, abs=1e-12)


def test_no_gradient_is_nan_and_every_term_pulls_the_right_way():
    rate = torch.full((4, 97), 0.05, dtype=torch.float64, requires_grad=True)
    firing = Firing(rate, 1.0)
    spikes = train_of([], [30.0], [15.0, 30.0, 45.0, 60.0], [5.0, 5.1])
    sum(phase_losses(firing, spikes)).backward()  # type: ignore[union-attr]
    assert rate.grad is not None
    assert torch.isfinite(rate.grad).all()
    assert (rate.grad[0] > 0).all()  # a silent trace wants less
    assert (rate.grad[2, :60] < 0).all()  # one whose spikes come sooner wants more


def test_a_smaller_scale_counts_small_errors_by_their_size():
    spikes = train_of([10.0 * k + 0.5 for k in range(1, 9)])
    wide, narrow = (phase_losses(constant([0.1]), spikes, scale_ms=scale)[0].item() for scale in (1.0, 0.01))
    assert wide == pytest.approx(math.sqrt(1 + 0.25) - 1, rel=1e-3)
    assert narrow == pytest.approx(0.49, rel=1e-2)


def test_half_of_the_compared_samples_are_near_spikes():
    spikes = train_of([20.0, 70.0], [], [60.0])
    examples = Examples(torch.zeros(3, 2), torch.zeros(3, 1000), torch.zeros(3, 1000), spikes, dt_ms=0.1)
    samples = compared_samples(examples, 64, torch.Generator().manual_seed(0))
    assert samples.shape == (3, 64)
    assert samples.min() >= 0
    assert samples.max() < 1000
    times = samples * 0.1
    for row in (0, 2):
        gaps = (times[row, :32, None] - spikes[row]).abs().min(dim=1).values
        assert gaps.max() <= 2.05
        assert gaps.mean() > 0.5
    assert {20.0, 70.0} == {round(float(at), -1) for at in times[0, :32]}
    for anywhere in (times[1, :32], times[:, 32:]):
        assert anywhere.std() > 15

"""Phase and spikes, against their definitions."""

import numpy as np
import torch
from torch import Tensor

from noble.operator.spiking.firing import Encoded


def encoded_from(rate: Tensor, *, bin_ms: float = 1.0) -> Encoded:
    """Rates alone; slow voltage and channels play no part."""
    rows, bins = rate.shape
    return Encoded(rate, bin_ms, rate.new_zeros(rows, bins + 1), rate.new_zeros(rows, 2, 1), bins * bin_ms)


def crossings(rate: np.ndarray, bin_ms: float) -> list[float]:
    """Where the integral of a rate that is constant in bins reaches 1, 2, ..., bin by bin."""
    times, phase = [], 0.0
    for number, value in enumerate(rate):
        while phase + value * bin_ms >= len(times) + 1 - 1e-12:
            target = len(times) + 1
            times.append(number * bin_ms + (target - phase) / value)
        phase += value * bin_ms
    return times


def test_spikes_are_where_the_integrated_rate_crosses_integers():
    generator = np.random.default_rng(2)
    rate = generator.gamma(0.5, 1.0, size=(4, 60)) * np.array([[0.05], [0.4], [2.0], [1e-4]]) + 1e-6
    times = encoded_from(torch.as_tensor(rate), bin_ms=0.96).spike_times_ms().numpy()
    counts = [len(crossings(row, 0.96)) for row in rate]
    assert counts[3] == 0 < counts[0] < counts[1] < counts[2] == times.shape[1]
    for row, found, count in zip(rate, times, counts, strict=True):
        np.testing.assert_allclose(found[:count], crossings(row, 0.96), rtol=1e-9)
        assert np.all(np.isinf(found[count:]))


def test_several_spikes_in_one_bin_and_one_exactly_on_an_edge():
    rate = torch.tensor([[0.5] * 6, [0.0, 0.0, 3.5, 0.0, 0.0, 0.0]], dtype=torch.float64)
    times = encoded_from(rate + 1e-300).spike_times_ms()
    expected = torch.tensor([[2.0, 4.0, 6.0], [2 + 1 / 3.5, 2 + 2 / 3.5, 2 + 3 / 3.5]], dtype=torch.float64)
    torch.testing.assert_close(times, expected)


def test_without_a_crossing_there_are_no_columns():
    assert encoded_from(torch.full((2, 9), 0.1)).spike_times_ms().shape == (2, 0)


def test_phase_at_an_instant_is_the_integral_of_the_rate():
    rate = torch.rand(2, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    encoded = encoded_from(rate, bin_ms=0.96)
    times = torch.tensor([[0.0, 0.5, 0.96, 5.0, 11.52]] * 2, dtype=torch.float64)
    edges = np.arange(13) * 0.96
    for row in range(2):
        cumulative = np.concatenate([[0.0], np.cumsum(rate[row].numpy() * 0.96)])
        np.testing.assert_allclose(
            encoded.phase_at(times)[row], np.interp(times[row].numpy(), edges, cumulative), rtol=1e-12
        )
    at_spikes = encoded.phase_at(encoded.spike_times_ms().nan_to_num(posinf=0.0))
    count = int(encoded.phase()[0, -1])
    torch.testing.assert_close(at_spikes[0, :count], torch.arange(1, count + 1, dtype=torch.float64))


def test_the_gradient_of_spike_times_is_the_finite_difference():
    rate = torch.rand(2, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 0.4 + 0.05
    rate[1] *= 0.7  # fewer spikes, so that the second row is padded

    def real_times(rate: Tensor) -> Tensor:
        times = encoded_from(rate, bin_ms=0.96).spike_times_ms()
        return times[torch.isfinite(times)]

    assert 1 < real_times(rate[1:]).numel() < real_times(rate[:1]).numel()
    assert torch.autograd.gradcheck(real_times, rate.requires_grad_())

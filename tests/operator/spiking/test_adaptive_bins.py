"""Adaptive time bins, against their parts, and means of a current in bins, against integrals."""

import numpy as np
import pytest
import torch

from noble.operator.spiking.adaptive_bins import bin_means, subdivide

PARTS = 4


def parts_of(*bins: list[float]) -> torch.Tensor:
    return torch.tensor([bins], dtype=torch.float64)


def test_a_steady_bin_is_one_piece_and_a_changing_one_its_parts():
    adaptive = subdivide(parts_of([0.1] * PARTS, [0.1, 0.1, 0.3, 0.3], [0.3] * PARTS))
    assert adaptive.bin.tolist() == [[0, 1, 1, 1, 1, 2]]
    torch.testing.assert_close(adaptive.current_na, torch.tensor([[0.1, 0.1, 0.1, 0.3, 0.3, 0.3]]).double())
    torch.testing.assert_close(adaptive.share, torch.tensor([[1, 0.25, 0.25, 0.25, 0.25, 1]]).double())


@pytest.mark.parametrize("changing", [0, 1, 3, 7])
def test_means_of_anything_are_those_of_the_parts(changing):
    generator = torch.Generator().manual_seed(changing)
    current = torch.rand((3, 7, 1), generator=generator).double().repeat(1, 1, PARTS)
    current[1, :changing] = torch.rand((changing, PARTS), generator=generator).double()  # the other traces are steady
    adaptive = subdivide(current)
    assert adaptive.current_na.shape == (3, 7 + changing * (PARTS - 1))
    torch.testing.assert_close(adaptive.means(torch.ones_like(adaptive.share)), torch.ones(3, 7).double())
    torch.testing.assert_close(adaptive.means(adaptive.current_na**2), (current**2).mean(dim=2))
    both = torch.stack([adaptive.current_na, torch.exp(adaptive.current_na)], dim=2)
    torch.testing.assert_close(adaptive.means(both), torch.stack([current, torch.exp(current)], dim=3).mean(dim=2))


def held_mean(samples: np.ndarray, dt_ms: float, start: float, stop: float) -> float:
    """Mean over [start, stop) of a current that holds each sample until the next and the last one for ever."""
    edges = np.append(np.arange(samples.size) * dt_ms, np.inf)
    overlap = np.clip(np.minimum(stop, edges[1:]) - np.maximum(start, edges[:-1]), 0, None)
    return float(overlap @ samples / (stop - start))


@pytest.mark.parametrize(
    ("dt_ms", "bin_ms"), [(0.06, 0.96), (0.06, 0.3), (0.1, 0.96), (0.02, 0.5), (0.07, 0.05), (1.0, 0.3), (0.5, 7.3)]
)
def test_bin_means_are_the_held_currents_means(dt_ms, bin_ms):
    samples = np.random.default_rng(0).normal(size=(2, 83))
    bins = int(83 * dt_ms / bin_ms) + 3  # past the end of the current
    means = bin_means(torch.as_tensor(samples), dt_ms=dt_ms, bin_ms=bin_ms, bins=bins).numpy()
    expected = [[held_mean(row, dt_ms, k * bin_ms, (k + 1) * bin_ms) for k in range(bins)] for row in samples]
    np.testing.assert_allclose(means, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("bin_ms", [0.96, 0.11, 3.7])
def test_a_finer_grid_has_the_same_bin_means(bin_ms):
    samples = torch.randn(3, 200, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    coarse = bin_means(samples, dt_ms=0.06, bin_ms=bin_ms, bins=9)
    fine = bin_means(samples.repeat_interleave(2, dim=1), dt_ms=0.03, bin_ms=bin_ms, bins=9)
    torch.testing.assert_close(coarse, fine, rtol=0, atol=1e-10)

"""Norms of the voltage error, against their formulas."""

import numpy as np
import pytest
import torch

from noble.operator.losses import pseudo_huber, relative_h1, relative_lp


@pytest.mark.parametrize("p", [1.0, 2.0, 4.0])
def test_relative_lp_is_the_ratio_of_norms(p):
    predicted, reference = np.random.default_rng(0).normal(size=(2, 5, 40))
    norm = [np.sum(np.abs(values) ** p, axis=1) ** (1 / p) for values in (predicted - reference, reference)]
    found = relative_lp(torch.as_tensor(predicted), torch.as_tensor(reference), p=p)
    np.testing.assert_allclose(found, np.mean(norm[0] / norm[1]), rtol=1e-12)
    if p == 4.0:
        torch.testing.assert_close(relative_lp(torch.as_tensor(predicted), torch.as_tensor(reference)), found)


@pytest.mark.parametrize("dt_ms", [0.06, 0.5])
def test_relative_h1_counts_the_slope_too(dt_ms):
    predicted, reference = np.random.default_rng(1).normal(size=(2, 5, 40))

    def norm(values):
        return np.sqrt(np.sum(values**2, axis=1) + np.sum((np.diff(values, axis=1) / dt_ms) ** 2, axis=1))

    found = relative_h1(torch.as_tensor(predicted), torch.as_tensor(reference), dt_ms=dt_ms)
    np.testing.assert_allclose(found, np.mean(norm(predicted - reference) / norm(reference)), rtol=1e-12)


def test_norms_vanish_for_a_perfect_prediction():
    reference = torch.randn(2, 30, generator=torch.Generator().manual_seed(0))
    assert relative_lp(reference, reference) == 0
    assert relative_h1(reference, reference, dt_ms=0.1) == 0


def test_pseudo_huber_is_quadratic_then_linear():
    error = torch.tensor([1e-4, 1e4], dtype=torch.float64)
    near, far = pseudo_huber(error, scale=2.0)
    assert float(near) == pytest.approx(1e-8 / 4, rel=1e-3)
    assert float(far) == pytest.approx(1e4 - 2.0, rel=1e-6)

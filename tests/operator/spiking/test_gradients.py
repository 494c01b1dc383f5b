"""Gradients of predictions: there in evaluation mode, right, and without any effect on the numbers."""

import numpy as np
import pytest
import torch
from small_operator import GRID, NEURON, STEP, core_of, current_of, operator_of
from torch import Tensor

from noble.operator import Operator
from noble.operator.spiking.drawing import _first_of_each
from noble.stimuli import OrnsteinUhlenbeck
from noble.traces import TimeGrid

NOISE = OrnsteinUhlenbeck(start_ms=10.0, stop_ms=90.0, mean_na=0.2, sd_na=0.05, seed=2)
FAST = 0.4  # spikes a ms, so that windows round spikes overlap


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("dt_ms", "duration_ms"), [(0.06, 100.0), (0.5, 100.0), (0.3, 4000.0)])
def test_gradients_change_no_number(training, dt_ms, duration_ms):
    operator = operator_of(rate=FAST).float().train(training)
    current = current_of(NOISE, TimeGrid.spanning(duration_ms, dt_ms=dt_ms)).float()
    features = torch.as_tensor(NEURON).float()
    watched = operator(features.clone().requires_grad_(), current.clone().requires_grad_(), dt_ms)
    assert watched.requires_grad
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert torch.equal(operator(features, current, dt_ms), watched)
            times = core_of(operator).spike_times_ms(operator.spec.scale(features), current, dt_ms)
        again = core_of(operator).spike_times_ms(operator.spec.scale(features.requires_grad_()), current, dt_ms)
        features.requires_grad_(False)
        assert again.requires_grad
        assert torch.equal(times, again)


def test_gradients_change_no_number_of_a_shipped_operator():
    operator = Operator.load("human-pv-steps")
    grid = TimeGrid.spanning(250.0, dt_ms=0.06)
    current = current_of(OrnsteinUhlenbeck(10.0, 240.0, mean_na=0.2, sd_na=0.05, seed=2), grid).float()
    features = torch.tensor(np.array(operator.spec.training_features)[3:4], dtype=torch.float32)
    with torch.inference_mode():
        expected = operator(features, current, grid.dt_ms)
    watched = operator(features.requires_grad_(), current.requires_grad_(), grid.dt_ms)
    assert torch.equal(watched, expected)
    assert watched.max() > 0
    watched.square().mean().backward()
    for gradient in (features.grad, current.grad, *(weight.grad for weight in operator.parameters())):
        assert gradient is not None
        assert torch.isfinite(gradient).all()


def test_gradients_of_an_operator_that_was_frozen_after_a_prediction():
    operator = operator_of().requires_grad_(False)
    current = current_of(STEP)
    with torch.inference_mode():
        expected = operator(torch.as_tensor(NEURON), current, GRID.dt_ms)
    features = torch.as_tensor(NEURON).requires_grad_()
    watched = operator(features, current, GRID.dt_ms)
    assert torch.equal(watched, expected)
    watched.sum().backward()
    assert features.grad is not None
    assert features.grad.abs().sum() > 0


def slope(answer, at: Tensor, direction: Tensor, step: float) -> Tensor:
    """Central difference along a direction."""
    with torch.no_grad():
        return (answer(at + step * direction) - answer(at - step * direction)) / (2 * step)


@pytest.mark.parametrize("what", ["features", "current"])
@pytest.mark.parametrize("dt_ms", [0.06, 0.5])
def test_evaluation_has_the_gradients_of_finite_differences(what, dt_ms):
    """Of voltage at each of a hundred samples away from spikes, and of each spike time, within 5 %."""
    operator, grid = operator_of(), TimeGrid.spanning(100.0, dt_ms=dt_ms)
    core, scale = core_of(operator), operator.spec.scale
    inputs = {"features": torch.as_tensor(NEURON), "current": current_of(NOISE, grid)}
    generator = torch.Generator().manual_seed(1)
    size = {"features": torch.tensor([[0.01, 10.0]]), "current": torch.tensor([[0.02]])}[what]
    direction = size * (0.5 + torch.rand(inputs[what].shape, generator=generator).double())

    def voltage(value: Tensor) -> Tensor:
        asked = {**inputs, what: value}
        return operator(asked["features"], asked["current"], dt_ms)[0]

    def times(value: Tensor) -> Tensor:
        asked = {**inputs, what: value}
        return core.spike_times_ms(scale(asked["features"]), asked["current"], dt_ms)[0]

    fires = times(inputs[what])
    assert fires.numel() > 5
    away = (torch.as_tensor(grid.times_ms)[:, None] - fires).abs().min(dim=1).values > 2.5
    chosen = torch.nonzero(away)[:, 0][:: max(1, int(away.sum()) // 100)]
    for answer in (times, lambda value: voltage(value)[chosen]):
        leaf = inputs[what].clone().requires_grad_()
        found = answer(leaf)
        rows = [torch.autograd.grad(value, leaf, retain_graph=True)[0] for value in found]
        derivative = torch.stack([(row * direction).sum() for row in rows])
        expected = slope(answer, inputs[what], direction, 1e-4)
        assert expected.abs().max() > 1e-2
        torch.testing.assert_close(derivative, expected, rtol=0.05, atol=0.05 * float(expected.abs().median()))


def test_the_gradient_of_a_sample_near_two_spikes_counts_once():
    """The slow voltage moves every sample by as much, wherever spikes are and however samples are drawn."""
    operator = operator_of(rate=FAST)
    core, current = core_of(operator), current_of(STEP)
    scaled = operator.spec.scale(torch.as_tensor(NEURON))
    encoded = core.encode(scaled, current, GRID.dt_ms)
    spikes = encoded.spike_times_ms()
    assert (torch.diff(spikes[0]) < 4.0).any()
    bias = core.slow.leave.bias
    total = core._voltage(encoded, spikes, range(GRID.count), GRID.dt_ms)
    exact = core.decode(encoded, torch.as_tensor(GRID.times_ms)[None], spikes)
    drawn, expected = (torch.autograd.grad(item.sum(), bias, retain_graph=True)[0] for item in (total, exact))
    slow = core.config.bins
    torch.testing.assert_close(drawn[:slow].sum(), expected[:slow].sum(), rtol=1e-6, atol=0)
    torch.testing.assert_close(drawn[slow:], expected[slow:], rtol=0.02, atol=1.0)


def test_first_of_each_by_hand():
    windows = torch.tensor([[0, 0, 0, 1], [1, 2, 3, 4], [3, 4, 5, 5], [0, 1, 2, 3], [8, 9, 9, 9]])
    rows = torch.tensor([0, 0, 0, 1, 1])
    expected = [[1, 0, 0, 1], [0, 1, 1, 1], [0, 0, 1, 0], [1, 1, 1, 1], [1, 1, 0, 0]]
    assert _first_of_each(windows, rows).long().tolist() == expected
    assert _first_of_each(windows[:0], rows[:0]).shape == (0, 4)

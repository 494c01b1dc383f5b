"""Shapes round spikes: smooth, bounded in time, and the same from a table."""

import pytest
import torch

from noble.operator.spiking.waveform import LOOK_AHEAD_MS, LOOK_BACK_MS, SpikeShapes, draw, look_up, time_to_spikes

INF = torch.inf


@pytest.fixture
def shapes() -> SpikeShapes:
    torch.manual_seed(1)
    return SpikeShapes(4, 16).double()


def times(*values: float) -> torch.Tensor:
    return torch.tensor([values], dtype=torch.float64)


def test_shapes_vanish_far_from_a_spike_and_have_no_jump_at_it(shapes):
    far = shapes(times(-LOOK_AHEAD_MS, -50.0, LOOK_BACK_MS, 200.0))
    torch.testing.assert_close(far, torch.zeros_like(far))
    before, at, after = shapes(times(-1e-7, 0.0, 1e-7))[0]
    torch.testing.assert_close(before, after, rtol=0, atol=1e-5)
    torch.testing.assert_close(at, after, rtol=0, atol=1e-5)
    assert at.abs().min() > 0


def test_a_table_gives_the_same(shapes):
    instants = torch.linspace(-2 * LOOK_AHEAD_MS, 2 * LOOK_BACK_MS, 9973, dtype=torch.float64)[None]
    torch.testing.assert_close(look_up(shapes.table(), instants), shapes(instants), rtol=0, atol=1e-3)


def test_before_the_first_and_after_the_last_spike_only_it_is_drawn(shapes):
    channels = torch.randn(1, 3, 4, dtype=torch.float64)
    ahead = draw(shapes, times(INF, INF, INF), times(1.0, 3.0, LOOK_AHEAD_MS + 1), channels)
    torch.testing.assert_close(ahead, (shapes(times(-1.0, -3.0, -LOOK_AHEAD_MS)) * channels).sum(-1))
    behind = draw(shapes, times(0.0, 2.0, 60.0), times(INF, INF, INF), channels)
    torch.testing.assert_close(behind, (shapes(times(0.0, 2.0, 60.0)) * channels).sum(-1))


def test_without_spikes_nothing_is_drawn(shapes):
    drawn = draw(shapes, times(INF, INF), times(INF, INF), torch.ones(1, 2, 4, dtype=torch.float64))
    torch.testing.assert_close(drawn, torch.zeros_like(drawn))


def test_gradients_are_finite_with_and_without_neighbours(shapes):
    since, until = times(INF, 0.0, 3.0, INF).requires_grad_(), times(2.0, 8.0, INF, INF).requires_grad_()
    draw(shapes, since, until, torch.ones(1, 4, 4, dtype=torch.float64)).sum().backward()
    for gradient in (since.grad, until.grad):
        assert gradient is not None
        assert torch.isfinite(gradient).all()


def test_time_to_spikes_by_hand():
    inf = torch.inf
    times = torch.tensor([[0.0, 4.9, 5.0, 7.0, 10.0, 20.0]] * 2, dtype=torch.float64)
    since, until = time_to_spikes(times, torch.tensor([[5.0, 10.0], [inf, inf]], dtype=torch.float64))
    nothing = [inf] * 6
    torch.testing.assert_close(since, torch.tensor([[inf, inf, 0.0, 2.0, 0.0, 10.0], nothing], dtype=torch.float64))
    torch.testing.assert_close(until, torch.tensor([[5.0, 0.1, 5.0, 3.0, inf, inf], nothing], dtype=torch.float64))
    for answer in time_to_spikes(times, torch.empty(2, 0, dtype=torch.float64)):
        assert torch.isinf(answer).all()

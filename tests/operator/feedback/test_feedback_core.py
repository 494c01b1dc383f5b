"""The spike-feedback core: told or free, in one go or in pieces, with gradients or without."""

import numpy as np
import pytest
import torch
from small_feedback import CONFIG, GRID, NOISE, SPEC, core_of, current_of, operator_of, scaled_of
from torch import Tensor

from noble.operator import Operator
from noble.operator.core import Examples, Response
from noble.operator.feedback.core import SpikeFeedbackCore, _in_bins
from noble.operator.losses import LossConfig
from noble.spikes import coincidence_factor
from noble.stimuli import OrnsteinUhlenbeck, Step
from noble.traces import TimeGrid


def two_currents(grid: TimeGrid = GRID) -> Tensor:
    return torch.cat([current_of(NOISE, grid), current_of(Step(10.0, 140.0, 0.3), grid)])


def trains(times: Tensor) -> list[np.ndarray]:
    return [row[torch.isfinite(row)].numpy() for row in times]


def streamed(core: SpikeFeedbackCore, scaled: Tensor, current: Tensor, dt_ms: float, seed: int) -> list[Response]:
    generator, state, responses, done = np.random.default_rng(seed), core.rest(scaled), [], 0
    while done < current.shape[1]:
        count = int(generator.choice([0, 1, 7, generator.integers(1, 400)]))
        state, response = core.advance(state, current[:, done : done + count], dt_ms)
        responses.append(response)
        done += count
    return responses


@pytest.mark.parametrize("dt_ms", [0.02, 0.06, 0.1, 0.5, 3.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_current_in_pieces_is_answered_like_the_whole(dt_ms, seed):
    core, grid = core_of(operator_of()), TimeGrid.spanning(150.0, dt_ms=dt_ms)
    current, scaled = two_currents(grid), scaled_of()
    with torch.no_grad():
        whole, times = core(scaled, current, dt_ms), core.spike_times_ms(scaled, current, dt_ms)
        responses = streamed(core, scaled, current, dt_ms, seed)
    told_ms = 0.0
    for response in responses:
        assert response.start_ms == pytest.approx(told_ms)
        told_ms += response.voltage_mv.shape[1] * dt_ms
    voltage = torch.cat([response.voltage_mv for response in responses], dim=1)
    assert voltage.shape[1] >= (grid.count * dt_ms - core.latency_ms) / dt_ms - 1
    assert whole.shape == current.shape
    torch.testing.assert_close(voltage, whole[:, : voltage.shape[1]], rtol=0, atol=1e-3)
    for neuron in range(2):
        told = torch.cat([response.spikes_ms[neuron] for response in responses])
        told = told[torch.isfinite(told)]
        expected = times[neuron, times[neuron] < responses[-1].spikes_until_ms]
        assert expected.numel() > 3
        torch.testing.assert_close(told, expected, rtol=0, atol=1e-4)


def test_the_latency_is_a_millisecond_and_holds():
    core, current = core_of(operator_of()), two_currents()
    assert core.latency_ms == CONFIG.bin_ms + CONFIG.ahead_ms <= 1.0
    changed = current.clone()
    at = 1500
    changed[:, at:] += 0.2
    with torch.no_grad():
        before, after = (core(scaled_of(), item, GRID.dt_ms) for item in (current, changed))
    settled = at - int(np.ceil(core.latency_ms / GRID.dt_ms))
    assert torch.equal(before[:, :settled], after[:, :settled])
    assert not torch.equal(before[:, at:], after[:, at:])


def test_gradients_change_no_number_and_pass_through_every_spike():
    core, current = core_of(operator_of()), two_currents()
    with torch.no_grad():
        plain, times = core(scaled_of(), current, GRID.dt_ms), core.spike_times_ms(scaled_of(), current, GRID.dt_ms)
    scaled = scaled_of().requires_grad_()
    torch.testing.assert_close(core(scaled, current, GRID.dt_ms).detach(), plain, rtol=0, atol=1e-3)
    torch.testing.assert_close(core.spike_times_ms(scaled, current, GRID.dt_ms).detach(), times, rtol=0, atol=1e-5)


@pytest.mark.parametrize("of", ["features", "current"])
def test_spike_times_move_as_finite_differences_say(of):
    core, current = core_of(operator_of()), two_currents()
    bump = current_of(OrnsteinUhlenbeck(0.0, 140.0, 0.0, 0.1, 5.0, 9))

    def times(amount: Tensor) -> Tensor:
        if of == "features":
            moved = scaled_of() + amount * torch.tensor([1.0, -1.0, 0.5])
            return core.spike_times_ms(moved, current, GRID.dt_ms)[:, :6]
        return core.spike_times_ms(scaled_of(), current + amount * bump, GRID.dt_ms)[:, :6]

    amount = torch.zeros((), requires_grad=True)
    found = times(amount)
    assert torch.isfinite(found).all()
    with torch.no_grad():
        wide, narrow = ((times(torch.tensor(h)) - times(torch.tensor(-h))) / (2 * h) for h in (6e-4, 3e-4))
    # An untrained operator jumps where a spike changes its bin; elsewhere a time is smooth, and most are elsewhere.
    smooth = (wide - narrow).abs() < 0.03 * narrow.abs() + 0.02
    assert int(smooth.sum()) >= 6
    for neuron, spike in smooth.nonzero().tolist():
        exact = torch.autograd.grad(found[neuron, spike], amount, retain_graph=True)[0]
        assert float(exact) == pytest.approx(float(narrow[neuron, spike]), rel=0.05, abs=2e-2)


def test_a_cell_that_is_told_its_own_spikes_says_what_it_said_by_itself():
    """So teacher forcing trains what prediction runs; an operator's own answer has no error of place or voltage."""
    core, current = core_of(operator_of()), two_currents()
    with torch.no_grad():
        voltage, times = core(scaled_of(), current, GRID.dt_ms), core.spike_times_ms(scaled_of(), current, GRID.dt_ms)
    examples = Examples(scaled_of(), current, voltage, times.float(), GRID.dt_ms)
    losses = core.objective(examples, LossConfig(), torch.Generator().manual_seed(0))
    assert float(losses["timing"].detach()) < 0.2  # fed-back spikes are moved a little
    assert float(losses["waveform"].detach()) < 0.02
    other = torch.where(torch.isfinite(times), times + 0.3, torch.inf).float()
    moved = core.objective(Examples(scaled_of(), current, voltage, other, GRID.dt_ms), LossConfig(), torch.Generator())
    assert float(moved["timing"].detach()) > 0.5


@pytest.mark.slow
def test_training_makes_it_fire_when_it_should():
    """One operator learns the spikes of another, which it can, and then fires them by itself."""
    teacher = core_of(operator_of()).eval()
    noise = (OrnsteinUhlenbeck(0.0, 150.0, mean_na=0.25, sd_na=0.05, tau_ms=3.0, seed=seed) for seed in range(16))
    current, scaled = torch.cat([current_of(item) for item in noise]), scaled_of().repeat(8, 1)
    with torch.no_grad():
        voltage, true = teacher(scaled, current, GRID.dt_ms), teacher.spike_times_ms(scaled, current, GRID.dt_ms)
    examples = Examples(scaled, current, voltage, true.float(), GRID.dt_ms)
    sizes = {"width": 16, "hidden": 16, "cell": 16, "averages": 8}
    core = core_of(Operator.build(CONFIG.model_copy(update=sizes), SPEC, GRID, seed=0))

    def coincidence() -> float:
        with torch.no_grad():
            found = core.eval().spike_times_ms(scaled, current, GRID.dt_ms)
        pairs = zip(trains(true), trains(found), strict=True)
        return float(np.mean([coincidence_factor(*pair, duration_ms=150.0, window_ms=1.0) for pair in pairs]))

    assert coincidence() < 0.3
    optimiser = torch.optim.Adam(core.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 200)
    core.train()
    for step in range(200):
        losses = core.objective(examples, LossConfig(), torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        losses["loss"].backward()
        optimiser.step()
        schedule.step()
    assert coincidence() > 0.7


@pytest.mark.parametrize("sign", [-1, 1])
def test_current_beyond_the_learned_range_charges_a_passive_membrane(sign):
    core = core_of(operator_of())
    grid = TimeGrid.spanning(100.0, dt_ms=0.1)
    with torch.no_grad():
        core.cell.decision.bias[0] = -100.0  # no spikes
        core.cell.decision.weight[0] = 0.0
        core.cell.decision.weight[2], core.cell.decision.bias[2] = 0.0, -50.0
        ends = [
            float(core(scaled_of(1), current_of(Step(10.0, 99.0, sign * amplitude), grid), grid.dt_ms)[0, 980])
            for amplitude in (1.6, 1.8, 2.0)
        ]
    np.testing.assert_allclose(np.diff(ends), sign * 0.2 * 100.0, rtol=0.02)  # nA x MOhm


def test_spikes_fall_into_bins():
    spiked, place = _in_bins(torch.tensor([[0.1, 0.8, torch.inf], [1.43, torch.inf, torch.inf]]), 2, 0.72)
    assert spiked.tolist() == [[True, True], [False, True]]
    np.testing.assert_allclose(place.numpy(), [[0.1, 0.08], [0.0, 0.71]], atol=1e-6)


@pytest.mark.parametrize(
    ("current", "dt_ms", "message"),
    [
        (torch.zeros(3, 5), 0.06, r"shape \(3, 5\) was given to a stream of 2 neurons"),
        (torch.zeros(2, 5), 0.1, "this stream began with 0.06"),
        (torch.tensor([[0.0, 0.0], [0.0, torch.nan]]), 0.06, "the current of neuron 1 is nan at sample 1"),
    ],
)
def test_what_does_not_continue_a_stream_is_refused(current, dt_ms, message):
    core = core_of(operator_of())
    state, _ = core.advance(core.rest(scaled_of()), torch.zeros(2, 5), 0.06)
    with pytest.raises(ValueError, match=message):
        core.advance(state, current, dt_ms)


def test_shapes_may_not_reach_beyond_the_bin():
    with pytest.raises(ValueError, match="expected ahead_ms <= bin_ms"):
        CONFIG.model_validate({**CONFIG.model_dump(), "ahead_ms": 1.0})


def test_traces_without_spikes_give_every_weight_a_gradient():
    """Several devices wait for the gradient of each."""
    core, current = core_of(operator_of()), two_currents()
    silent = torch.full((2, 1), torch.inf)
    examples = Examples(scaled_of(), current, torch.full_like(current, -70.0), silent, GRID.dt_ms)
    core.objective(examples, LossConfig(), torch.Generator().manual_seed(0))["loss"].backward()
    assert all(torch.isfinite(weight.grad).all() for weight in core.parameters() if weight.grad is not None)
    assert [name for name, weight in core.named_parameters() if weight.grad is None] == []

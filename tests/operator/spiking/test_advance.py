"""A current that comes in pieces, against the same current at once."""

import numpy as np
import pytest
import torch
from small_operator import CONFIG, GRID, NEURON, SPEC, STEP, core_of, current_of, operator_of
from torch import Tensor

from noble.operator import Operator
from noble.operator.core import Response
from noble.operator.spiking.core import SpikePhaseCore
from noble.operator.spiking.waveform import LOOK_AHEAD_MS
from noble.stimuli import OrnsteinUhlenbeck
from noble.traces import TimeGrid

NOISE = OrnsteinUhlenbeck(start_ms=0.0, stop_ms=200.0, mean_na=0.2, sd_na=0.05, seed=3)


def streamed(core: SpikePhaseCore, scaled: Tensor, current: Tensor, dt_ms: float, pieces: list[int]) -> list[Response]:
    """Responses to pieces of so many samples, the last of what is left."""
    state, responses = core.rest(scaled), []
    for piece in current.split([*pieces, current.shape[1] - sum(pieces)], dim=1):
        state, response = core.advance(state, piece, dt_ms)
        responses.append(response)
    return responses


def spikes_of(responses: list[Response], neuron: int) -> Tensor:
    told = torch.cat([response.spikes_ms[neuron] for response in responses])
    return told[torch.isfinite(told)]


def pieces_of(count: int, *, dt_ms: float, seed: int) -> list[int]:
    """Random lengths, from nothing to three tokens."""
    generator, pieces = np.random.default_rng(seed), []
    while sum(pieces) < 0.9 * count:
        pieces.append(int(generator.choice([0, 1, 7, int(generator.uniform(1, 3 * CONFIG.token_ms / dt_ms))])))
    return pieces[:-1]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dt_ms", [0.06, 0.1, 0.5, 7.0])
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_a_current_in_pieces_is_answered_like_the_whole(training, dt_ms, seed):
    operator, grid = operator_of().train(training), TimeGrid.spanning(210.0, dt_ms=dt_ms)
    core = core_of(operator)
    current = torch.cat([current_of(item, grid) for item in (NOISE, STEP)])
    scaled = SPEC.scale(torch.as_tensor(NEURON).repeat(2, 1))
    pieces = [] if seed is None else pieces_of(grid.count, dt_ms=dt_ms, seed=seed)
    with torch.no_grad():
        whole, times = core(scaled, current, dt_ms), core.spike_times_ms(scaled, current, dt_ms)
        responses = streamed(core, scaled, current, dt_ms, pieces)
    told_ms = 0.0
    for response in responses:
        assert response.start_ms == pytest.approx(told_ms)
        told_ms += response.voltage_mv.shape[1] * dt_ms
    voltage = torch.cat([response.voltage_mv for response in responses], dim=1)
    assert voltage.shape[1] >= (grid.count * dt_ms - core.latency_ms) / dt_ms
    torch.testing.assert_close(voltage, whole[:, : voltage.shape[1]], rtol=0, atol=1e-3)
    until_ms = responses[-1].spikes_until_ms
    assert until_ms > grid.count * dt_ms - CONFIG.token_ms - 1e-9
    for neuron in range(2):
        expected = times[neuron, times[neuron] < until_ms]
        assert expected.numel() > 3
        torch.testing.assert_close(spikes_of(responses, neuron), expected, rtol=0, atol=1e-4)


def test_a_shipped_operator_in_pieces():
    operator, grid = Operator.load("human-pv-steps"), TimeGrid.spanning(300.0, dt_ms=0.1)
    core = core_of(operator)
    features = torch.tensor(np.array(operator.spec.training_features)[:2], dtype=torch.float32)
    current = torch.cat([current_of(NOISE, grid)] * 2).float()
    with torch.no_grad():
        scaled = operator.spec.scale(features)
        whole, times = core(scaled, current, grid.dt_ms), core.spike_times_ms(scaled, current, grid.dt_ms)
        responses = streamed(core, scaled, current, grid.dt_ms, [700, 555, 901])
    voltage = torch.cat([response.voltage_mv for response in responses], dim=1)
    assert voltage.shape[1] * grid.dt_ms > 300.0 - core.latency_ms
    torch.testing.assert_close(voltage, whole[:, : voltage.shape[1]], rtol=0, atol=1e-3)
    for neuron in range(2):
        expected = times[neuron, times[neuron] < responses[-1].spikes_until_ms]
        torch.testing.assert_close(spikes_of(responses, neuron), expected, rtol=0, atol=1e-4)
        assert expected.numel() > 3


@pytest.mark.parametrize("training", [True, False])
def test_what_is_settled_no_later_current_changes(training):
    """However a current goes on after six tokens, on neurons of which some fire just then."""
    core, steps, traces = core_of(operator_of().train(training)), 192, 100
    dt_ms, end = CONFIG.token_ms / steps, 6 * steps
    scaled = SPEC.scale(torch.as_tensor(NEURON)).expand(traces, -1)
    noise = current_of(NOISE, TimeGrid(dt_ms, 18 * steps))[:, : 8 * steps] - 0.2
    current = torch.linspace(0.08, 0.17, traces, dtype=torch.float64)[:, None] + 0.2 * noise
    with torch.no_grad():
        _, response = core.advance(core.rest(scaled), current[:, :end], dt_ms)
        samples = response.voltage_mv.shape[1]
        for level in (-1.0, 0.0, 0.4, 2.0):
            other = torch.cat([current[:, :end], torch.full_like(current[:, end:], level)], dim=1)
            whole, times = core(scaled, other, dt_ms), core.spike_times_ms(scaled, other, dt_ms)
            torch.testing.assert_close(response.voltage_mv, whole[:, :samples], rtol=0, atol=1e-6)
            known = torch.where(times < 6 * CONFIG.token_ms, times, torch.inf)[:, : response.spikes_ms.shape[1]]
            torch.testing.assert_close(response.spikes_ms, known, rtol=0, atol=1e-6)


def test_the_latency_is_no_longer_than_needed():
    """Current at the very end of a token acts nearly so long before, on a neuron that fires as the token begins."""
    core, steps, traces = core_of(operator_of()), 192, 200
    assert core.latency_ms == pytest.approx(CONFIG.token_ms + LOOK_AHEAD_MS + CONFIG.bin_ms / 4)
    dt_ms, last = CONFIG.token_ms / steps, 6 * steps - 2
    current = torch.linspace(0.08, 0.17, traces, dtype=torch.float64)[:, None].repeat(1, 7 * steps)
    later = current.clone()
    later[:, last:] -= 0.2
    scaled = SPEC.scale(torch.as_tensor(NEURON)).expand(traces, -1)
    with torch.no_grad():
        changed = (core(scaled, later, dt_ms) - core(scaled, current, dt_ms)).abs() > 1e-6
    lead_ms = (last - torch.nonzero(changed)[:, 1].min()) * dt_ms
    assert core.latency_ms - 1.0 < lead_ms < core.latency_ms


def test_a_state_is_a_value():
    """It can be kept, joined neuron by neuron, and gone on from more than once; an advance leaves it as it was."""
    core = core_of(operator_of())
    scaled, current = SPEC.scale(torch.as_tensor(NEURON)), current_of(STEP)
    middle, _ = core.advance(core.rest(scaled), current[:, :700], GRID.dt_ms)
    kept = [item.clone() for item in middle]
    one, two = (core.advance(middle, factor * current[:, 700:], GRID.dt_ms)[1] for factor in (1.0, 0.0))
    assert not torch.equal(one.voltage_mv, two.voltage_mv)
    assert all(torch.equal(before, after) for before, after in zip(kept, middle, strict=True))
    both = type(middle)(*(torch.cat(pair) for pair in zip(middle, middle, strict=True)))
    pieces = torch.cat([current[:, 700:], 0 * current[:, 700:]])
    _, joined = core.advance(both, pieces, GRID.dt_ms)
    for row, alone in enumerate((one, two)):
        torch.testing.assert_close(joined.voltage_mv[row], alone.voltage_mv[0], rtol=0, atol=1e-6)


def test_a_saved_state_goes_on_as_if_nothing_had_happened(tmp_path):
    from safetensors.torch import load_file, save_file

    core = core_of(operator_of())
    current = current_of(STEP)
    state = core.rest(SPEC.scale(torch.as_tensor(NEURON)))
    for piece in current.split(600, dim=1):
        save_file(state._asdict(), tmp_path / "state.safetensors")
        read = type(state)(**load_file(tmp_path / "state.safetensors"))
        (state, expected), (_, found) = (core.advance(item, piece, GRID.dt_ms) for item in (state, read))
        assert torch.equal(found.voltage_mv, expected.voltage_mv)
        assert torch.equal(found.spikes_ms, expected.spikes_ms)


def test_a_spike_at_the_edge_of_a_token_is_told_once():
    """Each spike is told by its number, so none is lost or told twice where two answers differ in its last digit."""
    core = core_of(operator_of())
    scaled, current = SPEC.scale(torch.as_tensor(NEURON)), current_of(STEP)
    state, first = core.advance(core.rest(scaled), current, GRID.dt_ms)
    count = first.spikes_ms.shape[1]
    assert state.spikes_told.tolist() == [count]
    earlier = state._replace(spikes_told=state.spikes_told - 2)
    _, more = core.advance(earlier, torch.zeros(1, 400, dtype=torch.float64), GRID.dt_ms)
    torch.testing.assert_close(more.spikes_ms[0, :2], first.spikes_ms[0, -2:], rtol=0, atol=1e-6)
    _, none = core.advance(state._replace(spikes_told=state.spikes_told + 9), current[:, :400] * 0, GRID.dt_ms)
    assert none.spikes_ms.shape == (1, 0)


def test_what_does_not_continue_a_stream_is_refused_and_changes_nothing():
    core = core_of(operator_of())
    scaled, current = SPEC.scale(torch.as_tensor(NEURON).repeat(2, 1)), current_of(STEP).repeat(2, 1)
    state, _ = core.advance(core.rest(scaled), current[:, :500], GRID.dt_ms)
    bad = current[:, 500:].clone()
    bad[1, 3] = torch.nan
    for piece, dt_ms, message in (
        (current[:, 500:], 0.05, "dt_ms is 0.05, but this stream began with 0.06; resample the current"),
        (current[:, 500:], -0.06, "dt_ms is -0.06; expected a positive number of milliseconds"),
        (
            current[:1, 500:],
            GRID.dt_ms,
            r"shape \(1, 1166\) was given to a stream of 2 neurons; expected \(2, samples\)",
        ),
        (bad, GRID.dt_ms, "the current of neuron 1 is nan at sample 3; expected finite nA"),
        (bad.nan_to_num(nan=torch.inf), GRID.dt_ms, "the current of neuron 1 is inf at sample 3"),
    ):
        with pytest.raises(ValueError, match=message):
            core.advance(state, piece, dt_ms)
    _, response = core.advance(state, current[:, 500:], GRID.dt_ms)
    _, whole = core.advance(core.rest(scaled), current, GRID.dt_ms)
    end = response.voltage_mv.shape[1]
    torch.testing.assert_close(response.voltage_mv, whole.voltage_mv[:, -end:], rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="a stream of no neurons was asked for; expected the features of at least one"):
        core.rest(scaled[:0])

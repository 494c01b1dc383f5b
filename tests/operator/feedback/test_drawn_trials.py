"""Trials of the spike-feedback core: what is drawn, beside the same loop in plain torch, in pieces, and on average."""

import numpy as np
import torch
from small_feedback import GRID, core_of, current_of, operator_of, scaled_of
from torch import Tensor

from noble.operator.feedback.bins import Binning
from noble.operator.feedback.core import SpikeFeedbackCore, _in_bins
from noble.operator.feedback.thresholds import thresholds
from noble.operator.trials import MOST_LIKELY, trial_keys


def keys_of(count: int) -> Tensor:
    return torch.as_tensor(trial_keys(1, 1, 1, count).ravel())


def asked(count: int) -> tuple[Tensor, Tensor]:
    """One neuron and one noise, so many times."""
    return scaled_of(1).expand(count, -1), current_of().expand(count, -1)


def seen(core: SpikeFeedbackCore, scaled: Tensor, current: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Context, rate and address, as the cell hears of them."""
    binning = Binning(core.config.bin_ms, 4, GRID.dt_ms)
    state, address = core.rest(scaled), core._address(scaled)
    parts = binning.part_means(current, 0, range(binning.complete(current.shape[1])))
    parts = parts.clamp(core.config.lowest_na, core.config.highest_na)
    signals, expected, _ = core._signals(scaled, parts, state.expected)
    context, _ = core.context(signals, address, state.context)
    return context, core._rate(expected, context), address


def plainly(core: SpikeFeedbackCore, scaled: Tensor, current: Tensor, keys: Tensor) -> list[list[float]]:
    """Spike times by the loop as it is meant, bin by bin."""
    context, rate, address = seen(core, scaled, current)
    memory, used, fired = core.rest(scaled).memory, torch.zeros(len(scaled)), np.zeros(len(scaled), np.int64)
    trains: list[list[float]] = [[] for _ in scaled]
    for bin in range(rate.shape[1]):
        _, description, _ = core.cell.step(context[:, bin], rate[:, bin], address, used < 0, memory)
        odds, _ = core.cell.decide(description, memory.since_ms, memory.phase, rate[:, bin])
        used = used + torch.nn.functional.softplus(odds)
        fires = used > torch.as_tensor(thresholds(keys.numpy(), fired))
        place, _, memory = core.cell.step(context[:, bin], rate[:, bin], address, fires, memory)
        used = torch.where(fires, 0.0, used)
        fired = fired + fires.numpy()
        for trial in fires.nonzero()[:, 0].tolist():
            trains[trial].append(bin * core.config.bin_ms + float(place[trial]))
    return trains


def test_the_compiled_loop_draws_what_the_plain_one_draws():
    core = core_of(operator_of())
    scaled, current = asked(20)
    keys = torch.cat([keys_of(19), torch.tensor([MOST_LIKELY])])
    with torch.no_grad():
        found = core.spike_times_ms(scaled, current, GRID.dt_ms, keys=keys)
        expected = plainly(core, scaled, current, keys)
        alone = core.spike_times_ms(*asked(1), GRID.dt_ms)
    end_ms = Binning(core.config.bin_ms, 4, GRID.dt_ms).complete(GRID.count) * core.config.bin_ms
    for row, times in zip(found, expected, strict=True):
        np.testing.assert_allclose(row[row < end_ms], times, rtol=0, atol=1e-3)
    assert len({len(times) for times in expected}) > 1  # trials do differ
    torch.testing.assert_close(found[-1, : alone.shape[1]], alone[0], rtol=0, atol=1e-4)


def test_trials_in_pieces_are_those_of_the_whole():
    core, generator = core_of(operator_of()), np.random.default_rng(0)
    (scaled, current), keys = asked(10), keys_of(10)
    with torch.no_grad():
        voltage, times = (answer(scaled, current, GRID.dt_ms, keys=keys) for answer in (core, core.spike_times_ms))
        state, responses, done = core.rest(scaled, keys=keys), [], 0
        while done < GRID.count:
            count = int(generator.choice([0, 1, 7, generator.integers(1, 400)]))
            state, response = core.advance(state, current[:, done : done + count], GRID.dt_ms)
            responses.append(response)
            done += count
    settled = torch.cat([response.voltage_mv for response in responses], dim=1)
    torch.testing.assert_close(settled, voltage[:, : settled.shape[1]], rtol=0, atol=2e-3)
    for trial in range(10):
        told = torch.cat([response.spikes_ms[trial] for response in responses])
        told = told[torch.isfinite(told)]
        expected = times[trial, times[trial] < responses[-1].spikes_until_ms]
        torch.testing.assert_close(told, expected, rtol=0, atol=1e-4)
        assert int(state.fired[trial]) == told.numel()
    assert torch.equal(state.keys, keys)


def test_trials_fire_as_often_as_the_chances_say():
    """Spikes less the sum of all chances, each given the spikes before it, is 0 on average and varies as single throws do."""
    core, count = core_of(operator_of()), 300
    (scaled, current), keys = asked(count), keys_of(count)
    with torch.no_grad():
        context, rate, address = seen(core, *asked(1))
        bins = rate.shape[1]
        times = core.spike_times_ms(scaled, current, GRID.dt_ms, keys=keys)
        times = torch.where(times < bins * core.config.bin_ms, times, torch.inf)
        spiked, place = _in_bins(times, bins, core.config.bin_ms)
        told = (context.expand(count, -1, -1), rate.expand(count, -1), address.expand(count, -1))
        odds, _, _ = core.cell.told(*told, spiked, place, core.rest(scaled).memory)
    chance = torch.sigmoid(odds).double()
    surplus = float((spiked.double() - chance).sum())
    assert abs(surplus) < 4 * float((chance * (1 - chance)).sum()) ** 0.5
    counts = spiked.sum(dim=1).double()
    assert float(counts.mean()) > 3
    assert float(counts.std()) > 0.5
    # What is told is what was fired: the chances lead past each threshold in the bin of the spike, and never before.
    passed = torch.as_tensor(thresholds(keys.numpy(), np.zeros(count, np.int64)))[:, None]
    used = torch.cumsum(torch.nn.functional.softplus(odds), dim=1)
    firing = spiked.any(dim=1)
    first = spiked.long().argmax(dim=1)
    assert torch.equal((used > passed).long().argmax(dim=1)[firing], first[firing])


def test_gradients_change_no_trial():
    core, keys = core_of(operator_of()), keys_of(3)
    scaled, current = asked(3)
    with torch.no_grad():
        plain = core.spike_times_ms(scaled, current, GRID.dt_ms, keys=keys)
    moved = core.spike_times_ms(scaled.clone().requires_grad_(), current, GRID.dt_ms, keys=keys)
    torch.testing.assert_close(moved.detach(), plain, rtol=0, atol=1e-4)
    assert moved[torch.isfinite(moved)].requires_grad

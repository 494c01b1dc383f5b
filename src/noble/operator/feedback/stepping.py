"""Prediction bin by bin, compiled: each bin needs to know whether the one before fired.

The loop runs over the bins of one neuron after the other; what needs no spikes was computed for all bins at once. Neurons are
shared out among threads. It computes what `Cell.step` does, in single precision and on the CPU.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple, no_type_check

import numpy as np
import torch
from numba import njit
from torch import Tensor

from noble.operator.feedback import cell as cells
from noble.operator.feedback.cell import Cell, Memory

_SPIKES = len(cells.SPIKE_TIMES_MS)
_KNOWN = cells.KNOWN
_SCALES = cells.GUESS_SCALES_MS


class Stepped(NamedTuple):
    """What was decided bin by bin.

    Attributes:
        spiked: shape (neuron, bin).
        place_ms: where in the bin, if it fires, shape (neuron, bin), ms from its beginning.
        description: shape (neuron, bin, size).
        memory: after the last bin.
    """

    spiked: Tensor
    place_ms: Tensor
    description: Tensor
    memory: Memory


@torch.no_grad()
def step_through(cell: Cell, context: Tensor, rate_per_ms: Tensor, address: Tensor, memory: Memory) -> Stepped:
    """Some bins, one after the other; shapes as in `Cell.told`."""
    entered = cell.enter_context(context) + cell.enter_address(address)[:, None]
    entering = cell.project_context(context)
    second = cell.second.bias + cell.second_address(address)
    neurons, bins, size = context.shape
    spiked = torch.zeros(neurons, bins, dtype=torch.bool)
    place = torch.zeros(neurons, bins)
    description = torch.empty(neurons, bins, size)
    after = Memory(*(field.detach().float().cpu().clone().contiguous() for field in memory))
    weights = [
        cell.enter_known.weight.t(),
        cell.project_known.weight.t(),
        cell.middle.weight.t(),
        cell.middle.bias,
        cell.second.weight.t(),
        cell.decision.weight.t(),
        cell.decision.bias,
        cell.decay,
        cell.kept,
        torch.exp(-cell.bin_ms / cell.spike_times_ms),
        1 / cell.spike_times_ms,
    ]
    constant = tuple(_array(weight) for weight in weights)
    rows = [context, entered, entering, rate_per_ms, second, *after, spiked, place, description]
    arrays = [_array(row) for row in rows]

    def run(part: slice) -> None:
        _step_through(cell.bin_ms, constant, *(array[part] for array in arrays))

    threads = min(torch.get_num_threads(), neurons)
    if threads == 1:
        run(slice(None))
    else:
        edges = np.linspace(0, neurons, threads + 1).astype(int)
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run, [slice(a, b) for a, b in pairwise(edges.tolist())]))
    return Stepped(
        spiked.to(context.device),
        place.to(context),
        description.to(context),
        Memory(*(item.to(context) for item in after)),
    )


def _array(values: Tensor) -> np.ndarray:
    values = values.detach()
    return np.ascontiguousarray((values if values.dtype == torch.bool else values.float()).cpu().numpy())


@njit(fastmath={"contract", "reassoc", "nsz", "arcp"}, cache=True, nogil=True)
@no_type_check  # what is compiled is checked by its compiler
def _step_through(
    bin_ms,
    weights,
    context,
    entered,
    entering,
    rates,
    second_bias,
    spikes,
    since,
    phases,
    used,
    averages,
    spiked,
    place,
    out,
):
    (
        enter_known,
        project_known,
        middle,
        middle_bias,
        second,
        decision,
        decision_bias,
        decay,
        kept,
        decay_spikes,
        rate_spikes,
    ) = weights
    neurons, bins, size = context.shape
    count = decay.size
    known = np.zeros(_KNOWN + count, np.float32)
    wide = np.zeros(2 * size, np.float32)
    narrow = np.zeros(size, np.float32)
    gated = np.zeros(size, np.float32)
    coming = np.zeros(count, np.float32)
    decided = np.zeros(cells.DECISIONS, np.float32)
    half, one = np.float32(0.5), np.float32(1.0)
    for neuron in range(neurons):
        for bin in range(bins):
            rate = rates[neuron, bin]
            guess = min(max((one - phases[neuron]) / rate, np.float32(cells.EARLIEST_MS)), np.float32(cells.LATEST_MS))
            for index in range(_SPIKES):
                known[index] = spikes[neuron, index]
            known[_SPIKES] = np.log1p(since[neuron]) / np.float32(cells.LOG_SINCE_UNIT)
            known[_SPIKES + 1] = np.exp(-since[neuron] / np.float32(cells.RECENT_MS))
            known[_SPIKES + 2] = min(max(phases[neuron], np.float32(0)), np.float32(2))
            known[_SPIKES + 3] = np.log(rate) / np.float32(cells.LOG_RATE_UNIT) + one
            for index in range(len(_SCALES)):
                scaled = guess / np.float32(_SCALES[index])
                known[_SPIKES + 4 + index] = scaled / (one + abs(scaled))
            for index in range(count):
                coming[index] = entering[neuron, bin, index]
            for source in range(_KNOWN):
                value = known[source]
                for index in range(count):
                    coming[index] += value * project_known[source, index]
            for index in range(count):
                average = decay[index] * averages[neuron, index] + (one - decay[index]) * coming[index]
                averages[neuron, index] = average
                known[_KNOWN + index] = average
            for index in range(2 * size):
                wide[index] = entered[neuron, bin, index]
            for source in range(_KNOWN + count):
                value = known[source]
                for index in range(2 * size):
                    wide[index] += value * enter_known[source, index]
            for index in range(size):
                gate = wide[index]
                gated[index] = half * gate * (one + gate / (one + abs(gate))) * wide[size + index]
                narrow[index] = context[neuron, bin, index] + middle_bias[index]
            for source in range(size):
                value = gated[source]
                for index in range(size):
                    narrow[index] += value * middle[source, index]
            for index in range(2 * size):
                wide[index] = second_bias[neuron, index]
            for source in range(size):
                value = narrow[source]
                for index in range(2 * size):
                    wide[index] += value * second[source, index]
            for index in range(cells.DECISIONS):
                decided[index] = decision_bias[index]
            for index in range(size):
                gate = wide[index]
                value = half * gate * (one + gate / (one + abs(gate))) * wide[size + index]
                out[neuron, bin, index] = value
                for decides in range(cells.DECISIONS):
                    decided[decides] += value * decision[index, decides]
            reach = min(
                max(np.float32(bin_ms) - guess, np.float32(-cells.ODDS_REACH_MS)), np.float32(cells.ODDS_REACH_MS)
            )
            odds = decided[0] + _softplus(decided[2]) * np.float32(cells.ODDS_PER_MS) * reach
            used[neuron] += _softplus(odds)
            fires = used[neuron] > np.float32(cells.HALF_OF_THE_CHANCE)
            for index in range(_SPIKES):
                spikes[neuron, index] *= decay_spikes[index]
            if fires:
                own = np.float32(bin_ms) * (decided[1] + half)
                guessed = min(max(guess, np.float32(0)), np.float32(bin_ms))
                trust = one / (one + np.exp(-decided[3]))
                where = min(max(own + trust * (guessed - own), np.float32(0)), np.float32(bin_ms))
                left = np.float32(bin_ms) - where
                spiked[neuron, bin], place[neuron, bin] = True, where
                for index in range(_SPIKES):
                    spikes[neuron, index] += np.exp(-left * rate_spikes[index])
                since[neuron], phases[neuron], used[neuron] = left, rate * left, np.float32(0)
                for index in range(count):
                    averages[neuron, index] *= kept[index]
            else:
                since[neuron] = min(since[neuron] + np.float32(bin_ms), np.float32(cells.LONG_AGO_MS))
                phases[neuron] += rate * np.float32(bin_ms)


@njit(fastmath={"contract", "reassoc", "nsz", "arcp"}, cache=True, nogil=True)
@no_type_check  # what is compiled is checked by its compiler
def _softplus(value):
    return max(value, np.float32(0)) + np.log1p(np.exp(-abs(value)))

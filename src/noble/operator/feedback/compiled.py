"""Prediction, compiled: each bin needs to know whether the one before fired.

It computes what `Context.forward` and then `Cell.step` do, in single precision and on the CPU. Some bins of one neuron go through
the wide part together, then some neurons through the narrow one, bin by bin, so that every layer is a product of two small
matrices and all that is needed stays in the cache. Neurons are shared out among threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, cast, no_type_check

import numpy as np
import torch
from numba import njit
from torch import Tensor

from noble.operator.feedback import cell as cells
from noble.operator.feedback.cell import Memory
from noble.operator.feedback.context import NORM_EPS, ContextBlock
from noble.operator.feedback.thresholds import Draws, threshold, thresholds

if TYPE_CHECKING:
    from noble.operator.feedback.core import SpikeFeedbackCore

# Bins of one neuron, and neurons of one bin, that go through a layer together.
_ROWS: Final = 32
# A product of more multiplications than this is shared out by the library among threads of its own, which ours would wait for.
_MOST_AT_ONCE: Final = 1 << 18

_SPIKES: Final = len(cells.SPIKE_TIMES_MS)
_KNOWN: Final = cells.KNOWN
_SCALES: Final = cells.GUESS_SCALES_MS
_FAST: Final = {"contract", "reassoc", "nsz", "arcp"}


class Fired(NamedTuple):
    """What was decided bin by bin.

    Attributes:
        bins: of each spike, rows filled up with the number of bins, shape (neuron, spike).
        place_ms: of each spike in its bin, shape (neuron, spike), ms from its beginning.
        shapes: weights of each spike's shapes, in units of the core, shape (neuron, spike, shape).
        slow: slow voltage at the end of each bin, in units of the core, shape (neuron, bin).
        context: what the wide part takes over, shape (neuron, carried).
        memory: what the narrow part takes over.
    """

    bins: Tensor
    place_ms: Tensor
    shapes: Tensor
    slow: Tensor
    context: Tensor
    memory: Memory


@torch.no_grad()
def answer(
    core: SpikeFeedbackCore,
    signals: Tensor,
    expected_log_rate: Tensor,
    address: Tensor,
    context: Tensor,
    memory: Memory,
    draws: Draws,
) -> Fired:
    """Some bins of some neurons.

    Args:
        core: whose weights are used.
        signals: of each bin, shape (neuron, bin, signal).
        expected_log_rate: before it is corrected, shape (neuron, bin).
        address: of each neuron.
        context, memory: as they were left.
        draws: which thresholds the neurons are at.
    """
    neurons, bins, _ = signals.shape
    size = core.slow.in_features
    wide, cell = core.context, core.cell
    blocks = [cast(ContextBlock, block) for block in wide.blocks]
    entering = _array(wide.enter.bias + wide.address_enter(address))
    tuned = _array(torch.stack([block.enter.bias + block.tune(address) for block in blocks], dim=1))
    heard = torch.zeros(neurons, sum(cell.sizes) + 1)
    heard[:, :-1] = cell.hear.bias
    heard[:, -1] = core.correct.bias
    heard[:, cell.sizes[0] : -1] += cell.tune(address).cpu()
    of_context = tuple(
        _array(item)
        for item in (
            wide.spread.weight.t(),
            wide.average.decay,
            wide.fixed,
            wide.enter.weight.t(),
            torch.stack([block.norm.weight for block in blocks]),
            torch.stack([block.project.weight.t() for block in blocks]),
            torch.stack([block.average.decay for block in blocks]),
            torch.stack([block.enter.weight.t() for block in blocks]),
            torch.stack([block.leave.weight.t() for block in blocks]),
            torch.stack([block.leave.bias for block in blocks]),
            wide.norm.weight,
            torch.cat([cell.hear.weight, core.correct.weight]).t(),
        )
    )
    of_cell = tuple(
        _array(item)
        for item in (
            cell.remember.weight.t(),
            cell.first.weight.t(),
            cell.second.weight.t(),
            torch.cat([cell.decision.weight, core.slow.weight]).t(),
            torch.cat([cell.decision.bias, core.slow.bias]),
            core.weigh.weight.t(),
            core.weigh.bias,
            cell.decay,
            cell.kept,
            torch.exp(-cell.bin_ms / cell.spike_times_ms),
            1 / cell.spike_times_ms,
            cell.most_spikes,
        )
    )
    keys, fired = (np.ascontiguousarray(item.cpu().numpy()) for item in draws)
    rows = [
        entering,
        tuned,
        _array(heard),
        _array(signals),
        _array(expected_log_rate),
        keys,
        fired,
        thresholds(keys, fired),
        *(_array(item).copy() for item in (context, *memory)),
        np.zeros(neurons, np.int64),
        np.empty((neurons, bins), np.int64),
        np.empty((neurons, bins), np.float32),
        np.empty((neurons, bins, core.weigh.out_features), np.float32),
        np.empty((neurons, bins), np.float32),
    ]
    # Bounds that may yet change are given, since a cached loop does not know of changes in another file.
    bounds = (cells.REFRACTORY_MS, cells.IMPOSSIBLE, cells.LARGEST_UNIT)
    numbers = np.array([cell.bin_ms, core.prior.uncertainty, *core.log_rate_range, *bounds], np.float32)

    def run(part: slice) -> None:
        _answer(size, numbers, of_context, of_cell, *(row[part] for row in rows))

    threads = max(1, min(torch.get_num_threads(), neurons))
    if threads == 1:
        run(slice(None))
    else:
        edges = np.linspace(0, neurons, threads + 1).astype(int).tolist()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run, [slice(first, last) for first, last in pairwise(edges)]))
    context_after, *after, counts, at, place, shapes, slow = rows[8:]
    most = int(counts.max())
    at[:, :most][np.arange(most) >= counts[:, None]] = bins
    device = signals.device
    spikes = [torch.from_numpy(item[:, :most].copy()).to(device) for item in (at, place, shapes)]
    memory = Memory(*(torch.from_numpy(item).to(signals) for item in after))
    return Fired(
        spikes[0],
        spikes[1],
        spikes[2],
        slow=torch.from_numpy(slow).to(signals),
        context=torch.from_numpy(context_after).to(signals),
        memory=memory,
    )


def _array(values: Tensor) -> np.ndarray:
    return np.ascontiguousarray(values.detach().float().cpu().numpy())


@njit(fastmath=_FAST, cache=True, nogil=True)
@no_type_check  # what is compiled is checked by its compiler
def _answer(
    size,
    numbers,
    of_context,
    of_cell,
    entering,
    tuned,
    heard,
    signals,
    expected,
    keys,
    fired,
    passed,
    carried,
    spikes,
    since,
    phase,
    used,
    averages,
    counts,
    at,
    place,
    shapes,
    slow,
):
    """All bins of some neurons; the thresholds that are passed at a spike, what is carried and what follows are written to."""
    neurons, bins, _ = signals.shape
    count = averages.shape[1]
    hears = np.empty((_ROWS, _ROWS, heard.shape[1]), np.float32)
    for first in range(0, neurons, _ROWS):
        last = min(first + _ROWS, neurons)
        part = slice(first, last)
        for start in range(0, bins, _ROWS):
            stop = min(start + _ROWS, bins)
            for neuron in range(first, last):
                heard_of = hears[neuron - first, : stop - start]
                _hear(
                    of_context,
                    entering[neuron],
                    tuned[neuron],
                    heard[neuron],
                    signals[neuron, start:stop],
                    carried[neuron],
                    heard_of,
                )
                for bin in range(stop - start):
                    rate = expected[neuron, start + bin] + numbers[1] * heard_of[bin, -1]
                    heard_of[bin, -1] = min(max(rate, numbers[2]), numbers[3])
            _step(
                size,
                count,
                numbers,
                start,
                stop,
                hears,
                of_cell,
                keys[part],
                fired[part],
                passed[part],
                spikes[part],
                since[part],
                phase[part],
                used[part],
                averages[part],
                counts[part],
                at[part],
                place[part],
                shapes[part],
                slow[part],
            )


@njit(fastmath=_FAST, cache=True, nogil=True)
@no_type_check  # what is compiled is checked by its compiler
def _hear(weights, entering, tuned, heard, signals, carried, result):
    """The wide part for some bins of a neuron, and what the narrow part hears of it."""
    (spread, decay, fixed, enter, norms, projects, decays, enters, leaves, biases, norm, hear) = weights
    bins, given = signals.shape
    filters, lasting, width = decay.size, fixed.size, entering.size
    hidden = leaves.shape[1]
    seen = np.empty((bins, given + filters + lasting), np.float32)
    projected = np.empty((bins, filters), np.float32)
    values = np.empty((bins, width), np.float32)
    present = np.empty((bins, width + filters), np.float32)
    inner = np.empty((bins, 2 * hidden), np.float32)
    narrow = np.empty((bins, hidden), np.float32)
    left = np.empty((bins, width), np.float32)
    normed = np.empty((bins, width), np.float32)
    seen[:, :given] = signals
    _product(signals, spread, projected)
    _average(projected, decay, carried[lasting : lasting + filters], seen, given)
    for bin in range(bins):
        mean = signals[bin, 0]
        for index in range(lasting):
            carried[index] = fixed[index] * carried[index] + (np.float32(1) - fixed[index]) * mean
            seen[bin, given + filters + index] = carried[index]
    _product(seen, enter, values)
    for bin in range(bins):
        for index in range(width):
            values[bin, index] += entering[index]
    for block in range(len(norms)):
        _norm(values, norms[block], normed)
        present[:, :width] = normed
        _product(normed, projects[block], projected)
        begin = lasting + (1 + block) * filters
        _average(projected, decays[block], carried[begin : begin + filters], present, width)
        _product(present, enters[block], inner)
        for bin in range(bins):
            for index in range(hidden):
                gate = inner[bin, index] + tuned[block, index]
                value = inner[bin, hidden + index] + tuned[block, hidden + index]
                narrow[bin, index] = _gated(gate, value)
        _product(narrow, leaves[block], left)
        for bin in range(bins):
            for index in range(width):
                values[bin, index] += left[bin, index] + biases[block, index]
    _norm(values, norm, normed)
    _product(normed, hear, result)
    for bin in range(bins):
        for index in range(heard.size):
            result[bin, index] += heard[index]


@njit(fastmath=_FAST, cache=True, nogil=True)
@no_type_check  # what is compiled is checked by its compiler
def _step(
    size,
    count,
    numbers,
    start,
    stop,
    hears,
    weights,
    keys,
    fired,
    passed,
    spikes,
    since,
    phases,
    used,
    averages,
    counts,
    at,
    places,
    shapes,
    slow,
):
    """The narrow part for some neurons, bin by bin."""
    remember, first, second, decide, decide_bias, weigh, weigh_bias, decay, kept = weights[:9]
    decay_spikes, rate_spikes, most_spikes = weights[9:]
    neurons = len(since)
    known = np.empty((neurons, _KNOWN), np.float32)
    remembered = np.empty((neurons, count), np.float32)
    both = np.empty((neurons, _KNOWN + count), np.float32)
    wide = np.empty((neurons, 2 * size), np.float32)
    entered = np.empty((neurons, size), np.float32)
    described = np.empty((neurons, size), np.float32)
    decided = np.empty((neurons, decide.shape[1]), np.float32)
    guesses = np.empty(neurons, np.float32)
    rates = np.empty(neurons, np.float32)
    half, one, bin_ms = np.float32(0.5), np.float32(1), numbers[0]
    refractory_ms, impossible, largest = numbers[4], numbers[5], numbers[6]
    of_first, of_second = count, count + 2 * size
    for bin in range(start, stop):
        row = bin - start
        for neuron in range(neurons):
            log_rate = hears[neuron, row, -1]
            rate = np.exp(log_rate)
            guess = min(max((one - phases[neuron]) / rate, np.float32(cells.EARLIEST_MS)), np.float32(cells.LATEST_MS))
            guesses[neuron], rates[neuron] = guess, rate
            for index in range(_SPIKES):
                known[neuron, index] = min(spikes[neuron, index], most_spikes[index])
            known[neuron, _SPIKES] = np.log1p(since[neuron]) / np.float32(cells.LOG_SINCE_UNIT)
            known[neuron, _SPIKES + 1] = np.exp(-since[neuron] / np.float32(cells.RECENT_MS))
            known[neuron, _SPIKES + 2] = min(max(phases[neuron], np.float32(0)), np.float32(2))
            known[neuron, _SPIKES + 3] = log_rate / np.float32(cells.LOG_RATE_UNIT) + one
            for index in range(len(_SCALES)):
                scaled = guess / np.float32(_SCALES[index])
                known[neuron, _SPIKES + 4 + index] = scaled / (one + abs(scaled))
        _product(known, remember, remembered)
        for neuron in range(neurons):
            for index in range(count):
                coming = hears[neuron, row, index] + remembered[neuron, index]
                average = decay[index] * averages[neuron, index] + (one - decay[index]) * coming
                averages[neuron, index] = average
                both[neuron, _KNOWN + index] = average
            for index in range(_KNOWN):
                both[neuron, index] = known[neuron, index]
        _product(both, first, wide)
        for neuron in range(neurons):
            for index in range(size):
                gate = wide[neuron, index] + hears[neuron, row, of_first + index]
                value = wide[neuron, size + index] + hears[neuron, row, of_first + size + index]
                entered[neuron, index] = min(max(_gated(gate, value), -largest), largest)
        _product(entered, second, wide)
        for neuron in range(neurons):
            for index in range(size):
                gate = wide[neuron, index] + hears[neuron, row, of_second + index]
                value = wide[neuron, size + index] + hears[neuron, row, of_second + size + index]
                described[neuron, index] = min(max(_gated(gate, value), -largest), largest)
        _product(described, decide, decided)
        for neuron in range(neurons):
            guess, rate = guesses[neuron], rates[neuron]
            odds, own = decided[neuron, 0] + decide_bias[0], decided[neuron, 1] + decide_bias[1]
            weight, trust = decided[neuron, 2] + decide_bias[2], decided[neuron, 3] + decide_bias[3]
            slow[neuron, bin] = decided[neuron, 4] + decide_bias[4]
            reach = min(max(bin_ms - guess, np.float32(-cells.ODDS_REACH_MS)), np.float32(cells.ODDS_REACH_MS))
            odds += _softplus(weight) * np.float32(cells.ODDS_PER_MS) * reach
            if since[neuron] < refractory_ms:
                odds = impossible
            used[neuron] += _softplus(odds)
            for index in range(_SPIKES):
                spikes[neuron, index] *= decay_spikes[index]
            if used[neuron] <= passed[neuron]:
                since[neuron] = min(since[neuron] + bin_ms, np.float32(cells.LONG_AGO_MS))
                phases[neuron] += rate * bin_ms
                continue
            own = bin_ms * (own + half)
            guessed = min(max(guess, np.float32(0)), bin_ms)
            trusted = one / (one + np.exp(-trust))
            where = min(max(own + trusted * (guessed - own), np.float32(0)), bin_ms)
            rest = bin_ms - where
            spike = counts[neuron]
            counts[neuron], at[neuron, spike], places[neuron, spike] = spike + 1, bin, where
            for index in range(weigh_bias.size):
                value = weigh_bias[index]
                for source in range(size):
                    value += described[neuron, source] * weigh[source, index]
                shapes[neuron, spike, index] = value
            for index in range(_SPIKES):
                spikes[neuron, index] += np.exp(-rest * rate_spikes[index])
            since[neuron], phases[neuron], used[neuron] = rest, rate * rest, np.float32(0)
            passed[neuron] = threshold(keys[neuron], fired[neuron] + spike + 1)
            for index in range(count):
                averages[neuron, index] *= kept[index]


@njit(fastmath=_FAST, cache=True, nogil=True)
@no_type_check  # what is compiled is checked by its compiler
def _product(left, right, result):
    most = max(1, _MOST_AT_ONCE // right.size)
    for start in range(0, len(left), most):
        np.dot(left[start : start + most], right, result[start : start + most])


@njit(fastmath=_FAST, cache=True, nogil=True)
@no_type_check  # what is compiled is checked by its compiler
def _average(values, decay, state, result, column):
    for bin in range(len(values)):
        for index in range(decay.size):
            state[index] = decay[index] * state[index] + (np.float32(1) - decay[index]) * values[bin, index]
            result[bin, column + index] = state[index]


@njit(fastmath=_FAST, cache=True, nogil=True)
@no_type_check  # what is compiled is checked by its compiler
def _norm(values, weight, result):
    width = weight.size
    for bin in range(len(values)):
        mean = np.float32(0)
        for index in range(width):
            mean += values[bin, index]
        mean /= np.float32(width)
        variance = np.float32(0)
        for index in range(width):
            variance += (values[bin, index] - mean) ** 2
        factor = np.float32(1) / np.sqrt(variance / np.float32(width) + np.float32(NORM_EPS))
        for index in range(width):
            result[bin, index] = (values[bin, index] - mean) * factor * weight[index]


@njit(fastmath=_FAST, cache=True, nogil=True, inline="always")
@no_type_check  # what is compiled is checked by its compiler
def _gated(gate, value):
    one = np.float32(1)
    return np.float32(0.5) * gate * (one + gate / (one + abs(gate))) * value


@njit(fastmath=_FAST, cache=True, nogil=True)
@no_type_check  # what is compiled is checked by its compiler
def _softplus(value):
    return max(value, np.float32(0)) + np.log1p(np.exp(-abs(value)))

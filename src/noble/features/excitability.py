"""How readily a neuron fires: F-I curve, rheobase, F-I gain, and rest, for anything that responds.

All definitions are by re-simulation against the `Responder` protocol, so a simulator and a trained operator are
measured in the same way. Spikes are counted by their peaks within the step, `onset <= t < offset`: neither a rebound
after the step nor spontaneous firing before it counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from noble.protocols import StepProtocol
from noble.responders import FiringResponder, NeuronT, Responder
from noble.spikes import THRESHOLD_MV, spike_times_ms, within
from noble.stimuli import Stimulus
from noble.traces import Trace, TraceBatch
from noble.units import MS_PER_SECOND, check_current_na

# Traces held at once while measuring: 512 of the paper's length are 70 MB, whatever the size of the family.
LARGEST_BATCH = 512

# Where the F-I gain is taken: up to this far above rheobase, at this many amplitudes.
SLOPE_SPAN_NA: Final = 0.05
SLOPE_POINTS: Final = 8


@dataclass(frozen=True)
class FICurve:
    """Firing of several neurons over step amplitudes.

    Attributes:
        amplitudes_na: shape (amplitudes,), or (neurons, amplitudes) where every neuron has its own, nA.
        spike_counts: spikes within the step, shape (neurons, amplitudes).
        rates_hz: firing rates (see `firing_rate_hz`), shape (neurons, amplitudes), Hz.
        latencies_ms: from the onset to the first spike, shape (neurons, amplitudes), ms; NaN without a spike.
        first_intervals_ms: from the first spike to the second, shape (neurons, amplitudes), ms; NaN without a second.
    """

    amplitudes_na: np.ndarray
    spike_counts: np.ndarray
    rates_hz: np.ndarray
    latencies_ms: np.ndarray
    first_intervals_ms: np.ndarray


@dataclass(frozen=True)
class RestingFeatures:
    """Passive answer to a hyperpolarising step, one value a neuron.

    Attributes:
        voltage_base_mv: mean voltage over the last tenth of the time before the step, shape (neurons,), mV.
        input_resistance_mohm: steady deflection over current; steady is the step's last tenth, shape (neurons,), MOhm.
        sag_ratio: part of the largest deflection that has sagged back in the steady state, shape (neurons,), 0 to 1.
        rise_time_63_ms: from the onset to `1 - 1/e` of the largest deflection, the membrane time constant of a cell that is one
            compartment without sag, shape (neurons,), ms.
    """

    voltage_base_mv: np.ndarray
    input_resistance_mohm: np.ndarray
    sag_ratio: np.ndarray
    rise_time_63_ms: np.ndarray


def firing_rate_hz(times_ms: np.ndarray, *, onset_ms: float, offset_ms: float) -> float:
    """Firing rate of the spikes within one step, Hz.

    From two spikes on, the inverse of the mean inter-spike interval, which is finer than the count over the duration
    (that moves in jumps of 2.5 Hz on a 400 ms step). Where the cell then stays silent for longer than that interval, as
    after a doublet at the onset, the silence counts: `n / (offset - first spike)`, equal to the former where the two meet.
    Below two spikes, the count over the duration.

    Args:
        times_ms: spike times within the step, in order, ms.
        onset_ms, offset_ms: edges of the step, ms.
    """
    if times_ms.size >= 2:
        first, last = float(times_ms[0]), float(times_ms[-1])
        return MS_PER_SECOND * min((times_ms.size - 1) / (last - first), times_ms.size / (offset_ms - first))
    return MS_PER_SECOND * times_ms.size / (offset_ms - onset_ms)


def trace_rate_hz(trace: Trace, *, onset_ms: float, offset_ms: float, threshold_mv: float = THRESHOLD_MV) -> float:
    """`firing_rate_hz` of the spikes found in one trace, Hz; edges of the step from its first sample, ms."""
    times = spike_times_ms(trace.voltage_mv, dt_ms=trace.grid.dt_ms, threshold_mv=threshold_mv)
    return firing_rate_hz(within(times, onset_ms, offset_ms), onset_ms=onset_ms, offset_ms=offset_ms)


def fi_curve(
    responder: Responder[NeuronT],
    neurons: Sequence[NeuronT],
    amplitudes_na: np.ndarray | Sequence[float],
    protocol: StepProtocol | None = None,
) -> FICurve:
    """The F-I curve of each neuron, by a step of each amplitude.

    Args:
        responder: who answers; a `FiringResponder` is asked for its spikes alone.
        neurons: in the responder's form.
        amplitudes_na: the same for all neurons, shape (amplitudes,), or one row a neuron, shape (neurons, amplitudes), nA.
        protocol: the step; the paper's if None.

    Raises:
        ValueError: for rows of amplitudes of another number of neurons.
    """
    amplitudes = np.atleast_1d(np.asarray(amplitudes_na, dtype=float))
    if amplitudes.ndim > 2 or (amplitudes.ndim == 2 and len(amplitudes) != len(neurons)):
        raise ValueError(
            f"amplitudes_na has shape {amplitudes.shape}; expected (amplitudes,), or ({len(neurons)}, amplitudes) for "
            f"{len(neurons)} neurons."
        )
    rows = np.broadcast_to(amplitudes, (len(neurons), amplitudes.shape[-1]))
    counts, rates, latencies, intervals = _firing(responder, neurons, rows, protocol or StepProtocol())
    return FICurve(amplitudes, counts, rates, latencies, intervals)


def rheobase(
    responder: Responder[NeuronT],
    neurons: Sequence[NeuronT],
    protocol: StepProtocol | None = None,
    *,
    low_na: float,
    high_na: float,
    tolerance_na: float = 1e-4,
) -> np.ndarray:
    """Smallest step that fires, of each neuron: its rheobase, by bisection, simulating again at every trial amplitude.

    The answer fires, and the step smaller by `tolerance_na` does not. The neuron is assumed to begin to fire once within the
    bracket; of one that falls silent again between its ends (a block without any spike), one of the beginnings is found.

    Args:
        responder: who answers; each iteration is one batch of all neurons still open.
        neurons: in the responder's form.
        protocol: the step; the paper's if None.
        low_na, high_na: bracket, nA.
        tolerance_na: width at which bisection stops, nA; 0.1 pA unless told otherwise.

    Returns:
        Shape (neurons,), nA. NaN where the bracket holds no rheobase: silent at `high_na`, or firing at `low_na`.

    Raises:
        ValueError: for a bracket or tolerance that is not positive.
    """
    if not (high_na > low_na and tolerance_na > 0):
        raise ValueError(
            f"low_na is {low_na:g}, high_na {high_na:g} and tolerance_na {tolerance_na:g}; "
            "expected low_na < high_na and a positive tolerance."
        )
    protocol = protocol or StepProtocol()
    ends = np.broadcast_to([low_na, high_na], (len(neurons), 2))
    counts, *_ = _firing(responder, neurons, ends, protocol)
    low, high = np.array(ends[:, 0]), np.array(ends[:, 1])
    bracketed = (counts[:, 0] == 0) & (counts[:, 1] > 0)
    open_rows = np.flatnonzero(bracketed)
    while open_rows.size and high[open_rows[0]] - low[open_rows[0]] > tolerance_na:  # all brackets halve together
        middle = 0.5 * (low[open_rows] + high[open_rows])
        counts, *_ = _firing(responder, [neurons[row] for row in open_rows.tolist()], middle[:, None], protocol)
        fires = counts[:, 0] > 0
        high[open_rows[fires]] = middle[fires]
        low[open_rows[~fires]] = middle[~fires]
    return np.where(bracketed, high, np.nan)


def fi_gain(
    responder: Responder[NeuronT],
    neurons: Sequence[NeuronT],
    rheobase_na: np.ndarray,
    protocol: StepProtocol | None = None,
    *,
    span_na: float = SLOPE_SPAN_NA,
    points: int = SLOPE_POINTS,
) -> np.ndarray:
    """Slope of the F-I curve just above rheobase, of each neuron: its F-I gain.

    Definition: the least-squares slope of `firing_rate_hz` over the amplitudes `rheobase + span k / points` for
    k = 1 ... points. The rheobase itself is left out: there the rate of most cells jumps or rises infinitely steeply.
    50 pA spans the threshold region of the paper's stimuli; eight points average out the spikes that enter one by one
    at the end of the step.

    Args:
        responder: who answers.
        neurons: in the responder's form.
        rheobase_na: rheobase of each, from `rheobase`, shape (neurons,), nA.
        protocol: the step; the paper's if None.
        span_na: how far above the rheobase, nA.
        points: number of amplitudes.

    Returns:
        Shape (neurons,), Hz/nA; NaN where the rheobase is NaN.

    Raises:
        ValueError: for fewer than two points, a span that is not positive, or rheobases of another number of neurons.
    """
    rheobase_na = np.asarray(rheobase_na, dtype=float)
    if points < 2 or not span_na > 0 or rheobase_na.shape != (len(neurons),):
        raise ValueError(
            f"points is {points}, span_na {span_na:g} and rheobase_na of shape {rheobase_na.shape}; expected at least two "
            f"points, a positive span, and one rheobase for each of the {len(neurons)} neurons."
        )
    slopes = np.full(len(neurons), np.nan)
    rows = np.flatnonzero(np.isfinite(rheobase_na))
    if rows.size:
        above = slope_amplitudes_na(span_na, points)
        chosen = [neurons[row] for row in rows.tolist()]
        _, rates, *_ = _firing(responder, chosen, rheobase_na[rows, None] + above, protocol or StepProtocol())
        slopes[rows] = least_squares_slope(above, rates)
    return slopes


def slope_amplitudes_na(span_na: float = SLOPE_SPAN_NA, points: int = SLOPE_POINTS) -> np.ndarray:
    """How far above rheobase the rates of `fi_gain` are taken, shape (points,), nA."""
    return span_na * np.arange(1, points + 1) / points


def least_squares_slope(amplitudes_na: np.ndarray, rates_hz: np.ndarray) -> np.ndarray:
    """Slope of a straight line through rates at the same amplitudes.

    Args:
        amplitudes_na: shape (amplitudes,), at least two different ones, nA.
        rates_hz: shape (neurons, amplitudes), Hz.

    Returns:
        Shape (neurons,), Hz/nA.
    """
    centred = amplitudes_na - np.mean(amplitudes_na)
    return rates_hz @ centred / (centred @ centred)


def resting_features(
    responder: Responder[NeuronT],
    neurons: Sequence[NeuronT],
    protocol: StepProtocol | None = None,
    *,
    amplitude_na: float = -0.05,
) -> RestingFeatures:
    """Resting voltage, input resistance, sag and rise time of each neuron, from one hyperpolarising step.

    Args:
        responder: who answers.
        neurons: in the responder's form.
        protocol: the step; the paper's if None.
        amplitude_na: of the step, negative, nA.

    Raises:
        ValueError: for an amplitude that does not hyperpolarise, or a protocol without time before the step.
    """
    protocol = protocol or StepProtocol()
    if not amplitude_na < 0 or protocol.onset_ms < 10 * protocol.dt_ms:
        raise ValueError(
            f"amplitude_na is {amplitude_na:g} and onset_ms {protocol.onset_ms:g}; expected a negative amplitude "
            "and at least ten samples before the step."
        )
    times = protocol.grid.times_ms
    before = (times >= 0.9 * protocol.onset_ms) & (times < protocol.onset_ms)
    during = (times >= protocol.onset_ms) & (times < protocol.offset_ms)
    steady = (times >= protocol.offset_ms - 0.1 * protocol.step_ms) & (times < protocol.offset_ms)
    base, final, lowest, rise = [], [], [], []
    for batch in _responses(responder, neurons, np.full((len(neurons), 1), amplitude_na), protocol):
        base.append(batch.voltage_mv[:, before].mean(axis=1, dtype=float))
        final.append(batch.voltage_mv[:, steady].mean(axis=1, dtype=float))
        lowest.append(batch.voltage_mv[:, during].min(axis=1).astype(float))
        rise.append(_rise_times_ms(batch.voltage_mv[:, during], base[-1], protocol.dt_ms))
    rest, steady_mv, lowest_mv, rise_time = (
        np.concatenate(parts) if parts else np.empty(0) for parts in (base, final, lowest, rise)
    )
    largest = rest - lowest_mv
    sag = np.divide(steady_mv - lowest_mv, largest, out=np.full_like(rest, np.nan), where=largest > 0)
    return RestingFeatures(rest, (steady_mv - rest) / amplitude_na, sag, rise_time)


def _rise_times_ms(voltage_mv: np.ndarray, rest_mv: np.ndarray, dt_ms: float) -> np.ndarray:
    """Time to `1 - 1/e` of the largest downward deflection, by linear interpolation; NaN without a deflection.

    Args:
        voltage_mv: from the onset on, shape (neurons, time), mV.
        rest_mv: shape (neurons,), mV.
        dt_ms: sampling interval, ms.
    """
    largest = rest_mv - voltage_mv.min(axis=1)
    times = np.full(len(rest_mv), np.nan)
    for row in np.flatnonzero(largest > 0):
        part = (rest_mv[row] - voltage_mv[row].astype(float)) / largest[row] - (1 - np.exp(-1))
        first = int(np.argmax(part >= 0))
        before = part[first - 1] if first else 0.0
        times[row] = dt_ms * (first - part[first] / (part[first] - before) if first else 0.0)
    return times


def _firing(
    responder: Responder[NeuronT], neurons: Sequence[NeuronT], amplitudes_na: np.ndarray, protocol: StepProtocol
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Spike counts, rates, latencies and first intervals within the step, each of the shape of `amplitudes_na`."""
    rows = []
    for times in _spike_trains(responder, neurons, amplitudes_na, protocol):
        inside = within(times, protocol.onset_ms, protocol.offset_ms)
        rate = firing_rate_hz(inside, onset_ms=protocol.onset_ms, offset_ms=protocol.offset_ms)
        latency = inside[0] - protocol.onset_ms if inside.size else np.nan
        rows.append((inside.size, rate, latency, inside[1] - inside[0] if inside.size > 1 else np.nan))
    table = np.array(rows, dtype=float).reshape(*amplitudes_na.shape, 4)
    return table[..., 0].astype(int), table[..., 1], table[..., 2], table[..., 3]


def _spike_trains(
    responder: Responder[NeuronT], neurons: Sequence[NeuronT], amplitudes_na: np.ndarray, protocol: StepProtocol
) -> Iterator[np.ndarray]:
    """Spike times of all pairs, neuron by neuron, ms: from the responder itself if it tells, else found in its voltage."""
    if isinstance(responder, FiringResponder):
        for chosen, stimuli in _pairs(neurons, amplitudes_na, protocol):
            yield from responder.spike_times(chosen, stimuli, protocol.grid)
    else:
        for batch in _responses(responder, neurons, amplitudes_na, protocol):
            yield from (spike_times_ms(voltage, dt_ms=batch.grid.dt_ms) for voltage in batch.voltage_mv)


def _responses(
    responder: Responder[NeuronT], neurons: Sequence[NeuronT], amplitudes_na: np.ndarray, protocol: StepProtocol
) -> Iterator[TraceBatch]:
    """Answers to all pairs, neuron by neuron, in batches of bounded size."""
    for chosen, stimuli in _pairs(neurons, amplitudes_na, protocol):
        yield responder.respond(chosen, stimuli, protocol.grid)


def _pairs(
    neurons: Sequence[NeuronT], amplitudes_na: np.ndarray, protocol: StepProtocol
) -> Iterator[tuple[list[NeuronT], list[Stimulus]]]:
    """All pairs of neuron and step, neuron by neuron, in batches of bounded size."""
    check_current_na(float(np.max(np.abs(amplitudes_na), initial=0.0)), what="the step")
    per_neuron = amplitudes_na.shape[1]
    flat = amplitudes_na.reshape(-1)
    for start in range(0, flat.size, LARGEST_BATCH):
        chosen = range(start, min(start + LARGEST_BATCH, flat.size))
        yield [neurons[index // per_neuron] for index in chosen], [protocol.stimulus(flat[index]) for index in chosen]

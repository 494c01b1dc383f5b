"""What moves the voltage of an integrate-and-fire neuron between its spikes, by linear regression."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


class Membrane(NamedTuple):
    """Capacitance, leak, and what spikes leave behind; in the form that compiled loops read.

    Attributes:
        capacitance_nf, leak_us, rest_mv: of the membrane.
        reset_mv: voltage during the refractory time.
        amplitudes_na: of the spike-triggered current; positive hyperpolarises.
        decay: of each amplitude in a sample.
    """

    capacitance_nf: float
    leak_us: float
    rest_mv: float
    reset_mv: float
    amplitudes_na: np.ndarray
    decay: np.ndarray


def fit_membrane(
    current_na: Float[np.ndarray, "trace sample"],
    voltage_mv: Float[np.ndarray, "trace sample"],
    peaks: Sequence[np.ndarray],
    *,
    dt_ms: float,
    times_ms: tuple[float, ...],
    refractory: int,
    before: int,
    ridge: float,
) -> Membrane:
    """The membrane whose dV/dt explains that of some traces best, spikes cut out.

    Args:
        current_na, voltage_mv: injected and recorded, nA and mV.
        peaks: samples of the spikes of each trace.
        dt_ms: sampling interval.
        times_ms: time constants of the spike-triggered current.
        refractory, before: samples that are cut out after and before each peak.
        ridge: added to the diagonal of the normal equations, relative to it.
    """
    count, samples = 3 + len(times_ms), current_na.shape[1]
    normal, right = np.zeros((count, count)), np.zeros(count)
    for row, train in enumerate(peaks):
        kept = np.ones(samples - 1, dtype=bool)
        for peak in train:
            kept[max(0, peak - before) : peak + refractory] = False
        left = what_spikes_left(train, samples, dt_ms=dt_ms, times_ms=times_ms, refractory=refractory)[:, :-1]
        known = np.vstack([voltage_mv[row, :-1], current_na[row, :-1], np.ones(samples - 1), -left])[:, kept]
        normal += known @ known.T
        right += known @ (np.diff(voltage_mv[row])[kept] / dt_ms)
    normal[np.diag_indices(count)] *= 1 + ridge
    leak, gain, constant, *fed_back = np.linalg.solve(normal, right)
    landed = [voltage_mv[row, (train + refractory)[train + refractory < samples]] for row, train in enumerate(peaks)]
    return Membrane(
        float(1 / gain),
        float(-leak / gain),
        float(-constant / leak),
        float(np.concatenate(landed).mean()),
        np.array(fed_back) / gain,
        decay_of(times_ms, dt_ms),
    )


def decay_of(times_ms: Sequence[float], dt_ms: float) -> Float[np.ndarray, " time"]:
    """What is left after a sample of exponentials of some time constants."""
    return np.exp(-dt_ms / np.array(times_ms, dtype=float))


def what_spikes_left(
    peaks: Int[np.ndarray, " spike"], count: int, *, dt_ms: float, times_ms: Sequence[float], refractory: int
) -> Float[np.ndarray, "time sample"]:
    """Exponentials that jump by one where the refractory time of a spike ends, at each sample."""
    from scipy.signal import lfilter

    jumps = np.zeros(count)
    np.add.at(jumps, (peaks + refractory)[peaks + refractory < count], 1.0)
    return np.stack([lfilter([1.0], [1.0, -math.exp(-dt_ms / time)], jumps) for time in times_ms])

"""The loop along time of an integrate-and-fire neuron: one for spikes that are told and for spikes that are drawn."""

from __future__ import annotations

from typing import NamedTuple, no_type_check

import numpy as np
from numba import njit


class Threshold(NamedTuple):
    """When a neuron fires; in the form that compiled loops read.

    Attributes:
        level_mv, softness_mv: of the hazard, exp((V - threshold) / softness) / ms.
        amplitudes_mv: of the spike-triggered threshold.
        decay: of each amplitude in a sample.
        coupling_mv, half_mv, slope_mv: the threshold follows coupling * log(1 + exp((V - half) / slope)).
        kept: share of the followed part that remains after a sample.
    """

    level_mv: float
    softness_mv: float
    amplitudes_mv: np.ndarray
    decay: np.ndarray
    coupling_mv: float
    half_mv: float
    slope_mv: float
    kept: float


@njit(cache=True)
@no_type_check  # what is compiled is checked by its compiler
def _softplus(value):
    return value if value > 30.0 else np.log1p(np.exp(value))


@njit(cache=True)
@no_type_check
def _product(amplitudes, traces):
    total = 0.0
    for index in range(amplitudes.size):
        total += amplitudes[index] * traces[index]
    return total


@njit(cache=True)
@no_type_check
def respond(current, told, due, dt_ms, refractory, membrane, threshold):
    """Voltage, hazard in 1 / ms (0 during refractory times), and spikes: those told, or, without any `due`, by what is due.

    Args:
        current: nA.
        told: samples of spikes; read where `due` is empty.
        due: hazard, integrated from spike to spike, at which each comes.
        dt_ms: sampling interval.
        refractory: samples.
        membrane, threshold: see `Membrane` and `Threshold`.
    """
    voltage, hazard = np.empty(current.size), np.zeros(current.size)
    traces, thresholds = np.zeros(membrane.decay.size), np.zeros(threshold.decay.size)
    spikes = [0 for _ in range(0)]
    now, held, used, is_told = membrane.rest_mv, 0, 0.0, due.size == 0
    followed = _softplus((now - threshold.half_mv) / threshold.slope_mv)
    for sample in range(current.size):
        traces *= membrane.decay
        thresholds *= threshold.decay
        if held > 0:
            held -= 1
            now = membrane.reset_mv
            if held == 0:
                traces += 1.0
                thresholds += 1.0
        voltage[sample] = now
        if held == 0:
            level = (
                threshold.level_mv + _product(threshold.amplitudes_mv, thresholds) + threshold.coupling_mv * followed
            )
            hazard[sample] = np.exp(min((now - level) / threshold.softness_mv, 30.0))
            used += dt_ms * hazard[sample]
        told_now = is_told and len(spikes) < told.size and sample == told[len(spikes)]
        if told_now or (not is_told and held == 0 and used > due[len(spikes)]):
            spikes.append(sample)
            used, held = 0.0, refractory
        if threshold.coupling_mv != 0.0:
            target = _softplus((now - threshold.half_mv) / threshold.slope_mv)
            followed = target + threshold.kept * (followed - target)
        drive = current[sample] - membrane.leak_us * (now - membrane.rest_mv) - _product(membrane.amplitudes_na, traces)
        now += dt_ms * drive / membrane.capacitance_nf
    return voltage, hazard, spikes

"""Spikes in recorded voltage, wherever the cell rests.

A spike is known by how fast it rises, not by the voltage that it reaches: electrodes drift, junction potentials are not
corrected, and spikes shrink. The threshold of a recording is then the voltage that these spikes cross and nothing else does.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.signal import find_peaks

from noble.spikes import THRESHOLD_MV, matched_pairs, spike_times_ms
from noble.traces import Trace

# A spike stands out by so much from what is around it, mV, and comes up by at least so much, mV, in the time before its peak.
_PROMINENCE_MV: Final = 15.0
_AROUND_MS: Final = 20.0
_RISE_MV: Final = 10.0
_RISE_MS: Final = 2.0
# No spike is narrower at half its prominence; the charging of an electrode is.
_NARROWEST_MS: Final = 0.15

_THRESHOLDS_MV: Final = np.arange(-65.0, 31.0, 2.5)
_SAME_SPIKE_MS: Final = 1.0


def spike_peaks(voltage_mv: np.ndarray, *, dt_ms: float) -> np.ndarray:
    """Samples of the peaks of spikes, shape (spikes,).

    They stand out by 15 mV, are at least 0.15 ms wide at half of that, and dV/dt before them is at least 5 mV/ms over 2 ms.

    Args:
        voltage_mv: shape (time,), mV.
        dt_ms: sampling interval, ms.
    """
    around = max(3, 2 * round(_AROUND_MS / dt_ms) + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of peaks without prominence, which are not wanted
        peaks, _ = find_peaks(voltage_mv, prominence=_PROMINENCE_MV, wlen=around, width=_NARROWEST_MS / dt_ms)
    rise = max(1, round(_RISE_MS / dt_ms))
    risen = [voltage_mv[peak] - voltage_mv[max(0, peak - rise) : peak + 1].min() for peak in peaks]
    return peaks[np.array(risen) >= _RISE_MV]


def spike_threshold_mv(traces: Sequence[Trace]) -> float:
    """The voltage that spikes of a cell cross and nothing else does: -30 mV, the package's, where that is one, or none is.

    Every spike that `spike_peaks` finds should cross it once, and nothing else should. Of the voltages which fail least often
    the middle one is taken.

    Args:
        traces: of one cell.
    """
    spikes = [spike_peaks(trace.voltage_mv, dt_ms=trace.grid.dt_ms) * trace.grid.dt_ms for trace in traces]

    def failures(threshold_mv: float) -> int:
        failed = 0
        for trace, expected in zip(traces, spikes, strict=True):
            found = spike_times_ms(trace.voltage_mv, dt_ms=trace.grid.dt_ms, threshold_mv=threshold_mv)
            failed += expected.size + found.size - 2 * len(matched_pairs(expected, found, window_ms=_SAME_SPIKE_MS))
        return failed

    usual = failures(THRESHOLD_MV)
    if usual == 0:
        return THRESHOLD_MV
    failed = np.array([failures(float(threshold)) for threshold in _THRESHOLDS_MV])
    if failed.min() >= usual:
        return THRESHOLD_MV
    best = np.flatnonzero(failed == failed.min())
    return float(_THRESHOLDS_MV[best[best.size // 2]])

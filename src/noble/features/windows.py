"""Which part of a trace each e-feature is measured in, for recordings and models alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from noble.features.efel import FeatureSettings, extract
from noble.traces import TimeGrid, TraceBatch

# What is kept of a sweep around its step. The time before is long enough for a resting potential, whose mean eFEL takes over
# the last tenth of it, and no longer, since spikes in it count; the time after is that of the standard protocol.
BEFORE_MS: Final = 50.0
AFTER_MS: Final = 100.0

AFTER_FEATURES: Final = frozenset({"steady_state_voltage", "decay_time_constant_after_stim"})
"""Features of the time after the step, measured where the recorded step ended, however short the targets' step is."""


def measure_step(
    batch: TraceBatch,
    *,
    onset_ms: float,
    offset_ms: float,
    step_ms: float,
    names: Sequence[str],
    settings: FeatureSettings | None = None,
) -> dict[str, np.ndarray]:
    """E-features of answers to a step, in the windows that targets use: for recordings and models alike.

    Everything is measured on the trace cut at `onset_ms + step_ms`, as eFEL's `Spikecount` counts the whole trace, except
    for `AFTER_FEATURES`, which are measured on all of it from `offset_ms` on.

    Args:
        batch: the traces.
        onset_ms, offset_ms: edges of the step in the traces, from the first sample, ms.
        step_ms: how much of the step to measure, ms.
        names: eFEL names.
        settings: what eFEL is told; the defaults if None.

    Returns:
        For each name an array of shape (batch,); NaN where eFEL finds no value.

    Raises:
        ValueError: for a feature that eFEL does not know, or edges outside the trace or out of order.
    """
    dt_ms = batch.grid.dt_ms
    # eFEL looks for a sample at or after the end of the step, and its own grid may fall short by one.
    end = min(round((onset_ms + step_ms) / dt_ms) + 3, batch.grid.count)
    cut = TraceBatch(TimeGrid(dt_ms, end), batch.voltage_mv[:, :end], batch.current_na[:, :end])
    within = [name for name in names if name not in AFTER_FEATURES]
    after = [name for name in names if name in AFTER_FEATURES]
    cut_offset_ms = min(onset_ms + step_ms, (end - 2) * dt_ms)
    values = extract(cut, onset_ms=onset_ms, offset_ms=cut_offset_ms, names=within, settings=settings)
    if after:
        values |= extract(batch, onset_ms=onset_ms, offset_ms=offset_ms, names=after, settings=settings)
    return {name: values[name] for name in names}

"""Electrophysiological features of voltage traces: the package's only wrapper of eFEL.

eFEL keeps its settings in one global object and interpolates to 0.1 ms unless told otherwise, which is coarser than the
0.06 ms of the paper's traces and costs a PV spike's width half its precision. Here every call states all settings that
its features read, interpolates to the trace's own dt, and leaves eFEL's global state as it found it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, Final

import numpy as np

from noble.features.catalogue import CATALOGUE
from noble.spikes import THRESHOLD_MV
from noble.traces import TraceBatch
from noble.traces.stretches import longest_stretch

FEATURE_NAMES: Final[tuple[str, ...]] = (
    "AHP_depth",
    "AHP_time_from_peak",
    "AHP1_depth_from_peak",
    "AP1_peak",
    "AP1_width",
    "decay_time_constant_after_stim",
    "depol_block",
    "inv_first_ISI",
    "mean_AP_amplitude",
    "mean_frequency",
    "sag_amplitude",
    "Spikecount",
    "steady_state_voltage",
    "steady_state_voltage_stimend",
    "time_to_first_spike",
    "voltage_base",
)
"""The paper's sixteen e-features, by their eFEL names, in the paper's order."""

BLOCK: Final = "depol_block"
"""The feature that is measured here, from where eFEL finds the spikes to begin."""

_EFEL_STATE = threading.Lock()


@dataclass(frozen=True)
class FeatureSettings:
    """What eFEL is told: its own defaults, spelled out, except for two that are the package's: the spike threshold, and that
    spikes outside the step are none of it.

    The interpolation step is no setting: it is always the trace's dt.

    Attributes:
        spike_threshold_mv: a spike crosses it upwards (eFEL: -20).
        derivative_threshold_mv_per_ms: dV/dt at which an action potential begins.
        down_derivative_threshold_mv_per_ms: dV/dt at which it ends.
        derivative_window: samples over which dV/dt must stay above its threshold.
        minimum_spike_height_mv: height below which a peak is no spike, where eFEL asks for it.
        strict_stimulus_interval: whether spikes outside the step are ignored by all spike features.
        ignore_first_isi: whether ISI statistics skip the first interval (`inv_first_ISI` never does).
        voltage_base_start, voltage_base_end: part of the time before the step that `voltage_base` averages.
        voltage_base_mode: "mean" or "median" over that part.
        decay_start_ms, decay_end_ms: interval after the step that `decay_time_constant_after_stim` fits.
        depolarisation_block_ms: shortest stay above threshold that counts as a block.
        precision: difference below which two numbers are equal.
    """

    spike_threshold_mv: float = THRESHOLD_MV
    derivative_threshold_mv_per_ms: float = 10.0
    down_derivative_threshold_mv_per_ms: float = -12.0
    derivative_window: int = 3
    minimum_spike_height_mv: float = 20.0
    strict_stimulus_interval: bool = True
    ignore_first_isi: bool = True
    voltage_base_start: float = 0.9
    voltage_base_end: float = 1.0
    voltage_base_mode: str = "mean"
    decay_start_ms: float = 1.0
    decay_end_ms: float = 10.0
    depolarisation_block_ms: float = 50.0
    precision: float = 1e-10

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready record of every setting, of the interpolation rule and of eFEL's version."""
        return {**asdict(self), "interpolation_step": "dt of the trace", "efel": version("efel")}

    def _efel(self, dt_ms: float) -> dict[str, float | int | str | bool]:
        """The same settings under eFEL's names."""
        return {
            "Threshold": self.spike_threshold_mv,
            "DerivativeThreshold": self.derivative_threshold_mv_per_ms,
            "DownDerivativeThreshold": self.down_derivative_threshold_mv_per_ms,
            "DerivativeWindow": self.derivative_window,
            "min_spike_height": self.minimum_spike_height_mv,
            "strict_stiminterval": self.strict_stimulus_interval,
            "ignore_first_ISI": self.ignore_first_isi,
            "voltage_base_start_perc": self.voltage_base_start,
            "voltage_base_end_perc": self.voltage_base_end,
            "voltage_base_mode": self.voltage_base_mode,
            "decay_start_after_stim": self.decay_start_ms,
            "decay_end_after_stim": self.decay_end_ms,
            "depol_block_min_duration": self.depolarisation_block_ms,
            "precision_threshold": self.precision,
            "interp_step": dt_ms,
        }


def extract(
    batch: TraceBatch,
    *,
    onset_ms: float,
    offset_ms: float,
    names: Sequence[str] = FEATURE_NAMES,
    settings: FeatureSettings | None = None,
) -> dict[str, np.ndarray]:
    """One number a trace for each feature: the mean of the values eFEL returns, for example over all spikes.

    NaN where eFEL returns none (no spike, no sag, ...) and throughout a trace that holds values that are not finite.
    `depol_block` is 1 where the voltage stays above where spikes begin, and 0 where it does not or no spike tells where that is.
    eFEL's own also asks how long the voltage is below -75 mV, so that a shift of all voltages changes its answer.

    Args:
        batch: the traces.
        onset_ms, offset_ms: edges of the stimulus, from the first sample, ms.
        names: features of the catalogue that eFEL measures (`EFEATURES`), or any other name that eFEL knows.
        settings: what eFEL is told; the defaults if None.

    Returns:
        For each name an array of shape (batch,), in the catalogue's unit.

    Raises:
        ValueError: for a feature that eFEL does not know, or edges outside the trace or out of order.
    """
    last_ms = (batch.grid.count - 1) * batch.grid.dt_ms
    if not 0 <= onset_ms < offset_ms <= last_ms:
        raise ValueError(
            f"the stimulus runs from {onset_ms:g} to {offset_ms:g} ms; expected 0 <= onset < offset <= {last_ms:g} ms, "
            "the last sample of the traces. Pass both edges in ms from the first sample."
        )
    columns = {name: np.full(len(batch), np.nan) for name in names}
    rows = np.flatnonzero(np.all(np.isfinite(batch.voltage_mv), axis=1))
    chosen = settings or FeatureSettings()
    with _efel_with(chosen._efel(batch.grid.dt_ms)) as efel:
        _check_names(names, known=efel.get_feature_names())
        traces = _efel_traces(batch, rows, onset_ms=onset_ms, offset_ms=offset_ms)
        efel_names = [_efel_name(name) for name in names]
        for row, trace in zip(rows, traces, strict=True):
            for name, value in zip(names, _mean_values(efel, trace, efel_names), strict=True):
                columns[name][row] = value
    if BLOCK in columns:  # what eFEL told of it is where the spikes begin
        step = slice(round(onset_ms / batch.grid.dt_ms), round(offset_ms / batch.grid.dt_ms))
        shortest = chosen.depolarisation_block_ms / batch.grid.dt_ms
        for row in rows:
            columns[BLOCK][row] = longest_stretch(batch.voltage_mv[row, step] > columns[BLOCK][row]) > shortest
    return columns


def _efel_name(name: str) -> str:
    """eFEL's name of a feature; one that the catalogue does not hold goes by its own."""
    return CATALOGUE[name].efel if name in CATALOGUE else name


def _mean_values(efel: Any, trace: dict[str, list[float]], efel_names: list[str]) -> list[float]:
    """Mean of what eFEL returns for each feature of one trace; NaN where it returns nothing."""
    [answer] = efel.get_feature_values([trace], efel_names, raise_warnings=False)
    return [
        float(np.mean(answer[name])) if answer[name] is not None and len(answer[name]) else float("nan")
        for name in efel_names
    ]


def _efel_traces(
    batch: TraceBatch, rows: np.ndarray, *, onset_ms: float, offset_ms: float
) -> Iterator[dict[str, list[float]]]:
    """Traces in the form eFEL reads, one at a time: its Python lists take ten times the memory of the array."""
    times = batch.grid.times_ms.tolist()
    for row in rows:
        voltage = np.asarray(batch.voltage_mv[row], dtype=float).tolist()
        yield {"T": times, "V": voltage, "stim_start": [onset_ms], "stim_end": [offset_ms]}


def _check_names(names: Sequence[str], *, known: Sequence[str]) -> None:
    """Refuse a feature that eFEL does not compute."""
    unknown = [name for name in names if _efel_name(name) not in known]
    if unknown:
        raise ValueError(
            f"feature {', '.join(map(repr, unknown))} is unknown to eFEL; expected eFEL names such as "
            f"{', '.join(FEATURE_NAMES)}. Names are case-sensitive."
        )


@contextmanager
def _efel_with(settings: Mapping[str, float | int | str | bool]) -> Iterator[Any]:
    """The eFEL module under these settings and its defaults, put back afterwards to whatever it was set to before."""
    import efel

    with _EFEL_STATE:  # one global state: a second thread must wait
        before = dict(vars(efel.get_settings()))
        try:
            _set(efel, settings)
            yield efel
        finally:
            _set(efel, before)


def _set(efel: Any, settings: Mapping[str, float | int | str | bool]) -> None:
    """Reset eFEL, then set these."""
    efel.reset()
    for name, value in settings.items():
        efel.set_setting(name, value)

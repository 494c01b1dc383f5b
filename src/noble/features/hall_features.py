"""What a hall knows about each of its models: features of the simulated model at standard steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from noble.features import extract
from noble.features.catalogue import HALL_FEATURES
from noble.features.excitability import (
    fi_curve,
    least_squares_slope,
    resting_features,
    rheobase,
    slope_amplitudes_na,
)
from noble.features.records import CURVE_PA, curve_feature
from noble.protocols import StepProtocol
from noble.responders import Responder

if TYPE_CHECKING:
    from noble.cells import CellModel

_AT_TWICE_RHEOBASE = ("AP1_peak", "AP1_width", "AHP_depth", "mean_AP_amplitude", "mean_frequency", "ISI_CV")
# Where the latency is taken: close enough to rheobase to be long, far enough to be well defined.
_LATENCY_ABOVE_NA = 0.02


def measure_features(
    models: Sequence[CellModel],
    responder: Responder[CellModel],
    *,
    low_na: float = 0.0,
    high_na: float = 0.5,
) -> list[dict[str, float]]:
    """Features of each model by the paper's step of 400 ms, named as in `HALL_FEATURES`.

    The catalogue says what each is: rheobase and F-I gain as `excitability` defines them; `voltage_base`, `input_resistance`,
    `sag_ratio` and `rise_time_63` from a step of -50 pA; `latency` from one 20 pA above rheobase; rate, latency and first
    interval at each step of `CURVE_PA` above it; the others by eFEL at twice the rheobase. A model that fires so slowly at a
    step of `CURVE_PA` that its second spike would come after the end has rate and interval there taken from a longer step.

    Args:
        models: of one cell.
        responder: simulates them.
        low_na, high_na: bracket of the rheobase, nA; a narrow one saves simulations.

    Raises:
        ValueError: if a model has no rheobase within the bracket, or lacks a feature.
    """
    protocol = StepProtocol()
    rheobase_na = rheobase(responder, models, low_na=low_na, high_na=high_na)
    if missing := [
        model.name or str(index) for index, model in enumerate(models) if not np.isfinite(rheobase_na[index])
    ]:
        raise ValueError(
            f"model {', '.join(missing)} has no rheobase between {low_na:g} and {high_na:g} nA; widen the bracket, or tighten "
            "the targets on spike counts."
        )
    rest = resting_features(responder, models)
    columns = {
        "rheobase": rheobase_na,
        "voltage_base": rest.voltage_base_mv,
        "input_resistance": rest.input_resistance_mohm,
        "sag_ratio": rest.sag_ratio,
        "rise_time_63": rest.rise_time_63_ms,
        **_above_rheobase(models, responder, rheobase_na, protocol),
    }
    for amplitudes, names in (
        (rheobase_na + _LATENCY_ABOVE_NA, ("time_to_first_spike",)),
        (2 * rheobase_na, _AT_TWICE_RHEOBASE),
    ):
        batch = responder.respond(models, [protocol.stimulus(value) for value in amplitudes], protocol.grid)
        columns |= extract(batch, onset_ms=protocol.onset_ms, offset_ms=protocol.offset_ms, names=names)
    columns["latency"] = columns.pop("time_to_first_spike")
    assert set(columns) == set(HALL_FEATURES)
    if missing := [name for name, column in columns.items() if not np.all(np.isfinite(column))]:
        lacking = ~np.all([np.isfinite(columns[name]) for name in missing], axis=0)
        names = [models[index].name or str(index) for index in np.flatnonzero(lacking).tolist()]
        raise ValueError(f"{', '.join(missing)} cannot be measured on {', '.join(names)}; drop the models without it.")
    # Seven digits: beyond them the order of a sum decides, and a hall's digest would depend on the machine.
    return [{name: float(f"{columns[name][index]:.7g}") for name in HALL_FEATURES} for index in range(len(models))]


def _above_rheobase(
    models: Sequence[CellModel], responder: Responder[CellModel], rheobase_na: np.ndarray, protocol: StepProtocol
) -> dict[str, np.ndarray]:
    """F-I gain and the features of the F-I curve, from one set of steps; longer ones where 400 ms show no interval."""
    for_slope, for_curve = np.round(slope_amplitudes_na(), 9), np.round(np.array(CURVE_PA) * 1e-3, 9)
    offsets = np.union1d(for_slope, for_curve)
    curve = fi_curve(responder, models, rheobase_na[:, None] + offsets, protocol)
    of_slope = np.isin(offsets, for_slope)
    columns = {"fi_gain": least_squares_slope(offsets[of_slope], curve.rates_hz[:, of_slope])}
    rates_hz, intervals_ms = curve.rates_hz.copy(), curve.first_intervals_ms.copy()
    slow = np.isnan(intervals_ms) & np.isin(offsets, for_curve)
    longer = replace(protocol, step_ms=2 * protocol.step_ms, window_ms=protocol.window_ms + protocol.step_ms)
    for row, column in np.argwhere(slow).tolist():
        again = fi_curve(responder, [models[row]], [rheobase_na[row] + offsets[column]], longer)
        rates_hz[row, column], intervals_ms[row, column] = again.rates_hz[0, 0], again.first_intervals_ms[0, 0]
    for above, column in zip(CURVE_PA, np.searchsorted(offsets, for_curve).tolist(), strict=True):
        columns[curve_feature("rate", above)] = rates_hz[:, column]
        columns[curve_feature("latency", above)] = curve.latencies_ms[:, column]
        columns[curve_feature("first_ISI", above)] = intervals_ms[:, column]
    return columns

"""What a hall knows about each of its models: features of the simulated model at standard steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from noble.cells import HALL_FEATURE_UNITS, CellModel
from noble.excitability import Responder, StepProtocol, resting_features, slope_above_threshold, threshold_current
from noble.features import extract

_AT_TWICE_THRESHOLD = ("AP1_peak", "AP1_width", "AHP_depth", "mean_AP_amplitude", "mean_frequency", "ISI_CV")
# Where the latency is taken: close enough to threshold to be long, far enough to be well defined.
_LATENCY_ABOVE_NA = 0.02


def measure_features(
    models: Sequence[CellModel],
    responder: Responder[CellModel],
    *,
    low_na: float = 0.0,
    high_na: float = 0.5,
) -> list[dict[str, float]]:
    """Features of each model by the paper's step of 400 ms, named as in `HALL_FEATURE_UNITS`.

    `i_thr` and `s_thr` as `excitability` defines them; `voltage_base`, `input_resistance` and `sag_ratio` from a step of
    -50 pA; `latency` is the time to the first spike 20 pA above threshold; the other names are eFEL's, at twice the threshold.

    Args:
        models: of one cell.
        responder: simulates them.
        low_na, high_na: bracket of the threshold, nA; a narrow one saves simulations.

    Raises:
        ValueError: if a model has no threshold within the bracket, or lacks a feature.
    """
    protocol = StepProtocol()
    i_thr = threshold_current(responder, models, low_na=low_na, high_na=high_na)
    if missing := [model.name or str(index) for index, model in enumerate(models) if not np.isfinite(i_thr[index])]:
        raise ValueError(
            f"model {', '.join(missing)} has no threshold between {low_na:g} and {high_na:g} nA; widen the bracket, or tighten "
            "the targets on spike counts."
        )
    rest = resting_features(responder, models)
    columns = {
        "i_thr": i_thr,
        "s_thr": slope_above_threshold(responder, models, i_thr),
        "voltage_base": rest.voltage_base_mv,
        "input_resistance": rest.input_resistance_mohm,
        "sag_ratio": rest.sag_ratio,
    }
    for amplitudes, names in ((i_thr + _LATENCY_ABOVE_NA, ("time_to_first_spike",)), (2 * i_thr, _AT_TWICE_THRESHOLD)):
        batch = responder.respond(models, [protocol.stimulus(value) for value in amplitudes], protocol.grid)
        columns |= extract(batch, onset_ms=protocol.onset_ms, offset_ms=protocol.offset_ms, names=names)
    columns["latency"] = columns.pop("time_to_first_spike")
    assert set(columns) == set(HALL_FEATURE_UNITS)
    if missing := [name for name, column in columns.items() if not np.all(np.isfinite(column))]:
        raise ValueError(f"{', '.join(missing)} cannot be measured on every model; drop the models without it.")
    # Seven digits: beyond them the order of a sum decides, and a hall's digest would depend on the machine.
    return [{name: float(f"{column[index]:.7g}") for name, column in columns.items()} for index in range(len(models))]

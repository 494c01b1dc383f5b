"""Which e-features a target has, and how close to it a model can be asked to come.

Which features make sense depends on what the neuron did:

| step | features |
| --- | --- |
| below 0 | `NEGATIVE_FEATURES`: rest, steady state, deflection, sag, decay after the step |
| above 0, silent | `SILENT_FEATURES`: rest, steady state, spike count |
| above 0, firing | `FIRING_FEATURES`: rest, spike count, rates and intervals, spikes' shapes, depolarisation block |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

NEGATIVE_FEATURES: Final[tuple[str, ...]] = (
    "voltage_base",
    "steady_state_voltage",
    "steady_state_voltage_stimend",
    "voltage_deflection_vb_ssse",
    "sag_amplitude",
    "decay_time_constant_after_stim",
)
SILENT_FEATURES: Final[tuple[str, ...]] = ("voltage_base", "steady_state_voltage_stimend", "Spikecount")
FIRING_FEATURES: Final[tuple[str, ...]] = (
    "voltage_base",
    "Spikecount",
    "mean_frequency",
    "time_to_first_spike",
    "inv_first_ISI",
    "ISI_CV",
    "adaptation_index2",
    "AP1_peak",
    "AP1_width",
    "mean_AP_amplitude",
    "AHP_depth",
    "AHP_time_from_peak",
    "AHP1_depth_from_peak",
    "depol_block",
)
TARGET_FEATURES: Final[tuple[str, ...]] = tuple(dict.fromkeys((*NEGATIVE_FEATURES, *SILENT_FEATURES, *FIRING_FEATURES)))
"""Everything that the table above measures at some step."""


class Floor(NamedTuple):
    """Least standard deviation of a target: the larger of a number in the feature's unit and a part of the mean."""

    absolute: float
    relative: float


FLOORS: Final[Mapping[str, Floor]] = {
    "voltage_base": Floor(1.0, 0.0),
    "steady_state_voltage": Floor(1.0, 0.0),
    "steady_state_voltage_stimend": Floor(1.0, 0.0),
    "voltage_deflection_vb_ssse": Floor(1.0, 0.0),
    "sag_amplitude": Floor(0.3, 0.0),
    "decay_time_constant_after_stim": Floor(1.0, 0.1),
    "Spikecount": Floor(1.0, 0.05),
    "mean_frequency": Floor(1.0, 0.05),
    "time_to_first_spike": Floor(1.0, 0.1),
    "inv_first_ISI": Floor(0.0, 0.1),
    "ISI_CV": Floor(0.05, 0.0),
    "adaptation_index2": Floor(0.01, 0.0),
    "AP1_peak": Floor(2.0, 0.05),
    "AP1_width": Floor(0.0, 0.1),
    "mean_AP_amplitude": Floor(2.0, 0.05),
    "AHP_depth": Floor(2.0, 0.05),
    "AHP_time_from_peak": Floor(0.2, 0.1),
    "AHP1_depth_from_peak": Floor(2.0, 0.05),
    "depol_block": Floor(0.1, 0.0),
}
"""Floors of the targets' standard deviations.

A handful of trials underestimates how far trials scatter, and a feature that is the same in all would get a deviation of 0
and outweigh all others. Nor can a model be asked to come closer than the recording resolves: a mV of junction potential and
series resistance, a spike more or less, a sample of a spike's width.
"""

OTHER_FLOOR: Final = Floor(1e-3, 0.1)
"""Of features that the table does not hold."""


def features_at(amplitude_na: float, *, fires: bool) -> tuple[str, ...]:
    """Features that make sense at a step; `fires` is whether the neuron fires there."""
    if amplitude_na < 0:
        return NEGATIVE_FEATURES
    return FIRING_FEATURES if fires else SILENT_FEATURES


def floor_of(name: str) -> Floor:
    """Floor of a feature's standard deviation."""
    return FLOORS.get(name, OTHER_FLOOR)

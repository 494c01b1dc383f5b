"""Which e-features a target has, and how close to it a model can be asked to come.

Which features make sense depends on what the neuron did:

| step | features |
| --- | --- |
| below 0 | `NEGATIVE_FEATURES`: rest, steady state, deflection, sag, decay after the step |
| above 0, silent | `SILENT_FEATURES`: rest, steady state, spike count |
| above 0, firing | `FIRING_FEATURES`: rest, spike count, rates and intervals, spikes' shapes, depolarisation block |
"""

from __future__ import annotations

from typing import Final

from noble.features.catalogue import CATALOGUE
from noble.features.feature import OTHER_FLOOR, Floor

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


def features_at(amplitude_na: float, *, fires: bool) -> tuple[str, ...]:
    """Features that make sense at a step; `fires` is whether the neuron fires there."""
    if amplitude_na < 0:
        return NEGATIVE_FEATURES
    return FIRING_FEATURES if fires else SILENT_FEATURES


def floor_of(name: str) -> Floor:
    """Floor of a feature's standard deviation.

    A handful of trials underestimates how far trials scatter, and a feature that is the same in all would get a deviation of 0
    and outweigh all others. Nor can a model be asked to come closer than the recording resolves: a mV of junction potential and
    series resistance, a spike more or less, a sample of a spike's width.
    """
    return CATALOGUE[name].floor if name in CATALOGUE else OTHER_FLOOR

"""The records that the catalogue is made of: features of a simulated neuron, and eFEL's features of a trace."""

from __future__ import annotations

import math
from typing import Final

from noble.features.feature import CurvePoint, Feature, Floor, Quantity

# The F-I curve of a model, by its answers to steps this many pA above its rheobase: a narrow grid near it, where the curve bends.
CURVE_PA: Final = (5, 10, 25, 50, 100, 150, 200)
CURVE_QUANTITIES: Final[tuple[Quantity, ...]] = ("rate", "latency", "first_ISI")

_ANY_STEP: Final = "any step; in a hall, the 400 ms step at twice the rheobase"
_FIRING_STEP: Final = "a step at which the neuron fires"
_NEGATIVE_STEP: Final = "a hyperpolarising step; in a hall, of -50 pA"
_POTENTIAL: Final = (-200.0, 200.0)
_DURATION: Final = (0.0, 60_000.0)
_FREQUENCY: Final = (0.0, 5_000.0)


def curve_feature(quantity: Quantity, above_pa: int) -> str:
    """Name of a point of the F-I curve, such as `rate_rheobase_plus_50pA`."""
    return f"{quantity}_rheobase_plus_{above_pa}pA"


def _efel(
    name: str,
    unit: str,
    label: str,
    definition: str,
    floor: tuple[float, float],
    plausible: tuple[float, float],
    *,
    protocol: str = _FIRING_STEP,
    efel: str = "",
) -> Feature:
    """A feature that eFEL measures, under its own name unless told otherwise."""
    return Feature(
        name=name,
        unit=unit,
        label=label,
        definition=definition,
        protocol=protocol,
        floor=Floor(*floor),
        plausible=plausible,
        efel=efel or name,
    )


def _curve(quantity: Quantity, unit: str, label: str, definition: str, plausible: tuple[float, float]) -> list[Feature]:
    """The features of one quantity along the F-I curve."""
    return [
        Feature(
            name=curve_feature(quantity, above),
            unit=unit,
            label=f"{label} {above} pA above rheobase",
            definition=f"{definition} {above} pA above the rheobase.",
            protocol="the 400 ms step; twice as long for rate and interval of a neuron that fires only once in it",
            aliases=(f"{quantity}_{above}pA",),
            plausible=plausible,
            curve=CurvePoint(quantity, above),
        )
        for above in CURVE_PA
    ]


NEURON_RECORDS: Final = (
    Feature(
        name="rheobase",
        unit="nA",
        label="Rheobase",
        definition="Smallest step of 400 ms that makes the neuron fire, by bisection to 0.1 pA.",
        protocol="400 ms steps",
        aliases=("i_thr", "rheobase_na", "current threshold"),
        plausible=(-5.0, 5.0),
    ),
    Feature(
        name="fi_gain",
        unit="Hz/nA",
        label="F-I gain",
        definition="Least-squares slope of the firing rate over the 50 pA above the rheobase.",
        protocol="eight 400 ms steps above the rheobase",
        aliases=("s_thr", "fi_gain_hz_per_na"),
        plausible=(-100_000.0, 100_000.0),
    ),
    Feature(
        name="input_resistance",
        unit="MOhm",
        label="Input resistance",
        definition="Steady deflection over current, in the last tenth of the step.",
        protocol=_NEGATIVE_STEP,
        plausible=(0.0, 50_000.0),
    ),
    Feature(
        name="sag_ratio",
        unit="1",
        label="Sag ratio",
        definition="Part of the largest deflection that has sagged back in the steady state.",
        protocol=_NEGATIVE_STEP,
        plausible=(0.0, 2.0),
    ),
    Feature(
        name="rise_time_63",
        unit="ms",
        label="63 % rise time",
        definition="Time from the onset of the step to 1 - 1/e of the largest deflection.",
        protocol=_NEGATIVE_STEP,
        aliases=("time_constant", "rise_time_63_ms"),
        plausible=_DURATION,
    ),
    Feature(
        name="latency",
        unit="ms",
        label="Latency 20 pA above rheobase",
        definition="Time from the onset to the first spike, 20 pA above the rheobase.",
        protocol="the 400 ms step",
        plausible=_DURATION,
    ),
    *_curve("rate", "Hz", "Firing rate", "Firing rate", _FREQUENCY),
    *_curve("latency", "ms", "Latency", "Time from the onset to the first spike,", _DURATION),
    *_curve("first_ISI", "ms", "First interval", "Time from the first spike to the second,", _DURATION),
)

TRACE_RECORDS: Final = (
    _efel(
        "AHP_depth",
        "mV",
        "AHP depth",
        "Voltage of the troughs after spikes, relative to the resting voltage.",
        (2.0, 0.05),
        _POTENTIAL,
        protocol=_ANY_STEP,
    ),
    _efel(
        "AHP_time_from_peak",
        "ms",
        "AHP time from peak",
        "Time from a spike's peak to the trough after it.",
        (0.2, 0.1),
        _DURATION,
    ),
    _efel(
        "AHP1_depth_from_peak",
        "mV",
        "First AHP depth from peak",
        "Voltage from the first spike's peak down to the trough after it.",
        (2.0, 0.05),
        _POTENTIAL,
    ),
    _efel(
        "AP1_peak",
        "mV",
        "First spike's peak",
        "Voltage at the first spike's peak.",
        (2.0, 0.05),
        _POTENTIAL,
        protocol=_ANY_STEP,
    ),
    _efel(
        "AP1_width",
        "ms",
        "First spike's width",
        "Width of the first spike at half its height above its onset.",
        (0.0, 0.1),
        (0.0, 200.0),
        protocol=_ANY_STEP,
    ),
    _efel(
        "adaptation_index2",
        "1",
        "Adaptation index",
        "Mean over pairs of successive intervals, from the second interval on, of their difference over their sum.",
        (0.01, 0.0),
        (-10.0, 10.0),
    ),
    _efel(
        "decay_time_constant_after_stim",
        "ms",
        "Decay time constant after the step",
        "Time constant of an exponential through the voltage after the step.",
        (1.0, 0.1),
        (-math.inf, math.inf),
        protocol="any step that the neuron is silent at",
    ),
    # eFEL tells where spikes begin; `extract` looks for the block.
    _efel(
        "depol_block",
        "1",
        "Depolarisation block",
        "1 where the voltage stays above where its spikes begin for more than 50 ms within the step, otherwise 0.",
        (0.1, 0.0),
        (0.0, 1.0),
        efel="AP_begin_voltage",
    ),
    _efel(
        "inv_first_ISI",
        "Hz",
        "Inverse first interval",
        "Inverse of the time from the first spike to the second.",
        (0.0, 0.1),
        _FREQUENCY,
    ),
    _efel(
        "ISI_CV",
        "1",
        "CV of the intervals",
        "Standard deviation of the inter-spike intervals over their mean.",
        (0.05, 0.0),
        (0.0, 100.0),
        protocol=_ANY_STEP,
    ),
    _efel(
        "mean_AP_amplitude",
        "mV",
        "Mean spike amplitude",
        "Mean height of the spikes above their onset.",
        (2.0, 0.05),
        _POTENTIAL,
        protocol=_ANY_STEP,
    ),
    _efel(
        "mean_frequency",
        "Hz",
        "Mean frequency",
        "Number of spikes over the time from the onset to the last of them.",
        (1.0, 0.05),
        _FREQUENCY,
        protocol=_ANY_STEP,
    ),
    _efel(
        "sag_amplitude",
        "mV",
        "Sag amplitude",
        "Voltage from the lowest point of the step up to its steady state.",
        (0.3, 0.0),
        _POTENTIAL,
        protocol=_NEGATIVE_STEP,
    ),
    # The counts were renamed in eFEL 5.7, and the old names warn.
    _efel(
        "Spikecount",
        "1",
        "Spike count",
        "Number of spikes in the trace.",
        (1.0, 0.05),
        (0.0, 1e6),
        protocol="any step",
        efel="spike_count",
    ),
    _efel(
        "Spikecount_stimint",
        "1",
        "Spike count within the step",
        "Number of spikes within the step.",
        (1e-3, 0.1),
        (0.0, 1e6),
        protocol="any step",
        efel="spike_count_stimint",
    ),
    _efel(
        "steady_state_voltage",
        "mV",
        "Steady-state voltage after the step",
        "Mean voltage after the step.",
        (1.0, 0.0),
        _POTENTIAL,
        protocol="any step",
    ),
    _efel(
        "steady_state_voltage_stimend",
        "mV",
        "Steady-state voltage",
        "Mean voltage in the last tenth of the step.",
        (1.0, 0.0),
        _POTENTIAL,
        protocol="any step",
    ),
    _efel(
        "time_to_first_spike",
        "ms",
        "Time to first spike",
        "Time from the onset to the peak of the first spike.",
        (1.0, 0.1),
        _DURATION,
    ),
    _efel(
        "voltage_base",
        "mV",
        "Resting voltage",
        "Mean voltage in the last tenth of the time before the step.",
        (1.0, 0.0),
        _POTENTIAL,
        protocol="any step; in a hall, of -50 pA",
    ),
    _efel(
        "voltage_deflection_vb_ssse",
        "mV",
        "Steady deflection",
        "Steady-state voltage of the step less the resting voltage.",
        (1.0, 0.0),
        _POTENTIAL,
        protocol=_NEGATIVE_STEP,
    ),
)

"""What is known of each feature: one place for names and units."""

from __future__ import annotations

from typing import Final

# The F-I curve of a model, by its answers to steps so many pA above its threshold: a narrow grid near it, where the curve bends.
CURVE_PA: Final = (5, 10, 25, 50, 100, 150, 200)
_CURVE_FEATURES: Final = {"rate": "Hz", "latency": "ms", "first_ISI": "ms"}

# Units of the features that a hall knows about each of its models; `docs/hall.md` defines them.
HALL_FEATURE_UNITS: Final = {
    "i_thr": "nA",
    "s_thr": "Hz/nA",
    "voltage_base": "mV",
    "input_resistance": "MOhm",
    "sag_ratio": "1",
    "time_constant": "ms",
    "latency": "ms",
    "AP1_peak": "mV",
    "AP1_width": "ms",
    "AHP_depth": "mV",
    "mean_AP_amplitude": "mV",
    "mean_frequency": "Hz",
    "ISI_CV": "1",
    **{f"{name}_{above}pA": unit for above in CURVE_PA for name, unit in _CURVE_FEATURES.items()},
}

"""The one catalogue of features: what each is called, its unit, what it means, and which values it can have.

A feature of a neuron is a number with a name. Some are eFEL's, measured in a trace; the others are measured by simulating a
neuron again (`noble.features.excitability`). Whatever names, labels, checks or weighs a feature asks here.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

import numpy as np

from noble.features.feature import CurvePoint, Feature
from noble.features.records import (
    CURVE_PA,
    CURVE_QUANTITIES,
    NEURON_RECORDS,
    TRACE_RECORDS,
    curve_feature,
)

CATALOGUE: Final[Mapping[str, Feature]] = MappingProxyType(
    {item.name: item for item in (*NEURON_RECORDS, *TRACE_RECORDS)}
)
"""Every feature by its name."""

_ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {alias: item.name for item in CATALOGUE.values() for alias in item.aliases}
)

HALL_FEATURES: Final[tuple[str, ...]] = (
    "rheobase",
    "fi_gain",
    "voltage_base",
    "input_resistance",
    "sag_ratio",
    "rise_time_63",
    "latency",
    "AP1_peak",
    "AP1_width",
    "AHP_depth",
    "mean_AP_amplitude",
    "mean_frequency",
    "ISI_CV",
    *(curve_feature(quantity, above) for above in CURVE_PA for quantity in CURVE_QUANTITIES),
)
"""The features that a hall knows about each of its models, in the order of its file; `docs/hall.md` describes them."""

EFEATURES: Final[tuple[str, ...]] = tuple(item.name for item in TRACE_RECORDS)
"""The features of a trace, which eFEL measures."""

LATENT_FEATURES: Final = ("rheobase", "fi_gain")
"""The paper's latent plane: what a neuron is known by where the rest of its features is not known."""

_UNIT_HINTS: Final = {
    "nA": "If the number is in pA, divide by 1000.",
    "mV": "If the number is in uV, divide by 1000.",
    "ms": "If the number is in us, divide by 1000.",
    "MOhm": "If the number is in Ohm, divide by 1e6.",
    "Hz/nA": "If the number is in Hz/A, divide by 1e9.",
}


def feature(name: str) -> Feature:
    """The record of a feature, by its name or an alias.

    Raises:
        ValueError: if the catalogue does not hold it, with the names nearest to it.
    """
    found = CATALOGUE.get(canonical(name))
    if found is None:
        near = get_close_matches(name, [*CATALOGUE, *_ALIASES], n=3) or ["rheobase", "fi_gain"]
        raise ValueError(
            f"the feature {name!r} is unknown; expected a name of the catalogue of features, such as {', '.join(near)} "
            "(names are case-sensitive)."
        )
    return found


def canonical(name: str) -> str:
    """The catalogue's name of a feature that is given by its name or an alias.

    A name that the catalogue does not know stays as it is, since a file may hold features of its own; `feature` refuses it.
    """
    return _ALIASES.get(name, name)


def unit_of(name: str) -> str:
    """Unit of a feature; empty for one that the catalogue does not hold."""
    found = CATALOGUE.get(canonical(name))
    return found.unit if found else ""


def curve_point(name: str) -> CurvePoint | None:
    """Which point of the F-I curve a feature is; None for any other."""
    found = CATALOGUE.get(canonical(name))
    return found.curve if found else None


def check_plausible(name: str, values: np.ndarray | float) -> None:
    """Refuse values that no neuron has: they are in another unit, or another feature's.

    Args:
        name: feature that the values are of; nothing is known of one outside the catalogue, so nothing is refused.
        values: of any shape, in the feature's unit; NaN passes, since a feature may be missing.

    Raises:
        ValueError: if a value lies outside the feature's `plausible` range.
    """
    found = CATALOGUE.get(canonical(name))
    if found is None:
        return
    low, high = found.plausible
    flat = np.ravel(np.asarray(values, dtype=float))
    wrong = flat[(flat < low) | (flat > high)]
    if wrong.size:
        unit = "" if found.unit == "1" else f" {found.unit}"
        hint = _UNIT_HINTS.get(found.unit, "Check that it is the right feature, in the right unit.")
        raise ValueError(f"feature {name} is {wrong[0]:g}{unit}; expected {low:g} to {high:g}{unit}. {hint}")

"""What a file of a recording holds, before anybody asks for steps: sweeps of voltage and current in mV and nA."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from noble.traces import TimeGrid, Trace
from noble.units import check_current_na

CurrentSource = Literal["recorded", "command"]
"""Whether a current was measured, or is what the amplifier was told to inject."""

# No membrane and no liquid junction goes further; data without their conversion factor do.
_LARGEST_VOLTAGE_MV: Final = 500.0
_PREFIXES: Final[Mapping[str, float]] = {"": 1.0, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "n": 1e-9, "p": 1e-12}
_WORDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("volt", "volts"), "V"),
    **dict.fromkeys(("amp", "amps", "ampere", "amperes"), "A"),
    **dict.fromkeys(("millivolt", "millivolts"), "mV"),
    **dict.fromkeys(("nanoampere", "nanoamperes", "nanoamp", "nanoamps"), "nA"),
    **dict.fromkeys(("picoampere", "picoamperes", "picoamp", "picoamps"), "pA"),
    **dict.fromkeys(("sec", "second", "seconds"), "s"),
}


@dataclass(frozen=True)
class RawSweep:
    """One sweep as it was recorded; its voltage and current are on the same instants.

    Attributes:
        name: what the file calls it, or its number.
        number: position among the sweeps of the file's protocol, or the number that the file gives it.
        protocol: what the file calls the stimulus; empty if nothing.
        trace: voltage, mV, junction potential subtracted, and current, nA.
        start_ms: time of the first sample in the file's own clock, ms.
        bias_na: constant current of the amplifier that the current does not show, nA.
        current: whether the current was recorded or commanded.
    """

    name: str
    number: int
    protocol: str
    trace: Trace
    start_ms: float = 0.0
    bias_na: float = 0.0
    current: CurrentSource = "recorded"


@dataclass(frozen=True)
class RawRecording:
    """The sweeps of one cell in a file or folder.

    Attributes:
        source: name of the file or folder.
        sha256: of what was read.
        sweeps: in the order of the file.
        unread: name of every sweep that could not be read, and why, in one sentence.
        junction_potential_mv: what was subtracted from the voltage, mV.
    """

    source: str
    sha256: str
    sweeps: tuple[RawSweep, ...]
    unread: Mapping[str, str]
    junction_potential_mv: float = 0.0


def base_unit(unit: str) -> tuple[str, float]:
    """`V`, `A` or `s`, and the factor to it; ("", nan) for any other unit. Case counts in symbols and not in words."""
    text = unit.strip()
    symbol = _WORDS.get(text.lower(), text)
    for base in ("V", "A", "s"):
        prefix = symbol[: -len(base)] if symbol.endswith(base) else None
        if prefix is not None and prefix in _PREFIXES:
            return base, _PREFIXES[prefix]
    return "", float("nan")


def checked_trace(voltage_mv: np.ndarray, current_na: np.ndarray, dt_ms: float) -> Trace:
    """Voltage and current of a sweep, once they can be what they are said to be.

    Raises:
        ValueError: for unequal lengths, values that are not finite, a voltage that no membrane has, or pA called nA.
    """
    if voltage_mv.size != current_na.size:
        raise ValueError(
            f"its response has {voltage_mv.size} samples and its stimulus {current_na.size}; expected equal numbers."
        )
    if not (np.all(np.isfinite(voltage_mv)) and np.all(np.isfinite(current_na))):
        raise ValueError("its response or its stimulus holds values that are not finite.")
    if np.max(np.abs(voltage_mv)) > _LARGEST_VOLTAGE_MV:
        raise ValueError(
            f"its voltage reaches {np.max(np.abs(voltage_mv)):g} mV; expected volts times the conversion factor in the file."
        )
    check_current_na(float(np.max(np.abs(current_na))), what="its stimulus")
    return Trace(TimeGrid(dt_ms, voltage_mv.size), voltage_mv, current_na)

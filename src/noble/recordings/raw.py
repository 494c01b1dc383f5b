"""What a file of a recording holds, before anybody asks for steps: sweeps of voltage and current in mV and nA."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np

from noble.recordings.command import clean_command
from noble.recordings.detection import spike_peaks
from noble.traces import TimeGrid, Trace
from noble.units import check_current_na

CurrentSource = Literal["recorded", "command"]
"""Whether a current was measured, or is what the amplifier was told to inject."""

# No membrane and no liquid junction goes further; data without their conversion factor do.
_LARGEST_VOLTAGE_MV: Final = 500.0
# Programs fill what was not recorded with zeros. A recorded voltage is not exactly zero for so long.
_PADDING_MS: Final = 5.0
_PADDING_SAMPLES: Final = 10


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
        padding: samples after the trace which the file holds although they were not recorded: zeros or NaN.
    """

    name: str
    number: int
    protocol: str
    trace: Trace
    start_ms: float = 0.0
    bias_na: float = 0.0
    current: CurrentSource = "recorded"
    padding: int = 0

    @cached_property
    def peaks(self) -> np.ndarray:
        """Samples of the peaks of its spikes, wherever the cell rests, shape (spikes,)."""
        return spike_peaks(self.trace.voltage_mv, dt_ms=self.trace.grid.dt_ms)

    @cached_property
    def cleaned_na(self) -> np.ndarray:
        """Its current without what spikes add to it, shape (time,), nA."""
        return clean_command(self.trace.current_na, self.peaks, dt_ms=self.trace.grid.dt_ms)

    @property
    def commanded_na(self) -> np.ndarray:
        """Its current as it was commanded, the amplifier's bias included, shape (time,), nA."""
        return self.cleaned_na + self.bias_na


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


def checked_sweep(
    name: str,
    number: int,
    protocol: str,
    voltage_mv: np.ndarray,
    current_na: np.ndarray,
    dt_ms: float,
    *,
    junction_potential_mv: float,
    start_ms: float = 0.0,
    bias_na: float = 0.0,
    current: CurrentSource = "recorded",
    zero_mv: float = 0.0,
) -> RawSweep:
    """A sweep, once voltage and current can be what they are said to be. What was not recorded at its end is cut off.

    Args:
        voltage_mv, current_na: as the file has them, shape (time,).
        dt_ms: sampling interval, ms.
        junction_potential_mv: subtracted from the voltage.
        zero_mv: what a zero in the file stands for.
        name, number, protocol, start_ms, bias_na, current: see `RawSweep`.

    Raises:
        ValueError: for unequal lengths, values within the recorded part that are not finite, a voltage that no membrane has, or
            pA called nA.
    """
    if voltage_mv.size != current_na.size:
        raise ValueError(
            f"its response has {voltage_mv.size} samples and its stimulus {current_na.size}; expected equal numbers."
        )
    stored, count = voltage_mv.size, _recorded(voltage_mv, current_na, dt_ms, zero_mv)
    for what, values in (("response", voltage_mv[:count]), ("stimulus", current_na[:count])):
        if (wrong := np.flatnonzero(~np.isfinite(values))).size:
            at_ms = start_ms + wrong[0] * dt_ms
            raise ValueError(
                f"its {what} is not finite at {at_ms:.10g} ms; expected a number in every sample but after its end."
            )
    voltage_mv, current_na = voltage_mv[:count] - junction_potential_mv, current_na[:count]
    if np.max(np.abs(voltage_mv)) > _LARGEST_VOLTAGE_MV:
        raise ValueError(
            f"its voltage reaches {np.max(np.abs(voltage_mv)):g} mV; expected volts times the conversion factor in the file."
        )
    check_current_na(float(np.max(np.abs(current_na))), what="its stimulus")
    check_current_na(bias_na, what="its bias current")
    trace = Trace(TimeGrid(dt_ms, count), voltage_mv, current_na)
    return RawSweep(name, number, protocol, trace, start_ms, bias_na, current, padding=stored - count)


def _recorded(voltage_mv: np.ndarray, current_na: np.ndarray, dt_ms: float, zero_mv: float) -> int:
    """How many samples were recorded: all before a tail of NaN in either, or of zeros in the voltage.

    Raises:
        ValueError: if fewer than two were.
    """
    numbers = np.flatnonzero(~(np.isnan(voltage_mv) | np.isnan(current_na)))
    count = int(numbers[-1]) + 1 if numbers.size else 0
    if count and voltage_mv[count - 1] in (0.0, zero_mv):
        others = np.flatnonzero(voltage_mv[:count] != voltage_mv[count - 1])
        last = int(others[-1]) + 1 if others.size else 0
        if count - last >= max(_PADDING_SAMPLES, _PADDING_MS / dt_ms):
            count = last
    if count < 2:
        raise ValueError("its response holds nothing but zeros, or nothing but NaN.")
    return count

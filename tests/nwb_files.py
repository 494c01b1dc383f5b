"""Small NWB 2 files for tests: steps of current and made-up answers to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

RATE_HZ = 10_000.0
ONSET_MS, OFFSET_MS, END_MS = 60.0, 160.0, 220.0
REST_MV, RESISTANCE_MOHM, TAU_MS = -70.0, 100.0, 8.0


def times_ms(*, rate_hz: float = RATE_HZ, end_ms: float = END_MS) -> np.ndarray:
    return np.arange(round(end_ms * rate_hz / 1e3)) * 1e3 / rate_hz


def step_na(amplitude_na: float, *, holding_na: float = 0.0, offset_ms: float = OFFSET_MS) -> np.ndarray:
    times = times_ms()
    return holding_na + np.where((times >= ONSET_MS - 1e-9) & (times < offset_ms - 1e-9), amplitude_na, 0.0)


def answer_mv(amplitude_na: float, spikes_ms: Sequence[float] = (), *, offset_ms: float = OFFSET_MS) -> np.ndarray:
    """A passive membrane, and Gaussian spikes of 90 mV and an afterhyperpolarisation at these times after the onset."""
    times = times_ms()
    since, after = times - ONSET_MS, times - offset_ms
    height = amplitude_na * RESISTANCE_MOHM
    last = height * (1 - np.exp(-(offset_ms - ONSET_MS) / TAU_MS))
    passive = np.where(
        since < 0, 0, np.where(after < 0, height * (1 - np.exp(-since / TAU_MS)), last * np.exp(-after / TAU_MS))
    )
    voltage = REST_MV + passive
    for spike in spikes_ms:
        voltage += 90 * np.exp(-0.5 * ((since - spike) / 0.3) ** 2) - 12 * np.exp(
            -0.5 * ((since - spike - 2) / 0.6) ** 2
        )
    return voltage


@dataclass
class Written:
    """What goes into the file: volts and amperes are made of these, with the conversion factors given."""

    voltage_mv: np.ndarray
    current_na: np.ndarray | None
    rate_hz: float = RATE_HZ
    stimulus_rate_hz: float | None = None
    bias_na: float | None = None
    clamp: str = "current"
    electrode: str = "soma"
    protocol: str = "LongSquare"
    sweep_number: int | None = None
    stimulus_sweep_number: int | None = None
    response_name: str | None = None
    stimulus_name: str | None = None
    start_s: float = 0.0
    stimulus_start_s: float | None = None
    timestamps_s: np.ndarray | None = None
    voltage_offset_v: float = 0.0
    conversion: float = 1e-3


def good(amplitude_na: float, spikes_ms: Sequence[float] = (), **options: Any) -> Written:
    return Written(answer_mv(amplitude_na, spikes_ms), step_na(amplitude_na), **options)


def _unsigned(number: int | None) -> np.uint32 | None:
    return None if number is None else np.uint32(number)


def write_nwb(path: Path, sweeps: Sequence[Written], *, table: bool = False, reverse_stimuli: bool = False) -> Path:
    """Write a file; with `table`, responses and stimuli are paired by the table of intracellular recordings."""
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.icephys import CurrentClampSeries, CurrentClampStimulusSeries, VoltageClampSeries

    file = NWBFile("a test", "test", datetime(2020, 1, 1, tzinfo=UTC))
    device = file.create_device(name="amplifier")
    names = dict.fromkeys(sweep.electrode for sweep in sweeps)
    electrodes = {name: file.create_icephys_electrode(name=name, description="", device=device) for name in names}
    pairs = []
    for index, sweep in enumerate(sweeps):
        clock: dict[str, Any] = {"rate": sweep.rate_hz, "starting_time": sweep.start_s}
        if sweep.timestamps_s is not None:
            clock = {"timestamps": sweep.timestamps_s}
        common = {"electrode": electrodes[sweep.electrode], "stimulus_description": sweep.protocol, "gain": 20.0}
        response: Any
        if sweep.clamp == "current":
            response = CurrentClampSeries(
                name=sweep.response_name or f"response_{index:03d}",
                data=(sweep.voltage_mv * 1e-3 - sweep.voltage_offset_v) / sweep.conversion,
                conversion=sweep.conversion,
                offset=sweep.voltage_offset_v,
                bias_current=None if sweep.bias_na is None else sweep.bias_na * 1e-9,
                sweep_number=_unsigned(sweep.sweep_number),
                **clock,
                **common,
            )
        else:
            response = VoltageClampSeries(
                name=sweep.response_name or f"response_{index:03d}", data=sweep.voltage_mv * 1e-12, **clock, **common
            )
        stimulus = None
        if sweep.current_na is not None:
            start = sweep.start_s if sweep.stimulus_start_s is None else sweep.stimulus_start_s
            stimulus = CurrentClampStimulusSeries(
                name=sweep.stimulus_name or f"stimulus_{index:03d}",
                data=np.round(sweep.current_na * 1e4),  # tenths of a pA
                conversion=1e-13,
                rate=sweep.stimulus_rate_hz or sweep.rate_hz,
                starting_time=start,
                sweep_number=_unsigned(sweep.stimulus_sweep_number or sweep.sweep_number),
                **common,
            )
        pairs.append((response, stimulus))
    for response, _ in pairs:
        file.add_acquisition(response)
    for _, stimulus in reversed(pairs) if reverse_stimuli else pairs:
        if stimulus is not None:
            file.add_stimulus(stimulus)
    if table:
        for response, stimulus in pairs:
            file.add_intracellular_recording(electrode=response.electrode, stimulus=stimulus, response=response)
    with NWBHDF5IO(path=str(path), mode="w") as io:
        io.write(file)
    return path

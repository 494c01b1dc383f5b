"""Axon binary format 1 and 2, as neo reads it.

Channels are told by their units, since their names are often those of another recording mode. Where no current was recorded,
the command is rebuilt from the epochs of the protocol: steps, ramps and pulses, whose levels and lengths may grow from sweep to
sweep. Only files of version 2 hold them in a form that neo reads; its own rebuilding takes every epoch for a step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from textwrap import shorten
from typing import Any, Final

import numpy as np

from noble.recordings.formats import Options, Sweeps
from noble.recordings.raw import checked_sweep
from noble.units import MS_PER_SECOND, base_unit

_LONGEST_REASON: Final = 200
# Numbers of the format.
_FROM_EPOCHS: Final = 1
_STEP, _RAMP, _PULSES = 1, 2, 3


@dataclass(frozen=True)
class _Channel:
    """A channel's number, name, and factor from its unit to V or A."""

    number: int
    name: str
    factor: float


def read(path: Path, options: Options) -> Sweeps:
    """The sweeps of a file.

    Raises:
        ValueError: if it is none of Axon's, or has no voltage with a current.
    """
    reader = _opened(path)
    voltages, currents = _channels(reader, "V"), _channels(reader, "A")
    if not voltages:
        raise ValueError(
            f"{path} has channels in {', '.join(_units(reader)) or 'no unit'} only, so it is voltage clamp or no patch clamp; "
            "expected a voltage in V or mV."
        )
    voltage = _chosen(voltages, options.electrode, path, "voltage")
    protocol = _protocol(reader)
    command = None if currents else _command(reader, path)
    current = _chosen(currents, None, path, "current") if currents else None
    dt_ms = MS_PER_SECOND / float(reader.get_signal_sampling_rate(0))
    for sweep in range(int(reader.header["nb_segment"][0])):
        name = f"sweep {sweep}"
        try:
            yield checked_sweep(
                name,
                sweep,
                protocol,
                _samples(reader, sweep, voltage) * 1e3,
                (command[sweep] if command is not None else _samples(reader, sweep, current)) * 1e9,
                dt_ms,
                junction_potential_mv=options.junction_potential_mv,
                start_ms=float(reader.get_signal_t_start(0, sweep, 0)) * MS_PER_SECOND,
                current="recorded" if command is None else "command",
            )
        except ValueError as error:
            yield name, str(error)


def _opened(path: Path) -> Any:
    from neo.rawio import AxonRawIO

    try:
        reader = AxonRawIO(str(path))
        reader.parse_header()
    except Exception as error:  # a damaged header fails wherever neo first believes it
        reason = shorten(str(error) or type(error).__name__, _LONGEST_REASON).rstrip(".")
        raise ValueError(
            f"{path} cannot be read as ABF ({reason}); expected a complete file of version 1 or 2."
        ) from error
    return reader


def _protocol(reader: Any) -> str:
    """Name of the protocol's file, without folder and ending."""
    path = reader._axon_info.get("sProtocolPath") or ""  # neo has no public way to it
    return PureWindowsPath(_text(path)).stem


def _units(reader: Any) -> list[str]:
    return [str(unit) for unit in reader.header["signal_channels"]["units"]]


def _channels(reader: Any, base: str) -> list[_Channel]:
    found = []
    for number, channel in enumerate(reader.header["signal_channels"]):
        unit, factor = base_unit(str(channel["units"]))
        if unit == base:
            found.append(_Channel(number, str(channel["name"]), factor))
    return found


def _chosen(channels: list[_Channel], electrode: str | None, path: Path, what: str) -> _Channel:
    named = [channel for channel in channels if electrode is None or channel.name == electrode]
    if len(named) == 1:
        return named[0]
    names = ", ".join(channel.name for channel in channels)
    if electrode is None:
        raise ValueError(f"{path} has several channels of {what}: {names}; name the one to read.")
    raise ValueError(f"{path} has no channel {electrode!r} of {what}; expected one of {names}.")


def _samples(reader: Any, sweep: int, channel: _Channel | None) -> np.ndarray:
    assert channel is not None
    raw = reader.get_analogsignal_chunk(0, sweep, stream_index=0, channel_indexes=[channel.number])
    return reader.rescale_signal_raw_to_float(raw, dtype="float64", stream_index=0, channel_indexes=[channel.number])[
        :, 0
    ] * (channel.factor)


def _command(reader: Any, path: Path) -> list[np.ndarray]:
    """The commanded current of each sweep, A: of the only output in units of current that is ever used."""
    info = reader._axon_info
    if "listDACInfo" not in info:
        raise ValueError(
            f"{path} has no channel of current, and the command of a file of version 1 is not read; record the current, or "
            "save the file as version 2."
        )
    count, sweeps = int(reader.get_signal_size(0, 0, 0)), int(reader.header["nb_segment"][0])
    outputs = {}
    for number, output in enumerate(info["listDACInfo"]):
        base, factor = base_unit(_text(output["DACChUnits"]))
        if base == "A":
            epochs = [epoch for _, epoch in sorted(info["dictEpochInfoPerDAC"].get(number, {}).items())]
            outputs[number] = output, epochs if output["nWaveformEnable"] else [], factor
    used = {n: item for n, item in outputs.items() if any(epoch["nEpochType"] for epoch in item[1])}
    if len(used) != 1:
        what = f"{len(used)} outputs command a current" if used else "no output commands a current"
        raise ValueError(f"{path} has no channel of current, and {what}; expected one.")
    [(output, epochs, factor)] = used.values()
    if output["nWaveformSource"] != _FROM_EPOCHS:
        raise ValueError(
            f"{path} has no channel of current, and its command came from a file of its own, which it does not hold; record the "
            "current."
        )
    return [level * factor for level in _levels(output, epochs, count, sweeps, path)]


def _levels(
    output: Mapping[str, Any], epochs: Sequence[Mapping[str, Any]], count: int, sweeps: int, path: Path
) -> list[np.ndarray]:
    """What an output is told in each sweep, in its own unit: epoch after epoch, from a 64th of the sweep on."""
    holding = float(output["fDACHoldingLevel"])
    stays, first, found = bool(output["nInterEpisodeLevel"]), holding, []
    for sweep in range(sweeps):
        values, at, level = np.full(count, first), count // 64, first
        for epoch in epochs:
            kind = int(epoch["nEpochType"])
            length = int(epoch["lEpochInitDuration"]) + sweep * int(epoch["lEpochDurationInc"])
            target = float(epoch["fEpochInitLevel"]) + sweep * float(epoch["fEpochLevelInc"])
            part = values[at : max(at, at + length)]
            if kind == _STEP:
                part[:] = target
            elif kind == _RAMP:
                part[:] = level + (target - level) * (np.arange(part.size) + 1) / max(1, length)
            elif kind == _PULSES:
                period, width = int(epoch["lEpochPulsePeriod"]), int(epoch["lEpochPulseWidth"])
                part[:] = np.where(np.arange(part.size) % max(1, period) < width, target, level)
            elif kind:
                raise ValueError(
                    f"the command of {path} has an epoch of type {kind}; expected steps, ramps and pulses. Record the current."
                )
            if kind:
                at, level = at + max(0, length), level if kind == _PULSES else target
        last = level if stays else holding
        values[at:] = last
        first = last
        found.append(values)
    return found


def _text(raw: Any) -> str:
    return (raw.decode("latin-1") if isinstance(raw, bytes) else str(raw)).strip("\0 ")

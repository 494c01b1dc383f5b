"""From a file or folder of any known format to its sweeps, and to those that answer steps of current."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from noble.files import file_sha256
from noble.recordings.detection import spike_threshold_mv
from noble.recordings.epochs import Epoch, epochs, varying_epoch
from noble.recordings.formats import FORMATS, Format, Options
from noble.recordings.raw import RawRecording, RawSweep
from noble.recordings.recording import Recording, Sweep, reasons_in_short
from noble.recordings.steps import StepFit, fit_step, fit_step_near, level_between

_LARGEST_JUNCTION_POTENTIAL_MV: Final = 50.0
# More would be hashed for minutes.
_LARGEST_BYTES: Final = 8 * 2**30
# The response to a step is over if this much was recorded after it: as far as eFEL looks for the decay.
_AFTER_STEP_MS: Final = 10.0
# Sweeps that end early are compared over so many lengths.
_MOST_LENGTHS: Final = 8


def read_sweeps(path: str | Path, *, junction_potential_mv: float = 0.0, electrode: str | None = None) -> RawRecording:
    """Read everything of one cell that a file, or a folder of files, holds.

    Args:
        path: of a file, or of a folder of them (but of NWB each file is a cell); `noble.recordings.FORMATS` lists what is read.
        junction_potential_mv: liquid junction potential, subtracted from the recorded voltage: with 14 mV, what the file
            holds as -70 mV is a membrane potential of -84 mV.
        electrode: name of the electrode or channel to read; needed only where there are several.

    Raises:
        FileNotFoundError: if there is nothing at the path.
        ValueError: if it is of no known format, damaged, or holds several electrodes and none is named.
    """
    path = Path(path)
    if not (path.is_file() or path.is_dir()):  # a pipe would be waited for
        raise FileNotFoundError(f"there is no recording {path}; expected {_expected()}.")
    if not abs(junction_potential_mv) <= _LARGEST_JUNCTION_POTENTIAL_MV:
        raise ValueError(
            f"the junction potential is {junction_potential_mv:g} mV; expected a number of mV within "
            f"±{_LARGEST_JUNCTION_POTENTIAL_MV:g}, such as 14."
        )
    chosen, files = _format_of(path)
    sweeps: list[RawSweep] = []
    unread: dict[str, str] = {}
    for item in chosen.sweeps(path, Options(junction_potential_mv, electrode)):
        if isinstance(item, RawSweep):
            sweeps.append(item)
        else:
            unread[item[0]] = item[1]
    return RawRecording(path.name, _digest(files), tuple(sweeps), unread, float(junction_potential_mv))


def read_recording(
    path: str | Path, *, junction_potential_mv: float = 0.0, electrode: str | None = None, epoch: int | None = None
) -> Recording:
    """Read the current clamp of one cell: all of its sweeps, and which of them answer a rectangular step.

    Args:
        path, junction_potential_mv, electrode: see `read_sweeps`.
        epoch: which epoch of each stimulus is the step, counted from 1 as `noble recording` lists them; the one that varies
            from sweep to sweep if None.

    Raises:
        FileNotFoundError: if there is nothing at the path.
        ValueError: as `read_sweeps`, or if none of the sweeps can be read.
    """
    raw = read_sweeps(path, junction_potential_mv=junction_potential_mv, electrode=electrode)
    if not raw.sweeps:
        raise ValueError(f"{path} has no current clamp that can be read; {reasons_in_short(raw.unread)}.")
    found, unusable = steps_of(raw.sweeps, epoch=epoch)
    unusable = {**raw.unread, **unusable}
    threshold_mv = spike_threshold_mv([item.trace for item in raw.sweeps])
    return Recording(raw.source, raw.sha256, found, unusable, raw.junction_potential_mv, threshold_mv, raw.sweeps)


def steps_of(sweeps: Sequence[RawSweep], *, epoch: int | None = None) -> tuple[tuple[Sweep, ...], dict[str, str]]:
    """The sweeps that answer a step of current, in their order, and why the others do not.

    Sweeps that the file calls alike, and that are equally long (what was not recorded at their ends included), share their test
    pulses and prepulses; what varies among them is the step. Where nothing varies, or a sweep is alone, the rectangle that
    explains most of its current is. With a number, it is that epoch of each stimulus, counted from 1.
    """
    groups: dict[tuple[str, int, float], list[RawSweep]] = {}
    for item in sweeps:
        key = (item.protocol, item.trace.grid.count + item.padding, item.trace.grid.dt_ms)
        groups.setdefault(key, []).append(item)
    found: dict[str, Sweep] = {}
    unusable: dict[str, str] = {}
    for group in groups.values():
        for item, step in zip(group, _fits(group, epoch), strict=True):
            if isinstance(step, str):
                unusable[item.name] = step
            else:
                found[item.name] = _sweep(item, step)
    return tuple(found[item.name] for item in sweeps if item.name in found), unusable


def _fits(group: Sequence[RawSweep], number: int | None) -> list[StepFit | str]:
    """The step of each sweep of a protocol, or why it has none."""
    dt_ms = group[0].trace.grid.dt_ms
    currents = [item.cleaned_na for item in group]
    if number is None:
        epoch = _epoch(currents, dt_ms)
    else:
        longest = max(current.size for current in currents)
        there = epochs([current for current in currents if current.size == longest], dt_ms=dt_ms)
        if not 1 <= number <= len(there):
            return [f"its stimulus has {len(there)} epochs; epoch {number} was asked for."] * len(group)
        epoch = there[number - 1]
    if epoch is None:
        return [_alone(item, dt_ms) for item in group]
    fits: list[StepFit | str | None] = []
    for item, current in zip(group, currents, strict=True):
        if _ends_before(item, epoch.stop):
            fits.append(_incomplete(item))
            continue
        try:
            fits.append(fit_step_near(current, epoch, dt_ms=dt_ms))
        except ValueError as error:
            fits.append(str(error))
    known = [fit for fit in fits if isinstance(fit, StepFit)]
    if not known:
        return [fit if isinstance(fit, str) else "no rectangular step was found in its stimulus." for fit in fits]
    onset, offset = (round(float(np.median([getattr(fit, edge) for fit in known]))) for edge in ("onset", "offset"))
    common = epoch._replace(first=onset, stop=offset)
    return [
        level_between(current, common, dt_ms=dt_ms) if fit is None else fit
        for fit, current in zip(fits, currents, strict=True)
    ]


def _epoch(currents_na: Sequence[np.ndarray], dt_ms: float) -> Epoch | None:
    """The epoch that varies among sweeps of one protocol, some of which may end early: among the longest ones that tell it."""
    counts = sorted((current.size for current in currents_na), reverse=True)[1:]  # each is of two sweeps or more
    counts = list(dict.fromkeys(counts))
    for count in counts[:: -(-len(counts) // _MOST_LENGTHS) or 1]:
        long = [current[:count] for current in currents_na if current.size >= count]
        if (epoch := varying_epoch(long, dt_ms=dt_ms)) is not None:
            return epoch
    return None


def _ends_before(item: RawSweep, offset: int) -> bool:
    """Whether a recording was stopped before the response to a step was over."""
    return item.padding > 0 and item.trace.grid.count < offset + round(_AFTER_STEP_MS / item.trace.grid.dt_ms)


def _incomplete(item: RawSweep) -> str:
    return f"its recording ends after {item.trace.grid.duration_ms:g} ms, before the response to its step is over."


def _alone(item: RawSweep, dt_ms: float) -> StepFit | str:
    """The step of a sweep by itself: of its current as recorded, or, where spikes bent it, of the clean one."""
    try:
        fit = fit_step(item.trace.current_na, dt_ms=dt_ms)
    except ValueError as error:
        try:
            fit = fit_step(item.cleaned_na, dt_ms=dt_ms)
        except ValueError:
            ends = f"; its recording ends after {item.trace.grid.duration_ms:g} ms." if item.padding else "."
            return str(error).rstrip(".") + ends
    return _incomplete(item) if _ends_before(item, fit.offset) else fit


def _sweep(raw: RawSweep, step: StepFit) -> Sweep:
    dt_ms = raw.trace.grid.dt_ms
    return Sweep(
        raw.name,
        step.amplitude_na,
        step.amplitude_error_na,
        step.holding_na + raw.bias_na,
        step.onset * dt_ms,
        step.offset * dt_ms,
        raw.protocol,
        raw.trace,
    )


def _format_of(path: Path) -> tuple[Format, list[Path]]:
    for item in FORMATS:
        if files := item.files(path):
            for file in files:
                if (size := file.stat().st_size) > _LARGEST_BYTES:
                    raise ValueError(
                        f"{file} has {size / 2**30:,.0f} GiB; a recording of one cell has at most {_LARGEST_BYTES / 2**30:g}. "
                        "It is another file, or damaged."
                    )
            return item, files
    what = "holds no file of a known format" if path.is_dir() else "is of no known format"
    raise ValueError(f"{path} {what}; expected {_expected()}.")


def _expected() -> str:
    return ", ".join(f"{item.name} ({', '.join(item.suffixes)})" for item in FORMATS)


def _digest(files: list[Path]) -> str:
    if len(files) == 1:
        return file_sha256(files[0])
    return hashlib.sha256(" ".join(f"{file.name}:{file_sha256(file)}" for file in files).encode()).hexdigest()

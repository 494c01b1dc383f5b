"""Reading current clamp from NWB 2 files. What cannot be used is listed with its reason and never guessed."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any, Final

import numpy as np

from noble.recordings.formats import Options, Sweeps
from noble.recordings.raw import RawSweep, base_unit, checked_trace
from noble.units import MS_PER_SECOND, check_current_na

_MV_PER_V: Final = 1e3
_NA_PER_A: Final = 1e9
# Timestamps may stray from a uniform grid by this part of dt.
_UNIFORM: Final = 0.01
# Over half an hour at 50 kHz; a file that claims more is damaged, and would only fill memory.
_MOST_SAMPLES: Final = 100_000_000
# pynwb may print all that a group holds.
_LONGEST_REASON: Final = 200


def read(path: Path, options: Options) -> Sweeps:
    """The current-clamp sweeps of one electrode.

    Responses are paired with stimuli by the table of intracellular recordings where the file has one, else by sweep number,
    else by the number that ends both names, else by starting time.

    Raises:
        ValueError: if it is not NWB 2 or truncated, or if it holds several electrodes and none is named.
    """
    with _opened(path) as file:
        for number, pair in enumerate(_of_electrode(_pairs(file), options.electrode, path)):
            try:
                yield _sweep(pair, number, options.junction_potential_mv)
            except (ValueError, OSError) as error:  # HDF5 finds a damaged block only where it is read
                yield pair.name, str(error)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file as pynwb reads it, its warnings about old or unusual files kept away."""
    from pynwb import NWBHDF5IO

    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        try:
            file = stack.enter_context(NWBHDF5IO(path=str(path), mode="r")).read()
        except Exception as error:  # h5py, hdmf and pynwb each have their own for a file that is none of theirs
            reason = shorten(str(error), _LONGEST_REASON).rstrip(".")
            raise ValueError(f"{path} cannot be read as NWB 2 ({reason}); expected a complete NWB 2 file.") from error
        yield file


@dataclass(frozen=True)
class _Pair:
    """A response and its stimulus as pynwb objects; the windows are first sample and number of samples, -1 for all."""

    name: str
    response: Any
    stimulus: Any
    response_window: tuple[int, int] = (0, -1)
    stimulus_window: tuple[int, int] = (0, -1)


def _pairs(file: Any) -> list[_Pair]:
    """Everything that the file acquired, with its stimulus or None."""
    from pynwb.icephys import PatchClampSeries

    pairs = list(_table_pairs(file))
    listed = {id(pair.response) for pair in pairs}
    others = [item for item in file.acquisition.values() if id(item) not in listed]
    stimuli = [item for item in file.stimulus.values() if isinstance(item, PatchClampSeries)]
    stimulus_of = _matched([item for item in others if isinstance(item, PatchClampSeries)], stimuli)
    return pairs + [_Pair(str(item.name), item, stimulus_of.get(id(item))) for item in others]


def _table_pairs(file: Any) -> Iterator[_Pair]:
    """Rows of the table of intracellular recordings; a response of several rows is named with its first sample."""
    table = file.intracellular_recordings
    if table is None:
        return
    responses, stimuli = list(table["responses"]["response"]), list(table["stimuli"]["stimulus"])
    count = Counter(id(item.timeseries) for item in responses)
    for response, stimulus in zip(responses, stimuli, strict=True):
        window, stimulus_window = _window(response), _window(stimulus)
        if window is None:
            continue
        name = str(response.timeseries.name)
        if count[id(response.timeseries)] > 1:
            name = f"{name}[{window[0]}]"
        if stimulus_window is None:
            yield _Pair(name, response.timeseries, None, window)
        else:
            yield _Pair(name, response.timeseries, stimulus.timeseries, window, stimulus_window)


def _window(reference: Any) -> tuple[int, int] | None:
    """First sample and number of samples of an entry of the table; None where the file or pynwb marks it as absent."""
    if reference.idx_start is None or reference.idx_start < 0:
        return None
    return int(reference.idx_start), int(reference.count)


def _matched(responses: Sequence[Any], stimuli: Sequence[Any]) -> dict[int, Any]:
    """Stimuli by the `id` of their response, where one alone of each has the same key at the same electrode.

    The keys are tried in order of trust: sweep number, number in the name, starting time.
    """
    matched: dict[int, Any] = {}
    responses, stimuli = list(responses), list(stimuli)
    for key in (_sweep_number, _number_in_name, _starting_time):
        of_key = _by_key(key, stimuli)
        for value, same in _by_key(key, responses).items():
            found = of_key.get(value, [])
            if len(same) == len(found) == 1 and not _other_sweep(same[0], found[0]):
                matched[id(same[0])] = found[0]
                responses.remove(same[0])
                stimuli.remove(found[0])
    return matched


def _by_key(key: Callable[[Any], Any], series: Sequence[Any]) -> dict[tuple[int, Any], list[Any]]:
    """The series that have the key, by electrode and key."""
    groups: dict[tuple[int, Any], list[Any]] = {}
    for item in series:
        if key(item) is not None:
            groups.setdefault((id(item.electrode), key(item)), []).append(item)
    return groups


def _other_sweep(response: Any, stimulus: Any) -> bool:
    numbers = _sweep_number(response), _sweep_number(stimulus)
    return None not in numbers and numbers[0] != numbers[1]


def _sweep_number(series: Any) -> int | None:
    return None if series.sweep_number is None else int(series.sweep_number)


def _number_in_name(series: Any) -> int | None:
    found = re.search(r"(\d+)\D*$", series.name)
    return int(found.group(1)) if found else None


def _starting_time(series: Any) -> float | None:
    if series.starting_time is not None:
        return float(series.starting_time)
    return None if series.timestamps is None else float(series.timestamps[0])


def _of_electrode(pairs: Sequence[_Pair], electrode: str | None, path: Path) -> list[_Pair]:
    """The pairs of one electrode, that is of one cell."""
    names = sorted({name for pair in pairs if (name := _electrode_name(pair))})
    if electrode is None and len(names) > 1:
        raise ValueError(
            f"{path} holds the electrodes {', '.join(names)}; name the one to read, for example {names[0]}."
        )
    if electrode is not None and electrode not in names:
        raise ValueError(f"{path} has no electrode {electrode!r}; expected one of {', '.join(names) or 'none'}.")
    return [pair for pair in pairs if electrode is None or _electrode_name(pair) == electrode]


def _electrode_name(pair: _Pair) -> str | None:
    electrode = getattr(pair.response, "electrode", None)
    return None if electrode is None else str(electrode.name)


def _sweep(pair: _Pair, number: int, junction_potential_mv: float) -> RawSweep:
    """The sweep of a pair; a ValueError says why there is none."""
    from pynwb.icephys import CurrentClampSeries, IZeroClampSeries

    if isinstance(pair.response, IZeroClampSeries) or not isinstance(pair.response, CurrentClampSeries):
        raise ValueError(f"it is a {type(pair.response).__name__}; expected a CurrentClampSeries with its stimulus.")
    if pair.stimulus is None:
        raise ValueError("no single stimulus belongs to it by table, sweep number, name or starting time.")
    voltage_mv = _samples(pair.response, pair.response_window, "V") * _MV_PER_V - junction_potential_mv
    current_na = _samples(pair.stimulus, pair.stimulus_window, "A") * _NA_PER_A
    dt_ms, stimulus_dt_ms = _dt_ms(pair.response), _dt_ms(pair.stimulus)
    if not np.isclose(dt_ms, stimulus_dt_ms, rtol=1e-6) or voltage_mv.size != current_na.size:
        raise ValueError(
            f"its response has {voltage_mv.size} samples at {dt_ms:g} ms and its stimulus {current_na.size} at "
            f"{stimulus_dt_ms:g} ms; expected equal numbers and intervals."
        )
    trace = checked_trace(voltage_mv, current_na, dt_ms)
    bias_na = float(pair.response.bias_current or 0.0) * _NA_PER_A
    bias_na = bias_na if np.isfinite(bias_na) else 0.0
    check_current_na(bias_na, what="its bias current")
    known = _sweep_number(pair.response)
    start_ms = (_starting_time(pair.response) or 0.0) * MS_PER_SECOND + pair.response_window[0] * dt_ms
    protocol = str(pair.response.stimulus_description or "")
    return RawSweep(pair.name, number if known is None else known, protocol, trace, start_ms=start_ms, bias_na=bias_na)


def _samples(series: Any, window: tuple[int, int], base: str) -> np.ndarray:
    """Samples in the base unit: what the file holds times its conversion plus its offset. `gain` is not applied, by NWB."""
    # pynwb replaces the unit of the file by what the schema demands, so the file itself is asked.
    unit = getattr(series.data, "attrs", {}).get("unit", series.unit)
    if base_unit(str(unit)) != (base, 1.0):
        expected = {"V": "volts", "A": "amperes"}[base]
        raise ValueError(f"the unit of {series.name} is {unit!r}; expected {expected}, as NWB 2 demands.")
    start, count = window
    shape = np.shape(series.data)
    if len(shape) != 1 or shape[0] > _MOST_SAMPLES:
        raise ValueError(
            f"{series.name} has data of shape {shape}; expected one row of at most {_MOST_SAMPLES:,} samples."
        )
    raw = np.asarray(series.data[start:] if count < 0 else series.data[start : start + count], dtype=float)
    if raw.size < 2:
        raise ValueError(f"{series.name} has {raw.size} samples; expected at least 2.")
    return raw * float(series.conversion) + float(series.offset or 0.0)


def _dt_ms(series: Any) -> float:
    """Sampling interval, ms, from the rate or from uniform timestamps."""
    if series.rate is not None:
        rate_hz = float(series.rate)
        if not (np.isfinite(rate_hz) and rate_hz > 0):
            raise ValueError(f"the rate of {series.name} is {rate_hz:g} Hz; expected a positive number.")
        return MS_PER_SECOND / rate_hz
    intervals = np.diff(np.asarray(series.timestamps[:], dtype=float)) * MS_PER_SECOND
    dt_ms = float(np.median(intervals)) if intervals.size else 0.0
    if dt_ms <= 0 or np.max(np.abs(intervals - dt_ms)) > _UNIFORM * dt_ms:
        raise ValueError(f"the timestamps of {series.name} are not uniform; expected a constant sampling interval.")
    return dt_ms

"""A response and its stimulus, of NWB files of both versions, and the sweep that they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from noble.recordings.formats import Options, Sweeps
from noble.recordings.formats.hdf5 import WHOLE, Series, Window
from noble.recordings.raw import RawSweep, checked_sweep

_MV_PER_V: Final = 1e3
_NA_PER_A: Final = 1e9
# Two clocks agree if they part by less than this of an interval within a sweep.
_SAME_CLOCK: Final = 0.1


@dataclass(frozen=True, eq=False)
class Pair:
    """A response and its stimulus.

    Attributes:
        name: of the sweep.
        response, stimulus: as yet unread; None for a stimulus that is missing.
        response_window, stimulus_window: the samples that belong to the sweep.
        response_conversion, stimulus_conversion: the factor to V and A where the file's own is known to be wrong.
        sound: number of samples from the first until the recording is known to be unsound; None if nothing is known.
    """

    name: str
    response: Series
    stimulus: Series | None
    response_window: Window = WHOLE
    stimulus_window: Window = WHOLE
    response_conversion: float | None = None
    stimulus_conversion: float | None = None
    sound: int | None = None


def sweeps(pairs: Sequence[Pair], options: Options, path: Path) -> Sweeps:
    """The sweeps of one electrode, or why there is none.

    Raises:
        ValueError: if the file holds several electrodes and none is named, or not the one that is.
    """
    for position, pair in enumerate(_of_electrode(pairs, options.electrode, path)):
        try:
            yield _sweep(pair, position, options)
        except ValueError as error:
            yield pair.name, str(error)


def _of_electrode(pairs: Sequence[Pair], electrode: str | None, path: Path) -> list[Pair]:
    """The pairs of one electrode, that is of one cell."""
    names = sorted({pair.response.electrode for pair in pairs if pair.response.electrode is not None})
    if electrode is None and len(names) > 1:
        raise ValueError(
            f"{path} holds the electrodes {', '.join(names)}; name the one to read, for example {names[0]}."
        )
    if electrode is not None and electrode not in names:
        raise ValueError(f"{path} has no electrode {electrode!r}; expected one of {', '.join(names) or 'none'}.")
    return [pair for pair in pairs if electrode is None or pair.response.electrode == electrode]


def _sweep(pair: Pair, position: int, options: Options) -> RawSweep:
    """The sweep of a pair; a ValueError says why there is none."""
    response, stimulus = pair.response, pair.stimulus
    if response.kind != "CurrentClampSeries":
        kind = response.kind[:40] or "series of no known type"
        raise ValueError(f"it is a {kind}; expected a CurrentClampSeries with its stimulus.")
    if stimulus is None:
        raise ValueError("no single stimulus belongs to it by table, sweep number, name or starting time.")
    voltage_mv = response.samples(pair.response_window, "V", conversion=pair.response_conversion) * _MV_PER_V
    current_na = stimulus.samples(pair.stimulus_window, "A", conversion=pair.stimulus_conversion) * _NA_PER_A
    if pair.sound is not None:
        voltage_mv[pair.sound :] = np.nan
    start_ms, dt_ms = response.clock_ms(pair.response_window, voltage_mv.size)
    _, stimulus_dt_ms = stimulus.clock_ms(pair.stimulus_window, current_na.size)
    if abs(dt_ms - stimulus_dt_ms) * voltage_mv.size > _SAME_CLOCK * dt_ms or voltage_mv.size != current_na.size:
        raise ValueError(
            f"its response has {voltage_mv.size} samples at {dt_ms:g} ms and its stimulus {current_na.size} at "
            f"{stimulus_dt_ms:g} ms; expected equal numbers and intervals."
        )
    return checked_sweep(
        pair.name,
        position if response.sweep is None else response.sweep,
        response.protocol or stimulus.protocol,
        voltage_mv,
        current_na,
        dt_ms,
        junction_potential_mv=options.junction_potential_mv,
        start_ms=start_ms,
        bias_na=(response.scalar("bias_current") or 0.0) * _NA_PER_A,
        zero_mv=response.offset * _MV_PER_V,
    )

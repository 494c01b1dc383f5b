"""Checking a store against its written specification (docs/store.md): every problem in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from noble.data.part import Part
from noble.data.place import Place
from noble.data.plan import shared_samples
from noble.data.schema import SPLITS, VOLTAGE_MISSING, VOLTAGE_OFFSET_MV, VOLTAGE_SCALE_MV, decode_voltage
from noble.data.store import Store, open_unchecked
from noble.spikes import SpikeTrains

# No membrane of these cells gets here; beyond lies a wrong unit or an unstable simulation.
PLAUSIBLE_MV = (-150.0, 100.0)


def check_store(path: str | Path) -> list[str]:
    """Read a whole store and say what is wrong with it.

    Args:
        path: the store's folder or URL.

    Returns:
        One sentence a problem; empty if the store keeps to its specification. Never raises for a bad store.
    """
    try:
        store = open_unchecked(Place.of(path))
    except ValueError as error:
        return [str(error)]
    except Exception as error:  # whatever the file system raises for an address
        return [f"{path} cannot be opened ({type(error).__name__}: {error})."]
    problems = _collected(_check_splits(store), "the splits cannot be checked")
    first = 0
    for part in store.parts:
        problems += _collected(_check_stimuli(store, part, first), "the stimuli cannot be checked")
        problems += _collected(_check_voltage(store, part, first), "the voltages cannot be checked")
        first += len(part)
    return problems


def _collected(sentences: Iterator[str], what: str) -> list[str]:
    """All sentences of one check; if it breaks off, a last one with the reason."""
    problems: list[str] = []
    try:
        problems.extend(sentences)
    except Exception as error:  # arrays may hold anything that their digests allow
        problems.append(f"{what} ({type(error).__name__}: {error}).")
    return problems


def _check_splits(store: Store) -> Iterator[str]:
    """Codes, and that no split sees what it must not."""
    split, models = (
        np.concatenate([getattr(part.plan, name) for part in store.parts]) for name in ("split", "model_index")
    )
    if np.any((split < 0) | (split >= len(SPLITS))):
        yield f"split has codes outside 0 to {len(SPLITS) - 1}."
        return
    for code, name in enumerate(SPLITS):
        kind = "held_out" if name == "unseen_models" else "train"
        wrong = np.setdiff1d(models[split == code], getattr(store.facts.hall, kind))
        if wrong.size:
            yield f"split {name} has models {wrong.tolist()}, which are not among the hall's {kind} models."
    shared = shared_samples(store.plan)
    if shared:
        yield f"{shared} test samples have model and stimulus of a training or validation sample."


def _check_stimuli(store: Store, part: Part, first: int) -> Iterator[str]:
    """Every stimulus can be read and ends within the window."""
    window_ms, table = store.protocol.window_ms, part.plan.stimuli
    for row in range(len(part)):
        try:
            stimulus = table[row]
        except ValueError as error:
            yield f"sample {first + row}: {error}"
            continue
        if stimulus.end_ms > window_ms + 1e-6:
            yield f"sample {first + row}: the stimulus ends at {stimulus.end_ms:g} ms, after the window of {window_ms:g} ms."
        if table.surplus(row):
            name = table.kinds[int(table.kind[row])].name
            yield f"sample {first + row}: more parameters than a {name} has; the rest must be NaN."


def _check_voltage(store: Store, part: Part, first: int) -> Iterator[str]:
    """Every chunk is there, can be read, holds no missing value and stays in range; one chunk in memory at a time."""
    written = part.written()
    absent = [chunk for chunk in range(part.chunks) if chunk not in written]
    if absent:
        yield (
            f"{len(absent)} of {part.chunks} voltage chunks are missing (the first is {absent[0]}); "
            "run noble generate again to finish it."
        )
    elif part.index is None and store.facts.version > 1:
        yield f"the index of {part.place} is missing; run noble generate again to finish it."
    for chunk in sorted(written):
        try:
            codes = part.codes(chunk)
        except ValueError as error:
            yield str(error)
            continue
        rows = part.rows_of(chunk)
        yield from _check_traces(codes, first + rows.start)
        if part.index is not None:
            stored = part.index.spikes.take(np.arange(rows.start, rows.stop))
            found = SpikeTrains.detect(decode_voltage(codes), dt_ms=store.grid.dt_ms)
            if not (np.array_equal(stored.offsets, found.offsets) and np.allclose(stored.times_ms, found.times_ms)):
                yield f"the spikes of voltage chunk {chunk} of {part.place} are not those of its voltages."


def _check_traces(codes: np.ndarray, first: int) -> Iterator[str]:
    low, high = (round((limit - VOLTAGE_OFFSET_MV) / VOLTAGE_SCALE_MV) for limit in PLAUSIBLE_MV)
    for row, trace in enumerate(codes):
        missing = int(np.sum(trace == VOLTAGE_MISSING))
        if missing:
            yield f"sample {first + row}: {missing} voltages are missing."
        elif trace.min() < low or trace.max() > high:
            yield (
                f"sample {first + row}: the voltage leaves {PLAUSIBLE_MV[0]:g} to {PLAUSIBLE_MV[1]:g} mV; "
                "the model is unstable or the current far too large."
            )

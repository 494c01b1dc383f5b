"""Checking a store against its written specification (docs/store.md): every problem in one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from noble.data.plan import Plan, shared_samples
from noble.data.schema import (
    ARRAY_DTYPES,
    KIND_PARAMETERS,
    PARAMETER_COLUMNS,
    PLAN_DTYPES,
    SPLITS,
    VOLTAGE_MISSING,
    VOLTAGE_OFFSET_MV,
    VOLTAGE_SCALE_MV,
    check_schema,
    decode_stimulus,
    written_chunks,
)
from noble.data.store import attributes_of, open_group, read_arrays, read_plan
from noble.protocols import Window
from noble.traces import TimeGrid

# No membrane of these cells gets here; beyond lies a wrong unit or an unstable simulation.
PLAUSIBLE_MV = (-150.0, 100.0)


def check_store(path: str | Path) -> list[str]:
    """Read a whole store and say what is wrong with it.

    Args:
        path: the store's folder.

    Returns:
        One sentence a problem; empty if the store keeps to its specification. Never raises for a bad store.
    """
    path = Path(path)
    try:
        group = open_group(path)
        attributes = attributes_of(group)
        check_schema(attributes, path)
        arrays = read_arrays(group, path)
    except ValueError as error:
        return [str(error)]
    except Exception as error:  # whatever Zarr and the file system raise for damaged metadata
        return [f"{path} cannot be opened ({type(error).__name__}: {error})."]
    problems = _collected(_check_layout(attributes, arrays), f"the attributes of {path} are not as specified")
    if problems:  # without the right shapes, nothing below has a meaning
        return problems
    try:
        plan, features = read_plan(arrays), np.asarray(arrays["model_features"][:])
    except Exception as error:  # whatever the codec raises for damaged bytes
        return [f"the plan or the features cannot be read ({error})."]
    if not np.all(np.isfinite(features)):
        problems.append("model_features holds values that are not finite.")
    problems += _collected(_check_plan(attributes, plan), "the plan cannot be checked")
    problems += _collected(_check_stimuli(attributes, plan), "the stimuli cannot be checked")
    problems += _collected(_check_voltage(path, arrays["voltage"]), "the voltages cannot be checked")
    return problems


def _collected(sentences: Iterator[str], what: str) -> list[str]:
    """All sentences of one check; if it breaks off, a last one with the reason."""
    problems: list[str] = []
    try:
        problems.extend(sentences)
    except Exception as error:  # attributes may hold anything where the check expects a list, an object or a number
        problems.append(f"{what} ({type(error).__name__}: {error}).")
    return problems


def _check_layout(attributes: Mapping[str, Any], arrays: Mapping[str, zarr.Array[Any]]) -> Iterator[str]:
    """Attributes, dtypes, shapes and chunks."""
    for name in ARRAY_DTYPES:
        axes = 2 if name in ("voltage", "stimulus_parameters", "model_features") else 1
        if arrays[name].ndim != axes:
            yield f"{name} has shape {arrays[name].shape}; expected {axes} axes."
            return
    grid, window = TimeGrid(**attributes["grid"]), Window(**attributes["protocol"])
    if grid != window.simulated_grid:
        yield f"grid is {attributes['grid']}; the protocol asks for {window.simulated_grid}."
    if not 0 <= window.onset_ms < window.offset_ms <= window.window_ms:
        yield f"protocol has a current from {window.onset_ms} to {window.offset_ms} ms in a window of {window.window_ms} ms."
    if tuple(attributes["splits"]) != SPLITS:
        yield f"splits is {attributes['splits']}; expected {list(SPLITS)}."
    kinds = [{"name": name, "parameters": list(parameters)} for name, parameters in KIND_PARAMETERS]
    if attributes["stimulus_kinds"] != kinds:
        yield f"stimulus_kinds is {attributes['stimulus_kinds']}; expected {kinds}."
    scale = {key: attributes_of(arrays["voltage"]).get(key) for key in ("unit", "scale", "offset", "missing")}
    expected_scale = {
        "unit": "mV",
        "scale": VOLTAGE_SCALE_MV,
        "offset": VOLTAGE_OFFSET_MV,
        "missing": VOLTAGE_MISSING,
    }
    if scale != expected_scale:
        yield f"voltage has {scale}; expected {expected_scale}."
    for name, dtype in ARRAY_DTYPES.items():
        if arrays[name].dtype != np.dtype(dtype):
            yield f"{name} has dtype {arrays[name].dtype}; expected {dtype}."
    samples, count = arrays["voltage"].shape[0], grid.count
    features = attributes_of(arrays["model_features"])
    names, units = features.get("names", []), features.get("units", [])
    if len(names) != len(units):
        yield f"model_features has {len(names)} names and {len(units)} units."
    shapes = dict.fromkeys(PLAN_DTYPES, (samples,)) | {
        "voltage": (samples, count),
        "stimulus_parameters": (samples, PARAMETER_COLUMNS),
        "model_features": (attributes["hall"]["models"], len(names)),
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            yield f"{name} has shape {arrays[name].shape}; expected {shape}."
    if arrays["voltage"].chunks[1] != count:
        yield f"voltage has chunks {arrays['voltage'].chunks}; expected whole traces of {count} samples."


def _check_plan(attributes: Mapping[str, Any], plan: Plan) -> Iterator[str]:
    """Digest, codes, and that no split sees what it must not."""
    if plan.digest != attributes["plan_digest"]:
        yield "the plan does not have the digest that the attributes give: it was changed after it was drawn."
    if np.any((plan.split < 0) | (plan.split >= len(SPLITS))):
        yield f"split has codes outside 0 to {len(SPLITS) - 1}."
        return
    for code, split in enumerate(SPLITS):
        kind = "held_out" if split == "unseen_models" else "train"
        allowed = attributes["hall"][kind]
        wrong = np.setdiff1d(plan.model_index[plan.split == code], allowed)
        if wrong.size:
            yield f"split {split} has models {wrong.tolist()}, which are not among the hall's {kind} models."
    shared = shared_samples(plan)
    if shared:
        yield f"{shared} test samples have model and stimulus of a training or validation sample."


def _check_stimuli(attributes: Mapping[str, Any], plan: Plan) -> Iterator[str]:
    """Every stimulus can be read and ends within the window."""
    window_ms = attributes["protocol"]["window_ms"]
    for index in range(len(plan)):
        kind, parameters = int(plan.stimulus_kind[index]), plan.stimulus_parameters[index]
        try:
            stimulus = decode_stimulus(kind, parameters)
        except ValueError as error:
            yield f"sample {index}: {error}"
            continue
        if stimulus.end_ms > window_ms + 1e-6:
            yield f"sample {index}: the stimulus ends at {stimulus.end_ms:g} ms, after the window of {window_ms:g} ms."
        if not np.all(np.isnan(parameters[len(KIND_PARAMETERS[kind][1]) :])):
            yield f"sample {index}: more parameters than a {KIND_PARAMETERS[kind][0]} has; the rest must be NaN."


def _check_voltage(path: Path, voltage: zarr.Array[Any]) -> Iterator[str]:
    """Every chunk is there, can be read, holds no missing value and stays in range; one chunk in memory at a time."""
    size, written = voltage.chunks[0], written_chunks(path)
    chunks = range(voltage.cdata_shape[0])
    absent = [chunk for chunk in chunks if chunk not in written]
    if absent:
        yield (
            f"{len(absent)} of {len(chunks)} voltage chunks are missing (the first is {absent[0]}); "
            "run noble generate again to finish it."
        )
    for chunk in sorted(written & set(chunks)):
        try:
            codes = np.asarray(voltage[chunk * size : (chunk + 1) * size])
        except Exception as error:  # whatever the codec raises for damaged bytes
            yield f"voltage chunk {chunk} cannot be read ({error}); delete its file and run noble generate again."
            continue
        low, high = (round((limit - VOLTAGE_OFFSET_MV) / VOLTAGE_SCALE_MV) for limit in PLAUSIBLE_MV)
        for row, trace in enumerate(codes):
            missing = int(np.sum(trace == VOLTAGE_MISSING))
            if missing:
                yield f"sample {chunk * size + row}: {missing} voltages are missing."
            elif trace.min() < low or trace.max() > high:
                yield (
                    f"sample {chunk * size + row}: the voltage leaves {PLAUSIBLE_MV[0]:g} to {PLAUSIBLE_MV[1]:g} mV; "
                    "the model is unstable or the current far too large."
                )

"""The layout of a store, version 1: names, codes, and how stimuli and voltages become numbers (see docs/store.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from noble.stimuli import Stimulus, kind_named

SCHEMA_NAME: Final = "noble-store"
SCHEMA_VERSION: Final = 1

# Attributes of the group besides the two above.
ATTRIBUTES: Final = (
    "grid",
    "protocol",
    "splits",
    "stimulus_kinds",
    "cell",
    "hall",
    "seed",
    "config",
    "plan_digest",
    "versions",
)

# A sample's split is its position here.
SPLITS: Final = ("train", "validation", "test", "unseen_models")

# A sample's stimulus kind is its position here; its parameters are in this order, the rest of the row is NaN.
KIND_PARAMETERS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("Step", ("start_ms", "stop_ms", "amplitude_na")),
    ("Ramp", ("start_ms", "stop_ms", "start_na", "stop_na")),
    ("Chirp", ("start_ms", "stop_ms", "amplitude_na", "offset_na", "f0_hz", "f1_hz")),
    ("OrnsteinUhlenbeck", ("start_ms", "stop_ms", "mean_na", "sd_na", "tau_ms", "seed")),
)
KIND_CODES: Final = {name: code for code, (name, _) in enumerate(KIND_PARAMETERS)}
PARAMETER_COLUMNS: Final = max(len(parameters) for _, parameters in KIND_PARAMETERS)

# Half a count is 0.002 mV; the codes cover -151.068 to 111.068 mV, beyond what any cell survives.
VOLTAGE_SCALE_MV: Final = 0.004
VOLTAGE_OFFSET_MV: Final = -20.0
VOLTAGE_MISSING: Final = -32768
LARGEST_CODE: Final = 32767

# Arrays that carry one entry a sample and are complete before the first simulation.
PLAN_DTYPES: Final[dict[str, str]] = {
    "stimulus_kind": "int8",
    "stimulus_parameters": "float64",
    "model_index": "int32",
    "split": "int8",
    "seed": "uint64",
}
ARRAY_DTYPES: Final[dict[str, str]] = {"voltage": "int16", **PLAN_DTYPES, "model_features": "float64"}


def encode_voltage(voltage_mv: np.ndarray) -> np.ndarray:
    """Voltage in mV as int16 codes, same shape; `decode_voltage` gives it back within 0.002 mV.

    Raises:
        ValueError: if a value is NaN, infinite or outside what the codes cover; nothing is ever clipped.
    """
    voltage_mv = np.asarray(voltage_mv, dtype=np.float64)
    if not np.all(np.isfinite(voltage_mv)):
        raise ValueError(
            f"{int(np.sum(~np.isfinite(voltage_mv)))} of {voltage_mv.size} voltages are NaN or infinite; "
            "every voltage must be a finite number of mV."
        )
    codes = np.rint((voltage_mv - VOLTAGE_OFFSET_MV) / VOLTAGE_SCALE_MV)
    if np.any(np.abs(codes) > LARGEST_CODE):
        reach = LARGEST_CODE * VOLTAGE_SCALE_MV
        raise ValueError(
            f"the voltage runs from {voltage_mv.min():g} to {voltage_mv.max():g} mV; a store holds "
            f"{VOLTAGE_OFFSET_MV - reach:g} to {VOLTAGE_OFFSET_MV + reach:g} mV. Is it in another unit, or unstable?"
        )
    return codes.astype(np.int16)


def decode_voltage(codes: np.ndarray) -> np.ndarray:
    """Int16 codes as float32 mV, same shape; NaN where the code says missing."""
    voltage_mv = codes.astype(np.float32)
    voltage_mv *= np.float32(VOLTAGE_SCALE_MV)
    voltage_mv += np.float32(VOLTAGE_OFFSET_MV)
    voltage_mv[codes == VOLTAGE_MISSING] = np.nan
    return voltage_mv


def encode_stimuli(stimuli: Sequence[Stimulus]) -> tuple[np.ndarray, np.ndarray]:
    """Stimuli as kind codes (stimuli,) int8 and parameters (stimuli, `PARAMETER_COLUMNS`) float64, NaN padded.

    Raises:
        ValueError: for a kind that a store cannot hold, or a parameter that float64 cannot hold exactly.
    """
    kinds = np.empty(len(stimuli), dtype=np.int8)
    parameters = np.full((len(stimuli), PARAMETER_COLUMNS), np.nan)
    for row, stimulus in enumerate(stimuli):
        name = type(stimulus).__name__
        if name not in KIND_CODES:
            raise ValueError(f"a store cannot hold a {name}; expected one of {', '.join(KIND_CODES)}.")
        kinds[row] = KIND_CODES[name]
        values = [getattr(stimulus, parameter) for parameter in KIND_PARAMETERS[kinds[row]][1]]
        parameters[row, : len(values)] = values
        if parameters[row, : len(values)].tolist() != values:
            raise ValueError(f"{stimulus} has a parameter that float64 does not hold exactly; keep seeds below 2**53.")
    return kinds, parameters


def decode_stimulus(kind: int, parameters: np.ndarray) -> Stimulus:
    """The stimulus of one row written by `encode_stimuli`.

    Raises:
        ValueError: if the code is unknown or a parameter is missing.
    """
    if not 0 <= kind < len(KIND_PARAMETERS):
        raise ValueError(f"stimulus kind {kind} is unknown; expected 0 to {len(KIND_PARAMETERS) - 1}.")
    name, columns = KIND_PARAMETERS[kind]
    values: dict[str, Any] = {column: float(parameters[position]) for position, column in enumerate(columns)}
    if not np.all(np.isfinite(list(values.values()))):
        raise ValueError(f"a {name} has parameters {values}; every one must be a finite number.")
    if "seed" in values:
        values["seed"] = int(values["seed"])
    return kind_named(name).type(**values)


def check_schema(attributes: Mapping[str, Any], path: Path) -> None:
    """Refuse what is not a store of this version.

    Raises:
        ValueError: saying what was found.
    """
    if attributes.get("schema") != SCHEMA_NAME:
        raise ValueError(f"{path} is a Zarr group but not a {SCHEMA_NAME}; make one with `noble generate`.")
    if attributes.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(
            f"{path} is a {SCHEMA_NAME} of schema version {attributes.get('schema_version')}; this noble reads version "
            f"{SCHEMA_VERSION}. Generate it again, or read it with the version of noble that wrote it."
        )
    if absent := [key for key in ATTRIBUTES if key not in attributes]:
        raise ValueError(
            f"{path} has no attribute {', '.join(absent)}; its zarr.json was changed after it was written."
        )


def chunk_file(path: Path, chunk: int) -> Path:
    """The file of one voltage chunk: Zarr's default key of chunk (`chunk`, 0)."""
    return path / "voltage" / "c" / str(chunk) / "0"


def written_chunks(path: Path) -> set[int]:
    """Numbers of the voltage chunks that are there; a chunk's file appears by a rename, so it is whole."""
    folder = path / "voltage" / "c"
    if not folder.is_dir():
        return set()
    numbers = (int(entry.name) for entry in folder.iterdir() if re.fullmatch(r"\d+", entry.name))
    return {number for number in numbers if (file := chunk_file(path, number)).is_file() and file.stat().st_size > 0}

"""The layout of a store, version 2: names, dtypes, and how voltages become numbers (see docs/store.md)."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

import numpy as np
from numcodecs.zstd import Zstd

SCHEMA_NAME: Final = "noble-store"
SCHEMA_VERSION: Final = 2
# Version 1 is read too, and `noble.data.migrate` makes a store of this version of it.
READABLE_VERSIONS: Final = (1, 2)

# A sample's split is its position here.
SPLITS: Final = ("train", "validation", "test", "unseen_models")

# Half a count is 0.002 mV; the codes cover -151.068 to 111.068 mV, beyond what any cell survives.
VOLTAGE_SCALE_MV: Final = 0.004
VOLTAGE_OFFSET_MV: Final = -20.0
VOLTAGE_MISSING: Final = -32768
LARGEST_CODE: Final = 32767
VOLTAGE_ATTRIBUTES: Final[dict[str, str | float]] = {
    "unit": "mV",
    "scale": VOLTAGE_SCALE_MV,
    "offset": VOLTAGE_OFFSET_MV,
    "missing": VOLTAGE_MISSING,
}

# Arrays that carry one entry a sample and are complete before the first simulation: dtype and number of axes.
PLAN_ARRAYS: Final[dict[str, tuple[str, int]]] = {
    "stimulus_kind": ("int8", 1),
    "stimulus_parameters": ("float64", 2),
    "model_index": ("int32", 1),
    "split": ("int8", 1),
    "seed": ("uint64", 1),
}
# Only there if a stimulus is more than a few numbers.
PAYLOAD_ARRAYS: Final[dict[str, tuple[str, int]]] = {
    "stimulus_payload_index": ("int32", 1),
    "stimulus_payload_offsets": ("int64", 1),
    "stimulus_payload": ("uint8", 1),
}
FEATURES: Final = "model_features"
VOLTAGE: Final = "voltage"

# The group that ends a part: it is written when every chunk is there.
INDEX: Final = "index"
CHUNK_DIGESTS: Final = "chunk_sha256"
SPIKE_OFFSETS: Final = "spike_offsets"
SPIKE_TIMES: Final = "spike_times_ms"

_CODEC: Final = Zstd(level=3, checksum=True)


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


def chunk_key(chunk: int) -> str:
    """The file of one voltage chunk within its part: Zarr's default key of chunk (`chunk`, 0)."""
    return f"{VOLTAGE}/c/{chunk}/0"


def pack_chunk(codes: np.ndarray, chunk_rows: int) -> bytes:
    """The bytes of a chunk's file, as Zarr's `bytes` and `zstd` codecs write them; missing rows at the end are filled up."""
    filled = np.full((chunk_rows, codes.shape[1]), VOLTAGE_MISSING, dtype="<i2")
    filled[: len(codes)] = codes
    return bytes(_CODEC.encode(filled))


def unpack_chunk(content: bytes, chunk_rows: int, count: int) -> np.ndarray:
    """The codes of a chunk's file, shape (chunk_rows, count).

    Raises:
        ValueError: if it is damaged or of another size.
    """
    try:
        unpacked = np.frombuffer(_CODEC.decode(content), dtype="<i2")
    except (RuntimeError, ValueError, MemoryError) as error:
        raise ValueError(str(error) or type(error).__name__) from error
    if unpacked.size != chunk_rows * count:
        raise ValueError(f"it unpacks to {unpacked.size} voltages; expected {chunk_rows} x {count}")
    return unpacked.reshape(chunk_rows, count)


def bytes_sha256(*contents: bytes | np.ndarray) -> str:
    """SHA-256 of bytes, or of arrays in C order, one after the other."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content if isinstance(content, bytes) else np.ascontiguousarray(content).tobytes())
    return digest.hexdigest()


def canonical_sha256(content: Any) -> str:
    """SHA-256 of JSON-ready content as other languages can write it: sorted keys, no spaces; hexadecimal text."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

"""Small Zarr groups as files: whole arrays of one chunk, and attributes; where they lie is the business of `Place`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import zarr
from zarr.buffer import cpu
from zarr.codecs import BytesCodec, ZstdCodec
from zarr.storage import MemoryStore

from noble.data.place import GROUP_FILE, Place

# No zstd frame unpacks to more than this many bytes a byte: a block of 128 KiB takes at least 4.
LARGEST_RATIO: Final = 40_000

# Zarr writes no file for a chunk of fill values only, such as the kinds of a million steps.
_LARGEST_UNWRITTEN: Final = 100_000_000

_ZSTD: Final = {"level": 3, "checksum": True}


class GroupFiles:
    """A Zarr v3 group that is made in memory, to be written by `Place.write_group`."""

    def __init__(self, attributes: Mapping[str, Any]) -> None:
        self._buffers: dict[str, Any] = {}
        self._group = zarr.open_group(MemoryStore(self._buffers), mode="w", zarr_format=3, attributes=dict(attributes))

    def add(self, name: str, values: np.ndarray, attributes: Mapping[str, Any] | None = None) -> None:
        """One whole array in one chunk."""
        array = self._group.create_array(
            name,
            shape=values.shape,
            chunks=tuple(max(1, size) for size in values.shape),
            dtype=values.dtype,
            fill_value=np.nan if values.dtype.kind == "f" else 0,
            serializer=BytesCodec(endian="little") if values.dtype.itemsize > 1 else BytesCodec(endian=None),
            compressors=ZstdCodec(**_ZSTD),
            attributes=dict(attributes or {}),
        )
        array[...] = values

    def describe(
        self, name: str, shape: tuple[int, int], chunk_rows: int, missing: int, attributes: Mapping[str, Any]
    ) -> None:
        """An array of int16 whose chunks of whole rows are written later, one file each."""
        self._group.create_array(
            name,
            shape=shape,
            chunks=(chunk_rows, shape[1]),
            dtype="int16",
            fill_value=missing,
            serializer=BytesCodec(endian="little"),
            compressors=ZstdCodec(**_ZSTD),
            attributes=dict(attributes),
        )

    @property
    def files(self) -> dict[str, bytes]:
        """Names and contents."""
        return {name: buffer.to_bytes() for name, buffer in self._buffers.items()}


class GroupReader:
    """A Zarr v3 group that lies somewhere.

    Raises:
        ValueError: if there is none, or it cannot be read.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        if place.is_local and not place.path.is_dir():
            raise ValueError(f"{place} is not a folder; expected a store made by `noble generate`.")
        metadata = place.read(GROUP_FILE)
        try:
            if metadata is None:
                raise FileNotFoundError(GROUP_FILE)
            group = zarr.open_group(_memory({GROUP_FILE: metadata}), mode="r", zarr_format=3)
            self.attributes: dict[str, Any] = dict(group.attrs.asdict())
        except Exception as error:  # zarr raises many kinds for a folder without, or with unreadable, metadata
            raise ValueError(
                f"{place} is not a readable Zarr group; expected a store made by `noble generate`."
            ) from error

    def array(self, name: str) -> zarr.Array[Any]:
        """An array's shape, dtype, chunks and attributes; its values are not there.

        Raises:
            ValueError: if there is no such array, or it cannot be read.
        """
        return self._opened(name, {})

    def values(self, name: str, *, dtype: str, axes: int) -> np.ndarray:
        """A whole array of one chunk.

        Raises:
            ValueError: if it is not there, has another dtype or number of axes, or cannot be read.
        """
        array = self.array(name)
        if array.ndim != axes:
            raise ValueError(f"{name} of {self.place} has shape {array.shape}; expected {axes} axes.")
        if array.dtype != np.dtype(dtype):
            raise ValueError(f"{name} of {self.place} has dtype {array.dtype}; expected {dtype}.")
        chunk = "/".join(["c", *["0"] * axes])
        if any(size > max(1, most) for size, most in zip(array.shape, array.chunks, strict=True)):
            raise ValueError(f"{name} of {self.place} has chunks {array.chunks}; expected all of {array.shape} in one.")
        stored = self.place.size(f"{name}/{chunk}")
        if array.nbytes > max(_LARGEST_UNWRITTEN, LARGEST_RATIO * stored):
            raise ValueError(
                f"{name} of {self.place} claims {array.shape} entries but its file holds {stored} bytes: a part was lost "
                "or changed."
            )
        content = self.place.read(f"{name}/{chunk}")
        try:
            return np.asarray(self._opened(name, {} if content is None else {chunk: content})[...])
        except Exception as error:  # whatever the codec raises for damaged bytes
            raise ValueError(f"{name} of {self.place} cannot be read ({error}): it was damaged.") from error

    def _opened(self, name: str, chunks: Mapping[str, bytes]) -> zarr.Array[Any]:
        metadata = self.place.read(f"{name}/{GROUP_FILE}")
        if metadata is None:
            raise ValueError(
                f"{self.place} has no array {name}: it was cut short; run noble generate again to finish it."
            )
        try:
            return zarr.open_array(_memory({GROUP_FILE: metadata, **chunks}), mode="r", zarr_format=3)
        except Exception as error:  # whatever Zarr raises for damaged metadata
            raise ValueError(f"{name} of {self.place} cannot be opened ({type(error).__name__}: {error}).") from error


def _memory(files: Mapping[str, bytes]) -> MemoryStore:
    return MemoryStore({name: cpu.Buffer.from_bytes(content) for name, content in files.items()})

"""Axon binary files of version 1, written for tests: episodes of two channels, as pCLAMP 9 laid them out."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

BLOCK = 512
HEADER = 12 * BLOCK
RANGE, RESOLUTION = 10.0, 32768


def write_abf1(
    path: Path,
    sweeps: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    dt_ms: float,
    units: tuple[str, str] = ("mV", "pA"),
    names: tuple[str, str] = ("Vm", "Im"),
    scales: tuple[float, float] = (0.01, 0.01),
    protocol: str = "steps",
) -> Path:
    """Write sweeps of mV and nA; a stored unit is so many of the channel's unit as `scales` says."""
    per_unit = {"mV": 1.0, "V": 1e-3, "pA": 1e3, "nA": 1.0, "A": 1e-9}
    episodes = [
        np.column_stack(
            [values * per_unit[unit] / scale for values, unit, scale in zip(sweep, units, scales, strict=True)]
        )
        for sweep in sweeps
    ]
    samples = np.round(np.concatenate(episodes)).astype("<i2")
    data_blocks = -(-samples.nbytes // BLOCK)
    header = bytearray(HEADER)

    def put(offset: int, form: str, *values: object) -> None:
        struct.pack_into(f"<{form}", header, offset, *values)

    put(0, "4sfhihi", b"ABF ", 1.83, 5, samples.size, 0, len(sweeps))
    put(20, "ii", int(date(2010, 1, 2).strftime("%Y%m%d")), 0)
    put(40, "i", HEADER // BLOCK)
    put(92, "iih", HEADER // BLOCK + data_blocks, len(sweeps), 0)
    put(120, "hf", 2, dt_ms * 1e3 / 2)
    put(130, "f", 0.0)
    put(138, "i", 2 * len(episodes[0]))
    put(244, "f", RANGE)
    put(252, "i", RESOLUTION)
    put(378, "16h", *range(16))
    put(410, "16h", 0, 1, *[-1] * 14)
    for channel in range(2):
        put(442 + 10 * channel, "10s", names[channel].encode().ljust(10))
        put(602 + 8 * channel, "8s", units[channel].encode().ljust(8))
    ones = (1.0,) * 16
    for offset in (730, 1050, 4576):
        put(offset, "16f", *ones)
    put(922, "16f", *(RANGE / RESOLUTION / scale for scale in scales), *ones[2:])
    put(4898, "384s", f"C:\\Axon\\{protocol}.pro".encode().ljust(384))
    synch = b"".join(
        struct.pack("<ii", 2 * len(episode) * index, 2 * len(episode)) for index, episode in enumerate(episodes)
    )
    path.write_bytes(bytes(header) + samples.tobytes().ljust(data_blocks * BLOCK, b"\0") + synch.ljust(BLOCK, b"\0"))
    return path

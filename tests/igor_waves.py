"""Igor binary waves of version 2, written for tests."""

import struct
from pathlib import Path

import numpy as np

FLOAT32 = 2


def write_wave(path: Path, samples: np.ndarray, *, unit: str, dt_s: float, start_s: float = 0.0) -> Path:
    """A wave of float32, as Igor 6 writes it: two headers whose 16-bit words sum to zero, samples, and 16 bytes more."""
    data = samples.astype("<f4").tobytes()
    wave = struct.pack(
        "<h I 20s h h I 4s 4s i h d d h h h d d c c I i I 2s I I",
        *(FLOAT32, 0, path.stem.encode()[:18], 0, 0, 0, unit.encode(), b"s", samples.size, 0, dt_s, start_s),
        *(0, 0, 0, 0.0, 0.0, b"\0", b"\0", 0, 0, 0, b"", 0, 0),
    )
    header = struct.pack("<h i i i h", 2, len(wave) + len(data) + 16, 0, 0, 0)
    total = sum(struct.unpack(f"<{(len(header) + len(wave)) // 2}h", header + wave)) & 0xFFFF
    checksum = (-total + 0x8000) % 0x10000 - 0x8000
    path.write_bytes(struct.pack("<h i i i h", 2, len(wave) + len(data) + 16, 0, 0, checksum) + wave + data + bytes(16))
    return path

"""Igor binary waves, one channel a file, as igor2 reads them.

Files belong together if their names are equal but for the channel: `X_IDrest_ch0_325.ibw` and `X_IDrest_ch1_325.ibw`. Which of
the two is the voltage their units say.
"""

from __future__ import annotations

import logging
import math
import re
import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from textwrap import shorten
from typing import Any, Final

import numpy as np

from noble.recordings.formats import Options, Sweeps
from noble.recordings.raw import RawSweep, checked_sweep
from noble.units import MS_PER_SECOND, base_unit

_CHANNEL: Final = re.compile(r"_?ch(\d+)(?=_|$)", re.IGNORECASE)
_LONGEST_REASON: Final = 200
# Bytes of the two headers as far as they are looked at.
_HEADERS: Final = 148
# Igor's note of a laboratory names the protocol after such a key.
_PATTERN: Final = re.compile(r"PATTERN:([^;\r]+)")


@dataclass(frozen=True)
class _Wave:
    """Samples in V or A, and the clock."""

    path: Path
    base: str
    samples: np.ndarray
    dt_ms: float
    start_ms: float
    note: str


def read(path: Path, options: Options) -> Sweeps:
    """The sweeps of a folder, or the one that a file belongs to.

    Raises:
        ValueError: if a file that was named has no partner.
    """
    folder = path if path.is_dir() else path.parent
    groups: dict[str, list[Path]] = {}
    for file in sorted(item for item in folder.iterdir() if item.suffix.lower() == ".ibw" and item.is_file()):
        groups.setdefault(_CHANNEL.sub("", file.stem), []).append(file)
    if path.is_file():
        key = _CHANNEL.sub("", path.stem)
        groups = {key: groups.get(key, [path])}
    for name in sorted(groups, key=lambda key: (_number(key), key)):
        try:
            yield _sweep(name, [_wave(file) for file in groups[name]], options)
        except ValueError as error:
            yield name, str(error)


def _sweep(name: str, waves: list[_Wave], options: Options) -> RawSweep:
    voltages, currents = ([wave for wave in waves if wave.base == base] for base in ("V", "A"))
    if len(voltages) != 1 or len(currents) != 1:
        held = ", ".join(f"{wave.path.name} in {wave.base or 'an unknown unit'}" for wave in waves)
        raise ValueError(f"it consists of {held}; expected one wave in V and one in A.")
    [voltage], [current] = voltages, currents
    if not math.isclose(voltage.dt_ms, current.dt_ms, rel_tol=1e-6):
        raise ValueError(
            f"its voltage is sampled every {voltage.dt_ms:g} ms and its current every {current.dt_ms:g} ms; expected one "
            "interval."
        )
    return checked_sweep(
        name,
        _number(name),
        _protocol(name, voltage.note),
        voltage.samples * 1e3,
        current.samples * 1e9,
        voltage.dt_ms,
        junction_potential_mv=options.junction_potential_mv,
        start_ms=voltage.start_ms,
    )


def _wave(path: Path) -> _Wave:
    from igor2 import binarywave

    logging.getLogger("igor2").setLevel(
        logging.CRITICAL
    )  # it prints all bytes of what it cannot read, and then raises as well

    try:
        content = path.read_bytes()
        _check_size(content)
        wave = binarywave.load(BytesIO(content))["wave"]
        header = wave["wave_header"]
        data = np.asarray(wave["wData"], dtype=float)
        five = "sfA" in header  # else version 2
        scale, start = (float(header[f"sf{end}"][0] if five else header[f"hs{end}"]) for end in "AB")
        unit, clock = _text(header["dataUnits"]), _text(header["dimUnits"][0] if five else header["xUnits"])
    except Exception as error:  # igor2 fails wherever it first believes a damaged header
        reason = shorten(str(error) or type(error).__name__, _LONGEST_REASON).rstrip(".")
        raise ValueError(
            f"{path.name} cannot be read as an Igor binary wave ({reason}); expected a complete file."
        ) from error
    time, factor = base_unit(clock or "s")  # Igor's own unit of time
    if data.ndim != 1 or data.size < 2 or not (np.isfinite(scale) and scale > 0) or time != "s":
        raise ValueError(
            f"{path.name} has samples of shape {data.shape} every {scale:g} {clock}; expected one row and an interval of time."
        )
    base, to_base = base_unit(unit)
    to_ms = factor * MS_PER_SECOND
    samples = data * to_base if base else data
    return _Wave(path, base, samples, scale * to_ms, start * to_ms, _text(wave.get("note", b"")))


def _check_size(head: bytes) -> None:
    """Refuse a header that promises more than the file has bytes, which would only fill memory."""
    size = len(head)
    if size < _HEADERS:
        raise ValueError(f"it has {size} bytes")
    order = "<" if head[0] else ">"  # the version is a small number
    [version] = struct.unpack_from(f"{order}h", head)
    if version == 5:
        shape = [count for count in struct.unpack_from(f"{order}4i", head, 132) if count]
        # Sizes of the parts of the file, samples, and samples once more, by dimension.
        counts = [
            *struct.unpack_from(f"{order}15i", head, 4),
            *struct.unpack_from(f"{order}i", head, 76),
            math.prod(shape),
        ]
    elif version == 2:
        counts = [*struct.unpack_from(f"{order}3i", head, 2), *struct.unpack_from(f"{order}i", head, 58)]
    else:
        raise ValueError(f"it is of version {version}; versions 2 and 5 are read")
    if not all(0 <= count <= size for count in counts):
        raise ValueError(f"its header promises {max(counts)} samples or bytes in a file of {size} bytes")


def _text(raw: Any) -> str:
    """Text of bytes, or of an array or list of single bytes."""
    joined = raw if isinstance(raw, bytes) else b"".join(bytes(item) for item in np.asarray(raw).ravel())
    return joined.decode("latin-1").strip("\0 \n")


def _number(name: str) -> int:
    found = re.findall(r"\d+", name)
    return int(found[-1]) if found else 0


def _protocol(name: str, note: str) -> str:
    """What the note calls the stimulus, else the part of the name before its number."""
    if (found := _PATTERN.search(note)) is not None:
        return found.group(1).strip()
    parts = name.split("_")
    return parts[-2] if len(parts) >= 2 and parts[-1].isdigit() else ""

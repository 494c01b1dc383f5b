"""Reading current clamp from NWB 2 files. What cannot be used is listed with its reason and never guessed.

Only the core types of intracellular recordings are looked at, and extensions of them; whatever else a file holds does not count.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from noble.recordings.formats import Options, Sweeps, nwb1
from noble.recordings.formats.hdf5 import (
    WHOLE,
    Series,
    Window,
    attribute,
    member,
    members,
    number,
    opened,
    single,
    text,
)
from noble.recordings.formats.pairing import matched
from noble.recordings.formats.patch_clamp import Pair, sweeps

_PATCH_CLAMP: Final = {
    "PatchClampSeries",
    "CurrentClampSeries",
    "IZeroClampSeries",
    "CurrentClampStimulusSeries",
    "VoltageClampSeries",
    "VoltageClampStimulusSeries",
}
# Namespaces of the standard itself, whose specifications are long and known.
_STANDARD: Final = {"core", "hdmf-common", "hdmf-experimental"}
# What programs write for a name that nobody gave.
_UNNAMED: Final = {"", "n/a", "na", "none", "no description", "not provided", "unknown"}


def read(path: Path, options: Options) -> Sweeps:
    """The current-clamp sweeps of one electrode, from a file of version 2 or 1.

    Responses are paired with stimuli by the table of intracellular recordings where the file has one, else by what `matched`
    looks at.

    Raises:
        ValueError: if it is not NWB, or truncated, or if it holds several electrodes and none is named.
    """
    with opened(path) as file:
        version = _version(file)
        if version.startswith(("2", "NWB-2")):
            pairs = _pairs(file)
        elif version.startswith(("1", "NWB-1")):
            pairs = nwb1.pairs(file)
        else:
            says = f"it says version {version[:40]!r}" if version else "it says no version of NWB"
            raise ValueError(f"{path} cannot be read as NWB ({says}); expected a complete NWB 1 or 2 file.")
        yield from sweeps(pairs, options, path)


def _version(file: Any) -> str:
    """What the file says, in an attribute since version 2 and in a dataset before."""
    said = text(attribute(file, "nwb_version")) or text(single(member(file, "nwb_version")))
    return said or ("2" if text(attribute(file, "neurodata_type")) == "NWBFile" else "")


def _pairs(file: Any) -> list[Pair]:
    """Everything that the file acquired, with its stimulus or None."""
    kinds, electrodes = _Kinds(file), _electrodes(file)
    responses = [_series(name, group, kinds, electrodes) for name, group in members(member(file, "acquisition"))]
    stimuli = [
        _series(name, group, kinds, electrodes) for name, group in members(member(file, "stimulus", "presentation"))
    ]
    stimuli = [item for item in stimuli if item.kind in _PATCH_CLAMP or (item.kind == "TimeSeries" and item.unit)]
    pairs = list(_table_pairs(file, responses, stimuli))
    listed = {id(pair.response) for pair in pairs}
    others = [item for item in responses if id(item) not in listed]
    taken = {id(pair.stimulus) for pair in pairs}
    free = [item for item in stimuli if id(item) not in taken]
    stimulus_of = matched([item for item in others if item.kind in _PATCH_CLAMP], free)
    return pairs + [Pair(item.name, item, stimulus_of.get(id(item))) for item in others]


def _series(name: str, group: Any, kinds: _Kinds, electrodes: Mapping[Any, str]) -> Series:
    sweep = number(attribute(group, "sweep_number"))
    protocol = text(attribute(group, "stimulus_description"))
    return Series(
        group,
        name,
        kinds.core(text(attribute(group, "neurodata_type"))),
        _electrode(group, electrodes),
        None if sweep is None or sweep < 0 else int(sweep),
        "" if protocol.lower() in _UNNAMED else protocol,
    )


def _electrodes(file: Any) -> dict[Any, str]:
    return {group: name for name, group in members(member(file, "general", "intracellular_ephys"))}


def _electrode(group: Any, electrodes: Mapping[Any, str]) -> str | None:
    """Name of the electrode that a series links to."""
    target = member(group, "electrode")
    if target is None:
        return None
    return electrodes.get(target, str(target.name or "").rpartition("/")[2] or None)


class _Kinds:
    """Types of NWB, and which of the core an extension is built on."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._parents: dict[str, str] | None = None

    def core(self, kind: str) -> str:
        """A core type of intracellular recordings that a type is, or is built on; else the type itself."""
        at, seen = kind, set()
        while at and at not in _PATCH_CLAMP | {"TimeSeries"} and at not in seen:
            seen.add(at)
            if self._parents is None:
                self._parents = dict(_parents(self._file))
            at = self._parents.get(at, "")
        return at if at in _PATCH_CLAMP else kind


def _parents(file: Any) -> Iterator[tuple[str, str]]:
    """Each type that an embedded extension defines, and what it is built on."""
    for name, namespace in members(member(file, "specifications")):
        if name in _STANDARD:
            continue
        for _, version in members(namespace):
            for _, source in members(version):
                try:
                    content = json.loads(text(single(source)) or "{}")
                except (ValueError, RecursionError):
                    continue
                groups = content.get("groups") if isinstance(content, dict) else None
                for group in groups if isinstance(groups, list) else ():
                    if isinstance(group, dict):
                        yield _key(group, "neurodata_type_def"), _key(group, "neurodata_type_inc")


def _key(group: Mapping[str, Any], key: str) -> str:
    return text(group.get(key) or group.get(key.replace("neurodata", "data")))


def _table_pairs(file: Any, responses: list[Series], stimuli: list[Series]) -> Iterator[Pair]:
    """Rows of the table of intracellular recordings; a response of several rows is named with its first sample."""
    table = member(file, "general", "intracellular_ephys", "intracellular_recordings")
    rows = _references(member(table, "responses", "response"), file, responses)
    stimulus_rows = _references(member(table, "stimuli", "stimulus"), file, stimuli)
    count = Counter(id(series) for series, _ in rows)
    names: Counter[str] = Counter()
    for row, (series, window) in enumerate(rows):
        if series is None or window is None:
            continue
        name = f"{series.name}[{window[0]}]" if count[id(series)] > 1 else series.name
        names[name] += 1
        name = name if names[name] == 1 else f"{name} row {row}"
        stimulus, stimulus_window = stimulus_rows[row] if row < len(stimulus_rows) else (None, None)
        if stimulus_window is None:
            stimulus = None
        yield Pair(name, series, stimulus, window, stimulus_window or WHOLE)


def _references(column: Any, file: Any, known: list[Series]) -> list[tuple[Series | None, Window | None]]:
    """What the rows of a column refer to; None for a window that is marked as absent, or a series that is not there."""
    by_group = {item.group: item for item in known}
    try:
        rows = column[()]
        first, count, target = (rows[field] for field in ("idx_start", "count", "timeseries"))
    except (OSError, KeyError, RuntimeError, TypeError, ValueError, IndexError):
        return []
    found: list[tuple[Series | None, Window | None]] = []
    for row in range(np.size(first)):
        try:
            series = by_group.get(file[target[row]])
            window = (int(first[row]), int(count[row])) if first[row] >= 0 else None
        except (OSError, KeyError, RuntimeError, TypeError, ValueError, IndexError):
            series = window = None
        found.append((series, window))
    return found

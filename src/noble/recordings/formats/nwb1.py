"""The series of NWB 1 files, as the Allen Cell Types Database and MIES have written them.

Responses lie in `/acquisition/timeseries`, stimuli in `/stimulus/presentation`, and `/epochs` says which belong together and how
much of a sweep is sound. What NWB 2 keeps in attributes of a series are datasets here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np

from noble.recordings.formats.hdf5 import Series, attribute, member, members, number, single, text
from noble.recordings.formats.pairing import matched
from noble.recordings.formats.patch_clamp import Pair
from noble.units import base_unit

_KINDS: Final = {
    "CurrentClampSeries",
    "IZeroClampSeries",
    "CurrentClampStimulusSeries",
    "VoltageClampSeries",
    "VoltageClampStimulusSeries",
}
# Names of the stimulus, in order of preference: the Allen Institute's, and that of MIES.
_PROTOCOL: Final = ("aibs_stimulus_name", "aibs_stimulus_description", "stimulus_description")
# Files of the Allen Institute hold volts and amperes, and a factor that is wrong, up to this version of the pipeline that made
# them. AllenSDK, NwbDataSet.get_sweep: "early versions of the file have incorrect conversion information embedded".
_LAST_WITH_WRONG_FACTORS: Final = (1, 0)


def pairs(file: Any) -> list[Pair]:
    """Everything that the file acquired, with its stimulus or None."""
    responses = [_series(name, group, "response") for name, group in members(member(file, "acquisition", "timeseries"))]
    stimuli = [_series(name, group, "stimulus") for name, group in members(member(file, "stimulus", "presentation"))]
    stimulus_of = _of_epochs(file, responses, stimuli)
    left = [item for item in responses if id(item) not in stimulus_of]
    taken = {id(item) for item in stimulus_of.values()}
    stimulus_of |= matched(left, [item for item in stimuli if id(item) not in taken])
    wrong = _wrong_factors(file, responses)
    return [
        Pair(
            response.name,
            response,
            stimulus,
            response_conversion=_conversion(response, wrong),
            stimulus_conversion=_conversion(stimulus, wrong),
            sound=_sound(file, response),
        )
        for response in responses
        for stimulus in [stimulus_of.get(id(response))]
    ]


def _series(name: str, group: Any, what: str) -> Series:
    found = re.fullmatch(r"Sweep_(\d+)", name)
    electrode = text(single(member(group, "electrode_name"))) or text(single(member(group, "electrode")))
    protocols = (text(single(member(group, key))) or text(attribute(group, key)) for key in _PROTOCOL)
    sweep = int(found.group(1)) if found and len(found.group(1)) < 10 else None
    return Series(group, name, _kind(group, what), electrode or None, sweep, next(filter(None, protocols), ""))


def _kind(group: Any, what: str) -> str:
    """What the file calls the series, last in its line of types; else what its unit says."""
    line = attribute(group, "ancestry")
    named = [text(item) for item in np.ravel(line)] if line is not None else []
    named.append(text(attribute(group, "neurodata_type")))
    if known := [name for name in named if name in _KINDS]:
        return known[-1]
    base = base_unit(text(attribute(member(group, "data"), "unit")))[0]
    kinds = {
        ("response", "V"): "CurrentClampSeries",
        ("response", "A"): "VoltageClampSeries",
        ("stimulus", "A"): "CurrentClampStimulusSeries",
        ("stimulus", "V"): "VoltageClampStimulusSeries",
    }
    return kinds.get((what, base), "TimeSeries")


def _of_epochs(file: Any, responses: Sequence[Series], stimuli: Sequence[Series]) -> dict[int, Series]:
    """The stimulus of each response by its `id`, of the epochs that name one of each."""
    response_of = {item.group: item for item in responses}
    stimulus_of = {item.group: item for item in stimuli}
    found = {}
    for name, epoch in members(member(file, "epochs")):
        if name.startswith("Sweep_"):
            response = response_of.get(member(epoch, "response", "timeseries"))
            stimulus = stimulus_of.get(member(epoch, "stimulus", "timeseries"))
            if response is not None and stimulus is not None:
                found[id(response)] = stimulus
    return found


def _sound(file: Any, response: Series) -> int | None:
    """How many samples the Allen Institute found to be sound: its epochs end where a recording was stopped."""
    epoch = None if response.sweep is None else member(file, "epochs", f"Experiment_{response.sweep}", "stimulus")
    first, count = (number(single(member(epoch, key))) for key in ("idx_start", "count"))
    if first is None or count is None or first < 0 or count < 2:
        return None
    return int(min(first + count, 2**40))


def _conversion(series: Series | None, wrong: bool) -> float | None:
    """1 for floats of a file whose factors are wrong."""
    data = None if series is None else member(series.group, "data")
    return 1.0 if wrong and getattr(getattr(data, "dtype", None), "kind", "") == "f" else None


def _wrong_factors(file: Any, responses: Sequence[Series]) -> bool:
    """Whether the factors of the file are to be ignored: it is of the Allen Institute, from before version 1.1."""
    made_by = member(file, "general", "generated_by")
    if made_by is None:
        return any(member(item.group, "aibs_stimulus_name") is not None for item in responses[:1])
    try:
        words = [text(word) for word in np.ravel(made_by[()])[:200]]
    except (OSError, RuntimeError, TypeError, ValueError):
        return False
    versions = (value for key, value in pairwise(words) if key == "version" and "pipeline" in words)
    found = re.match(r"(\d{1,6})\.(\d{1,6})", next(versions, ""))
    return found is not None and (int(found.group(1)), int(found.group(2))) <= _LAST_WITH_WRONG_FACTORS

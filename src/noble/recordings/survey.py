"""What is in a recording, sweep by sweep: stimulus, spikes, rest, and whether to trust it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from noble.recordings.epochs import epochs
from noble.recordings.kinds import SHORTEST_STEP_MS, Injection, Kind, injection
from noble.recordings.quality import REST_WINDOW_MS, doubts
from noble.recordings.raw import RawSweep
from noble.recordings.recording import Recording, Sweep
from noble.results import UNWRITTEN, Result

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["good", "questionable", "unusable"]
Source = Literal["recorded", "cleaned", "command"]
"""A current as it was recorded; recorded, but without what spikes added to it; or the command to the amplifier."""

# A recorded current that cleaning changes by less is as it was recorded.
_UNCHANGED_NA: Final = 0.005
# Levels of what is no step are told apart to this part of their range.
_SAME_LEVEL_SHARE: Final = 0.01
_SAME_LEVEL_NA: Final = 0.001


@dataclass(frozen=True, repr=False)
class SweepSurvey(Result):
    """One sweep.

    Attributes:
        number: position in the file, or the number that the file gives it; None for a sweep that cannot be read.
        name: what the file calls it.
        stimulus: what the file calls the stimulus; empty if nothing.
        kind: what the current is made of; see `noble.recordings.kinds`.
        amplitude_na: of a step its height above holding, of a ramp or pulses the largest departure from it, of noise the standard
            deviation, nA.
        onset_ms, offset_ms: when the stimulus begins and ends, from the first sample, ms; NaN if there is none.
        holding_na: current beside it, the amplifier's bias included, nA.
        current: where the current comes from.
        rate_khz: sampling rate.
        duration_ms: length of the sweep.
        spikes: their number in the whole sweep, by `noble.recordings.detection`.
        rest_mv: median voltage in the 100 ms before the stimulus; NaN if it begins with the sweep.
        verdict: whether to trust it.
        reason: why not, in one sentence; empty if the sweep is good.
        raw: the sweep itself; None if it cannot be read.
    """

    number: int | None
    name: str
    stimulus: str
    kind: Kind
    amplitude_na: float
    onset_ms: float
    offset_ms: float
    holding_na: float
    current: Source | None
    rate_khz: float
    duration_ms: float
    spikes: int | None
    rest_mv: float
    verdict: Verdict
    reason: str
    raw: RawSweep | None = field(default=None, metadata=UNWRITTEN)


@dataclass(frozen=True, repr=False)
class Level(Result):
    """Sweeps of one stimulus at one amplitude.

    Attributes:
        amplitude_na: nA.
        repetitions: number of sweeps.
        spikes: of each.
    """

    amplitude_na: float
    repetitions: int
    spikes: tuple[int, ...]


@dataclass(frozen=True, repr=False)
class EpochSurvey(Result):
    """A part of a stimulus in which the current is level, and not what it is at the start.

    Attributes:
        number: counted from 1 in the order of time; `--epoch` takes it.
        onset_ms, offset_ms: from the first sample, ms.
        lowest_na, highest_na: least and largest current in it over the sweeps, nA.
        measured: whether it is the step that levels are of.
    """

    number: int
    onset_ms: float
    offset_ms: float
    lowest_na: float
    highest_na: float
    measured: bool


@dataclass(frozen=True, repr=False)
class StimulusSurvey(Result):
    """The sweeps that were given one stimulus.

    Attributes:
        stimulus: what the file calls it; empty if nothing.
        kind: what the current is made of.
        levels: ascending by amplitude.
        epochs: of steps, as far as the sweeps are equally long.
        sweeps: names of the sweeps, in the order of the file.
    """

    stimulus: str
    kind: Kind
    levels: tuple[Level, ...]
    epochs: tuple[EpochSurvey, ...]
    sweeps: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class RecordingSurvey(Result):
    """What is in a recording.

    Attributes:
        source: name of the file or folder.
        sha256: of what was read.
        junction_potential_mv: what was subtracted from the voltage, mV.
        spike_threshold_mv: what spikes of this cell cross upwards, and nothing else does, mV.
        stimuli: in the order of the file.
        sweeps: those that can be read in the order of the file, then the others.
    """

    source: str
    sha256: str
    junction_potential_mv: float
    spike_threshold_mv: float
    stimuli: tuple[StimulusSurvey, ...]
    sweeps: tuple[SweepSurvey, ...]

    def to_frame(self) -> pd.DataFrame:
        """A row a sweep, by its name."""
        import pandas as pd

        return pd.DataFrame([sweep.to_dict() for sweep in self.sweeps]).set_index("name")


def survey(recording: Recording) -> RecordingSurvey:
    """What is in a recording, and how good it is.

    Args:
        recording: as `read_recording` returns it.
    """
    steps = {sweep.name: sweep for sweep in recording.sweeps}
    read = [_surveyed(raw, steps.get(raw.name)) for raw in recording.raw]
    known = {sweep.name for sweep in read}
    unread = [_unread(name, reason) for name, reason in recording.unusable.items() if name not in known]
    return RecordingSurvey(
        recording.source,
        recording.sha256,
        recording.junction_potential_mv,
        recording.spike_threshold_mv,
        tuple(_stimuli(read, steps)),
        (*read, *unread),
    )


def _surveyed(raw: RawSweep, step: Sweep | None) -> SweepSurvey:
    dt_ms = raw.trace.grid.dt_ms
    given = injection(raw.cleaned_na, dt_ms=dt_ms)
    given = replace(given, holding_na=given.holding_na + raw.bias_na)
    if step is not None:
        kind: Kind = "steps" if step.step_ms >= SHORTEST_STEP_MS else "pulses"
        given = Injection(kind, step.amplitude_na, step.onset_ms, step.offset_ms, step.holding_na)
    peaks_ms = raw.peaks * dt_ms
    rest = _rest_mv(raw, given)
    reasons = list(doubts(raw.trace, given, rest_mv=rest, spikes_ms=peaks_ms))
    return SweepSurvey(
        number=raw.number,
        name=raw.name,
        stimulus=raw.protocol,
        kind=given.kind,
        amplitude_na=given.amplitude_na,
        onset_ms=given.onset_ms,
        offset_ms=given.offset_ms,
        holding_na=given.holding_na,
        current=_source(raw),
        rate_khz=1.0 / dt_ms,
        duration_ms=raw.trace.grid.duration_ms,
        spikes=peaks_ms.size,
        rest_mv=rest,
        verdict="questionable" if reasons else "good",
        reason="; ".join(reasons),
        raw=raw,
    )


def _source(raw: RawSweep) -> Source:
    if raw.current == "command":
        return "command"
    changed = float(np.max(np.abs(raw.cleaned_na - raw.trace.current_na)))
    return "cleaned" if changed > _UNCHANGED_NA else "recorded"


def _rest_mv(raw: RawSweep, given: Injection) -> float:
    """Median of the voltage before the stimulus, or of all of it where there is none."""
    stop = raw.trace.grid.count if given.kind == "none" else int(given.onset_ms / raw.trace.grid.dt_ms)
    if stop * raw.trace.grid.dt_ms < 1.0:
        return float("nan")
    return float(np.median(raw.trace.voltage_mv[max(0, stop - round(REST_WINDOW_MS / raw.trace.grid.dt_ms)) : stop]))


def _unread(name: str, reason: str) -> SweepSurvey:
    nan = float("nan")
    return SweepSurvey(None, name, "", "unknown", nan, nan, nan, nan, None, nan, nan, None, nan, "unusable", reason)


def _stimuli(sweeps: Iterable[SweepSurvey], steps: Mapping[str, Sweep]) -> Iterable[StimulusSurvey]:
    groups: dict[tuple[str, Kind], list[SweepSurvey]] = {}
    for sweep in sweeps:
        groups.setdefault((sweep.stimulus, sweep.kind), []).append(sweep)
    for (stimulus, kind), members in groups.items():
        fitted = [steps[sweep.name] for sweep in members if sweep.name in steps]
        if len(fitted) == len(members):
            by_amplitude = Recording("", "", tuple(fitted), {}).by_amplitude()
            levels = {amplitude: {sweep.name for sweep in group} for amplitude, group in by_amplitude.items()}
        else:
            levels = _levels(members)
        yield StimulusSurvey(
            stimulus,
            kind,
            tuple(
                _level(amplitude, [sweep for sweep in members if sweep.name in names])
                for amplitude, names in levels.items()
            ),
            tuple(_epochs(members)) if kind == "steps" else (),
            tuple(sweep.name for sweep in members),
        )


def _epochs(sweeps: Sequence[SweepSurvey]) -> Iterable[EpochSurvey]:
    """Epochs of the sweeps that are as long as the first."""
    raws = [sweep.raw for sweep in sweeps if sweep.raw is not None]
    grid = raws[0].trace.grid
    currents = [raw.cleaned_na for raw in raws if raw.trace.grid == grid]
    step_ms = (sweeps[0].onset_ms + sweeps[0].offset_ms) / 2
    for number, epoch in enumerate(epochs(currents, dt_ms=grid.dt_ms), start=1):
        levels = [float(np.median(current[epoch.first : epoch.stop])) for current in currents]
        onset_ms, offset_ms = epoch.first * grid.dt_ms, epoch.stop * grid.dt_ms
        yield EpochSurvey(number, onset_ms, offset_ms, min(levels), max(levels), onset_ms <= step_ms < offset_ms)


def _level(amplitude_na: float, sweeps: Sequence[SweepSurvey]) -> Level:
    return Level(amplitude_na, len(sweeps), tuple(sweep.spikes or 0 for sweep in sweeps))


def _levels(sweeps: Sequence[SweepSurvey]) -> dict[float, set[str]]:
    """Names of the sweeps of each amplitude; neighbours in order that hardly differ are one."""
    ordered = sorted(sweeps, key=lambda sweep: sweep.amplitude_na)
    largest = max(abs(sweep.amplitude_na) for sweep in sweeps)
    allowed = max(_SAME_LEVEL_NA, _SAME_LEVEL_SHARE * largest)
    groups: list[list[SweepSurvey]] = [[ordered[0]]]
    for sweep in ordered[1:]:
        if sweep.amplitude_na - groups[-1][-1].amplitude_na <= allowed:
            groups[-1].append(sweep)
        else:
            groups.append([sweep])
    return {
        round(float(np.mean([sweep.amplitude_na for sweep in group])), 4): {sweep.name for sweep in group}
        for group in groups
    }

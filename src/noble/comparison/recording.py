"""What a family of neurons does beside a recording of the same steps: e-features, firing rates and voltage, step by step.

Recording and family are measured in the windows of `noble targets` (`noble.targets.targets.measure_step`) and with its floors
(`noble.targets.efeatures`), so that a z-score here is nearly what it is for the models of a hall; there, a missing feature counts
too, and trials without noise among noisy ones. Each trace is measured on its own time grid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.comparison.agreement import FeatureAgreement, FeatureSummary, StepRates, summarise_features
from noble.comparison.comparable import after_step_ms, comparable_sweeps
from noble.features import FEATURE_NAMES, FeatureSettings
from noble.features.excitability import trace_rate_hz
from noble.features.neurons import Neurons
from noble.progress import Progress
from noble.protocols import StepProtocol
from noble.recordings import Recording, Sweep
from noble.results import Result, plain
from noble.spikes import THRESHOLD_MV
from noble.traces import TimeGrid, Trace, TraceBatch

if TYPE_CHECKING:
    import pandas as pd

    from noble.operator import Operator

# So many of a family's traces are kept for a figure.
_SINGLE_TRACES: Final = 5


@dataclass(frozen=True)
class Trial:
    """One sweep, cut to the compared window.

    Attributes:
        trace: voltage and current on the recording's own grid.
        onset_ms, offset_ms: edges of the step from the first sample, ms.
        clean: whether its current holds no noise.
    """

    trace: Trace
    onset_ms: float
    offset_ms: float
    clean: bool = True


@dataclass(frozen=True)
class FamilyVoltage:
    """A family's answers to one step, as far as a figure shows them.

    Attributes:
        grid: the instants.
        onset_ms: start of the step, ms.
        quantiles_mv: 5 %, median and 95 % over the family at each instant, shape (3, time), mV.
        single_mv: a few neurons' answers, shape (few, time), mV.
        current_na: shape (time,), nA.
    """

    grid: TimeGrid
    onset_ms: float
    quantiles_mv: np.ndarray
    single_mv: np.ndarray
    current_na: np.ndarray


@dataclass(frozen=True)
class StepComparison:
    """Recording and family at one step.

    Where two trials or more have noise in their current, these alone are the trials that numbers are taken of: a clean one among
    them would be one draw of another distribution. It is shown, since the family answers a clean step, too.

    Attributes:
        amplitude_na: nA.
        features: agreement in each of `FEATURE_NAMES`.
        recorded_rates_hz: firing rate of each trial, shape (trials,), Hz.
        predicted_rates_hz: of each neuron, shape (neurons,), Hz.
        trials: all of the recording's sweeps.
        family: the family's voltage.
    """

    amplitude_na: float
    features: Mapping[str, FeatureAgreement]
    recorded_rates_hz: np.ndarray
    predicted_rates_hz: np.ndarray
    trials: tuple[Trial, ...]
    family: FamilyVoltage

    @property
    def fires(self) -> bool:
        """Whether the recording's median trial fires."""
        return float(np.median(self.recorded_rates_hz)) > 0

    @cached_property
    def typical(self) -> frozenset[str]:
        """The features that `noble targets` measures at such a step, and that a summary counts."""
        from noble.targets.efeatures import features_at

        return frozenset(features_at(self.amplitude_na, fires=self.fires)).intersection(FEATURE_NAMES)

    @property
    def counted(self) -> int:
        """Number of trials that numbers are taken of."""
        return int(self.recorded_rates_hz.size)

    @property
    def clean_trials_left_out(self) -> int:
        """Number of trials that are shown but not counted."""
        return len(self.trials) - self.counted

    @property
    def rates(self) -> StepRates:
        """Firing rates of both sides."""
        return StepRates.of(self.recorded_rates_hz, self.predicted_rates_hz)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready numbers, without the voltages."""
        return {
            "amplitude_na": self.amplitude_na,
            "trials": self.counted,
            "clean_trials_left_out": self.clean_trials_left_out,
            "rate_hz": self.rates.to_dict(),
            "features": {
                name: {**feature.to_dict(), "counted": name in self.typical} for name, feature in self.features.items()
            },
        }


@dataclass(frozen=True, repr=False)
class RecordingComparison(Result):
    """A family beside a recording.

    Attributes:
        recording: the compared sweeps, and all others with the reason why they are not.
        protocol: the step and window that the family answered.
        neurons: of the family.
        steps: ascending by amplitude.
    """

    recording: Recording
    protocol: StepProtocol
    neurons: int
    steps: tuple[StepComparison, ...]

    def summary(self) -> dict[str, FeatureSummary]:
        """By feature: medians over the steps where `noble targets` measures it; see `summarise_features`."""
        return summarise_features(
            {
                name: [(step.amplitude_na, step.features[name]) for step in self.steps if name in step.typical]
                for name in FEATURE_NAMES
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready numbers: recording, protocol, summary by feature, and every step."""
        return {
            "recording": {
                "source": self.recording.source,
                "sha256": self.recording.sha256,
                "junction_potential_mv": self.recording.junction_potential_mv,
                "sweeps": len(self.recording.sweeps),
                "unusable": dict(self.recording.unusable),
            },
            "protocol": {
                "before_ms": self.protocol.onset_ms,
                "step_ms": self.protocol.step_ms,
                "window_ms": self.protocol.grid.duration_ms,
                "dt_ms": self.protocol.dt_ms,
            },
            "neurons": self.neurons,
            "summary": plain(self.summary()),
            "steps": [step.to_dict() for step in self.steps],
        }

    def to_frame(self) -> pd.DataFrame:
        """Agreement by step: rows by feature and `amplitude_na`, columns as in `noble.comparison.agreement.Agreement`."""
        import pandas as pd

        rows = {
            (name, step.amplitude_na): feature.agreement.to_dict()
            for step in self.steps
            for name, feature in step.features.items()
        }
        frame = pd.DataFrame.from_dict(rows, orient="index", dtype=float)
        return frame.rename_axis(index=["feature", "amplitude_na"])


def compare_recording(
    operator: Operator,
    neurons: Neurons,
    recording: Recording,
    *,
    dt_ms: float | None = None,
    progress: Progress | None = None,
) -> RecordingComparison:
    """Let a family answer the steps of a recording, and compare.

    The window is at most 50 ms before the step and 100 ms after it, or what every sweep has.

    Args:
        operator: who answers; it must be causal, or trained on exactly that window.
        neurons: features of the family, by name.
        recording: see `noble.recordings.read_recording`; sweeps that cannot be answered alike are left out and listed.
        dt_ms: sampling interval of the family, ms; by default the finest of the recording, since peaks and widths depend on it,
            or that of the training for an operator that answers no other window.
        progress: called with steps done and steps in all.

    Raises:
        ValueError: if no sweep can be compared, or the operator cannot answer in such a window.
    """
    from noble.features.windows import AFTER_MS, BEFORE_MS

    recording = comparable_sweeps(recording, holding_na=operator.holding_na)
    if dt_ms is None:
        finest_ms = min(sweep.trace.grid.dt_ms for sweep in recording.sweeps)
        dt_ms = finest_ms if math.isfinite(operator.core.latency_ms) else operator.grid.dt_ms
    before_ms = min(BEFORE_MS, *(sweep.onset_ms for sweep in recording.sweeps))
    after_ms = min(AFTER_MS, *(after_step_ms(sweep) for sweep in recording.sweeps))
    step_ms = round(float(np.median([sweep.step_ms for sweep in recording.sweeps])), 6)
    # One sample more, since a grid holds no instant that is less than dt before its end.
    window_ms = before_ms + step_ms + after_ms + dt_ms
    protocol = StepProtocol(onset_ms=before_ms, step_ms=step_ms, window_ms=window_ms, dt_ms=dt_ms)
    groups = recording.by_amplitude()
    steps = []
    for done, (amplitude_na, sweeps) in enumerate(groups.items()):
        if progress is not None:
            progress(done, len(groups))
        trials = tuple(_trial(sweep, before_ms=before_ms, after_ms=after_ms) for sweep in sweeps)
        answers = operator.respond(neurons, [protocol.stimulus(amplitude_na)] * len(neurons), protocol.grid)
        steps.append(_compare_step(amplitude_na, trials, answers, protocol, recording.spike_threshold_mv))
    if progress is not None:
        progress(len(groups), len(groups))
    return RecordingComparison(recording, protocol, len(neurons), tuple(steps))


def _trial(sweep: Sweep, *, before_ms: float, after_ms: float) -> Trial:
    """The sweep from so long before its step to so long after it."""
    dt_ms = sweep.trace.grid.dt_ms
    first = max(round((sweep.onset_ms - before_ms) / dt_ms), 0)
    last = min(round((sweep.offset_ms + after_ms) / dt_ms) + 1, sweep.trace.grid.count)
    trace = Trace(TimeGrid(dt_ms, last - first), sweep.trace.voltage_mv[first:last], sweep.trace.current_na[first:last])
    clean = sweep.amplitude_error_na <= 0
    return Trial(trace, sweep.onset_ms - first * dt_ms, sweep.offset_ms - first * dt_ms, clean)


def _compare_step(
    amplitude_na: float,
    trials: tuple[Trial, ...],
    answers: TraceBatch,
    protocol: StepProtocol,
    recorded_threshold_mv: float,
) -> StepComparison:
    noisy = [trial for trial in trials if not trial.clean]
    counted = noisy if len(noisy) > 1 else trials
    of_trials = [
        _measured(_alone(trial.trace), trial.onset_ms, trial.offset_ms, recorded_threshold_mv) for trial in counted
    ]
    recorded = {name: np.concatenate([values[name] for values in of_trials]) for name in FEATURE_NAMES}
    predicted = _measured(answers, protocol.onset_ms, protocol.offset_ms)
    shown = np.linspace(0, len(answers) - 1, min(_SINGLE_TRACES, len(answers))).round().astype(int)
    return StepComparison(
        amplitude_na=amplitude_na,
        features={name: FeatureAgreement(name, recorded[name], predicted[name]) for name in FEATURE_NAMES},
        recorded_rates_hz=np.array(
            [
                trace_rate_hz(
                    trial.trace,
                    onset_ms=trial.onset_ms,
                    offset_ms=trial.offset_ms,
                    threshold_mv=recorded_threshold_mv,
                )
                for trial in counted
            ]
        ),
        predicted_rates_hz=np.array(
            [trace_rate_hz(trace, onset_ms=protocol.onset_ms, offset_ms=protocol.offset_ms) for trace in answers]
        ),
        trials=trials,
        family=FamilyVoltage(
            grid=answers.grid,
            onset_ms=protocol.onset_ms,
            quantiles_mv=np.quantile(answers.voltage_mv, [0.05, 0.5, 0.95], axis=0),
            single_mv=answers.voltage_mv[shown],
            current_na=answers.current_na[0],
        ),
    )


def _alone(trace: Trace) -> TraceBatch:
    return TraceBatch(trace.grid, trace.voltage_mv[None], trace.current_na[None])


def _measured(
    batch: TraceBatch, onset_ms: float, offset_ms: float, threshold_mv: float = THRESHOLD_MV
) -> dict[str, np.ndarray]:
    """The sixteen e-features in the windows of targets."""
    from noble.features.windows import measure_step

    return measure_step(
        batch,
        onset_ms=onset_ms,
        offset_ms=offset_ms,
        step_ms=offset_ms - onset_ms,
        names=FEATURE_NAMES,
        settings=FeatureSettings(spike_threshold_mv=threshold_mv),
    )

"""How far a family of neurons is from the trials of a recording in one e-feature, and how widely either scatters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from noble.features import unit_of
from noble.results import Result


@dataclass(frozen=True, repr=False)
class Side(Result):
    """An e-feature on one side of a comparison; None where no trace, or for `sd` fewer than two, has it.

    Attributes:
        traces, having: number of traces, and of those that have the feature.
        mean, q25, median, q75: over the traces that have it, in the feature's unit.
        sd: sample standard deviation over the same.
    """

    traces: int
    having: int
    mean: float | None
    q25: float | None
    median: float | None
    q75: float | None
    sd: float | None


@dataclass(frozen=True, repr=False)
class Agreement(Result):
    """How a family agrees with the trials in one e-feature at one step; None where a side lacks it.

    Attributes:
        z, abs_z: z-score of the family's median, and its absolute value.
        mean_abs_z, median_abs_z: mean and median |z| over the family.
        spread_ratio: standard deviation over the family in units of that over trials; None where trials do not differ.
        spread_over_deviation: standard deviation over the family in units of the z-score's.
    """

    z: float | None
    abs_z: float | None
    mean_abs_z: float | None
    median_abs_z: float | None
    spread_ratio: float | None
    spread_over_deviation: float | None


@dataclass(frozen=True, repr=False)
class FeatureSummary(Result):
    """One e-feature over the steps of a recording.

    Attributes:
        steps: number of steps where both sides have it.
        missing_at_na, extra_at_na: amplitudes where only the recording or only the family has it, nA.
        abs_z, mean_abs_z, median_abs_z, spread_ratio, spread_over_deviation: medians over the steps of the numbers of
            `Agreement`; None where no step has one.
    """

    steps: int
    missing_at_na: tuple[float, ...]
    extra_at_na: tuple[float, ...]
    abs_z: float | None
    mean_abs_z: float | None
    median_abs_z: float | None
    spread_ratio: float | None
    spread_over_deviation: float | None


@dataclass(frozen=True, repr=False)
class RecordedRates(Result):
    """Firing rates of the trials at one step, Hz: mean, sample standard deviation (None below two), and each trial's."""

    mean: float
    sd: float | None
    trials: np.ndarray


@dataclass(frozen=True, repr=False)
class FamilyRates(Result):
    """Firing rates of a family at one step, Hz: median and quantiles over the neurons."""

    median: float
    q05: float
    q95: float


@dataclass(frozen=True, repr=False)
class StepRates(Result):
    """Firing rates of both sides at one step."""

    recorded: RecordedRates
    family: FamilyRates

    @classmethod
    def of(cls, recorded_hz: np.ndarray, predicted_hz: np.ndarray) -> StepRates:
        """Rates of trials, shape (trials,), and of a family, shape (neurons,), both Hz."""
        low, middle, high = np.quantile(predicted_hz, [0.05, 0.5, 0.95]).tolist()
        recorded = RecordedRates(float(recorded_hz.mean()), _sample_sd(recorded_hz), recorded_hz)
        return cls(recorded, FamilyRates(middle, low, high))


@dataclass(frozen=True)
class FeatureAgreement:
    """One e-feature of the trials and of the family at one step.

    A side *has* the feature where at least half of its traces do; without that, one trial that fires by chance would stand for
    all, and there is no z-score.

    Attributes:
        name: the feature's name, eFEL's.
        recorded: the feature of each trial, shape (trials,), in its unit; NaN where a trial lacks it.
        predicted: the feature of each neuron, shape (neurons,).
    """

    name: str
    recorded: np.ndarray
    predicted: np.ndarray

    @property
    def recording_has(self) -> bool:
        """Whether at least half of the trials have it."""
        return _most(self.recorded)

    @property
    def family_has(self) -> bool:
        """Whether at least half of the neurons have it."""
        return _most(self.predicted)

    @property
    def recorded_sd(self) -> float | None:
        """Sample standard deviation over trials; None below two."""
        return _sample_sd(self.recorded)

    @property
    def predicted_sd(self) -> float | None:
        """Sample standard deviation over the family; None below two."""
        return _sample_sd(self.predicted)

    @property
    def floor(self) -> float | None:
        """Least standard deviation that `noble targets` lets a target have (`noble.features.CATALOGUE`)."""
        from noble.targets.efeatures import floor_of

        known = _known(self.recorded)
        absolute, relative = floor_of(self.name)
        return max(absolute, relative * abs(float(known.mean()))) if known.size else None

    @property
    def deviation(self) -> float | None:
        """The unit of a z-score: standard deviation over trials, or the floor if that is larger; None if both are 0."""
        return None if self.floor is None else max(self.recorded_sd or 0.0, self.floor) or None

    @cached_property
    def z_scores(self) -> np.ndarray:
        """z-scores of the neurons that have the feature, shape (neurons with it,); empty unless both sides have it."""
        if not (self.recording_has and self.family_has and self.deviation):
            return np.empty(0)
        return (_known(self.predicted) - _known(self.recorded).mean()) / self.deviation

    @property
    def z(self) -> float | None:
        """z-score of the family's median."""
        return float(np.median(self.z_scores)) if self.z_scores.size else None

    @property
    def spread_ratio(self) -> float | None:
        """Standard deviation over the family in units of that over trials; None where trials do not differ."""
        return self._spread_over(self.recorded_sd)

    @property
    def spread_over_deviation(self) -> float | None:
        """Standard deviation over the family in units of `deviation`."""
        return self._spread_over(self.deviation)

    def _spread_over(self, unit: float | None) -> float | None:
        both = self.recording_has and self.family_has
        return self.predicted_sd / unit if both and self.predicted_sd is not None and unit else None

    @property
    def agreement(self) -> Agreement:
        """z-score of the median, |z| over the family, and the spreads' ratios."""
        found = np.abs(self.z_scores)
        return Agreement(
            z=self.z,
            abs_z=None if self.z is None else abs(self.z),
            mean_abs_z=float(found.mean()) if found.size else None,
            median_abs_z=float(np.median(found)) if found.size else None,
            spread_ratio=self.spread_ratio,
            spread_over_deviation=self.spread_over_deviation,
        )

    @property
    def recorded_side(self) -> Side:
        """Quartiles and spread over the trials."""
        return _side(self.recorded)

    @property
    def family_side(self) -> Side:
        """Quartiles and spread over the family."""
        return _side(self.predicted)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: quartiles and spread of both sides, and the agreement."""
        return {
            "unit": unit_of(self.name),
            "recorded": self.recorded_side.to_dict(),
            "family": self.family_side.to_dict(),
            "deviation": self.deviation,
            **self.agreement.to_dict(),
        }


def summarise_features(features: Mapping[str, Sequence[tuple[float, FeatureAgreement]]]) -> dict[str, FeatureSummary]:
    """Over the steps of a recording, feature by feature.

    Args:
        features: amplitude in nA and agreement at each step that is to count.
    """
    summary = {}
    for name, steps in features.items():
        rows = [feature.agreement for _, feature in steps]
        summary[name] = FeatureSummary(
            steps=sum(row.z is not None for row in rows),
            missing_at_na=tuple(at for at, feature in steps if feature.recording_has and not feature.family_has),
            extra_at_na=tuple(at for at, feature in steps if feature.family_has and not feature.recording_has),
            abs_z=_median([row.abs_z for row in rows]),
            mean_abs_z=_median([row.mean_abs_z for row in rows]),
            median_abs_z=_median([row.median_abs_z for row in rows]),
            spread_ratio=_median([row.spread_ratio for row in rows]),
            spread_over_deviation=_median([row.spread_over_deviation for row in rows]),
        )
    return summary


def _known(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)]


def _most(values: np.ndarray) -> bool:
    return values.size > 0 and 2 * _known(values).size >= values.size


def _sample_sd(values: np.ndarray) -> float | None:
    """Sample standard deviation of the finite values, exactly 0 where all are equal; None below two."""
    known = _known(values)
    if known.size < 2:
        return None
    return float(known.std(ddof=1)) if np.ptp(known) > 0 else 0.0


def _side(values: np.ndarray) -> Side:
    """How many of the traces have the feature, and its quartiles over those."""
    known = _known(values)
    low, middle, high = (float(np.quantile(known, q)) if known.size else None for q in (0.25, 0.5, 0.75))
    mean = float(known.mean()) if known.size else None
    return Side(int(values.size), int(known.size), mean, low, middle, high, _sample_sd(values))


def _median(values: Sequence[float | None]) -> float | None:
    """Median of the values that are known; None without any."""
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None

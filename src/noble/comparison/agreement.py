"""How far a family of neurons is from the trials of a recording in one e-feature, and how widely either scatters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from noble.features import unit_of

_QUARTILES: Final = {"q25": 0.25, "median": 0.5, "q75": 0.75}
_MEDIANS_OVER_STEPS: Final = ("abs_z", "mean_abs_z", "median_abs_z", "spread_ratio", "spread_over_deviation")


@dataclass(frozen=True)
class FeatureAgreement:
    """One e-feature of the trials and of the family at one step.

    A side *has* the feature where at least half of its traces do; without that, one trial that fires by chance would stand for
    all, and there is no z-score.

    Attributes:
        name: eFEL's.
        recorded: of each trial, shape (trials,), in the feature's unit; NaN where a trial lacks it.
        predicted: of each neuron, shape (neurons,).
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
        """Of each neuron that has the feature, shape (neurons with it,); empty unless both sides have it."""
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
    def numbers(self) -> dict[str, float | None]:
        """z-score of the median, |z| over the family, and the spreads' ratios."""
        found = np.abs(self.z_scores)
        return {
            "z": self.z,
            "abs_z": None if self.z is None else abs(self.z),
            "mean_abs_z": float(found.mean()) if found.size else None,
            "median_abs_z": float(np.median(found)) if found.size else None,
            "spread_ratio": self.spread_ratio,
            "spread_over_deviation": self.spread_over_deviation,
        }

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: quartiles and spread of both sides, and `numbers`."""
        return {
            "unit": unit_of(self.name),
            "recorded": {**_side(self.recorded), "sd": self.recorded_sd},
            "family": {**_side(self.predicted), "sd": self.predicted_sd},
            "deviation": self.deviation,
            **self.numbers,
        }


def summarise_features(features: Mapping[str, Sequence[tuple[float, FeatureAgreement]]]) -> dict[str, dict[str, Any]]:
    """Over the steps of a recording, feature by feature.

    Args:
        features: amplitude in nA and agreement at each step that is to count.

    Returns:
        For each feature the number of `steps` where both sides have it; the amplitudes where only the recording
        (`missing_at_na`) or only the family (`extra_at_na`) has it; and medians over the steps of `abs_z` (|z| of the family's
        median), `mean_abs_z` and `median_abs_z` (over the family), `spread_ratio` and `spread_over_deviation`, None where no
        step has one.
    """
    summary = {}
    for name, steps in features.items():
        rows = [feature.numbers for _, feature in steps]
        summary[name] = {
            "steps": sum(row["z"] is not None for row in rows),
            "missing_at_na": [at for at, feature in steps if feature.recording_has and not feature.family_has],
            "extra_at_na": [at for at, feature in steps if feature.family_has and not feature.recording_has],
            **{key: _median([row[key] for row in rows if row[key] is not None]) for key in _MEDIANS_OVER_STEPS},
        }
    return summary


def rates_to_dict(recorded_hz: np.ndarray, predicted_hz: np.ndarray) -> dict[str, Any]:
    """Firing rates of trials, shape (trials,), and of a family, shape (neurons,), both Hz, JSON-ready."""
    low, middle, high = np.quantile(predicted_hz, [0.05, 0.5, 0.95]).tolist()
    return {
        "recorded": {"mean": float(recorded_hz.mean()), "sd": _sample_sd(recorded_hz), "trials": recorded_hz.tolist()},
        "family": {"median": middle, "q05": low, "q95": high},
    }


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


def _side(values: np.ndarray) -> dict[str, Any]:
    """How many of the traces have the feature, and its quartiles over those."""
    known = _known(values)
    quartiles = {key: float(np.quantile(known, q)) if known.size else None for key, q in _QUARTILES.items()}
    mean = float(known.mean()) if known.size else None
    return {"traces": int(values.size), "having": int(known.size), "mean": mean, **quartiles}


def _median(values: Sequence[float | None]) -> float | None:
    return float(np.median(np.array(values, dtype=float))) if values else None

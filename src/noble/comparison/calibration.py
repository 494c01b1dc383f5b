"""Whether a model's chance of a spike is the chance with which a neuron fires: time rescaling.

The hazard integrated from one spike to the next is exponentially distributed with mean 1 if the model is right, whatever the
current (Brown et al. 2002, Neural Comput. 14, 325): u = 1 - exp(-integral) is uniform, and its largest departure from that is a
Kolmogorov-Smirnov distance. In bins of dt the spike falls somewhere in its bin, so the integral ends at a place that is drawn
there (Haslinger et al. 2010, Neural Comput. 22, 2477); without it a right model looks wrong where bins are coarse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from noble.results import UNWRITTEN, Result

_LEVEL = 0.95
_LEAST = 5


@dataclass(frozen=True, repr=False)
class Calibration(Result):
    """Rescaled intervals beside what they are for a right model.

    Attributes:
        intervals: how many.
        ks_distance: largest distance of the distribution of u from the uniform one.
        ks_band: 95 % of right models have a smaller distance; of models fitted to the same spikes, more.
        p_value: chance of a larger distance for a right model.
        mean: of the integrated hazards; 1 for a right model, above 1 where the model fires more than the neuron.
        serial_correlation: of the normal scores of u from one interval to the next of one trial; 0 for a right model.
        serial_band: 95 % of right models have a smaller one, of either sign.
        expected, observed: quantiles of u, ascending, shape (intervals,).
    """

    intervals: int
    ks_distance: float
    ks_band: float
    p_value: float
    mean: float
    serial_correlation: float | None
    serial_band: float | None
    expected: np.ndarray = field(metadata=UNWRITTEN)
    observed: np.ndarray = field(metadata=UNWRITTEN)

    @property
    def within_band(self) -> bool:
        """Whether nothing is found against the model at 5 %."""
        return self.ks_distance <= self.ks_band


def rescaled_intervals(
    hazard: Float[np.ndarray, " sample"],
    spikes_ms: Float[np.ndarray, " spike"],
    *,
    dt_ms: float,
    generator: np.random.Generator | None = None,
) -> Float[np.ndarray, " interval"]:
    """The hazard integrated from each spike of a trial to the next.

    Args:
        hazard: of a model that is told the spikes, 1 / ms, 0 where it cannot fire.
        spikes_ms: peaks, ms.
        dt_ms: length of a bin of the hazard.
        generator: draws where in its bin each spike is; without one it is at the end, as in continuous time.
    """
    peaks = np.round(np.asarray(spikes_ms) / dt_ms).astype(int)
    peaks = np.unique(peaks[(peaks >= 0) & (peaks < hazard.size)])
    chance = hazard * dt_ms
    reached = np.cumsum(chance)
    whole = np.diff(reached[peaks])
    if generator is None or not whole.size:
        return whole
    last = chance[peaks[1:]]
    return whole - last - np.log1p(generator.random(last.size) * np.expm1(-last))


def calibration(trials: Sequence[Float[np.ndarray, ...]]) -> Calibration:
    """Rescaled intervals of some trials, tested against a right model.

    Args:
        trials: of each trial, what `rescaled_intervals` gives.

    Raises:
        ValueError: for fewer than five intervals.
    """
    from scipy.stats import kstwo, norm

    intervals = np.concatenate([np.empty(0), *trials])
    count = intervals.size
    if count < _LEAST:
        raise ValueError(
            f"there are {count} intervals between spikes; expected at least {_LEAST} to test a distribution."
        )
    uniform = np.sort(-np.expm1(-intervals))
    ranks = np.arange(count)
    distance = float(np.max(np.maximum((ranks + 1) / count - uniform, uniform - ranks / count)))
    scores = [norm.ppf(np.clip(-np.expm1(-trial), 1e-9, 1 - 1e-9)) for trial in trials]
    before, after = (
        np.concatenate([np.empty(0), *parts])
        for parts in ([score[:-1] for score in scores], [score[1:] for score in scores])
    )
    varied = before.size > _LEAST and np.ptp(before) > 0 and np.ptp(after) > 0
    return Calibration(
        count,
        distance,
        float(kstwo.ppf(_LEVEL, count)),
        float(kstwo.sf(distance, count)),
        float(intervals.mean()),
        float(np.corrcoef(before, after)[0, 1]) if varied else None,
        float(norm.ppf((1 + _LEVEL) / 2) / np.sqrt(before.size)) if varied else None,
        (ranks + 0.5) / count,
        uniform,
    )

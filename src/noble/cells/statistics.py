"""What a hall of fame is worth: how near its models come to the recording, how far they spread, where they fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from noble.cells.hall import HallOfFame

# A spike count is out of tolerance when it is off by more than this many spikes and by more than this part of the recording's.
COUNT_TOLERANCE: Final = 2
COUNT_TOLERANCE_RELATIVE: Final = 0.15
# A model may fire at so many steps at which the recording is silent: the one below threshold is a matter of pA.
SILENT_STEPS_ALLOWED: Final = 1


def count_tolerance(
    wanted: float, *, absolute: int = COUNT_TOLERANCE, relative: float = COUNT_TOLERANCE_RELATIVE
) -> float:
    """How many spikes a model may be off where the recording has `wanted`: a number or a part of them, whichever is more."""
    return max(absolute, relative * wanted)


def hall_statistics(hall: HallOfFame) -> dict[str, int | float | None]:
    """Numbers that say what a hall is worth, from its file alone.

    Args:
        hall: its models' features and final checks, and the recording's spike counts that its provenance holds.

    Returns:
        By name, in this order:

        - `models`, `train`, `held_out`: how many;
        - `mean_abs_z_median`, `mean_abs_z_worst`: of the models' mean |z| in the final check;
        - `i_thr_relative_spread`, `s_thr_relative_spread`: standard deviation over mean of rheobase and of F-I gain; None
          where a model lacks the feature;
        - `blocked`: models that stay depolarised without spikes at any step of the check;
        - `spike_count_out_of_tolerance`: models whose spike count is off by more than two spikes, or 15 % if that is more,
          at any step at which the recording fires;
        - `fires_where_silent`: models that fire at more than one step at which the recording is silent.

        What the check would say is None for a hall in which a model has none, the last two also for one that does not hold the
        recording's spike counts at the same steps.
    """
    worth: dict[str, int | float | None] = {
        "models": len(hall),
        "train": len(hall.train),
        "held_out": len(hall.held_out),
        "mean_abs_z_median": None,
        "mean_abs_z_worst": None,
        "i_thr_relative_spread": _relative_spread(hall, "rheobase"),
        "s_thr_relative_spread": _relative_spread(hall, "fi_gain"),
        "blocked": None,
        "spike_count_out_of_tolerance": None,
        "fires_where_silent": None,
    }
    checks = [model.check for model in hall.models if model.check and model.check.get("z")]
    if len(checks) < len(hall):
        return worth
    deviations = [float(np.mean(list(check["z"].values()))) for check in checks]
    worth["mean_abs_z_median"], worth["mean_abs_z_worst"] = float(np.median(deviations)), max(deviations)
    worth["blocked"] = sum(bool(check.get("blocked")) for check in checks)
    recorded, counts = _recorded_counts(hall), [check.get("spike_counts", {}) for check in checks]
    if recorded is not None and all(recorded.keys() <= of_model.keys() for of_model in counts):
        worth["spike_count_out_of_tolerance"] = sum(_out_of_tolerance(of_model, recorded) for of_model in counts)
        worth["fires_where_silent"] = sum(_fires_where_silent(of_model, recorded) for of_model in counts)
    return worth


def _recorded_counts(hall: HallOfFame) -> Mapping[str, float] | None:
    """Spikes of the recording by amplitude in nA as text; None if the hall does not know them."""
    recording = hall.provenance.get("recording")
    return recording.get("spike_counts") if isinstance(recording, Mapping) else None


def _relative_spread(hall: HallOfFame, feature: str) -> float | None:
    """Standard deviation over the size of the mean; None if a model lacks the feature."""
    if any(feature not in model.features for model in hall.models):
        return None
    values = hall.feature_table([feature])
    return float(values.std() / abs(values.mean()))


def _out_of_tolerance(counts: Mapping[str, int], recorded: Mapping[str, float]) -> bool:
    return any(abs(counts[step] - wanted) > count_tolerance(wanted) for step, wanted in recorded.items() if wanted > 0)


def _fires_where_silent(counts: Mapping[str, int], recorded: Mapping[str, float]) -> bool:
    return sum(counts[step] > 0 for step, wanted in recorded.items() if wanted == 0) > SILENT_STEPS_ALLOWED

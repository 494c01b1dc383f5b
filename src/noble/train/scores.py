"""The score that chooses the epoch: what a user sees of a predicted trace, summed up over the validation traces."""

from __future__ import annotations

import numpy as np

from noble.spikes import spike_times_ms


def score_row(
    predicted_mv: np.ndarray, spikes_ms: np.ndarray, relative_l2_percent: float, *, dt_ms: float
) -> tuple[float, float, float, float]:
    """True count, predicted count, median error of the k-th spike's time (NaN without a pair), relative L2."""
    true = spikes_ms[np.isfinite(spikes_ms)]
    found = spike_times_ms(predicted_mv, dt_ms=dt_ms)
    pairs = min(true.size, found.size)
    timing = float(np.median(np.abs(found[:pairs] - true[:pairs]))) if pairs else float("nan")
    return float(true.size), float(found.size), timing, float(relative_l2_percent)


def validation_summary(rows: np.ndarray) -> dict[str, float]:
    """Percentages over validation traces and their sum, the score.

    Args:
        rows: shape (traces, 4): true and predicted spike count, timing error in ms, relative L2 in percent.
    """
    true, found, timing, relative = rows.T
    fires = true > 0
    count_error = np.abs(found - true)[fires] / true[fires]
    known = timing[np.isfinite(timing)]
    summary = {
        "missed_percent": 100 * float(np.mean(fires & (found == 0))),
        "false_percent": 100 * float(np.mean(~fires & (found > 0))),
        "spike_count_error_percent": 100 * float(np.mean(count_error)) if fires.any() else 0.0,
        # Where every spike is missed, ten ms: worse than any operator that fires.
        "timing_ms": float(np.median(known)) if known.size else (10.0 if fires.any() else 0.0),
        "relative_l2_percent": float(np.mean(relative)),
    }
    summary["score"] = sum(value * (10 if name == "timing_ms" else 1) for name, value in summary.items())
    return summary

"""How the e-features of one family of neurons differ from those of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from noble.targets.efeatures import floor_of

# A feature that so many of the plausible traces have is missed where it is missing.
_USUAL_SHARE: Final = 0.95
_QUANTILES: Final = {"median": 0.5, "q05": 0.05, "q95": 0.95}


def compare_features(
    found: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray] | None,
    *,
    plausible: Mapping[str, np.ndarray] | None = None,
) -> dict[str, Any]:
    """How two families' e-features differ, and how many traces of the first are implausible.

    Args:
        found, reference: features as `noble.features.extract` gives them, of as many traces each as there happen to be; without a
            reference, the found ones are described and compared with nothing.
        plausible: features of the traces whose range says what is plausible; those of the reference if None. A reference of one
            model needs it, since one trace has no range.

    Returns:
        `features`: for each, `median`, `q05`, `q95` and `reference_median`, and `wasserstein`, the distance of the two
        distributions (1-Wasserstein: the area between their cumulative distribution functions) in the feature's unit, all of
        the traces that have it; None where a family lacks it; and `having_share` and `reference_having_share`, how many do.
        `implausible_share`: part of the found traces in which a feature lies outside the plausible range by more than that
        range's width (at least the floor of a target's deviation, for where all agree), or is missing though 95 % of
        the plausible traces have it; None if there is no range.
    """
    plausible = reference if plausible is None else plausible
    nothing = np.empty(0)
    return {
        "features": {
            name: _compared(values, nothing if reference is None else reference[name]) for name, values in found.items()
        },
        "implausible_share": None if plausible is None else float(_implausible(found, plausible).mean()),
    }


def _compared(values: np.ndarray, wanted: np.ndarray) -> dict[str, float | None]:
    """One feature of two families, by the traces that have it."""
    from scipy.stats import wasserstein_distance

    of = wanted.size
    known, wanted = values[np.isfinite(values)], wanted[np.isfinite(wanted)]
    both = known.size > 0 and wanted.size > 0
    return {
        **{key: float(np.quantile(known, q)) if known.size else None for key, q in _QUANTILES.items()},
        "reference_median": float(np.median(wanted)) if wanted.size else None,
        "wasserstein": float(wasserstein_distance(known, wanted)) if both else None,
        "having_share": known.size / values.size if values.size else None,
        "reference_having_share": wanted.size / of if of else None,
    }


def _implausible(found: Mapping[str, np.ndarray], plausible: Mapping[str, np.ndarray]) -> np.ndarray:
    """Which found traces no plausible one is like, shape (traces,)."""
    strange = np.zeros(len(next(iter(found.values()))), dtype=bool)
    for name, values in found.items():
        known = plausible[name][np.isfinite(plausible[name])]
        if known.size:
            low, high = known.min(), known.max()
            absolute, relative = floor_of(name)
            width = max(high - low, absolute, relative * abs(known.mean()))
            strange |= (values < low - width) | (values > high + width)
        if known.size and known.size >= _USUAL_SHARE * plausible[name].size:
            strange |= ~np.isfinite(values)
    return strange

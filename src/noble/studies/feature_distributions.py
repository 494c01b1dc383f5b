"""How the e-features of one family of neurons differ from those of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np

from noble.results import Result
from noble.targets.efeatures import floor_of

if TYPE_CHECKING:
    import pandas as pd

# A feature that so many of the plausible traces have is missed where it is missing.
_USUAL_SHARE: Final = 0.95


@dataclass(frozen=True, repr=False)
class FeatureDistribution(Result):
    """One e-feature of a family beside a reference, over the traces that have it; None where too few do.

    Attributes:
        median, q05, q95: median and quantiles of the family, in the feature's unit.
        reference_median: median of the reference.
        wasserstein: 1-Wasserstein distance of the two distributions, the area between their cumulative distribution
            functions, in the feature's unit.
        having_share, reference_having_share: share of the traces that have the feature.
    """

    median: float | None
    q05: float | None
    q95: float | None
    reference_median: float | None
    wasserstein: float | None
    having_share: float | None
    reference_having_share: float | None


@dataclass(frozen=True, repr=False)
class FamilyComparison(Result):
    """How the e-features of two families differ.

    Attributes:
        features: each e-feature by name.
        implausible_share: share of the traces that are like no plausible one; None if nobody says what is plausible.
    """

    features: Mapping[str, FeatureDistribution]
    implausible_share: float | None

    def to_frame(self) -> pd.DataFrame:
        """A row a feature, with the columns of `FeatureDistribution`."""
        import pandas as pd

        rows = {name: item.to_dict() for name, item in self.features.items()}
        columns = [item.name for item in fields(FeatureDistribution)]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns, dtype=float).rename_axis("feature")


def compare_features(
    found: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray] | None,
    *,
    plausible: Mapping[str, np.ndarray] | None = None,
) -> FamilyComparison:
    """How two families' e-features differ, and how many traces of the first are implausible.

    A trace is implausible if a feature lies outside the plausible range by more than that range's width (at least the floor of
    a target's deviation, for where all agree), or is missing though 95 % of the plausible traces have it.

    Args:
        found, reference: features as `noble.features.extract` gives them, of as many traces each as there happen to be; without a
            reference, the found ones are described and compared with nothing.
        plausible: features of the traces whose range says what is plausible; those of the reference if None. A reference of one
            model needs it, since one trace has no range.
    """
    plausible = reference if plausible is None else plausible
    nothing = np.empty(0)
    return FamilyComparison(
        features={
            name: _compared(values, nothing if reference is None else reference[name]) for name, values in found.items()
        },
        implausible_share=None if plausible is None else float(_implausible(found, plausible).mean()),
    )


def _compared(values: np.ndarray, reference: np.ndarray) -> FeatureDistribution:
    """One feature of two families, by the traces that have it."""
    from scipy.stats import wasserstein_distance

    known, expected = values[np.isfinite(values)], reference[np.isfinite(reference)]
    median, low, high = np.quantile(known, [0.5, 0.05, 0.95]).tolist() if known.size else (None, None, None)
    both = known.size > 0 and expected.size > 0
    return FeatureDistribution(
        median=median,
        q05=low,
        q95=high,
        reference_median=float(np.median(expected)) if expected.size else None,
        wasserstein=float(wasserstein_distance(known, expected)) if both else None,
        having_share=known.size / values.size if values.size else None,
        reference_having_share=expected.size / reference.size if reference.size else None,
    )


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

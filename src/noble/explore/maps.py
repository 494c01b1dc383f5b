"""Maps of e-features over the latent plane, worked out when a page is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from noble.protocols import StepProtocol
from noble.studies import feature_maps

if TYPE_CHECKING:
    from noble.operator import Operator
    from noble.progress import Progress
    from noble.studies import FeatureMap

MAPPED_FEATURES: Final = (
    "mean_frequency",
    "AP1_width",
    "AHP1_depth_from_peak",
    "time_to_first_spike",
    "adaptation_index2",
)
"""E-features that a page maps unless told otherwise."""

# A spike's width is measured on samples this fine; at 0.06 ms it would depend on where they happen to fall.
_DT_MS: Final = 0.02


def maps_of(
    operator: Operator, features: Sequence[str], amplitude_na: float, *, size: int, progress: Progress | None = None
) -> list[FeatureMap]:
    """Maps of some e-features under one step; none for an operator without a plane.

    Args:
        operator: the operator.
        features: e-features.
        amplitude_na: of the step, nA.
        size: points along each axis; below two there are no maps.
        progress: called with (points done, points in all).
    """
    spec = operator.spec
    if size < 2 or not features or len(spec.latent_features) != 2 or not spec.training_features:
        return []
    protocol = StepProtocol(dt_ms=_DT_MS)
    return feature_maps(operator, features, amplitude_na, protocol, size=size, progress=progress)

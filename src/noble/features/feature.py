"""The record of one feature: its name, unit, meaning, and the values that it can have."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

Quantity = Literal["rate", "latency", "first_ISI"]


class Floor(NamedTuple):
    """Least standard deviation of a target: the larger of a number in the feature's unit and a part of the mean."""

    absolute: float
    relative: float


class CurvePoint(NamedTuple):
    """Which point of the F-I curve a feature is: a quantity, at a step of `above_pa` pA above the rheobase."""

    quantity: Quantity
    above_pa: int


OTHER_FLOOR: Final = Floor(1e-3, 0.1)
"""Floor of a feature that states none."""


@dataclass(frozen=True, kw_only=True)
class Feature:
    """What is known of one feature.

    Attributes:
        name: key in files and tables; eFEL's own where eFEL measures it.
        unit: unit of its values; "1" for pure numbers.
        label: short text for an axis or a table, without the unit.
        definition: one sentence that says what is measured.
        protocol: the stimulus that it is measured with.
        floor: least standard deviation of a target of it (`docs/targets.md` says why).
        aliases: other names that mean it: those of older files, and spellings with the unit.
        plausible: lowest and highest value that a neuron can have; a value beyond is in another unit.
        efel: eFEL's name of it; empty where eFEL does not measure it.
        curve: the point of the F-I curve that it is; None for any other.
    """

    name: str
    unit: str
    label: str
    definition: str
    protocol: str
    floor: Floor = OTHER_FLOOR
    aliases: tuple[str, ...] = ()
    plausible: tuple[float, float] = (-math.inf, math.inf)
    efel: str = ""
    curve: CurvePoint | None = None

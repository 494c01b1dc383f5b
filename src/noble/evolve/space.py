"""The coordinates in which optimisers move: 0 at the start's centre, 1 a spread away, for every parameter alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from noble.cells import Cell, Parameter
from noble.evolve.config import EvolutionConfig

# Potentials may be negative and have no logarithm.
ADDITIVE: Final = ("e_pas",)
# A density that may vanish is searched over this many decades below its upper bound.
_SMALLEST_SHARE: Final = 1e-6
# Without a start, half of a parameter's range is this many spreads.
_SPREADS_OF_HALF_A_RANGE: Final = 2.0


@dataclass(frozen=True)
class Axis:
    """One parameter and its coordinate.

    Attributes:
        parameter: with its bounds.
        centre: value at coordinate 0.
        spread: logarithm of the factor, or difference in mV, that a coordinate of 1 makes.
        low, high: bounds of the coordinate.
    """

    parameter: Parameter
    centre: float
    spread: float
    low: float
    high: float

    @property
    def additive(self) -> bool:
        """Whether the coordinate moves the value itself, not its logarithm."""
        return self.parameter.quantity in ADDITIVE

    def value(self, coordinate: float) -> float:
        """Parameter value at a coordinate, within the parameter's bounds."""
        step = self.spread * coordinate
        value = self.centre + step if self.additive else self.centre * math.exp(step)
        return min(max(value, self.parameter.low), self.parameter.high)

    def coordinate(self, value: float) -> float:
        """Coordinate of a value."""
        if self.additive:
            return (value - self.centre) / self.spread
        return math.log(max(value, _smallest(self.parameter)) / self.centre) / self.spread


@dataclass(frozen=True)
class Space:
    """All free parameters of a cell, in its order."""

    cell: Cell
    axes: tuple[Axis, ...]

    @classmethod
    def of(cls, config: EvolutionConfig, cell: Cell) -> Space:
        """The space of a configuration: around its start, within the cell's bounds."""
        return cls(cell, tuple(_axis(item, config.start.get(item.name), config.reach) for item in cell.parameters))

    @property
    def low(self) -> np.ndarray:
        """Lower bounds of the coordinates, shape (parameters,)."""
        return np.array([axis.low for axis in self.axes])

    @property
    def high(self) -> np.ndarray:
        """Upper bounds of the coordinates, shape (parameters,)."""
        return np.array([axis.high for axis in self.axes])

    def values(self, point: Sequence[float] | np.ndarray) -> dict[str, float]:
        """Parameter values of a point."""
        return {axis.parameter.name: axis.value(float(u)) for axis, u in zip(self.axes, point, strict=True)}

    def point(self, values: Mapping[str, float]) -> np.ndarray:
        """The point of parameter values, shape (parameters,)."""
        return np.array([axis.coordinate(values[axis.parameter.name]) for axis in self.axes])

    def moving(self, quantities: Sequence[str] | None) -> np.ndarray:
        """Indices of the axes whose quantity is among these; of all if None.

        Raises:
            ValueError: for a quantity that the cell has nowhere free.
        """
        known = {axis.parameter.quantity for axis in self.axes}
        if unknown := sorted(set(quantities or ()) - known):
            raise ValueError(
                f"{', '.join(unknown)} is not free in {self.cell.name}; expected some of {', '.join(sorted(known))}."
            )
        return np.array(
            [i for i, axis in enumerate(self.axes) if quantities is None or axis.parameter.quantity in quantities]
        )

    def confined(self, rows: np.ndarray, indices: np.ndarray, margin: float) -> Space:
        """The space with some coordinates held to the range of given points and a margin, both in spreads."""
        axes = list(self.axes)
        for index in indices.tolist():
            axis, column = axes[index], rows[:, index]
            low, high = max(axis.low, column.min() - margin), min(axis.high, column.max() + margin)
            axes[index] = replace(axis, low=float(low), high=float(max(high, low + 1e-9)))
        return replace(self, axes=tuple(axes))


def _smallest(parameter: Parameter) -> float:
    return max(parameter.low, _SMALLEST_SHARE * parameter.high)


def _axis(parameter: Parameter, start: tuple[float, float] | None, reach: float) -> Axis:
    """Centre, spread and coordinate bounds of a parameter."""
    axis = Axis(parameter, 1.0, 1.0, 0.0, 0.0)
    lowest = parameter.low if axis.additive else _smallest(parameter)
    if not axis.additive and parameter.low < 0:
        raise ValueError(
            f"{parameter.name} has a lower bound of {parameter.low:g} {parameter.unit}; expected 0 or more."
        )
    if start is None:
        if axis.additive:
            centre, half = (parameter.low + parameter.high) / 2, (parameter.high - parameter.low) / 2
        else:
            low, high = math.log(lowest), math.log(parameter.high)
            centre, half = math.exp((low + high) / 2), (high - low) / 2
        spread = half / _SPREADS_OF_HALF_A_RANGE
    else:
        centre, spread = start
        if not (lowest <= centre <= parameter.high and spread > 0):
            raise ValueError(
                f"start of {parameter.name} is {centre:g} with a spread of {spread:g}; expected a centre within "
                f"{lowest:g} to {parameter.high:g} {parameter.unit} and a positive spread."
            )
    axis = replace(axis, centre=centre, spread=spread)
    return replace(axis, low=max(-reach, axis.coordinate(lowest)), high=min(reach, axis.coordinate(parameter.high)))

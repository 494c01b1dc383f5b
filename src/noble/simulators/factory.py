"""Simulators made where they are needed: in the worker processes of a generation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from noble.cells.hall import HallOfFame
    from noble.simulators.arbor import ArborSimulator


@dataclass(frozen=True)
class ArborFactory:
    """Makes Arbor on one thread: the processes are the parallelism.

    Attributes:
        simulation_dt_ms: time step, ms.
        data_folder: where Arbor looks for an SWC file, if the cell has one.
    """

    simulation_dt_ms: float = 0.02
    data_folder: Path | str | None = None

    @classmethod
    def for_hall(
        cls, hall: HallOfFame, *, simulation_dt_ms: float, data_folder: Path | str | None = None
    ) -> ArborFactory:
        """For the cell of a hall, whose SWC file is found here: only this process knows where it was read before.

        Raises:
            FileNotFoundError: if it is not found.
        """
        swc = hall.cell.morphology.find(data_folder)
        return cls(simulation_dt_ms, data_folder if swc is None else swc.parent.resolve())

    def __call__(self) -> ArborSimulator:
        """One simulator."""
        from noble.simulators.arbor import ArborSimulator
        from noble.simulators.numerics import SolverSettings

        return ArborSimulator(
            threads=1, numerics=SolverSettings(dt_ms=self.simulation_dt_ms), data_folder=self.data_folder
        )

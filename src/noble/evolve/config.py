"""What to evolve: a cell, its targets, the stages that lead there, and which models make the hall."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from noble.cells import (
    BUILTIN_CELLS,
    Cell,
    MorphologySource,
    all_active_cell_from_swc,
    builtin_cell,
    names_a_morphology,
)
from noble.cells.cell import AxonKind
from noble.cells.statistics import COUNT_TOLERANCE, COUNT_TOLERANCE_RELATIVE, count_tolerance
from noble.configs import Frozen
from noble.files import content_sha256
from noble.simulators import SolverSettings


class Stage(Frozen):
    """One optimisation.

    Attributes:
        name: of the stage, and of its folder in the run.
        free: quantities that move (`g_pas`, `gbar_Ih`, ...), on all their regions; all if None. The others stay at the start.
        amplitudes_na: steps to answer; all of the targets' if None.
        features: e-features to score; all of the targets' if None.
        weights: factors of some features' objectives, 1 for the others: what the optimiser cares about. Scores know no weights.
        aim: spike counts that the optimiser is to aim at instead of the recording's, by step in nA, so that a hall has models on
            either side of the recording. Scores know no aim, and no later stage starts from an aimed one.
        optimiser: `IBEA` (indicator-based evolution, many objectives), `CMA` (the sum of their squares) or `MO-CMA`
            (hypervolume and that sum), as BluePyOpt implements them.
        population, generations: of the optimiser; the cost is population x generations x steps simulations.
        eta: IBEA's distribution index of crossover and mutation; larger stays closer to the parents.
        confine: how far a parameter that an earlier stage fitted may leave the range of that stage's best models, in spreads.
        dt_ms, equilibration_ms: of the simulations; coarser than a data set's, since this only ranks models.
    """

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    free: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    amplitudes_na: Annotated[tuple[float, ...], Field(min_length=1)] | None = None
    features: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    weights: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    aim: dict[float, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    optimiser: Literal["IBEA", "CMA", "MO-CMA"] = "IBEA"
    population: int = Field(default=48, ge=8, multiple_of=2)
    generations: int = Field(default=6, ge=1)
    eta: float = Field(default=10.0, gt=0)
    confine: float = Field(default=0.5, ge=0)
    dt_ms: float = Field(default=0.03, gt=0)
    equilibration_ms: float = Field(default=200.0, ge=0)

    @property
    def numerics(self) -> SolverSettings:
        """How its simulations are integrated."""
        return SolverSettings(dt_ms=self.dt_ms, equilibration_ms=self.equilibration_ms)


class HallRules(Frozen):
    """Which of the evolved models make the hall.

    Attributes:
        per_seed: models of each seed.
        candidates: distinct models of each seed that may go to the final check; it ends once enough have passed.
        surplus: how many times `per_seed` are enough. With 1 a hall has the best models. With more, the candidates whose F-I
            curves differ most are checked and measured first, and of them those are taken that are farthest from the middle of
            threshold and slope, so that the hall spans a plane that an operator can learn.
        distance: least distance of two models, as the root-mean-square difference of their coordinates (in spreads), so that
            a hall is a family and not one model many times.
        accept: largest mean |z| of a model in the final check.
        count_relative, count_absolute: a model's spike count may be off by this share of the recording's or by this many
            spikes, whichever is more, at every step that fires.
        boundary: steps at which the recording is silent and a model may fire all the same.
        held_out: models kept from training.
        seed: of the draw of those.
    """

    per_seed: int = Field(default=20, ge=1)
    candidates: int = Field(default=28, ge=1)
    surplus: float = Field(default=1.0, ge=1)
    distance: float = Field(default=0.3, ge=0)
    accept: float = Field(default=3.0, gt=0)
    count_relative: float = Field(default=COUNT_TOLERANCE_RELATIVE, ge=0)
    count_absolute: int = Field(default=COUNT_TOLERANCE, ge=0)
    boundary: int = Field(default=1, ge=0)
    held_out: int = Field(default=10, ge=0)
    seed: int = Field(default=0, ge=0)

    @property
    def wanted(self) -> int:
        """Models of a seed that are to pass and be measured."""
        return round(self.surplus * self.per_seed)

    def count_tolerance(self, wanted: float) -> float:
        """How far a model's spike count may be off where the recording has so many."""
        return count_tolerance(wanted, absolute=self.count_absolute, relative=self.count_relative)


class EvolutionConfig(Frozen):
    """A family to evolve. Paths are relative to the YAML file.

    Attributes:
        name: of the hall.
        cell: a built-in cell, or an SWC, ASC or HDF5 file, by path or by its name in the data folder.
        axon: what becomes of the axon of a file: `stub`, `keep` or `none`, see `MorphologySource`.
        targets: targets file (`noble targets`) that the stages answer to.
        check: targets file of the final check, usually of the full step; `targets` if None.
        source: one sentence on the recording, for the hall's provenance.
        seeds: one evolution each; the hall joins their models.
        start: centre and spread of parameters, the spread as a factor e^spread, or in mV for potentials. Without one a
            parameter starts anywhere within its bounds.
        bounds: narrower or wider bounds of parameters than the all-active workflow's.
        reach: how many spreads from its centre a parameter may go.
        stages: one after the other.
        hall: which models make the hall.
        models_per_run: models that one worker simulates in one batched run.
    """

    name: str
    cell: str
    axon: AxonKind = "stub"
    targets: str
    check: str | None = None
    source: str = ""
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(1, 2, 3), min_length=1)
    start: dict[str, tuple[float, float]] = Field(default_factory=dict)
    bounds: dict[str, tuple[float, float]] = Field(default_factory=dict)
    reach: float = Field(default=3.0, gt=0)
    stages: tuple[Stage, ...] = Field(min_length=1)
    hall: HallRules = HallRules()
    models_per_run: int = Field(default=4, ge=1)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        for name, (low, high) in self.bounds.items():
            if not (low < high and math.isfinite(low) and math.isfinite(high)):
                raise ValueError(
                    f"bounds of {name} are {low:g} to {high:g}; the lower must be below the upper, both finite"
                )
        models = len(self.seeds) * self.hall.per_seed
        if self.hall.candidates < self.hall.wanted or self.hall.held_out >= models:
            raise ValueError(
                f"the hall wants {self.hall.wanted} models a seed from {self.hall.candidates} candidates and holds out "
                f"{self.hall.held_out} of {models}; expected at least as many candidates, and fewer held out"
            )
        names = [stage.name for stage in self.stages]
        for what, items in (("seeds", list(self.seeds)), ("stages", names)):
            if len(set(items)) != len(items):
                raise ValueError(f"{what} are {', '.join(map(str, items))}; each must occur once")
        return self

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a YAML file and resolve its paths against its folder.

        Raises:
            ValueError: if it is missing, is not YAML, or has an unknown key or a bad value; one sentence says which.
        """
        config = super().load(path)
        folder = Path(path).parent
        resolved = {"targets": str(folder / config.targets)}
        if config.check is not None:
            resolved["check"] = str(folder / config.check)
        if config.cell not in BUILTIN_CELLS and (folder / config.cell).is_file():
            resolved["cell"] = str(folder / config.cell)
        return config.model_copy(update=resolved)

    def build_cell(self, data_folder: Path | str | None = None) -> Cell:
        """The cell; its morphology is found in the data folder and known by its checksum from then on.

        Raises:
            FileNotFoundError: if the morphology is nowhere.
            ValueError: if `bounds` or `start` name a parameter that the cell does not have, the cell is neither, or a built-in
                cell is to have another axon than the stub.
        """
        if self.cell in BUILTIN_CELLS:
            if self.axon != "stub":
                raise ValueError(
                    f"axon is {self.axon!r}, but the built-in cell {self.cell} has the stub; leave axon out, or give an SWC file."
                )
            cell = builtin_cell(self.cell)
        elif Path(self.cell).is_file():
            cell = all_active_cell_from_swc(self.cell, axon=self.axon)
        elif not names_a_morphology(self.cell):
            raise ValueError(
                f"cell is {self.cell!r}; expected an SWC, ASC or HDF5 file or one of {', '.join(BUILTIN_CELLS)}."
            )
        else:
            found = MorphologySource(Path(self.cell).name).find(data_folder)
            assert found is not None, "only built-in morphologies have no file"
            cell = all_active_cell_from_swc(found, axon=self.axon)
        return _with_bounds(cell, self.bounds, self.start)

    @property
    def digest(self) -> str:
        """Names what scores mean and how the optimisers move: runs of different ones must not be mixed.

        Seeds, the number of generations of the last stage and the hall's rules may change: a run is extended by them.
        """
        content = self.model_dump(
            mode="json", exclude={"seeds", "hall", "targets", "check", "source", "models_per_run", "cell"}
        )
        del content["stages"][-1]["generations"]
        # So that runs from before there were aims, or other axons than the stub, go on.
        if self.axon == "stub":
            del content["axon"]
        for stage in content["stages"]:
            if not stage["aim"]:
                del stage["aim"]
        content["cell"] = Path(self.cell).name
        return content_sha256(content)


def _with_bounds(cell: Cell, bounds: dict[str, tuple[float, float]], start: dict[str, tuple[float, float]]) -> Cell:
    """The cell with some bounds replaced."""
    known = [parameter.name for parameter in cell.parameters]
    for key, names in (("bounds", bounds), ("start", start)):
        if unknown := sorted(set(names) - set(known)):
            raise ValueError(
                f"{key} names {', '.join(unknown)}, not free in {cell.name}; expected some of {', '.join(known)}."
            )
    parameters = tuple(
        replace(item, low=bounds[item.name][0], high=bounds[item.name][1]) if item.name in bounds else item
        for item in cell.parameters
    )
    return replace(cell, parameters=parameters)

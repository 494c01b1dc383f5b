"""A plain search for models whose e-features match targets: differential evolution, the population in one Arbor run.

SciPy's differential evolution (Storn and Price, J. Global Optim. 11, 1997) moves the logarithms of the parameters; every model
it ever simulates goes into an archive, and the hall of fame is gathered from the archive by score and distance. It serves the
small stylised halls; the two-stage multi-objective evolution of the field is a room of its own to come.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import Field

from noble.cells import (
    Cell,
    CellModel,
    HallModel,
    HallOfFame,
    MorphologySource,
    all_active_cell,
    all_active_cell_from_swc,
    builtin_cell,
)
from noble.cells.all_active import BUILTIN_CELLS
from noble.configs import Frozen
from noble.excitability import Responder, StepProtocol, resting_features, slope_above_threshold, threshold_current
from noble.features import extract
from noble.files import write_json

# A feature that is missing (no spike where spikes are wanted), or off by more, counts as this many standard deviations.
LARGEST_Z: Final = 20.0
_ADDITIVE: Final = ("e_pas",)


class Targets(Frozen):
    """E-features wanted at one step amplitude: name -> (mean, standard deviation), in eFEL's units."""

    amplitude_na: float
    features: dict[str, tuple[float, float]]


class SearchConfig(Frozen):
    """What to search, where, and how long.

    Attributes:
        name: of the hall.
        cell: a built-in cell, or an SWC file for an all-active cell on it; a path that exists records its checksum.
        source: what the targets were measured on.
        targets: one entry an amplitude.
        start: for each free parameter its centre and spread: a factor e^spread, or mV for potentials.
        population, generations: of the search.
        seed: of the search.
        accept, accept_worst: largest mean |z|, and largest |z| of any one feature, of a model in the hall.
        models, held_out: size of the hall, and how many of it to hold out.
        distance: least distance of two models of the hall, as the root-mean-square difference of their parameters in
            units of `start`'s spreads, so that a hall is a family and not one model many times.
    """

    name: str
    cell: str
    source: str
    targets: tuple[Targets, ...]
    start: dict[str, tuple[float, float]]
    population: int = Field(default=40, ge=8)
    generations: int = Field(default=20, ge=1)
    seed: int = 0
    accept: float = Field(default=1.5, gt=0)
    accept_worst: float = Field(default=3.5, gt=0)
    models: int = Field(default=24, ge=4)
    held_out: int = Field(default=4, ge=1)
    distance: float = 0.3

    @property
    def search_digest(self) -> str:
        """Names what scores mean and where points lie; archives of different searches must not be mixed."""
        content = self.model_dump_json(include={"cell", "targets", "start", "population", "seed"})
        return hashlib.sha256(content.encode()).hexdigest()

    def build_cell(self) -> Cell:
        """The cell, with the bounds of the all-active workflow."""
        if self.cell in BUILTIN_CELLS:
            return builtin_cell(self.cell)
        path = Path(self.cell)
        if path.is_file():
            return all_active_cell_from_swc(path)
        return all_active_cell(path.stem, MorphologySource(path.name))


@dataclass(frozen=True)
class _Coordinates:
    """The search's coordinates: 0 at the centre, 1 a spread away, clipped to the cell's bounds."""

    cell: Cell
    start: Mapping[str, tuple[float, float]]

    def __post_init__(self) -> None:
        names = {parameter.name for parameter in self.cell.parameters}
        if names != set(self.start):
            raise ValueError(
                f"start must name every free parameter once; missing {sorted(names - set(self.start)) or 'none'}, "
                f"unknown {sorted(set(self.start) - names) or 'none'}."
            )

    def values(self, row: np.ndarray) -> dict[str, float]:
        """Parameter values of one point."""
        values = {}
        for parameter, coordinate in zip(self.cell.parameters, row, strict=True):
            centre, spread = self.start[parameter.name]
            additive = parameter.quantity in _ADDITIVE
            value = centre + spread * coordinate if additive else centre * np.exp(spread * coordinate)
            values[parameter.name] = float(np.clip(value, parameter.low, parameter.high))
        return values

    def row(self, values: Mapping[str, float]) -> np.ndarray:
        """The point of given values."""
        row = []
        for parameter in self.cell.parameters:
            centre, spread = self.start[parameter.name]
            value = values[parameter.name]
            row.append((value - centre if parameter.quantity in _ADDITIVE else np.log(value / centre)) / spread)
        return np.array(row)


def search(
    config: SearchConfig,
    responder: Responder[CellModel],
    archive_path: Path,
    *,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[dict[str, Any]]:
    """Run or resume the search, saving the archive after every generation.

    Args:
        config: see there.
        responder: simulates the models.
        archive_path: JSON of every model simulated so far; a search starts from the best of it.
        progress: called with generation, generations and a line about the scores.

    Returns:
        The archive: `values`, `score` and `z` by feature of every model, in order of simulation.
    """
    from scipy.optimize import differential_evolution

    coordinates = _Coordinates(config.build_cell(), config.start)
    archive: list[dict[str, Any]] = json.loads(archive_path.read_text()) if archive_path.exists() else []
    done = len(archive) // config.population

    def scores(points: np.ndarray) -> np.ndarray:
        models = [coordinates.cell.model(coordinates.values(row)) for row in points.T]
        for model, z in zip(models, z_scores(models, config.targets, responder), strict=True):
            archive.append({"values": dict(model.values), "score": float(np.mean(list(z.values()))), "z": z})
        write_json(archive_path, archive)
        if progress is not None:
            ranked = sorted(item["score"] for item in archive)
            good = sum(
                max(item["z"].values()) <= config.accept_worst for item in archive if item["score"] <= config.accept
            )
            progress(
                len(archive) // config.population,
                config.generations,
                f"best mean |z| {ranked[0]:.2f}, median of the best {config.population}: "
                f"{np.median(ranked[: config.population]):.2f}, accepted {good}",
            )
        return np.array([item["score"] for item in archive[-points.shape[1] :]])

    if done < config.generations:
        generator = np.random.default_rng([config.seed, done])
        first = generator.standard_normal((config.population, len(config.start)))
        for index, item in enumerate(sorted(archive, key=lambda item: item["score"])[: config.population]):
            first[index] = coordinates.row(item["values"])
        differential_evolution(
            scores,
            bounds=[(-4.0, 4.0)] * len(config.start),
            init=np.clip(first, -4, 4),  # pyright: ignore[reportArgumentType] - an array is documented
            maxiter=max(0, config.generations - done - 1),
            strategy="currenttobest1bin",
            mutation=(0.4, 0.9),
            recombination=0.7,
            vectorized=True,
            updating="deferred",
            polish=False,
            tol=0,
            rng=generator,
        )
    return archive


def z_scores(
    models: Sequence[CellModel], targets: Sequence[Targets], responder: Responder[CellModel]
) -> list[dict[str, float]]:
    """|z| of every target of every model, `feature@amplitude` -> number of standard deviations, at most `LARGEST_Z`."""
    protocol = StepProtocol()
    rows: list[dict[str, float]] = [{} for _ in models]
    for target in targets:
        stimulus = protocol.stimulus(target.amplitude_na)
        batch = responder.respond(models, [stimulus] * len(models), protocol.grid)
        found = extract(batch, onset_ms=protocol.onset_ms, offset_ms=protocol.offset_ms, names=list(target.features))
        for feature, (mean, deviation) in target.features.items():
            z = np.minimum(np.nan_to_num(np.abs(found[feature] - mean) / deviation, nan=LARGEST_Z), LARGEST_Z)
            for row, value in zip(rows, z, strict=True):
                row[f"{feature}@{target.amplitude_na:g}"] = round(float(value), 4)
    return rows


def gather_hall(
    config: SearchConfig,
    archive: Sequence[Mapping[str, Any]],
    responder: Responder[CellModel],
    *,
    provenance: Mapping[str, Any],
) -> HallOfFame:
    """The best distinct models of the archive, measured, some of them held out.

    Held-out models are drawn by the seed among those strictly inside the convex hull of all models in the plane of `i_thr`
    and `s_thr`, so that predicting them is interpolation.

    Raises:
        ValueError: if fewer models than asked for reach `accept` at the wanted distance.
    """
    cell = config.build_cell()
    coordinates = _Coordinates(cell, config.start)
    chosen: list[Mapping[str, Any]] = []
    for item in sorted(archive, key=lambda item: item["score"]):
        row = coordinates.row(item["values"])
        fits = item["score"] <= config.accept and max(item["z"].values()) <= config.accept_worst
        far = all(
            np.sqrt(np.mean((row - coordinates.row(other["values"])) ** 2)) >= config.distance for other in chosen
        )
        if fits and far and len(chosen) < config.models:
            chosen.append(item)
    if len(chosen) < config.models:
        raise ValueError(
            f"{len(chosen)} distinct models reach a mean |z| of {config.accept:g} and a largest of "
            f"{config.accept_worst:g}; {config.models} are wanted. "
            "Search for more generations, or accept a larger score or a smaller distance."
        )
    models = [cell.model(item["values"], name=f"{config.name}/{rank}") for rank, item in enumerate(chosen)]
    features = measure_features(models, responder)
    if any(not np.isfinite(value) for row in features for value in row.values()):
        raise ValueError(
            "a model of the hall has no threshold between 0 and 0.5 nA; tighten the targets on spike counts."
        )
    held_out = _inside_hull(features, config)
    return HallOfFame(
        name=config.name,
        cell=cell,
        models=tuple(
            HallModel(item["values"], row, round(item["score"], 4), config.seed, rank in held_out)
            for rank, (item, row) in enumerate(zip(chosen, features, strict=True))
        ),
        provenance={**provenance, "targets": config.source, "models_simulated": len(archive)},
    )


def measure_features(models: Sequence[CellModel], responder: Responder[CellModel]) -> list[dict[str, float]]:
    """Threshold, slope above it, rest and input resistance of each model, in the units of `HALL_FEATURE_UNITS`."""
    i_thr = threshold_current(responder, models, low_na=0.0, high_na=0.5)
    s_thr = slope_above_threshold(responder, models, i_thr)
    rest = resting_features(responder, models)
    columns = {
        "i_thr": i_thr,
        "s_thr": s_thr,
        "voltage_base": rest.voltage_base_mv,
        "input_resistance": rest.input_resistance_mohm,
    }
    # Seven digits: beyond them the order of a sum decides, and a hall's digest would depend on the machine.
    return [{name: float(f"{column[index]:.7g}") for name, column in columns.items()} for index in range(len(models))]


def _inside_hull(features: Sequence[Mapping[str, float]], config: SearchConfig) -> set[int]:
    """Models to hold out: a seeded draw among those that are no corner of the hull in (i_thr, s_thr)."""
    from scipy.spatial import ConvexHull

    plane = np.array([[row["i_thr"], row["s_thr"]] for row in features])
    corners = set(ConvexHull(plane / plane.std(axis=0)).vertices.tolist())
    inner = [index for index in range(len(features)) if index not in corners]
    if len(inner) < config.held_out:
        raise ValueError(f"only {len(inner)} models lie inside the hull; {config.held_out} are to be held out.")
    drawn = np.random.default_rng(config.seed).choice(inner, size=config.held_out, replace=False)
    return {int(index) for index in drawn}

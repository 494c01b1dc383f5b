"""An evolution: for each seed one stage after the other, every generation a file, resumed by replaying them.

```
RUN/run.json                           what is evolved: configuration, targets' hashes, versions
RUN/seed-1/passive/generation-000.json points, values and scores, in the order in which the optimiser asked for them
RUN/seed-1/active/generation-000.json
RUN/seed-1/check.json, measured.json   the final check of this seed's best, and their features, see `check.py`
```
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from noble.cells import Cell
from noble.evolve.assay import LARGEST_Z, Assay, Score
from noble.evolve.config import EvolutionConfig, Stage
from noble.evolve.evaluator import evaluate
from noble.evolve.optimise import optimise
from noble.evolve.space import Space
from noble.files import content_sha256, locked, number, numbers_by_name, read_json, shortened, write_json
from noble.jobs import Pool
from noble.protocols import StepProtocol
from noble.simulators.numerics import decimation_factor
from noble.targets.targets import Targets

# The best this many models of a stage say where the next one looks for the parameters that it fitted.
BEST_OF_A_STAGE: Final = 12
_PACKAGES: Final = ("noble-neuro", "arbor", "bluepyopt", "deap", "efel", "numpy")


@dataclass(frozen=True)
class Candidate:
    """A model that was tried.

    Attributes:
        point: its coordinates in the evolution's `Space`, shape (parameters,).
        values: its parameter values.
        score: how it did.
    """

    point: tuple[float, ...]
    values: Mapping[str, float]
    score: Score

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"point": list(self.point), "values": dict(self.values), **self.score.to_dict()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Candidate:
        """Read back what `to_dict` wrote.

        Raises:
            ValueError: if a part is missing, or is not what it should be.
        """
        if not isinstance(content, Mapping) or not isinstance(content.get("point"), list):
            raise ValueError(f"a model is {shortened(content)}; expected its point, values and score.")
        point = tuple(number(item, what="a coordinate of a model") for item in content["point"])
        return cls(point, numbers_by_name(content.get("values"), what="values of a model"), Score.from_dict(content))


@dataclass(frozen=True)
class Generation:
    """What `progress` is told after every generation.

    Attributes:
        seed, stage: which optimisation.
        number, generations: of it, from 1.
        scores: mean |z| of all candidates of the stage so far, best first.
        simulated: simulations of this generation; 0 where it was read from the run's folder.
    """

    seed: int
    stage: str
    number: int
    generations: int
    scores: tuple[float, ...]
    simulated: int


@dataclass(frozen=True)
class _Fitted:
    """What earlier stages found.

    Attributes:
        points: of their best models, best first, shape (models, axes).
        axes: those that they moved.
    """

    points: np.ndarray
    axes: np.ndarray


class Evolution:
    """A run folder and what happens in it.

    Args:
        config: what to evolve.
        folder: of the run, made if it does not exist.
        data_folder: where the SWC file is.

    Raises:
        ValueError: if the folder holds a run of another configuration or of other targets; if a stage names what cell or
            targets do not have.
    """

    def __init__(self, config: EvolutionConfig, folder: Path | str, *, data_folder: Path | str | None = None) -> None:
        self.config, self.folder = config, Path(folder)
        self.targets = Targets.load(config.targets)
        self.check_targets = Targets.load(config.check) if config.check else self.targets
        # Each step is answered under its own holding current; what is made of the models, under that of the median step.
        self.cell: Cell = replace(config.build_cell(data_folder), holding_na=self.targets.holding_na)
        found = self.cell.morphology.find(data_folder)
        # Workers look for the file themselves, and know no folder but this one.
        self.data_folder = None if found is None else found.resolve().parent
        self.space = Space.of(config, self.cell)
        self._assays = {stage.name: self.assay(stage) for stage in config.stages}
        for stage in config.stages:
            self.space.moving(stage.free)
            _only(self.targets, None, tuple(stage.weights) or None)  # refuses unknown names
            _check_aim(stage, self._assays[stage.name].targets)
        self._claim_folder()

    def run(
        self,
        pool: Pool,
        *,
        progress: Callable[[Generation], None] | None = None,
        within: Callable[[int, int], None] | None = None,
    ) -> None:
        """Evolve every seed to its last generation; what the folder already holds is not computed again.

        Args:
            pool: where candidates are simulated.
            progress: called after every generation.
            within: called with runs done and runs in all during a generation.

        Raises:
            ValueError: if another process is evolving in this folder.
        """
        with locked(self.folder, who=f"the evolution of {self.config.name}"):
            self._run_seeds(pool, progress, within)

    def _run_seeds(
        self,
        pool: Pool,
        progress: Callable[[Generation], None] | None,
        within: Callable[[int, int], None] | None,
    ) -> None:
        for seed in self.config.seeds:
            space, fitted = self.space, _Fitted(np.zeros((1, len(self.space.axes))), np.empty(0, dtype=int))
            for stage in self.config.stages:
                space = space.confined(fitted.points, fitted.axes, stage.confine)
                self._run_stage(seed, stage, space, fitted, pool, progress, within)
                if stage.aim:
                    continue
                best = sorted(self.candidates(seed, stage.name), key=lambda item: item.score.mean)[:BEST_OF_A_STAGE]
                moved = np.union1d(fitted.axes, space.moving(stage.free))
                fitted = _Fitted(np.array([item.point for item in best]), moved)

    def candidates(self, seed: int, stage: str | None = None) -> list[Candidate]:
        """Every model that a stage of a seed has tried, or, if None, all stages that score as the last one does."""
        scored = self._assays[self.config.stages[-1].name].score_names()
        stages = [item.name for item in self.config.stages if self._assays[item.name].score_names() == scored]
        return [
            item for name in ([stage] if stage else stages) for made in self.generations(seed, name) for item in made
        ]

    def generations(self, seed: int, stage: str) -> Iterator[list[Candidate]]:
        """The same, generation by generation, up to the configuration's last.

        Raises:
            ValueError: if a generation is missing: the run is not finished, or files of it were removed.
        """
        [wanted] = [item.generations for item in self.config.stages if item.name == stage]
        # By name, as `run` looks for them; a listing that skips one would be another run.
        for generation in range(wanted):
            file = self._generation_file(seed, stage, generation)
            if not file.exists():
                raise ValueError(
                    f"{file} is missing; expected {wanted} generations of stage {stage}. Run the evolution again, and what is "
                    "missing is computed."
                )
            yield _read_generation(file)

    def provenance(self) -> dict[str, Any]:
        """What a hall says of where it comes from."""
        return {
            "optimisers": {stage.name: f"{stage.optimiser} (BluePyOpt)" for stage in self.config.stages},
            "seeds": list(self.config.seeds),
            "targets": {"source": self.config.source or self.targets.source, "digest": self.targets.digest},
            "check": {"digest": self.check_targets.digest},
            "configuration_digest": self.config.digest,
            "versions": versions(),
        }

    def assay(self, stage: Stage) -> Assay:
        """The stage's share of the targets."""
        targets = _only(self.targets, stage.amplitudes_na, stage.features)
        decimation_factor(StepProtocol().grid, stage.numerics)
        return Assay(self.cell, targets, stage.numerics, self.data_folder)

    def _run_stage(
        self,
        seed: int,
        stage: Stage,
        space: Space,
        fitted: _Fitted,
        pool: Pool,
        progress: Callable[[Generation], None] | None,
        within: Callable[[int, int], None] | None,
    ) -> None:
        """One optimiser, answered from the folder as far as that goes."""
        assay, moving = self._assays[stage.name], space.moving(stage.free)
        means: list[float] = []

        def answer(generation: int, points: np.ndarray) -> np.ndarray:
            full = np.tile(np.clip(fitted.points[0], space.low, space.high), (len(points), 1))
            full[:, moving] = points
            file = self._generation_file(seed, stage.name, generation)
            known = file.exists()
            if known:
                found = _read_generation(file)
                _check_replay(file, found, full)
            else:
                values = [space.values(row) for row in full]
                scores = evaluate(assay, values, pool, per_run=self.config.models_per_run, progress=within)
                found = [
                    Candidate(tuple(row.tolist()), item, score)
                    for row, item, score in zip(full, values, scores, strict=True)
                ]
                write_json(file, [item.to_dict() for item in found])
            means.extend(item.score.mean for item in found)
            if progress is not None:
                simulated = 0 if known else len(found) * len(assay.targets.steps)
                progress(
                    Generation(seed, stage.name, generation + 1, stage.generations, tuple(sorted(means)), simulated)
                )
            return _objectives([item.score for item in found], stage, assay.targets)

        number = [item.name for item in self.config.stages].index(stage.name)
        first = _first_generation(space, fitted, stage.population, np.random.default_rng([seed, number]))
        nothing = assay.failed("")
        objectives = _objectives([nothing], stage, assay.targets).shape[1]
        low, high = space.low[moving], space.high[moving]
        optimise(stage, first[:, moving], low, high, answer, objectives=objectives, seed=seed)

    def seed_folder(self, seed: int) -> Path:
        """Where everything about a seed is kept."""
        return self.folder / f"seed-{seed}"

    def _generation_file(self, seed: int, stage: str, generation: int) -> Path:
        return self.seed_folder(seed) / stage / f"generation-{generation:03d}.json"

    def _claim_folder(self) -> None:
        """Write what the run is, or refuse a folder that holds another."""
        file = self.folder / "run.json"
        mine = {
            "configuration_digest": self.config.digest,
            "targets_digest": _digest(self.targets),
            "cell_digest": content_sha256(self.cell.to_dict()),
        }
        if any(self.folder.glob("seed-*/*/generation-*.json")):
            try:
                theirs = read_json(file, expected="the record of an evolution")
                theirs = {key: theirs[key] for key in mine}
            except (OSError, ValueError, TypeError, KeyError) as error:
                raise ValueError(
                    f"{file}, which says what was evolved, is missing, damaged or of another version ({error}); "
                    "restore it, or choose another folder with -o."
                ) from error
            for key, what in zip(mine, ("configuration", "targets file", "cell or morphology"), strict=True):
                if theirs[key] != mine[key]:
                    raise ValueError(
                        f"{self.folder} holds an evolution with another {what}; choose another folder with -o, or restore the "
                        f"{what}. Only seeds, generations of the last stage and the hall's rules may change."
                    )
        write_json(
            file, {**mine, "configuration": self.config.model_dump(mode="json"), "provenance": self.provenance()}
        )


def versions() -> dict[str, str]:
    """Of the packages that decide what a model's score and features are."""
    return {name: version(name) for name in _PACKAGES}


def _digest(targets: Targets) -> str:
    """Names what is scored; how the file was made does not matter."""
    content = [(step.amplitude_na, sorted(step.features.items())) for step in targets.steps]
    return hashlib.sha256(repr((targets.step_ms, content)).encode()).hexdigest()


def _objectives(scores: Sequence[Score], stage: Stage, targets: Targets) -> np.ndarray:
    """One objective a feature, its weighted root-mean-square z over the steps, shape (scores, features)."""
    rows = [_aimed(score, stage.aim, targets) for score in scores]
    names = list(dict.fromkeys(key.partition("@")[0] for key in rows[0]))
    return np.array(
        [
            [
                stage.weights.get(name, 1.0) * _rms([z for key, z in row.items() if key.partition("@")[0] == name])
                for name in names
            ]
            for row in rows
        ]
    )


def _aimed(score: Score, aim: Mapping[float, float], targets: Targets) -> dict[str, float]:
    """|z| with the spike counts that are aimed at instead of the recording's, and without the frequency, which follows."""
    row = dict(score.z)
    for amplitude_na, wanted in aim.items():
        amplitude = f"{amplitude_na:g}"
        row.pop(f"mean_frequency@{amplitude}", None)
        if amplitude in score.spike_counts:
            off = abs(score.spike_counts[amplitude] - wanted) / targets.step(amplitude_na).features["Spikecount"].std
            row[f"Spikecount@{amplitude}"] = min(off, LARGEST_Z)
    return row


def _rms(values: Sequence[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _first_generation(space: Space, fitted: _Fitted, size: int, generator: np.random.Generator) -> np.ndarray:
    """Draws around the start, within bounds; what earlier stages fitted is taken from their best models, one each."""
    points = generator.standard_normal((size, len(space.axes)))
    chosen = fitted.points[generator.integers(len(fitted.points), size=size)]
    points[:, fitted.axes] = chosen[:, fitted.axes]
    return np.clip(points, space.low, space.high)


def _check_aim(stage: Stage, targets: Targets) -> None:
    """Refuse an aim at a step that has no spike count to aim at."""
    known = [step.amplitude_na for step in targets.steps if "Spikecount" in step.features]
    if unknown := sorted(set(stage.aim) - set(known)):
        raise ValueError(
            f"stage {stage.name} aims at spike counts at {', '.join(f'{item:g}' for item in unknown)} nA; the steps that "
            f"it scores by Spikecount are {', '.join(f'{item:g}' for item in known) or 'none'}."
        )


def _only(targets: Targets, amplitudes_na: Sequence[float] | None, features: Sequence[str] | None) -> Targets:
    """The targets at some steps and of some features; steps without any of these features are left out.

    Raises:
        ValueError: for a step or a feature that the targets do not have.
    """
    steps = targets.steps if amplitudes_na is None else tuple(targets.step(amplitude) for amplitude in amplitudes_na)
    if features is None:
        return replace(targets, steps=steps)
    known = {name for step in steps for name in step.features}
    if unknown := sorted(set(features) - known):
        raise ValueError(
            f"no step of {targets.name} has {', '.join(unknown)}; expected some of {', '.join(sorted(known))}."
        )
    chosen = [
        replace(step, features={name: item for name, item in step.features.items() if name in features})
        for step in steps
    ]
    return replace(targets, steps=tuple(step for step in chosen if step.features))


def _read_generation(file: Path) -> list[Candidate]:
    try:
        content = read_json(file, expected="a generation of an evolution")
        if not isinstance(content, list) or not content:
            raise ValueError(f"it holds {shortened(content)} instead of models")
        return [Candidate.from_dict(item) for item in content]
    except ValueError as error:
        raise ValueError(f"{file} is damaged ({error}); delete it and the generations after it, and resume.") from error


def _check_replay(file: Path, found: Sequence[Candidate], points: np.ndarray) -> None:
    """Refuse a record that this optimiser would not have asked for."""
    recorded = np.array([item.point for item in found])
    if recorded.shape != points.shape or not np.array_equal(recorded, points):
        raise ValueError(
            f"{file} does not hold what the optimiser asks for now; it is of another seed or version of BluePyOpt, DEAP or "
            "NumPy (run.json names them). Go on with those, or choose another folder with -o."
        )


def with_seeds(config: EvolutionConfig, seeds: Sequence[int], generations: int | None = None) -> EvolutionConfig:
    """The configuration with other seeds, and optionally more generations of its last stage."""
    stages = config.stages
    if generations is not None:
        stages = (*stages[:-1], stages[-1].model_copy(update={"generations": generations}))
    return EvolutionConfig.model_validate(
        {**config.model_dump(), "seeds": tuple(seeds), "stages": [stage.model_dump() for stage in stages]}
    )

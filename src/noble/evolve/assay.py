"""What every candidate goes through: all its steps in one batched run, its e-features against the targets'.

A candidate that diverges, stays silent where spikes are wanted, or stays blocked is a bad score, not an exception: optimisers
need an answer for every point they try.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from noble.cells import Cell, CellModel
from noble.features.windows import measure_step
from noble.files import numbers_by_name
from noble.protocols import StepProtocol
from noble.simulators import ArborSimulator, SolverSettings
from noble.spikes import spike_times_ms, within
from noble.targets.targets import Targets
from noble.traces import TraceBatch

# A feature that is missing (no spike where spikes are wanted), or off by more, counts as this many standard deviations.
LARGEST_Z: Final = 20.0
DIVERGED: Final = "diverged"


@dataclass(frozen=True)
class Score:
    """How one candidate did.

    Attributes:
        z: |z| by `feature@amplitude`, at most `LARGEST_Z`.
        spike_counts: spikes within each step, by amplitude in nA as text.
        blocked: amplitudes at which the membrane stayed depolarised.
        failure: why there is no answer, if so.
    """

    z: Mapping[str, float]
    spike_counts: Mapping[str, int] = field(default_factory=dict)
    blocked: tuple[str, ...] = ()
    failure: str | None = None

    @property
    def mean(self) -> float:
        """Mean |z| over all targets."""
        return float(np.mean(list(self.z.values())))

    @property
    def worst(self) -> float:
        """Largest |z|."""
        return max(self.z.values())

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        content: dict[str, Any] = {"z": dict(self.z), "spike_counts": dict(self.spike_counts)}
        if self.blocked:
            content["blocked"] = list(self.blocked)
        return content if self.failure is None else {**content, "failure": self.failure}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Score:
        """Read back what `to_dict` wrote.

        Raises:
            ValueError: if a part is missing, or is not what it should be.
        """
        z = numbers_by_name(content.get("z"), what="z of a score")
        counts = numbers_by_name(content.get("spike_counts"), what="spike_counts of a score")
        blocked, failure = content.get("blocked", []), content.get("failure")
        if not z or not isinstance(blocked, list) or not isinstance(failure, str | None):
            raise ValueError(
                "a score has no z, or a `blocked` or `failure` that is not one; expected what noble wrote."
            )
        return cls(z, {amplitude: int(count) for amplitude, count in counts.items()}, tuple(map(str, blocked)), failure)


@dataclass(frozen=True)
class Assay:
    """The protocols and targets of a stage; picklable, so that workers get it whole.

    Attributes:
        cell: whose models are tried.
        targets: only those that are scored.
        numerics: of the simulations.
        data_folder: where the cell's SWC file is.
    """

    cell: Cell
    targets: Targets
    numerics: SolverSettings
    data_folder: Path | str | None = None

    @property
    def protocol(self) -> StepProtocol:
        """The targets' step in a window with 15 ms before and 100 ms after it."""
        return StepProtocol(
            step_ms=self.targets.step_ms, window_ms=StepProtocol.onset_ms + self.targets.step_ms + 100.0
        )

    def score_names(self) -> list[str]:
        """Names of the scores, `feature@amplitude`."""
        return [f"{name}@{step.amplitude_na:g}" for step in self.targets.steps for name in step.features]

    def score(self, values: Sequence[Mapping[str, float]], *, threads: int = 1) -> list[Score]:
        """Simulate candidates, each with every step under that step's holding current, in one run; one score a candidate.

        Args:
            values: parameter values of each candidate.
            threads: of the simulator.
        """
        return self.score_traces(self._simulate([self.cell.model(row) for row in values], threads))

    def score_traces(self, batch: TraceBatch) -> list[Score]:
        """Score answers to the steps, whoever gave them: one score a neuron.

        Args:
            batch: on the grid of `protocol`, step by step in the targets' order, at each all neurons in theirs; mV.

        Raises:
            ValueError: if the traces do not share out evenly to the steps.
        """
        steps = self.targets.steps
        if len(batch) % len(steps):
            raise ValueError(f"{len(batch)} traces were given for {len(steps)} steps; expected as many at each step.")
        neurons = len(batch) // len(steps)
        scores: list[dict[str, Any]] = [{"z": {}, "spike_counts": {}, "blocked": []} for _ in range(neurons)]
        for index, step in enumerate(steps):
            rows = slice(index * neurons, (index + 1) * neurons)
            self._add_step(scores, batch.take(rows), step.amplitude_na, step.features)
        sound = [bool(np.all(np.isfinite(row))) for row in self._by_model(batch, neurons)]
        return [
            Score(item["z"], item["spike_counts"], tuple(item["blocked"])) if finite else self.failed(DIVERGED)
            for item, finite in zip(scores, sound, strict=True)
        ]

    def failed(self, reason: str) -> Score:
        """The score of a candidate that gave no answer."""
        return Score(dict.fromkeys(self.score_names(), LARGEST_Z), failure=reason)

    def _simulate(self, models: Sequence[CellModel], threads: int) -> TraceBatch:
        protocol = self.protocol
        steps = self.targets.steps
        stimuli = [protocol.stimulus(step.amplitude_na) for step in steps for _ in models]
        held = [model.held_by(step.held_na) for step in steps for model in models]
        responder = ArborSimulator(threads=threads, numerics=self.numerics, data_folder=self.data_folder)
        return responder.respond(held, stimuli, protocol.grid)

    def _by_model(self, batch: TraceBatch, models: int) -> np.ndarray:
        """Voltages of each model, shape (models, steps, time), mV."""
        return batch.voltage_mv.reshape(len(self.targets.steps), models, -1).swapaxes(0, 1)

    def _add_step(
        self, scores: list[dict[str, Any]], answers: TraceBatch, amplitude_na: float, targets: Mapping[str, Any]
    ) -> None:
        protocol, amplitude = self.protocol, f"{amplitude_na:g}"
        found = measure_with_blocks(answers, protocol, [*targets, *({"depol_block"} - set(targets))])
        for feature, target in targets.items():
            off = np.abs(found[feature] - target.mean) / target.std
            for item, z in zip(scores, np.minimum(np.nan_to_num(off, nan=LARGEST_Z), LARGEST_Z), strict=True):
                item["z"][f"{feature}@{amplitude}"] = round(float(z), 4)
        counts = spikes_in_step(answers, protocol)
        for item, count, blocked in zip(scores, counts, found["depol_block"], strict=True):
            item["spike_counts"][amplitude] = count
            if blocked == 1:
                item["blocked"].append(amplitude)


def measure_with_blocks(answers: TraceBatch, protocol: StepProtocol, names: Sequence[str]) -> dict[str, np.ndarray]:
    """E-features of answers to a step, each of shape (batch,); `depol_block`, one of them, also sees blocks without a spike."""
    found = measure_step(
        answers,
        onset_ms=protocol.onset_ms,
        offset_ms=protocol.offset_ms,
        step_ms=protocol.step_ms,
        names=names,
    )
    # eFEL sees a block only after a spike; a plateau without one is a block as well.
    found["depol_block"] = np.where(_plateaus(answers.voltage_mv, protocol), 1.0, found["depol_block"])
    return found


def spikes_in_step(answers: TraceBatch, protocol: StepProtocol) -> list[int]:
    """How many spikes each trace has within the step."""
    trains = (spike_times_ms(np.nan_to_num(voltage), dt_ms=answers.grid.dt_ms) for voltage in answers.voltage_mv)
    return [within(times, protocol.onset_ms, protocol.offset_ms).size for times in trains]


def _plateaus(voltage_mv: np.ndarray, protocol: StepProtocol) -> np.ndarray:
    """Whether each trace stays above -40 mV throughout the last fifth of the step, shape (models,).

    No spiking cell does: its after-hyperpolarisations go below.
    """
    times = protocol.grid.times_ms
    last = (times >= protocol.offset_ms - 0.2 * protocol.step_ms) & (times < protocol.offset_ms)
    return np.min(voltage_mv[:, last], axis=1) > -40.0

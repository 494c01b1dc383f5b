"""From a recording to its twin."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from noble.files import locked, read_json, write_json
from noble.machine import one_thread, tune_process
from noble.operator import Operator
from noble.operator.scope import Scope
from noble.operator.spec import FeatureSpec
from noble.progress import NotedProgress
from noble.recordings import Recording
from noble.recordings.electrode import series_resistance_mohm
from noble.results import UNWRITTEN, Result
from noble.train.checkpoint import newest_whole, write_checkpoint
from noble.twin.config import TwinConfig
from noble.twin.donor import donor_sizes, take_over
from noble.twin.learning import Learning
from noble.twin.material import Material, Stretch, material_of
from noble.twin.windows import Windows

# Which kinds of stimulus a twin has seen that learned from sweeps of a kind; any sweep is a sampled current.
_KINDS: Final = {"steps": "Step", "ramps": "Ramp", "pulses": "Pulses", "noise": "OrnsteinUhlenbeck"}
_NO_FEATURES: Final = FeatureSpec(names=(), units=(), minimum=(), maximum=())
# The window that answers have unless another is asked for, ms.
_WINDOW_MS: Final = 1_000.0
# The networks see a little more than the currents of the recording; beyond that a passive membrane takes over.
_MARGIN: Final = 0.25
_LEAST_MARGIN_NA: Final = 0.01
_RUN: Final = "twin.json"


@dataclass(frozen=True, repr=False)
class SeedResult(Result):
    """One training.

    Attributes:
        seed: of its first weights and draws.
        step: at which it did best.
        firing, timing, waveform, loss: there, on what was held back; see `SpikeFeedbackCore.objective`.
    """

    seed: int
    step: int
    firing: float
    timing: float
    waveform: float
    loss: float


@dataclass(frozen=True, repr=False)
class Twin(Result):
    """A twin and how it came about.

    Attributes:
        source: name of the recording.
        sweeps, seconds, spikes: what there was to learn from, before a part was held back.
        held_back_seconds: how much of it was held back.
        holding_na: current that all currents come on top of, nA.
        electrode_mohm: series resistance that the recorded voltage contains; None if the current is too slow to tell.
        seeds: of each training; the first of those with the least loss is kept.
        seed: which.
        refit: whether it was then trained once more on everything, up to its best step.
        training_minutes: of all seeds.
        operator: the twin.
    """

    source: str
    sweeps: int
    seconds: float
    spikes: int
    held_back_seconds: float
    holding_na: float
    electrode_mohm: float | None
    seeds: tuple[SeedResult, ...]
    seed: int
    refit: bool
    training_minutes: float
    operator: Operator = field(metadata=UNWRITTEN)


def fit_twin(
    recording: Recording,
    folder: Path | str,
    *,
    config: TwinConfig | None = None,
    sweeps: tuple[int, ...] | None = None,
    stop_ms: float | None = None,
    donor: Operator | None = None,
    progress: NotedProgress | None = None,
) -> Twin:
    """An operator that answers as a recorded neuron does.

    Interrupted, even killed, the training goes on where it stopped when it is called again with the same arguments.

    Args:
        recording: as `read_recording` returns it; whatever its stimuli.
        folder: of the training's checkpoints, used by no other; it is removed when the twin is complete.
        config: of the training.
        sweeps: positions of the sweeps to learn from, from 0 on; None is all.
        stop_ms: learn from the beginning of each sweep only, up to here, ms.
        donor: a spike-feedback operator from whose weights the training begins, instead of random ones.
        progress: called with steps done, steps in all, and the latest losses.

    Raises:
        ValueError: if the recording is too short or hardly fires, there is no such sweep, the folder is of another training, or
            the training diverges.
    """
    config = config or TwinConfig()
    if donor is not None:
        config = config.model_copy(update={"operator": donor_sizes(donor)})
    folder = Path(folder)
    material = material_of(recording, sweeps=sweeps, stop_ms=stop_ms)
    tune_process()
    described = {
        "config": config.model_dump(mode="json"),
        "recording": recording.sha256,
        "sweeps": sweeps and list(sweeps),
        "stop_ms": stop_ms,
        "junction_potential_mv": recording.junction_potential_mv,
        "donor": None if donor is None else donor.name,
    }
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, who="noble twin"):
        _check_folder(folder, described)
        trained = _Training(material, config, folder, recording, donor)
        with one_thread():  # a twin is small, and a second thread gains nothing even on an idle machine
            trained.run(progress)
    twin = trained.twin()
    shutil.rmtree(folder)
    return twin


def _check_folder(folder: Path, described: Mapping[str, Any]) -> None:
    """Refuse a folder of another training; what is trained in it is written down.

    Raises:
        ValueError: if it is.
    """
    record = folder / _RUN
    if record.exists() and read_json(record, expected="the record of a twin's training") != json.loads(
        json.dumps(described)
    ):
        raise ValueError(
            f"{folder} holds the unfinished training of a twin with other settings, or from another recording; repeat its "
            "own command, or remove the folder."
        )
    write_json(record, described)


class _Training:
    """All seeds of a twin, one after the other."""

    def __init__(
        self, material: Material, config: TwinConfig, folder: Path, recording: Recording, donor: Operator | None
    ) -> None:
        self._material, self._config, self._folder = material, config, folder
        self._recording, self._donor = recording, donor
        self._parts = material.split(config.held_back, config.stretches)
        self._learned, self._held_back = (self._windows(part) for part in self._parts)
        self._done: list[SeedResult] = []
        self._kept: dict[str, Tensor] = {}
        self._seconds, self._refitted = 0.0, False

    def run(self, progress: NotedProgress | None) -> None:
        config = self._config
        state = newest_whole(self._folder)
        if state is not None:
            self._done = [SeedResult(**item) for item in state["done"]]
            self._kept, self._seconds = state["kept"], float(state["seconds"])
            self._refitted = bool(state["refitted"])
        for number in range(len(self._done), config.seeds):
            seed = config.seed + number
            learning = Learning(
                self._operator(seed).core, config, seed=seed, learned=self._learned, held_back=self._held_back
            )
            self._train(learning, config.steps, state, number, progress)
            best = learning.best
            assert best is not None  # the last step is always judged
            losses = {name: float(best.losses[name]) for name in ("firing", "timing", "waveform", "loss")}
            if not self._done or losses["loss"] < self._best().loss:
                self._kept = best.weights
            self._done.append(SeedResult(seed, best.step, **losses))
            self._write(None)
        if config.refit and not self._refitted:
            best = self._best()
            everything = self._windows((*self._parts[0], *self._parts[1]))
            learning = Learning(
                self._operator(best.seed).core, config, seed=best.seed, learned=everything, held_back=None
            )
            self._train(learning, best.step, state, config.seeds, progress)
            self._kept, self._refitted = learning.averaged(), True
            self._write(None)

    def _train(
        self,
        learning: Learning,
        until: int,
        state: Mapping[str, Any] | None,
        number: int,
        progress: NotedProgress | None,
    ) -> None:
        """Train up to a step, from where a checkpoint has it, if it is of the training of this number."""
        config = self._config
        if state is not None and state["learning"] is not None and number == len(state["done"]):
            learning.restore(state["learning"])
        while learning.step < until:
            started = time.monotonic()
            learning.run(until=min(until, learning.step + config.validate_every))
            self._seconds += time.monotonic() - started
            self._write(learning)
            if progress is not None:
                curve = learning.curve
                note = f"seed {number + 1}, held-back loss {curve[-1]['held_back']:.3g}" if curve else "on everything"
                progress(number * config.steps + learning.step, (config.seeds + config.refit) * config.steps, note)

    def _best(self) -> SeedResult:
        return min(self._done, key=lambda item: item.loss)

    def twin(self) -> Twin:
        """The best of the seeds."""
        best = self._best()
        operator = self._operator(best.seed)
        operator.core.load_state_dict(self._kept)
        operator.eval()
        material, recording = self._material, self._recording
        facts = Twin(
            source=recording.source,
            sweeps=len(material.sweeps),
            seconds=round(material.duration_ms / 1e3, 3),
            spikes=material.spikes,
            held_back_seconds=round(sum(item.duration_ms for item in self._parts[1]) / 1e3, 3),
            holding_na=material.holding_na,
            electrode_mohm=series_resistance_mohm([sweep.raw for sweep in material.sweeps]),
            seeds=tuple(self._done),
            seed=best.seed,
            refit=self._config.refit,
            training_minutes=round(self._seconds / 60, 2),
            operator=operator,
        )
        told = {key: value for key, value in facts.to_dict().items() if key != "seeds"}
        operator.provenance["recording"] = {
            **told,
            "sha256": recording.sha256,
            "names": [sweep.name for sweep in material.sweeps],
            "kinds": sorted({sweep.kind for sweep in material.sweeps}),
            "rest_mv": round(material.rest_mv, 2),
            "dt_ms": material.dt_ms,
            "junction_potential_mv": recording.junction_potential_mv,
        }
        operator.provenance["training"] = self._config.model_dump(mode="json")
        operator.provenance["training_run"] = {
            "wall_seconds": round(self._seconds, 1),
            "threads": 1,
            "seeds": [item.to_dict() for item in self._done],
        }
        return facts

    def _windows(self, stretches: tuple[Stretch, ...]) -> Windows:
        config = self._config
        return Windows(
            self._material,
            stretches,
            window_ms=config.window_ms,
            settle_ms=config.settle_ms,
            batch_ms=config.batch_ms,
        )

    def _operator(self, seed: int) -> Operator:
        """An operator with the first weights of a seed."""
        material = self._material
        low, high = material.range_na
        margin = max(_LEAST_MARGIN_NA, _MARGIN * (high - low))
        settings = self._config.operator.model_copy(
            update={
                "rest_mv": round(material.rest_mv, 2),
                "lowest_na": round(min(low, 0.0) - margin, 4),
                "highest_na": round(max(high, 0.0) + margin, 4),
            }
        )
        kinds = {_KINDS[sweep.kind] for sweep in material.sweeps if sweep.kind in _KINDS}
        longest = material.grid(float("inf"))
        scope = Scope(
            kinds=tuple(sorted({"Sampled", *kinds})),
            lowest_na=low,
            highest_na=high,
            duration_ms=longest.duration_ms,
            step_ms=None,
            dt_ms=material.dt_ms,
        )
        operator = Operator.build(settings, _NO_FEATURES, material.grid(_WINDOW_MS), seed, scope=scope)
        if self._donor is not None:
            take_over(operator, self._donor)
        return operator

    def _write(self, learning: Learning | None) -> None:
        write_checkpoint(
            self._folder,
            {
                "done": [item.to_dict() for item in self._done],
                "kept": self._kept,
                "seconds": self._seconds,
                "refitted": self._refitted,
                "learning": None if learning is None else learning.state(),
            },
        )

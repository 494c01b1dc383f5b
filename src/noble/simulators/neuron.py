"""NEURON: the reference simulator. One model at a time, on one core each.

NEURON keeps one state per process. Every run here builds its sections, sets every global it depends on, and deletes the
sections again, so simulators in one process do not disturb each other.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from noble.cells.cell import CellModel, MorphologySource
from noble.cells.morphology import Morphology
from noble.simulators.mechanisms import compiled_channels
from noble.simulators.numerics import SolverSettings, check_membrane, check_pairs, decimate, decimation_factor
from noble.stimuli import Stimulus
from noble.traces import TimeGrid, TraceBatch

# One run at a time in a process, whoever asks.
_NEURON_STATE: Final = threading.Lock()
_FOREVER_MS: Final = 1e9


class NeuronSimulator:
    """Answers for cell models by simulating them with NEURON.

    Args:
        numerics: integration step and settling.
        data_folder: where SWC files are looked for first.
        processes: how many models to run at once, each in a process of its own. Above 1, processes are started afresh for
            each call (about a second), and a script must keep its top level behind `if __name__ == "__main__"`.
    """

    def __init__(
        self, *, numerics: SolverSettings | None = None, data_folder: Path | str | None = None, processes: int = 1
    ) -> None:
        if processes < 1:
            raise ValueError(f"processes is {processes}; expected at least 1.")
        self.numerics = numerics or SolverSettings()
        self.processes = processes
        self._data_folder = data_folder
        self._morphologies: dict[MorphologySource, Morphology] = {}

    def respond(self, neurons: Sequence[CellModel], stimuli: Sequence[Stimulus], grid: TimeGrid) -> TraceBatch:
        """Simulate each model under its stimulus.

        Args:
            neurons: models; each at the temperature of its cell.
            stimuli: one for each model, on top of the holding current of its cell.
            grid: where the answer is wanted; its dt must be a multiple of the integration step.

        Returns:
            Voltage at the middle of the soma, shape (models, grid.count), mV.

        Raises:
            ValueError: if models and stimuli do not pair up, a stimulus does not fit the grid, or a model says nothing
                about the membrane of a region that its morphology has.
            ModuleNotFoundError: if NEURON or BMTK is not installed.
            OSError: if there is no compiler for the channels.
            RuntimeError: if the channels cannot be compiled.
        """
        check_pairs(neurons, stimuli)
        factor = decimation_factor(grid, self.numerics)
        current_na = np.stack([stimulus.sample(grid) for stimulus in stimuli])
        for model in neurons:
            check_membrane(model, self._morphology(model.cell.morphology).regions)
        compiled_channels()  # before any process is started, so that one compiles and none waits
        runs = [
            _Run(
                self._morphology(model.cell.morphology), model, *stimulus.envelope(), self.numerics, grid.count * factor
            )
            for model, stimulus in zip(neurons, stimuli, strict=True)
        ]
        fine = np.stack(self._map(runs))
        provenance = {
            "simulator": "neuron",
            "version": _neuron_version(),
            "dt_ms": self.numerics.dt_ms,
            "equilibration_ms": self.numerics.equilibration_ms,
        }
        return TraceBatch(grid, decimate(fine, factor, count=grid.count), current_na, provenance)

    def _map(self, runs: list[_Run]) -> list[np.ndarray]:
        workers = min(self.processes, len(runs))
        if workers == 1:
            return [_simulate(run) for run in runs]
        # Spawned, not forked: a forked copy of NEURON's state would share its history.
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            return list(pool.map(_simulate, runs))

    def _morphology(self, source: MorphologySource) -> Morphology:
        if source not in self._morphologies:
            self._morphologies[source] = source.load(self._data_folder)
        return self._morphologies[source]


@dataclass(frozen=True, eq=False)
class _Run:
    """All that one simulation needs, so that it can travel to another process."""

    morphology: Morphology
    model: CellModel
    times_ms: np.ndarray
    currents_na: np.ndarray
    numerics: SolverSettings
    count: int


def _neuron_version() -> str:
    from importlib import metadata

    return metadata.version("neuron")


def _hoc() -> Any:
    """NEURON's interpreter, with the channels loaded."""
    os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")  # else it looks for a display when imported
    from neuron import h

    known = h.MechanismType(0)
    name = h.ref("")
    names = set()
    for index in range(int(known.count())):
        known.select(index)
        known.selected(name)
        names.add(name[0])
    if "Kv2like" not in names:
        h.nrn_load_dll(str(compiled_channels()))
    return h


def _simulate(run: _Run) -> np.ndarray:
    """Somatic voltage at every integration step of the window, shape (run.count,), mV."""
    with _NEURON_STATE:
        h = _hoc()
        sections: list[Any] = []
        try:
            sections = _build(h, run.morphology)
            for section, part in zip(sections, run.morphology.sections, strict=True):
                _paint(section, run.model, part.region)
            return _integrate(h, sections[0], run)
        finally:
            for section in reversed(sections):
                h.delete_section(sec=section)


def _build(h: Any, morphology: Morphology) -> list[Any]:
    """NEURON's sections, in the morphology's order."""
    sections: list[Any] = []
    for index, part in enumerate(morphology.sections):
        section = h.Section(name=f"{part.region}_{index}")
        for x, y, z, diameter in part.points:
            section.pt3dadd(float(x), float(y), float(z), float(diameter))
        section.nseg = part.compartments
        if part.parent is not None:
            section.connect(sections[part.parent](part.parent_position), 0)
        sections.append(section)
    return sections


def _paint(section: Any, model: CellModel, region: str) -> None:
    """Cable properties, channels and reversal potentials of one section."""
    values = model.region_values(region)
    section.cm = values.get("cm", 1.0)
    section.Ra = values.get("Ra", 100.0)
    if "g_pas" in values:
        section.insert("pas")
        section.g_pas = values["g_pas"]
        section.e_pas = values.get("e_pas", -70.0)
    for channel, parameters in model.channel_values(region).items():
        section.insert(channel)
        _set_parameters(section, channel, parameters)
    # Only a section with a channel of the ion has its reversal potential.
    for ion, reversal in (("na", model.cell.e_na_mv), ("k", model.cell.e_k_mv)):
        if section.psection()["ions"].get(ion):
            setattr(section, f"e{ion}", reversal)


def _set_parameters(section: Any, channel: str, parameters: Mapping[str, float]) -> None:
    for parameter, value in parameters.items():
        setattr(section, f"{parameter}_{channel}", value)


def _integrate(h: Any, soma: Any, run: _Run) -> np.ndarray:
    """Settle with no current but the holding one, then follow the stimulus, by implicit Euler of fixed step."""
    numerics = run.numerics
    h.celsius = run.model.cell.celsius
    h.secondorder = 0
    h.CVode().active(False)
    clamp = h.IClamp(soma(0.5))
    clamp.delay, clamp.dur = 0.0, _FOREVER_MS
    holding = h.IClamp(soma(0.5))
    holding.delay, holding.dur, holding.amp = 0.0, _FOREVER_MS, run.model.cell.holding_na
    # A played vector holds its first value before it starts, and after a jump at its end the mean of both values: the added
    # points keep it at zero before and after.
    settle_steps = (
        int(np.ceil(numerics.equilibration_ms / numerics.equilibration_dt_ms - 1e-9))
        if numerics.equilibration_ms > 0
        else 0
    )
    times = h.Vector([0.0, numerics.equilibration_ms, *(run.times_ms + numerics.equilibration_ms), _FOREVER_MS])
    currents = h.Vector([0.0, 0.0, *run.currents_na, 0.0])
    currents.play(clamp._ref_amp, times, True)
    recorded = h.Vector().record(soma(0.5)._ref_v)
    if settle_steps:
        h.dt = numerics.equilibration_ms / settle_steps
    h.finitialize(run.model.cell.v_init_mv)
    for _ in range(settle_steps):
        h.fadvance()
    h.dt = numerics.dt_ms
    for _ in range(run.count):
        h.fadvance()
    return np.array(recorded.as_numpy()[settle_steps : settle_steps + run.count])

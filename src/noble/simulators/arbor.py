"""Arbor: the default simulator. A whole population of (model, stimulus) pairs in one run.

Arbor's wheel carries the compiled Allen channels, so nothing has to be compiled. Each pair is a cell of the recipe, each cell
its own cell group, and Arbor's threads take groups as they come.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, SupportsInt

import numpy as np

from noble.cells.cell import CellModel, MorphologySource
from noble.cells.channels import CHANNELS
from noble.cells.morphology import REGIONS, Morphology
from noble.machine.cores import available_cores
from noble.simulators.numerics import SolverSettings, check_membrane, check_pairs, decimate, decimation_factor
from noble.stimuli import Stimulus
from noble.traces import TimeGrid, TraceBatch

if TYPE_CHECKING:
    import arbor

_REGION_TAGS: Final = {region: tag for tag, region in enumerate(REGIONS, start=1)}
_SOMA_CENTRE: Final = "(location 0 1)"
_PROBE: Final = "voltage"
_BBP_PREFIX: Final = "bbp_"


class ArborSimulator:
    """Answers for cell models by simulating them with Arbor.

    Args:
        threads: cores to use; default all that this process may use.
        numerics: integration step and settling.
        data_folder: where SWC files are looked for first.
    """

    def __init__(
        self,
        *,
        threads: int | None = None,
        numerics: SolverSettings | None = None,
        data_folder: Path | str | None = None,
    ) -> None:
        self.threads = threads or available_cores()
        self.numerics = numerics or SolverSettings()
        self._data_folder = data_folder
        self._cables: dict[MorphologySource, _Cable] = {}

    def respond(self, neurons: Sequence[CellModel], stimuli: Sequence[Stimulus], grid: TimeGrid) -> TraceBatch:
        """Simulate each model under its stimulus.

        Args:
            neurons: models, all at one temperature.
            stimuli: one for each model, on top of the holding current of its cell.
            grid: where the answer is wanted; its dt must be a multiple of the integration step.

        Returns:
            Voltage at the middle of the soma, shape (models, grid.count), mV.

        Raises:
            ValueError: if models and stimuli do not pair up, the temperatures differ, a stimulus does not fit the grid,
                or a model says nothing about the membrane of a region that its morphology has.
        """
        import arbor
        from arbor import units

        check_pairs(neurons, stimuli)
        factor = decimation_factor(grid, self.numerics)
        current_na = np.stack([stimulus.sample(grid) for stimulus in stimuli])
        recipe = self._recipe(neurons, stimuli)
        context = arbor.context(threads=self.threads)
        simulation = arbor.simulation(recipe, context)
        settle, dt = self.numerics.equilibration_ms, self.numerics.dt_ms
        if settle > 0:
            simulation.run(tfinal=settle * units.ms, dt=self.numerics.equilibration_dt_ms * units.ms)
        schedule = arbor.regular_schedule(
            settle * units.ms, dt * units.ms, (settle + (grid.count * factor + 1) * dt) * units.ms
        )
        handles = [simulation.sample((gid, _PROBE), schedule) for gid in range(len(neurons))]
        simulation.run(tfinal=(settle + (grid.count * factor + 2) * dt) * units.ms, dt=dt * units.ms)
        fine = np.stack([simulation.samples(handle)[0][0][: grid.count * factor, 1] for handle in handles])
        return TraceBatch(
            grid,
            decimate(fine, factor, count=grid.count),
            current_na,
            {"simulator": "arbor", "version": arbor.__version__, "dt_ms": dt, "equilibration_ms": settle},
        )

    def _recipe(self, neurons: Sequence[CellModel], stimuli: Sequence[Stimulus]) -> arbor.recipe:
        celsius = {model.cell.celsius for model in neurons}
        if len(celsius) != 1:
            raise ValueError(
                f"the models' temperatures differ ({sorted(celsius)} C); simulate each temperature by itself."
            )
        cells = [
            self._cable(model.cell.morphology).cell(model, stimulus, self.numerics.equilibration_ms)
            for model, stimulus in zip(neurons, stimuli, strict=True)
        ]
        return _population(cells, celsius.pop())

    def _cable(self, source: MorphologySource) -> _Cable:
        if source not in self._cables:
            self._cables[source] = _Cable(source.load(self._data_folder))
        return self._cables[source]


class _Cable:
    """A morphology as Arbor wants it: built once, shared by all models on it."""

    def __init__(self, morphology: Morphology) -> None:
        import arbor

        self.regions = morphology.regions
        self._tree = _segment_tree(morphology, tags=[_REGION_TAGS[section.region] for section in morphology.sections])
        self._labels = arbor.label_dict({region: f"(tag {_REGION_TAGS[region]})" for region in self.regions})
        self._policy = arbor.cv_policy_explicit(_compartment_boundaries(morphology))

    def cell(self, model: CellModel, stimulus: Stimulus, delay_ms: float) -> arbor.cable_cell:
        """One model with its current clamp at the middle of the soma, delayed by the settling time."""
        import arbor
        from arbor import units

        check_membrane(model, self.regions)
        decor = arbor.decor()
        decor.set_property(Vm=model.cell.v_init_mv * units.mV)
        decor.set_ion("na", rev_pot=model.cell.e_na_mv * units.mV)
        decor.set_ion("k", rev_pot=model.cell.e_k_mv * units.mV)
        for region in self.regions:
            _paint(decor, model, region)
        times, currents = stimulus.envelope()
        envelope = [
            ((time + delay_ms) * units.ms, current * units.nA) for time, current in zip(times, currents, strict=True)
        ]
        decor.place(_SOMA_CENTRE, arbor.i_clamp(envelope))
        if model.cell.holding_na:
            decor.place(_SOMA_CENTRE, arbor.i_clamp(model.cell.holding_na * units.nA))
        return arbor.cable_cell(self._tree, decor, self._labels, self._policy)


def _segment_tree(morphology: Morphology, *, tags: Sequence[int]) -> arbor.segment_tree:
    """Every section's frusta; children of the soma hang on its middle, which ends its first half."""
    import arbor

    tree = arbor.segment_tree()
    last_segment: list[int] = []
    soma_points, middle = _with_middle(morphology.sections[0].points)
    soma_middle = -1
    for section, tag in zip(morphology.sections, tags, strict=True):
        raw = soma_points if section.parent is None else section.points
        points = [arbor.mpoint(x, y, z, diameter / 2) for x, y, z, diameter in raw]
        parent = -1 if section.parent is None else soma_middle if section.parent == 0 else last_segment[section.parent]
        for index, (proximal, distal) in enumerate(itertools.pairwise(points)):
            parent = tree.append(arbor.mnpos if parent < 0 else parent, proximal, distal, tag)
            if section.parent is None and index + 1 == middle:
                soma_middle = parent
        last_segment.append(parent)
    return tree


def _with_middle(points: np.ndarray) -> tuple[np.ndarray, int]:
    """A section's points with one exactly at its middle, and the index of that one."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points[:, :3], axis=0), axis=1))])
    half = along[-1] / 2
    middle = int(np.searchsorted(along, half - 1e-9))
    if along[middle] > half + 1e-9:
        point = [np.interp(half, along, points[:, column]) for column in range(4)]
        points = np.insert(points, middle, point, axis=0)
    return points, middle


def _compartment_boundaries(morphology: Morphology) -> str:
    """A locset with the ends of every compartment: the soma is one, the others follow `Section.compartments`."""
    import arbor

    # With one tag a section, the branches that Arbor forms (chains of sections without a fork) tell what they are made of.
    tags = list(range(1, len(morphology.sections) + 1))
    branches = arbor.morphology(_segment_tree(morphology, tags=tags))
    boundaries = []
    for branch in range(branches.num_branches):
        ends = [0.0]
        sections: list[int] = []
        for segment in branches.branch_segments(branch):
            if not sections or sections[-1] != segment.tag - 1:
                sections.append(segment.tag - 1)
        if sections == [0]:
            continue
        for index in sections:
            section = morphology.sections[index]
            step = section.length_um / section.compartments
            ends += [ends[-1] + step * (piece + 1) for piece in range(section.compartments)]
        boundaries += [f"(location {branch} {min(1.0, end / ends[-1]):.12g})" for end in ends]
    return f"(join {' '.join(boundaries)})" if len(boundaries) > 1 else "(root)"


def _paint(decor: arbor.decor, model: CellModel, region: str) -> None:
    """Cable properties and channels of one region."""
    import arbor
    from arbor import units

    values = model.region_values(region)
    quoted = f'"{region}"'
    decor.paint(
        quoted,
        cm=values.get("cm", 1.0) * units.uF / units.cm2,
        rL=values.get("Ra", 100.0) * units.Ohm * units.cm,
    )
    if "g_pas" in values:
        decor.paint(quoted, arbor.density(f"pas/e={values.get('e_pas', -70.0)}", {"g": values["g_pas"]}))
    for channel, parameters in model.channel_values(region).items():
        decor.paint(quoted, arbor.density(*_mechanism(channel, parameters)))


def _mechanism(channel: str, parameters: Mapping[str, float]) -> tuple[str, dict[str, float]]:
    """A channel and its parameters by the names of the joined catalogues."""
    if CHANNELS[channel].bbp:
        return f"{_BBP_PREFIX}{channel}", {f"g{channel}bar": parameters["gbar"]}
    return channel, dict(parameters)


def _population(cells: list[arbor.cable_cell], celsius: float) -> arbor.recipe:
    """A recipe of independent cells, each with a voltage probe at the middle of its soma."""
    import arbor
    from arbor import units

    properties = arbor.neuron_cable_properties()
    catalogue = arbor.allen_catalogue()
    catalogue.extend(arbor.default_catalogue(), "")
    catalogue.extend(arbor.bbp_catalogue(), _BBP_PREFIX)  # has an Ih, an Im and a Ca_HVA of its own
    properties.catalogue = catalogue
    properties.set_property(tempK=(celsius + 273.15) * units.Kelvin)
    # As NEURON does where a mechanism writes the calcium concentration and another reads its reversal potential.
    properties.set_ion("ca", int_con=5e-5 * units.mM, ext_con=2.0 * units.mM, method="nernst/ca")

    class Population(arbor.recipe):
        def __init__(self) -> None:
            arbor.recipe.__init__(self)

        def num_cells(self) -> int:
            return len(cells)

        def cell_kind(self, gid: SupportsInt) -> arbor.cell_kind:
            return arbor.cell_kind.cable

        def cell_description(self, gid: SupportsInt) -> arbor.cable_cell:
            return cells[int(gid)]

        def global_properties(self, kind: arbor.cell_kind) -> arbor.cable_global_properties:
            return properties

        def probes(self, gid: SupportsInt) -> list[Any]:
            return [arbor.cable_probe_membrane_voltage(_SOMA_CENTRE, _PROBE)]

    return Population()

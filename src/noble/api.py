"""The front door: verbs that take names, mappings and paths, and give labelled results.

Each is a few lines over a room of the package; scripts may as well call the rooms. `import noble` reaches all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from noble.protocols import StepProtocol
from noble.stimuli import Stimulus
from noble.traces import TimeGrid

if TYPE_CHECKING:
    import pandas
    import xarray

    from noble.cells import CellModel, HallOfFame, Morphology
    from noble.comparison import RecordingComparison
    from noble.data import GenerationConfig, Store
    from noble.evaluation import Evaluation
    from noble.operator import Operator
    from noble.progress import Progress
    from noble.recordings import Recording
    from noble.responders import Responder
    from noble.train import TrainConfig


def load(name_or_folder: str | Path) -> Operator:
    """Load a trained operator: a shipped one by name (`list_operators`), or your own by the folder of its bundle.

    Raises:
        FileNotFoundError: if there is neither.
        ValueError: if the bundle is damaged or of an unknown schema.
    """
    from noble.operator import Operator

    return Operator.load(name_or_folder)


def list_operators() -> pandas.DataFrame:
    """List the shipped operators: what each has learned and how good it is, one row per operator."""
    import pandas

    from noble.operator import Operator, shipped_bundles
    from noble.operator.describe import HEADLINES, headline

    rows = []
    for name in shipped_bundles():
        operator = Operator.load(name)
        learned = "" if operator.scope is None else operator.scope.describe()
        numbers = {key: headline(operator.metrics, "unseen_currents", key) for key, *_ in HEADLINES}
        rows.append(
            {"name": name, "kind": operator.config.kind, "features": len(operator.spec), "learned": learned, **numbers}
        )
    return pandas.DataFrame(rows).set_index("name")


def simulate(
    models: CellModel | Sequence[CellModel] | HallOfFame | str | Path,
    stimuli: Stimulus | Sequence[Stimulus],
    *,
    members: int | Sequence[int] | None = None,
    duration_ms: float | None = None,
    dt_ms: float = 0.06,
    simulator: Literal["arbor", "neuron"] = "arbor",
    data_folder: str | Path | None = None,
) -> xarray.Dataset:
    """Simulate every model under every stimulus.

    Args:
        models: one or several cell models, or a hall of fame, which may be named.
        stimuli: one or several currents.
        members: indices of the models of a hall; all of them if None.
        duration_ms: length of the window, ms; by default 100 ms more than the longest stimulus.
        dt_ms: sampling interval, ms.
        simulator: Arbor (extra `simulate`) or NEURON (extra `neuron`).
        data_folder: where reconstructions lie that do not come with the package.

    Returns:
        Voltage and current over neuron, stimulus and time; see `noble.traces.labelled`.

    Raises:
        ValueError: for members without a hall, an unknown simulator, or stimuli that outlast the window.
    """
    from noble.responders import answer_all, as_stimuli

    chosen = _models(models, members)
    responder = _simulator(simulator, data_folder)
    currents = as_stimuli(stimuli)
    grid = window(currents, duration_ms, dt_ms)
    return answer_all(responder, chosen, currents, grid, labels=[model.name for model in chosen])


def read_recording(
    path: str | Path, *, electrode: str | None = None, junction_potential_mv: float = 0.0, epoch: int | None = None
) -> Recording:
    """Read a current-clamp recording: its sweeps, and which of them answer a rectangular step.

    Args:
        path: a file of NWB 1 or 2, ABF 1 or 2 or columns of text, an Igor binary wave, or a folder of such files.
        electrode: which electrode or channel, if the file has several.
        junction_potential_mv: liquid junction potential, subtracted from the voltage, mV.
        epoch: which epoch of each stimulus is the step, counted from 1; what varies from sweep to sweep if None.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read, or has no sweep in current clamp.
    """
    from noble.recordings import read_recording as read

    return read(path, electrode=electrode, junction_potential_mv=junction_potential_mv, epoch=epoch)


def read_morphology(path: str | Path, *, types: Mapping[int, str] | None = None) -> Morphology:
    """Read a reconstructed morphology: SWC, Neurolucida ASC, or HDF5 (extra `morphologies`).

    Args:
        path: the file.
        types: regions of the user's own types, for SWC and HDF5: `{7: "axon"}`.

    Returns:
        Its sections with axon and all: `to_frame()` has length and membrane area by region, `notes` what was made of soma and
        oddities, in sentences.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read, or is no neuron.
    """
    from noble.cells import read_morphology as read

    return read(path, types=types)


def extract_features(
    traces: xarray.Dataset,
    names: Sequence[str] | None = None,
    *,
    onset_ms: float | None = None,
    offset_ms: float | None = None,
) -> xarray.Dataset:
    """Measure e-features of every trace, by eFEL.

    Args:
        traces: as `simulate` or `Operator.predict` return them.
        names: eFEL names; the paper's sixteen if None.
        onset_ms, offset_ms: edges of the stimulus, ms; by default those of each stimulus.

    Returns:
        For each feature an array over neuron and stimulus with its unit; NaN where eFEL finds no value.

    Raises:
        ValueError: for a feature that eFEL does not know, traces without voltage, or edges outside them.
    """
    from noble.features import FEATURE_NAMES, extract
    from noble.features.catalogue import feature
    from noble.traces import TraceBatch
    from noble.traces.labelled import grid_of

    grid, names = grid_of(traces), tuple(FEATURE_NAMES if names is None else names)
    voltage = traces["voltage"].transpose(..., "time")
    shape = voltage.shape[:-1]
    per_stimulus = traces["current"].transpose(..., "time")
    found = {name: np.full(shape, np.nan) for name in names}
    for column in range(traces.sizes["stimulus"]):
        start_ms = float(traces["onset"][column]) if onset_ms is None else onset_ms
        stop_ms = float(traces["offset"][column]) if offset_ms is None else offset_ms
        voltage_mv = voltage.isel(stimulus=column).values.reshape(-1, grid.count)
        current_na = np.broadcast_to(per_stimulus.isel(stimulus=column).values, voltage_mv.shape)
        batch = TraceBatch(grid, voltage_mv, current_na)
        measured = extract(batch, onset_ms=start_ms, offset_ms=stop_ms, names=names)
        for name in names:
            found[name][:, column] = measured[name]
    result = voltage.isel(time=0, drop=True).to_dataset(name="voltage").drop_vars("voltage")
    for name in names:
        result[name] = (voltage.dims[:-1], found[name], {"units": feature(name).unit})
    return result


def fi_curve(
    responder: Responder[Any],
    neurons: Any = None,
    amplitudes_na: Sequence[float] | np.ndarray = (),
    *,
    protocol: StepProtocol | None = None,
) -> xarray.Dataset:
    """Measure F-I curves: how fast each neuron fires at each step.

    Args:
        responder: an operator, or a simulator.
        neurons: features by name for an operator, cell models for a simulator; None for an operator of one neuron.
        amplitudes_na: of the steps, at least one, nA.
        protocol: window and length of the step; the paper's 400 ms if None.

    Returns:
        `rate` (Hz), `spikes`, `latency` and `first_interval` (ms) over neuron and amplitude (nA).
    """
    import xarray

    from noble.features.excitability import fi_curve as measure

    amplitudes = np.atleast_1d(np.asarray(amplitudes_na, dtype=float))
    if not amplitudes.size:
        raise ValueError("no amplitude was given; expected those of the steps in nA, as in amplitudes_na=[0.1, 0.2].")
    curve = measure(responder, _neurons(responder, neurons), amplitudes, protocol)
    columns = {
        "rate": (curve.rates_hz, "Hz"),
        "spikes": (curve.spike_counts, "1"),
        "latency": (curve.latencies_ms, "ms"),
        "first_interval": (curve.first_intervals_ms, "ms"),
    }
    return xarray.Dataset(
        {name: (("neuron", "amplitude"), values, {"units": unit}) for name, (values, unit) in columns.items()},
        coords={"amplitude": ("amplitude", amplitudes, {"units": "nA"}), "neuron": np.arange(len(curve.rates_hz))},
    )


def rheobase(
    responder: Responder[Any],
    neurons: Any = None,
    *,
    low_na: float = 0.0,
    high_na: float = 0.5,
    protocol: StepProtocol | None = None,
) -> xarray.DataArray:
    """Find the smallest step that makes each neuron fire, by bisection to 0.1 pA.

    Args:
        responder: an operator, or a simulator.
        neurons: features by name for an operator, cell models for a simulator; None for an operator of one neuron.
        low_na, high_na: bracket of the search, nA.
        protocol: window and length of the step; the paper's 400 ms if None.

    Returns:
        Rheobase over neuron, nA; NaN where the bracket holds none.
    """
    import xarray

    from noble.features.excitability import rheobase as measure

    found = measure(responder, _neurons(responder, neurons), protocol, low_na=low_na, high_na=high_na)
    return xarray.DataArray(found, dims="neuron", name="rheobase", attrs={"units": "nA"})


def generate(
    config: GenerationConfig | Mapping[str, Any] | str | Path,
    path: str | Path,
    *,
    data_folder: str | Path | None = None,
    progress: Progress | None = None,
) -> Store:
    """Simulate a data set, or finish one that was interrupted.

    Args:
        config: what to generate: a configuration, its keys, or a YAML file.
        path: where the store is to be.
        data_folder: where reconstructions lie that do not come with the package.
        progress: called with traces done and traces in all.

    Raises:
        ValueError: if the configuration is wrong, or `path` holds another store.
    """
    from noble.cells import HallOfFame
    from noble.data import GenerationConfig, is_complete
    from noble.data import generate as generate_store
    from noble.simulators import ArborFactory

    settled = _config(GenerationConfig, config)
    hall, factory = HallOfFame.load(settled.hall), None
    if not is_complete(str(path)):
        factory = ArborFactory.for_hall(hall, simulation_dt_ms=settled.simulation_dt_ms, data_folder=data_folder)
    return generate_store(settled, hall, path, responder_factory=factory, progress=progress)


def fit(
    config: TrainConfig | Mapping[str, Any] | str | Path,
    store: str | Path,
    folder: str | Path,
    *,
    resume: bool = False,
    progress: Callable[[int, int, Mapping[str, float]], None] | None = None,
) -> Operator:
    """Train an operator on a store; needs the extra `train`.

    Args:
        config: how to train: a configuration, its keys (none at all trains the default operator), or a YAML file.
        store: made by `generate`.
        folder: of the run, for checkpoints and curves.
        resume: go on from the last checkpoint in the folder.
        progress: called after each epoch with epochs done, epochs in all, and the latest numbers.

    Raises:
        ValueError: if the configuration does not fit the store, or the folder holds another run.
    """
    from noble.train import TrainConfig
    from noble.train import fit as train

    return train(_config(TrainConfig, config), store, folder, resume=resume, progress=progress)


def evaluate(
    operator: Operator,
    store: Store | str | Path | None = None,
    *,
    fresh: int | None = None,
    seed: int = 0,
    hall: str | None = None,
    data_folder: str | Path | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Say how good an operator is on currents and on models that it has not seen.

    Args:
        operator: which one.
        store: whose test splits to use; or:
        fresh: how many traces per subset to simulate now (extra `simulate`).
        seed: seed of the fresh draw.
        hall: name or file of the hall it learned; the one that it records if None.
        data_folder: where reconstructions lie that do not come with the package.
        progress: called with traces done and traces in all.

    Raises:
        ValueError: if neither or both of `store` and `fresh` are given, or they are of other models than those it learned.
    """
    if (store is None) == (fresh is None):
        raise ValueError("pass either a store, or fresh=N to simulate N new traces per subset.")
    if fresh is None:
        from noble.data import Store
        from noble.evaluation import evaluate as evaluate_store

        opened = Store.open(store) if isinstance(store, str | Path) else store
        assert opened is not None
        return evaluate_store(operator, opened, progress=progress)
    from noble.evaluation import evaluate_fresh
    from noble.evaluation.source import fresh_source
    from noble.simulators import ArborSimulator, SolverSettings

    models, config = fresh_source(operator, hall=hall)
    simulator = ArborSimulator(numerics=SolverSettings(dt_ms=config.simulation_dt_ms), data_folder=data_folder)
    return evaluate_fresh(operator, models, simulator, count=fresh, seed=seed, config=config, progress=progress)


def compare(
    operator: Operator,
    recording: Recording | str | Path,
    *,
    neurons: Any = None,
    hall: str | None = None,
    progress: Progress | None = None,
) -> RecordingComparison:
    """Hold a family of neurons against a recording of the same steps.

    Args:
        operator: who answers for the family.
        recording: read by `read_recording`, or the path of one.
        neurons: the family's features by name; if None, the training models of the operator's hall, or the one neuron of an
            operator without features.
        hall: name or file of the hall it learned; the one that it records if None.
        progress: called with steps done and steps in all.

    Raises:
        ValueError: if no sweep can be compared.
    """
    from noble.comparison import compare_recording

    read = read_recording(recording) if isinstance(recording, str | Path) else recording
    if neurons is None:
        from noble.evaluation import family_hall
        from noble.family import family_features, usual_family

        known = family_hall(operator, hall)
        neurons = family_features(operator.spec, known, usual_family(operator.spec), count=0, seed=0)
    return compare_recording(operator, operator.neurons(neurons), read, progress=progress)


def window(stimuli: Sequence[Stimulus], duration_ms: float | None, dt_ms: float) -> TimeGrid:
    """The window that stimuli are answered in; by default 100 ms longer than the last of them."""
    longest = max((stimulus.end_ms for stimulus in stimuli), default=0.0) + 100.0
    return TimeGrid.spanning(longest if duration_ms is None else duration_ms, dt_ms=dt_ms)


def _models(models: Any, members: int | Sequence[int] | None) -> list[CellModel]:
    """Cell models as a list, from one, several, or a hall."""
    from noble.cells import CellModel, HallOfFame

    if isinstance(models, str | Path):
        models = HallOfFame.load(models)
    if isinstance(models, HallOfFame):
        indices = range(len(models)) if members is None else [members] if isinstance(members, int) else members
        return [models.cell_model(int(index)) for index in indices]
    if members is not None:
        raise ValueError("members were given without a hall; pass a hall of fame, or leave members out.")
    return [models] if isinstance(models, CellModel) else list(models)


def _simulator(name: str, data_folder: str | Path | None) -> Responder[CellModel]:
    """The simulator of a name."""
    from noble.simulators import ArborSimulator, NeuronSimulator

    if name not in ("arbor", "neuron"):
        raise ValueError(f"the simulator {name!r} is unknown; expected 'arbor' or 'neuron'.")
    return (ArborSimulator if name == "arbor" else NeuronSimulator)(data_folder=data_folder)


def _neurons(responder: Responder[Any], neurons: Any) -> Sequence[Any]:
    """Neurons in the responder's form: features by name for an operator, a list of models for a simulator."""
    from noble.operator import Operator

    if neurons is None and not isinstance(responder, Operator):
        raise ValueError("no neuron was given; a simulator needs cell models.")
    return responder.neurons(neurons) if isinstance(responder, Operator) else _models(neurons, None)


def _config(kind: Any, given: Any) -> Any:
    """A configuration from itself, its keys, or a YAML file."""
    if isinstance(given, kind):
        return given
    return kind.load(given) if isinstance(given, str | Path) else kind.model_validate(dict(given))

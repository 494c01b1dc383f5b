"""The operator is a stand-in with known mistakes; store and hall are stand-ins with the real ones' interface."""

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from noble.data.config import GenerationConfig
from noble.evaluation import STABLE_KEYS, evaluate, evaluate_fresh, evaluate_traces
from noble.protocols import Window
from noble.stimuli import Step, Stimulus
from noble.traces import TimeGrid, TraceBatch

WINDOW = Window(onset_ms=15.0, step_ms=120.0, window_ms=170.0, tail_margin_ms=12.0)
NAMES = ("voltage_base", "i_thr")
TABLE = np.array([[-70.0, 0.10], [-75.0, 0.12], [-80.0, 0.05]])


def answer(features: np.ndarray, stimuli: Sequence[Stimulus], grid: TimeGrid, *, delay_ms: float = 0.0) -> TraceBatch:
    """A neuron of features (i_thr, voltage_base): one spike each 10 ms per 0.1 nA above threshold, from 20 ms on."""
    currents = np.stack([stimulus.sample(grid) for stimulus in stimuli])
    voltages = []
    for (threshold, rest), current in zip(features, currents, strict=True):
        count = int(np.ceil(max(current.max() - threshold, 0.0) / 0.01))
        peaks = 20.0 + delay_ms + 10.0 * np.arange(min(count, 10))
        bumps = np.exp(-0.5 * ((grid.times_ms[:, None] - peaks) / 0.3) ** 2).sum(axis=1)
        voltages.append(rest + 20.0 * current + 90.0 * bumps)
    return TraceBatch(grid, np.stack(voltages), currents)


@dataclass
class StandIn:
    """Answers exactly, up to a delay of every spike."""

    delay_ms: float = 0.0
    calls: list[tuple[int, TimeGrid]] = field(default_factory=list)
    spec: Any = field(default_factory=lambda: SimpleNamespace(names=("i_thr", "voltage_base"), plane_columns=[0, 1]))
    provenance: dict[str, Any] = field(default_factory=dict)

    def predict(
        self, features: np.ndarray, stimuli: Sequence[Stimulus], grid: TimeGrid, *, batch_size: int = 128
    ) -> TraceBatch:
        assert len(features) == len(stimuli) <= batch_size
        self.calls.append((len(stimuli), grid))
        warnings.warn("1 of 2 feature vectors lie outside the hull of the 2 training models, where", stacklevel=2)
        return answer(features, stimuli, grid, delay_ms=self.delay_ms)


class FakeStore:
    """Twelve traces of three models, the last of them held out; its tail margin holds what must not be compared."""

    protocol = WINDOW
    grid = WINDOW.simulated_grid
    digest = "d" * 64
    feature_names = NAMES
    feature_table = TABLE
    model_index = np.array([0, 1, 0, 1, 0, 1, 0, 1, 2, 2, 2, 2])
    amplitudes = np.linspace(-0.05, 0.25, 12)[[0, 6, 2, 9, 4, 8, 1, 10, 3, 7, 5, 11]]

    def indices(self, split: str) -> np.ndarray:
        return {"test": np.arange(8), "unseen_models": np.arange(8, 12), "validation": np.arange(0)}[split]

    def stimulus(self, index: int) -> Stimulus:
        return Step(15.0, 135.0, float(self.amplitudes[index]))

    def voltage_mv(self, indices: np.ndarray) -> np.ndarray:
        features = self.feature_table[self.model_index[indices]][:, ::-1]
        voltage = answer(features, [self.stimulus(int(index)) for index in indices], self.grid).voltage_mv
        voltage[:, WINDOW.grid.count :] = 50.0
        return voltage


def run(operator: StandIn, **options: Any) -> dict[str, Any]:
    return evaluate(operator, FakeStore(), **options)  # type: ignore[arg-type]


def test_an_exact_operator_has_no_error_over_the_window_alone():
    operator = StandIn()
    found = run(operator)
    assert set(found) == {"unseen_currents", "unseen_models"}
    assert (found["unseen_currents"]["traces"], found["unseen_models"]["traces"]) == (8, 4)
    for section in found.values():
        assert set(STABLE_KEYS) < set(section)
        assert section["relative_l2_percent"] == 0
        assert section["coincidence_1ms"] == pytest.approx(1.0)
    assert {grid for _, grid in operator.calls} == {WINDOW.grid}
    json.dumps(found, allow_nan=False)


def test_a_delay_is_found_and_batches_do_not_matter():
    whole, parts = run(StandIn(delay_ms=0.5)), run(StandIn(delay_ms=0.5), batch_size=3)
    assert whole == parts
    assert whole["unseen_models"]["spike_time_median_ms"] == pytest.approx(0.5, abs=1e-3)
    assert whole["unseen_models"]["relative_l2_percent"] > 1


def test_the_regimes_know_each_models_threshold():
    store = FakeStore()
    found = run(StandIn())["unseen_currents"]["regimes"]
    rows = np.arange(8)
    thresholds = TABLE[store.model_index[rows], 1]
    spikes = np.ceil(np.maximum(store.amplitudes[rows] - thresholds, 0) / 0.01)
    near = (np.abs(np.maximum(store.amplitudes[rows], 0) - thresholds) <= 0.01) | ((spikes > 0) & (spikes <= 2))
    assert found["near_threshold"]["traces"] == near.sum()
    assert found["sub_threshold"]["traces"] == (~near & (spikes == 0)).sum()


def test_progress_counts_all_traces():
    seen: list[tuple[int, int]] = []
    run(StandIn(), batch_size=5, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 12), (5, 12), (8, 12), (12, 12)]


def test_a_limit_is_spread_over_the_split():
    found = run(StandIn(), limit=3)
    assert [section["traces"] for section in found.values()] == [3, 3]
    with pytest.raises(ValueError, match="limit is 0"):
        run(StandIn(), limit=0)


def test_currents_are_unseen_of_the_models_that_were_learned_alone():
    operator = StandIn()
    operator.provenance = {"models": [1]}
    found = run(operator)
    assert found["unseen_currents"]["traces"] == 4
    assert found["unseen_models"]["traces"] == 4


def test_held_out_models_are_also_known_by_the_plane_alone():
    class Guessing(StandIn):
        """Takes all neurons told by their threshold alone to rest at -60 mV."""

        def predict(self, features: np.ndarray, *args: Any, **options: Any) -> TraceBatch:
            if features.shape[1] == 1:
                features = np.column_stack([features[:, 0], np.full(len(features), -60.0)])
            return super().predict(features, *args, **options)

    found = run(Guessing(spec=SimpleNamespace(names=("i_thr", "voltage_base"), plane_columns=[0])))
    assert list(found) == ["unseen_currents", "unseen_models", "unseen_models_plane"]
    assert found["unseen_models"]["relative_l2_percent"] < 1e-5
    plane = found["unseen_models_plane"]
    assert plane["traces"] == 4
    assert plane["relative_l2_percent"] > 10
    assert plane["spike_count_error_percent"] == 0


def test_other_splits_keep_their_name_and_an_empty_one_has_every_key():
    found = run(StandIn(), splits=("validation",))
    assert set(found) == {"validation"}
    assert found["validation"]["traces"] == 0
    assert found["validation"]["relative_l2_percent"] is None


def test_settings_say_where_the_traces_come_from():
    settings = run(StandIn())["unseen_models"]["settings"]
    assert settings["source"] == "store"
    assert settings["store"] == "d" * 64
    assert settings["features"]["interpolation_step"] == "dt of the trace"


def test_held_out_models_do_not_fill_the_screen_with_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(StandIn(), batch_size=2)


def test_a_store_without_a_feature_is_refused():
    operator = StandIn(spec=SimpleNamespace(names=("i_thr", "s_thr"), plane_columns=[0, 1]))
    with pytest.raises(ValueError, match="the operator needs s_thr but the store's models have voltage_base, i_thr"):
        run(operator)


def test_given_traces():
    features, stimuli = TABLE[:, ::-1], [Step(15.0, 135.0, 0.2)] * 3
    reference = answer(features, stimuli, WINDOW.grid)
    with pytest.warns(UserWarning, match="outside the hull"):  # here nobody said that the models are unseen
        found = evaluate_traces(
            StandIn(delay_ms=2.0), features, stimuli, reference, onset_ms=15.0, offset_ms=135.0, i_thr_na=TABLE[:, 1]
        )
    assert found["traces"] == 3
    assert found["spike_time_median_ms"] == pytest.approx(2.0, abs=1e-3)


class FakeHall:
    """Three models that are their own features, the last held out."""

    name = "fake"
    digest = "h" * 64
    train = (0, 1)
    held_out: tuple[int, ...] = (2,)
    models = tuple(SimpleNamespace(features=dict(zip(NAMES, row, strict=True))) for row in TABLE.tolist())

    def cell_model(self, index: int) -> np.ndarray:
        return TABLE[index, ::-1]

    def feature_table(self, names: Sequence[str]) -> np.ndarray:
        return TABLE[:, [NAMES.index(name) for name in names]]


class FakeSimulator:
    def __init__(self) -> None:
        self.stimuli: list[Stimulus] = []

    def respond(self, neurons: Sequence[np.ndarray], stimuli: Sequence[Stimulus], grid: TimeGrid) -> TraceBatch:
        self.stimuli.extend(stimuli)
        return answer(np.stack(list(neurons)), stimuli, grid)


CONFIG = GenerationConfig(
    hall="fake", onset_ms=15.0, step_ms=120.0, window_ms=170.0, traces={"train": 40, "test": 5}, seed=3
)


def fresh(hall: Any, seed: int = 3, **options: Any) -> tuple[dict[str, Any], list[Stimulus]]:
    simulator = FakeSimulator()
    found = evaluate_fresh(
        StandIn(delay_ms=0.25), hall, simulator, count=20, seed=seed, config=CONFIG, batch_size=8, **options
    )
    return found, simulator.stimuli


def test_fresh_traces_of_training_and_of_held_out_models():
    found, stimuli = fresh(FakeHall())
    assert [found[section]["traces"] for section in ("unseen_currents", "unseen_models")] == [20, 20]
    assert len(set(stimuli)) == 40
    assert found["unseen_models"]["spike_time_median_ms"] == pytest.approx(0.25, abs=1e-3)
    assert found["unseen_models"]["settings"]["seed"] == 3
    json.dumps(found, allow_nan=False)


def test_fresh_draws_repeat_with_their_seed_and_never_repeat_a_store_of_that_seed():
    from noble.data.plan import draw_plan

    first, second, other = fresh(FakeHall())[1], fresh(FakeHall())[1], fresh(FakeHall(), seed=4)[1]
    assert first == second
    assert not set(first) & set(other)
    hall: Any = FakeHall()
    stored = draw_plan(CONFIG.model_copy(update={"seed": 3}), hall)
    assert not set(first) & {stored.stimulus(index) for index in range(len(stored))}


def test_a_hall_without_held_out_models_has_an_empty_section():
    class AllTrain(FakeHall):
        train = (0, 1, 2)
        held_out = ()

    found, stimuli = fresh(AllTrain())
    assert len(stimuli) == 20
    assert found["unseen_models"]["traces"] == 0


def test_no_fresh_traces_are_refused():
    with pytest.raises(ValueError, match="count is 0"):
        evaluate_fresh(StandIn(), FakeHall(), FakeSimulator(), count=0, seed=0, config=CONFIG)  # type: ignore[arg-type]

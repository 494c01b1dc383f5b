"""Stand-ins whose sag is known: the store's is a tenth of the deflection, an operator's is that and some more."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from noble.features import FEATURE_NAMES
from noble.features.neurons import Neurons
from noble.operator import FeatureSpec, Operator
from noble.operator.spiking.config import SpikePhaseConfig
from noble.protocols import Window
from noble.stimuli import Step, Stimulus
from noble.studies.feature_report import compare_operators, fine_tuned_card, target_accuracy
from noble.traces import TimeGrid, TraceBatch

# The step ends between two samples: eFEL adds up its instants, and so may take the first sample after an end that is on one.
WINDOW = Window(onset_ms=10.0, step_ms=80.05, window_ms=120.0, tail_margin_ms=5.0, dt_ms=0.1)
OHM_MV_PER_NA = 100.0


def answer(stimuli: Sequence[Stimulus], grid: TimeGrid, *, share: float, rest_mv: float) -> TraceBatch:
    """Rest, and within the step Ohm's law of which a share sags back at once after the first half."""
    current = np.stack([stimulus.sample(grid) for stimulus in stimuli])
    sagged = np.where(grid.times_ms > 50.0, 1 - share, 1.0)
    return TraceBatch(grid, rest_mv + OHM_MV_PER_NA * current * sagged, current)


THRESHOLDS = np.array([[0.1], [0.2]])


@dataclass
class StandIn:
    share: float = 0.1
    rest_mv: float = -70.0
    spec: FeatureSpec = field(default_factory=lambda: FeatureSpec.fit(THRESHOLDS, ("rheobase",), ("nA",)))
    provenance: dict[str, Any] = field(default_factory=dict)

    def respond(
        self, neurons: Neurons, stimuli: Sequence[Stimulus], grid: TimeGrid, *, batch_size: int = 128
    ) -> TraceBatch:
        assert neurons.names == ("rheobase",)
        assert len(neurons) == len(stimuli)
        return answer(stimuli, grid, share=self.share, rest_mv=self.rest_mv)


class FakeStore:
    protocol = WINDOW
    grid = WINDOW.simulated_grid
    digest = "d" * 64
    path = "fake.zarr"
    attributes: Mapping[str, Any] = {"hall": {"digest": "h" * 64}}
    feature_names = ("rheobase",)
    feature_table = THRESHOLDS
    model_index = np.array([0, 1, 0, 1, 0, 1])
    amplitudes = np.array([-0.1, -0.05, 0.02, -0.02, -0.08, 0.01])

    def indices(self, split: str) -> np.ndarray:
        return {"test": np.arange(4), "unseen_models": np.arange(4, 6)}[split]

    def stimulus(self, index: int) -> Stimulus:
        return Step(10.0, 90.05, float(self.amplitudes[index]))

    def voltage_mv(self, indices: np.ndarray) -> np.ndarray:
        return answer([self.stimulus(int(i)) for i in indices], self.grid, share=0.1, rest_mv=-70.0).voltage_mv


STORE: Any = FakeStore()
INDICES = {"test": np.array([0, 1, 3]), "unseen_models": np.array([4])}
SAGS = {"test": [1.0, 0.5, 0.2], "unseen_models": [0.8]}


@pytest.mark.parametrize("batch_size", [1, 2, 128])
def test_the_target_by_hand(batch_size):
    """A share of 0.25 instead of 0.1 makes every sag two and a half times the true one."""
    found = target_accuracy(StandIn(share=0.25), STORE, INDICES["test"], "sag_amplitude", batch_size=batch_size)
    np.testing.assert_allclose(found.reference, SAGS["test"], atol=1e-6)
    np.testing.assert_allclose(found.predicted, 2.5 * np.array(SAGS["test"]), atol=1e-6)
    errors = found.errors
    assert errors.root_mean_square_error_percent == pytest.approx(150.0)
    assert errors.error_percent == pytest.approx(150.0)
    assert errors.mean_absolute_error == pytest.approx(1.5 * np.mean(SAGS["test"]))
    assert (errors.traces, errors.missing, errors.extra) == (3, 0, 0)


def test_weak_currents_do_not_dominate_the_root_mean_square():
    """An offset of the steady state by 0.3 mV is 30 % of the largest sag and 150 % of the smallest."""
    errors, values = np.full(3, 0.3), np.array(SAGS["test"])

    class Offset(StandIn):
        def respond(self, *args: Any, **options: Any) -> TraceBatch:
            truth = super().respond(*args, **options)
            return TraceBatch(truth.grid, truth.voltage_mv + 0.3 * (truth.grid.times_ms > 50.0), truth.current_na)

    found = target_accuracy(Offset(), STORE, INDICES["test"], "sag_amplitude").errors
    assert found.root_mean_square_error_percent == pytest.approx(100 * np.linalg.norm(errors) / np.linalg.norm(values))
    assert found.error_percent == pytest.approx(100 * np.mean(errors / values))


def test_a_split_without_traces_has_no_numbers():
    errors = target_accuracy(StandIn(), STORE, np.arange(0), "sag_amplitude").errors
    assert errors.traces == 0
    assert errors.root_mean_square_error_percent is None
    assert errors.relative_l2_percent is None


OPERATORS = {
    "before": StandIn(share=0.3, rest_mv=-69.0),
    "control": StandIn(share=0.2, rest_mv=-72.0),
    "tuned": StandIn(),
}


def test_operators_side_by_side():
    seen = []
    found = compare_operators(
        OPERATORS, STORE, INDICES, "sag_amplitude", progress=lambda done, total: seen.append((done, total))
    )
    written = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert list(written) == ["feature", "unit", "values", "operators"]
    assert list(written["operators"]["tuned"]) == ["target", "values", "metrics"]
    assert seen[-1] == (18, 18)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert found.values["unseen_currents"] == pytest.approx(SAGS["test"])
    assert found.operators["control"].values["unseen_models"] == pytest.approx([1.6])
    assert set(found.operators["tuned"].metrics["unseen_currents"].all_features) == set(FEATURE_NAMES)
    groups = found.rows("unseen_currents")
    target = groups["hyperpolarising steps"]
    assert target["sag_amplitude, relative rms error (%)"] == pytest.approx([200.0, 100.0, 0.0], abs=1e-4)
    assert target["traces"] == [3, 3, 3]
    assert (
        target["traces where only the simulation has it"]
        == target["traces where only the operator has it"]
        == [0, 0, 0]
    )
    assert groups["all traces"]["traces"] == [4, 4, 4]
    errors = groups["all traces, mean absolute error"]
    assert errors["voltage_base (mV)"] == pytest.approx([1.0, 2.0, 0.0])
    ratios = found.error_ratios("unseen_currents")
    assert ratios["voltage_base"] == pytest.approx({"control": 2.0, "tuned": 0.0})
    assert "AP1_width" not in ratios  # nothing fires
    assert "Spikecount" not in ratios  # nothing was wrong


def test_everything_else_is_measured_where_it_is_watched():
    class Watched(FakeStore):
        digest = "e" * 64

        def indices(self, split: str) -> np.ndarray:
            return {"test": np.arange(1), "unseen_models": np.arange(4, 6)}[split]

    watched: Any = Watched()
    found = compare_operators({"before": StandIn()}, STORE, INDICES, "sag_amplitude", watch=watched)
    report = found.operators["before"]
    summary = report.metrics["unseen_currents"]
    assert summary.settings is not None
    assert (summary.traces, summary.settings["store"]) == (1, "e" * 64)
    assert report.target["unseen_currents"].traces == 3


def test_the_card_says_to_what_an_operator_was_tuned():
    spec = FeatureSpec.fit(np.array([[0.1, 500.0], [0.2, 600.0]]), ("rheobase", "fi_gain"), ("nA", "Hz/nA"))
    operator = Operator.build(SpikePhaseConfig(width=8, hidden=8, slow_width=8), spec, TimeGrid(0.1, 100), seed=0)
    config = {"feature": "sag_amplitude", "weight": 25.0, "epochs": 4, "seed": 1, "optimiser": {"learning_rate": 3e-4}}
    operator.provenance["fine_tuning"] = {
        "config": config,
        "error_scale": 0.27,
        "store_digest": "f" * 64,
        "run": {"best_epoch": 3},
    }
    found = compare_operators({"before": StandIn()}, STORE, INDICES, "sag_amplitude").operators["before"]
    card = fine_tuned_card(operator, found)
    for text in ("`sag_amplitude` on hyperpolarising steps, weight 25", "0.27", "ffff", '"best_epoch": 3', "4 epochs"):
        assert text in card
    assert "| traces | 4 | 2 |" in card
    assert "a control" not in card
    config["weight"] = 0.0
    assert "(a control: the term was off)" in fine_tuned_card(operator, found)

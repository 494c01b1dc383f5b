"""The front door: each verb against explicit numbers, or against the room behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import noble
from noble.cells import HallOfFame
from noble.features import FEATURE_NAMES
from noble.protocols import StepProtocol
from noble.responders import answer_all, edges_ms
from noble.stimuli import Ramp, Step
from noble.traces import TimeGrid, TraceBatch
from nwb_files import good, write_nwb


@dataclass(frozen=True)
class Ticks:
    """A responder whose neurons are thresholds in nA: above it, spikes 100 Hz per 0.1 nA apart from the onset on."""

    def respond(self, neurons, stimuli, grid: TimeGrid) -> TraceBatch:
        current = np.stack([stimulus.sample(grid) for stimulus in stimuli])
        voltage = np.full(current.shape, -70.0)
        for row, threshold in enumerate(neurons):
            level, on = current[row].max(), np.flatnonzero(current[row] > 0)
            if on.size and level > threshold:
                every = round(1.0 / (level - threshold) / grid.dt_ms)
                voltage[row, on[0] + 20 : on[-1] : every] = 20.0
        return TraceBatch(grid, voltage, current, {"made_by": "ticks"})


def test_loading_gives_the_shipped_operator_with_its_numbers():
    operator = noble.load("human-pv")
    assert operator.name == "human-pv"
    assert repr(operator).startswith("<Operator human-pv: spike-feedback, 34 features, ")
    assert len(repr(operator)) < 250
    operator = noble.load("human-pv-steps")
    assert repr(operator).startswith("<Operator human-pv-steps: spike-phase, 34 features, ")
    assert len(repr(operator)) < 200
    assert operator.metrics["unseen_currents"]["relative_l2_percent"] == pytest.approx(0.5545, abs=1e-3)


def test_a_notebook_shows_headline_numbers_and_a_trace():
    shown = noble.load("human-pv-steps")._repr_html_()
    assert "0.555 %" in shown
    assert "<polyline" in shown
    assert len(shown) < 20_000


def test_all_shipped_operators_are_listed():
    table = noble.list_operators()
    assert set(table.index) == {"human-pv", "human-pv-steps", "human-vip", "stylised-pv"}
    assert (table["features"] == 34).all()
    assert (table["coincidence_1ms"] > 0.9).all()


def test_traces_are_measured_as_the_room_does():
    stimuli = [Step(15, 115, 0.2), Step(25, 75, 0.3), Ramp(15, 115, 0.0, 0.01)]
    traces = answer_all(Ticks(), [0.1, 0.15], stimuli, TimeGrid.spanning(150.0, dt_ms=0.05), labels=["one", "other"])
    found = noble.extract_features(traces, ["Spikecount", "voltage_base"])
    assert found["Spikecount"].dims == ("neuron", "stimulus")
    assert found["voltage_base"].attrs["units"] == "mV"
    # 100 ms at an interval of 1 / 0.1 nA = 10 ms, 50 ms at 1 / 0.2 nA = 5 ms, and so on, from 1 ms after the onset.
    np.testing.assert_array_equal(found["Spikecount"], [[10, 10, 0], [5, 8, 0]])
    np.testing.assert_allclose(found["voltage_base"], -70.0)
    assert list(noble.extract_features(traces).data_vars) == list(FEATURE_NAMES)


def test_curves_and_rheobase_of_anything_that_answers():
    protocol = StepProtocol(dt_ms=0.05)  # of which 10 and 20 ms are multiples
    curve = noble.fi_curve(Ticks(), [0.1, 0.15], [0.05, 0.2, 0.3], protocol=protocol)
    np.testing.assert_allclose(curve["rate"].sel(amplitude=0.2), [100.0, 50.0], rtol=1e-3)
    assert curve["rate"].sel(amplitude=0.05).values.tolist() == [0.0, 0.0]
    assert curve["latency"].attrs["units"] == "ms"
    found = noble.rheobase(Ticks(), [0.1, 0.15])
    np.testing.assert_allclose(found, [0.1, 0.15], atol=3e-3)  # a first spike must fall within the step
    assert found.attrs["units"] == "nA"


def test_an_operator_is_asked_by_name():
    operator = noble.load("stylised-pv")
    hall = HallOfFame.load("stylised-pv")
    model = hall.train[3]
    known = dict(zip(operator.feature_names, hall.feature_table(operator.feature_names)[model], strict=True))
    measured = hall.feature_table(["rheobase"])[model, 0]
    assert float(noble.rheobase(operator, known, low_na=0.0, high_na=0.4)[0]) == pytest.approx(measured, abs=3e-4)


def test_a_model_is_simulated_under_several_currents():
    pytest.importorskip("arbor")
    steps = [Step(5, 25, 0.0), Step(5, 25, 0.6)]
    traces = noble.simulate("stylised-pv", steps, members=[0, 2], duration_ms=40, dt_ms=0.1)
    assert dict(traces.sizes) == {"neuron": 2, "stimulus": 2, "time": 400}
    assert traces["neuron"].values.tolist() == ["stylised-pv/0", "stylised-pv/2"]
    counts = noble.extract_features(traces, ["Spikecount"], onset_ms=5, offset_ms=25)["Spikecount"]
    assert (counts.values[:, 0] == 0).all()
    assert (counts.values[:, 1] >= 1).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: noble.simulate("stylised-pv", 0.2), "a float was given as a current"),
        (
            lambda: noble.simulate("stylised-pv", Step(0, 1, 0.1), simulator="genesis"),
            "the simulator 'genesis' is unknown",
        ),
        (
            lambda: noble.simulate(HallOfFame.load("stylised-pv").cell_model(0), Step(0, 1, 0.1), members=1),
            "without a hall",
        ),
        (lambda: noble.load("human-pv").predict([[0.155, 600.0]], Step(15, 415, 0.2)), "without names"),
        (lambda: noble.load("human-pv").predict({"rheobase": 155.0}, Step(15, 415, 0.2)), "pA"),
    ],
)
def test_a_mistake_gets_one_sentence(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_edges_are_where_a_current_leaves_and_reaches_zero():
    assert edges_ms(Step(15, 415, 0.2)) == (15, 415)
    assert edges_ms(Ramp(15, 115, 0.0, 0.1)) == (15, 115)
    assert edges_ms(Step(15, 415, 0.0)) == (415, 415)


def test_from_a_configuration_to_an_evaluation(tmp_path):
    pytest.importorskip("arbor")
    pytest.importorskip("lightning_fabric")
    window = {"onset_ms": 5.0, "step_ms": 30.0, "window_ms": 50.0, "tail_margin_ms": 5.0, "dt_ms": 0.1}
    traces = {"train": 24, "validation": 8, "test": 8, "unseen_models": 2}
    data = {
        "hall": "stylised-pv",
        "traces": traces,
        "simulation_dt_ms": 0.05,
        "chunk_traces": 12,
        "workers": 1,
        **window,
    }
    store = noble.generate(data, tmp_path / "data.zarr")
    assert len(store) == 42
    small = {
        "kind": "spike-phase",
        "width": 8,
        "hidden": 8,
        "slow_width": 8,
        "filters": 4,
        "shapes": 2,
        "shape_width": 8,
    }
    training = {"operator": small, "epochs": 1, "batch_size": 3, "max_shift_ms": 2.0}
    operator = noble.fit(training, tmp_path / "data.zarr", tmp_path / "run")
    assert operator.scope is not None
    assert operator.scope.describe() == "steps of 30 ms from -0.11 to 0.28 nA"
    found = noble.evaluate(operator, store)
    assert 1 <= found.subsets["unseen_currents"].traces <= 8
    assert found.subsets["unseen_models"].traces == 2
    assert set(found.to_dict()) == {"unseen_currents", "unseen_models", "unseen_models_plane"}
    assert "relative_l2_percent" in str(found.to_frame())
    with pytest.raises(ValueError, match="either a store, or fresh=N"):
        noble.evaluate(operator)


def test_a_family_is_held_against_a_recording(tmp_path):
    pytest.importorskip("pynwb")
    write_nwb(tmp_path / "cell.nwb", [good(-0.1), good(-0.1), good(0.2, [10, 30, 80]), good(0.2, [10, 30])])
    some = {"rheobase": [0.155, 0.16], "fi_gain": [600.0, 650.0]}
    with pytest.warns(UserWarning, match="steps of"):
        comparison = noble.compare(noble.load("human-pv-steps"), tmp_path / "cell.nwb", neurons=some)
    assert comparison.neurons == 2
    assert [round(step.amplitude_na, 2) for step in comparison.steps] == [-0.1, 0.2]
    assert comparison.steps[0].recorded_rates_hz.tolist() == [0, 0]


def test_a_morphology_by_region(tmp_path):
    (tmp_path / "cell.swc").write_text(
        "1 1 0 0 0 5 -1\n2 3 6 0 0 1 1\n3 3 106 0 0 1 2\n4 7 0 -6 0 1 1\n5 7 0 -56 0 1 4\n"
    )
    morphology = noble.read_morphology(tmp_path / "cell.swc", types={7: "axon"})
    table = morphology.to_frame()
    assert list(table.index) == ["soma", "axon", "dend"]
    assert table.loc["dend", "length_um"] == pytest.approx(100)
    assert table.loc["axon", "area_um2"] == pytest.approx(100 * np.pi)
    assert "ball" in morphology.notes[0]

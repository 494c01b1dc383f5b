import json
from dataclasses import dataclass, field

import numpy as np
import pytest

from noble.cells import builtin_cell
from noble.evolve import SearchConfig, Targets, gather_hall, search
from noble.evolve.search import LARGEST_Z, _Coordinates, measure_features, z_scores
from noble.operator import FeatureSpec
from noble.traces import TraceBatch

CELL = builtin_cell("stylised-pv")
# Potentials move by mV, everything else by factors, around some point within the bounds.
START = {
    item.name: (-84.0, 2.0) if item.quantity == "e_pas" else (np.sqrt(item.low * item.high) or item.high / 10, 0.4)
    for item in CELL.parameters
} | {"g_pas.all": (1e-4, 0.3), "gbar_NaV.soma": (0.7, 0.3)}
TARGETS = (
    Targets(amplitude_na=-0.05, features={"voltage_base": (-81.0, 1.0)}),
    Targets(amplitude_na=0.2, features={"Spikecount": (30.0, 3.0), "AP1_peak": (20.0, 3.0)}),
)


def config_of(**changes) -> SearchConfig:
    settings = {
        "name": "toy",
        "cell": "stylised-pv",
        "source": "made up",
        "targets": TARGETS,
        "start": START,
        "population": 10,
        "generations": 5,
        "models": 8,
        "held_out": 2,
        "distance": 0.1,
        "seed": 3,
    }
    return SearchConfig(**(settings | changes))


@dataclass
class AnalyticResponder:
    """Rests at e_pas, has a threshold set by g_pas and a slope set by gbar_NaV, and fires bells at regular intervals."""

    calls: list[int] = field(default_factory=list)

    @staticmethod
    def facts(model) -> tuple[float, float, float, float]:
        """Rest (mV), threshold (nA), slope (Hz/nA) and input resistance (MOhm)."""
        leak, sodium = model.values["g_pas.all"] / 1e-4, model.values["gbar_NaV.soma"] / 0.7
        return model.values["e_pas.all"], 0.1 * leak, 500.0 * sodium, 40.0 / leak

    def respond(self, neurons, stimuli, grid):
        self.calls.append(len(neurons))
        current = np.stack([stimulus.sample(grid) for stimulus in stimuli])
        voltage = np.empty_like(current)
        for row, model, stimulus, injected in zip(voltage, neurons, stimuli, current, strict=True):
            rest, threshold, slope, resistance = self.facts(model)
            row[:] = rest + resistance * np.minimum(injected, threshold)
            rate = slope * (stimulus.amplitude_na - threshold)
            if rate > 0:
                period = 1000.0 / rate
                times = np.arange(stimulus.start_ms + 0.3 * period, stimulus.stop_ms - 2, period)
                distance = np.abs(grid.times_ms[:, None] - times).min(axis=1) if times.size else np.inf
                row += (20.0 - row) * np.exp(-0.5 * (distance / 0.4) ** 2)
        return TraceBatch(grid, voltage, current)


def model_of(**values):
    """The centre of the search, with some values changed; `e_pas=-80` is `e_pas.all`."""
    where = {"e_pas": "e_pas.all", "g_pas": "g_pas.all", "gbar_NaV": "gbar_NaV.soma"}
    centre = {name: start[0] for name, start in START.items()}
    return CELL.model(centre | {where[name]: value for name, value in values.items()})


# --- coordinates and scores


def test_coordinates_are_spreads_from_the_centre():
    coordinates = _Coordinates(CELL, START)
    zero, one = (coordinates.values(np.full(len(START), value)) for value in (0.0, 1.0))
    assert zero == pytest.approx({name: centre for name, (centre, _) in START.items()})
    assert one["e_pas.all"] == pytest.approx(-82.0)
    assert one["g_pas.all"] == pytest.approx(1e-4 * np.exp(0.3))


def test_coordinates_go_back_and_forth_and_stay_in_bounds():
    coordinates = _Coordinates(CELL, START)
    row = np.random.default_rng(0).uniform(-0.5, 0.5, len(START))
    np.testing.assert_allclose(coordinates.row(coordinates.values(row)), row, atol=1e-9)
    for extreme in (-40.0, 40.0):
        values = coordinates.values(np.full(len(START), extreme))
        assert all(item.low <= values[item.name] <= item.high for item in CELL.parameters)


def test_a_start_must_name_every_parameter():
    start = dict(START)
    start["gbar_Foo.soma"] = start.pop("cm.soma")
    with pytest.raises(ValueError, match=r"missing \['cm.soma'\], unknown \['gbar_Foo.soma'\]"):
        _Coordinates(CELL, start)


def test_z_scores_by_hand():
    models = [model_of(e_pas=-79.0), model_of(g_pas=5e-4)]  # the second needs 0.5 nA and is silent
    first, second = z_scores(models, TARGETS, AnalyticResponder())
    period = 1000 / (500 * 0.1)
    count = np.arange(15 + 0.3 * period, 413, period).size
    assert first["voltage_base@-0.05"] == pytest.approx(2.0, abs=0.1)  # one sample of the base is the step's first
    assert first["Spikecount@0.2"] == pytest.approx(abs(count - 30) / 3, abs=1e-3)
    assert first["AP1_peak@0.2"] == pytest.approx(0, abs=0.05)
    assert second["Spikecount@0.2"] == pytest.approx(10.0)
    assert second["AP1_peak@0.2"] == LARGEST_Z  # there is none to measure
    far = z_scores([model_of(e_pas=-60.5)], TARGETS[:1], AnalyticResponder())
    assert far[0] == {"voltage_base@-0.05": pytest.approx(LARGEST_Z)}


# --- search


def best_by_generation(archive, population: int) -> list[float]:
    scores = [item["score"] for item in archive]
    return [min(scores[: population * (k + 1)]) for k in range(len(scores) // population)]


def test_a_search_improves_and_keeps_all_it_simulated(tmp_path):
    config, responder, lines = config_of(generations=8), AnalyticResponder(), []
    archive = search(config, responder, tmp_path / "a.json", progress=lambda *line: lines.append(line))
    assert len(archive) == 80
    assert sum(responder.calls) == 80 * len(TARGETS)
    assert json.loads((tmp_path / "a.json").read_text()) == archive
    assert [line[:2] for line in lines] == [(k, 8) for k in range(1, 9)]
    best = best_by_generation(archive, 10)
    assert best[-1] < 0.6 * best[0]
    for item in archive[::17]:  # what is written is what it scored
        z = z_scores([CELL.model(item["values"])], TARGETS, AnalyticResponder())[0]
        assert item["z"] == z
        assert item["score"] == pytest.approx(np.mean(list(z.values())))


def test_a_search_is_decided_by_its_seed(tmp_path):
    one, two, other = (
        search(config_of(generations=2, seed=seed), AnalyticResponder(), tmp_path / f"{index}.json")
        for index, seed in enumerate((3, 3, 4))
    )
    assert one == two != other


def test_a_search_goes_on_from_its_archive(tmp_path):
    path = tmp_path / "a.json"
    before = search(config_of(generations=2), AnalyticResponder(), path)
    assert len(before) == 20
    after = search(config_of(generations=5), AnalyticResponder(), path)
    assert after[:20] == before
    assert len(after) == 50
    # It starts from the best it had.
    ranked = sorted(before, key=lambda item: item["score"])[:10]
    assert [item["score"] for item in after[20:30]] == pytest.approx([item["score"] for item in ranked], abs=1e-3)
    idle = AnalyticResponder()
    assert search(config_of(generations=5), idle, path) == after
    assert idle.calls == []


# --- the hall


def archive_of(rows: np.ndarray, scores, worst) -> list[dict]:
    coordinates = _Coordinates(CELL, START)
    return [
        {"values": coordinates.values(row), "score": float(score), "z": {"a": float(score), "b": float(high)}}
        for row, score, high in zip(rows, scores, worst, strict=True)
    ]


@pytest.fixture
def archive() -> list[dict]:
    """Twenty good models, each followed by a near copy; one that is bad on average, one that is bad in one feature."""
    rows = np.repeat(np.random.default_rng(5).normal(0, 0.4, (20, len(START))), 2, axis=0)
    rows[1::2, 0] += 1e-3
    scores = np.linspace(0.2, 1.4, 40)
    worst = np.full(40, 2.0)
    scores[0], worst[2] = 1.6, 3.6
    return archive_of(rows, scores, worst)


def test_a_hall_holds_the_best_distinct_acceptable_models(archive):
    config = config_of()
    hall = gather_hall(config, archive, AnalyticResponder(), provenance={"command": "test"})
    # 0 and 2 are refused, so their copies 1 and 3 stand for them; of all other pairs the first is taken.
    expected = [archive[index] for index in (1, 3, 4, 6, 8, 10, 12, 14)]
    assert [dict(model.values) for model in hall.models] == [item["values"] for item in expected]
    assert [model.score for model in hall.models] == [round(item["score"], 4) for item in expected]
    assert (hall.name, hall.cell, len(hall)) == ("toy", CELL, 8)
    assert hall.provenance == {"command": "test", "targets": "made up", "models_simulated": 40}
    assert {model.seed for model in hall.models} == {3}


def test_without_a_distance_copies_are_models_too(archive):
    hall = gather_hall(config_of(distance=0.0), archive, AnalyticResponder(), provenance={})
    assert [dict(model.values) for model in hall.models] == [archive[k]["values"] for k in (1, 3, 4, 5, 6, 7, 8, 9)]


def test_held_out_models_lie_inside_the_hull_of_the_others(archive):
    for seed in (3, 4, 5):
        hall = gather_hall(config_of(models=12, held_out=3, seed=seed), archive, AnalyticResponder(), provenance={})
        assert len(hall.held_out) == 3
        table = hall.feature_table(("i_thr", "s_thr"))
        spec = FeatureSpec.fit(table[list(hall.train)], ("i_thr", "s_thr"), ("nA", "Hz/nA"))
        np.testing.assert_allclose(spec.outside_hull(table[list(hall.held_out)]), 0, atol=1e-6)


def test_features_are_measured_on_the_models():
    models = [model_of(), model_of(g_pas=1.5e-4, e_pas=-80.0), model_of(gbar_NaV=0.9)]
    for model, found in zip(models, measure_features(models, AnalyticResponder()), strict=True):
        rest, threshold, slope, resistance = AnalyticResponder.facts(model)
        assert found["voltage_base"] == pytest.approx(rest, abs=0.01)
        assert found["input_resistance"] == pytest.approx(resistance, rel=1e-3)
        # A rate of zero has no spike in the step: the first comes once 0.3 of a period fits in.
        assert threshold < found["i_thr"] < threshold + 0.003
        assert found["s_thr"] == pytest.approx(slope, rel=0.05)


def test_too_few_models_are_an_error_that_says_what_to_do(archive):
    with pytest.raises(ValueError, match=r"20 distinct models reach .*; 30 are wanted. Search for more generations"):
        gather_hall(config_of(models=30), archive, AnalyticResponder(), provenance={})
    with pytest.raises(ValueError, match="0 distinct models reach a mean"):
        gather_hall(config_of(accept=0.1), archive, AnalyticResponder(), provenance={})


def test_a_hall_of_silent_models_is_refused():
    rows = np.random.default_rng(0).normal(0, 0.4, (8, len(START)))
    rows[:, list(START).index("g_pas.all")] = 8.0  # thresholds above 0.5 nA
    with pytest.raises(ValueError, match=r"no threshold between 0 and 0\.5 nA"):
        gather_hall(config_of(), archive_of(rows, np.full(8, 0.5), np.ones(8)), AnalyticResponder(), provenance={})


def test_more_held_out_than_lie_inside_is_an_error(archive):
    with pytest.raises(ValueError, match=r"only \d models lie inside the hull; 7 are to be held out"):
        gather_hall(config_of(held_out=7), archive, AnalyticResponder(), provenance={})


def test_a_configuration_knows_its_cell_and_its_keys():
    assert config_of().build_cell() == CELL
    assert config_of(cell="HL23PV.swc").build_cell().morphology.name == "HL23PV.swc"
    with pytest.raises(ValueError, match="Extra inputs"):
        config_of(colour="blue")

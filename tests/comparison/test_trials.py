"""A twin beside the neuron's own trials: a right one is as good as a repeat, one that fires by itself is not."""

import json

import numpy as np
import pytest
import torch

import recorded_neuron as neuron
from lone_neuron import lone_neuron
from noble.comparison.repeats import repeats_of
from noble.comparison.trials import compare_trials
from noble.operator import Operator
from noble.plots.trials import trials_figure


@pytest.fixture(scope="module")
def repeats():
    return repeats_of(neuron.of_repeats(5), start_ms=500.0)


def test_the_neuron_alone(repeats):
    told = json.loads(json.dumps(compare_trials(repeats).to_dict()))
    assert told["trials"] == 5
    assert 0.2 < told["reliability_4ms"] < told["reliability_8ms"] < 1
    assert "coincidence_4ms" not in told
    assert "md_star_8ms" not in told
    assert "variance_explained" not in told


def test_keys_and_numbers_beside_an_operator(repeats):
    found = compare_trials(repeats, lone_neuron(), trials=10)
    told = json.loads(json.dumps(found.to_dict()))
    for window in (1, 2, 4, 8):
        assert {f"{key}_{window}ms" for key in ("reliability", "coincidence", "coincidence_over_reliability")} <= set(
            told
        )
        assert told[f"coincidence_over_reliability_{window}ms"] < 0.75  # untrained
    assert told["variance_explained"] < 0 < told["variance_explained_by_repeats"]
    assert {"md_star_4ms", "md_star_8ms", "training_minutes", "twin_fano_factor"} <= set(told)
    assert told["calibration"]["ks_distance"] > told["calibration"]["ks_band"]
    assert len(found.drawn_ms) == 10
    assert all(train.size == 0 or (train.min() >= 0 and train.max() < 2500) for train in found.drawn_ms)


def test_the_same_seed_draws_the_same_trials(repeats):
    one, other = (compare_trials(repeats, lone_neuron(), trials=4, seed=3).drawn_ms for _ in range(2))
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


def test_the_operator_of_a_family_is_refused(repeats):
    with pytest.raises(ValueError, match=r"stylised-pv is one of a family of neurons; expected the twin of one"):
        compare_trials(repeats, Operator.load("stylised-pv"))


def test_the_chance_of_a_spike_that_is_told_is_that_of_which_trials_are_drawn():
    """Calibrated on its own trials: recordings that the operator itself made."""
    operator = lone_neuron()
    dt_ms = 0.02  # finer than any recording, so that hardly a spike comes to lie in another bin
    current = np.where(np.arange(100_000) % 20_000 < 10_000, 0.25, 0.0)
    from noble.features.neurons import Neurons
    from noble.recordings import RawSweep
    from noble.stimuli import Sampled
    from noble.traces import TimeGrid, Trace

    grid = TimeGrid(dt_ms, current.size)
    nobody = Neurons((), np.empty((1, 0)))
    (trains,) = operator.spike_trials(nobody, [Sampled(current, dt_ms)], grid, trials=6, seed=1)
    assert min(map(len, trains)) > 20
    sweeps = []
    for number, train in enumerate(trains):
        sweep = RawSweep(f"{number}", number, "", Trace(grid, np.full(current.size, -70.0), current))
        # Peaks as the operator has them, not as a detector would find them.
        sweep.__dict__["peaks"] = np.round(train / dt_ms).astype(int)
        sweeps.append(sweep)
    found = compare_trials(repeats_of(neuron.recording(sweeps)), operator, trials=20)
    assert found.calibration is not None
    assert found.calibration.ks_distance < 1.5 * found.calibration.ks_band
    assert found.reliability.to_dict()["md_star_8ms"] == pytest.approx(1, abs=0.15)


def test_the_figure_shows_neuron_and_twin(repeats):
    alone, beside = (
        trials_figure(compare_trials(repeats)),
        trials_figure(compare_trials(repeats, lone_neuron(), trials=5)),
    )
    assert len(alone.axes) == 4
    assert len(beside.axes) == 5
    assert [axes.get_ylabel().split("\n")[0] for axes in beside.axes][1:3] == ["Neuron", "Twin"]
    assert torch.is_grad_enabled()

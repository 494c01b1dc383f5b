"""Variance explained between spikes, by its formula."""

import numpy as np
import pytest

from noble.comparison.subthreshold import between_spikes, explained, voltage_explained

DT_MS = 0.1


def test_it_is_one_less_the_error_over_the_variance():
    voltage = np.array([-70.0, -68.0, -72.0, -70.0, 20.0])
    model = np.array([-71.0, -68.0, -72.0, -69.0, -70.0])
    where = np.array([True, True, True, True, False])
    assert explained(voltage, model, where) == pytest.approx(1 - (2 / 4) / (8 / 4))
    assert explained(voltage, voltage, where) == 1.0
    assert explained(voltage, np.full(5, -70.0), where) == pytest.approx(0.0)  # the mean explains nothing
    assert np.isnan(explained(np.zeros(5), model, where))
    assert np.isnan(explained(voltage, model, np.zeros(5, dtype=bool)))


def test_what_is_near_a_spike_is_cut_out():
    quiet = between_spikes(np.array([1.0, 4.0]), 60, dt_ms=DT_MS, before_ms=0.5, after_ms=1.0)
    assert np.flatnonzero(~quiet).tolist() == [*range(5, 21), *range(35, 51)]
    assert between_spikes(np.array([0.1]), 60, dt_ms=DT_MS)[:102].sum() == 0  # within 3 ms before and 10 ms after
    assert between_spikes(np.empty(0), 60, dt_ms=DT_MS).all()


def test_model_and_repeats_by_explicit_sums():
    generator = np.random.default_rng(0)
    current = np.cumsum(generator.normal(size=2000)) * 0.1
    trials = np.stack([current + generator.normal(0, 0.5, 2000) for _ in range(3)])
    spikes = [np.array([50.0]), np.array([51.0]), np.array([150.0])]
    trials[0, 495:505] = 100.0  # within what is cut out
    found = voltage_explained(trials, spikes, current + 0.2, np.array([100.0]), dt_ms=DT_MS)
    masks = [between_spikes(train, 2000, dt_ms=DT_MS) for train in spikes]
    of_model = between_spikes(np.array([100.0]), 2000, dt_ms=DT_MS)
    by_model = [
        1 - np.mean((trial - current - 0.2)[mask & of_model] ** 2) / np.var(trial[mask & of_model])
        for trial, mask in zip(trials, masks, strict=True)
    ]
    by_repeat = [
        1
        - np.mean((trials[one] - trials[other])[masks[one] & masks[other]] ** 2)
        / np.var(trials[one][masks[one] & masks[other]])
        for one in range(3)
        for other in range(3)
        if one != other
    ]
    assert found.model == pytest.approx(np.mean(by_model))
    assert found.repeats == pytest.approx(np.mean(by_repeat))
    assert found.model_over_repeats == pytest.approx(np.mean(by_model) / np.mean(by_repeat))
    assert found.model_bias_mv == pytest.approx(0.2, abs=0.05)
    assert found.model_kept == pytest.approx(1 - 2 * 131 / 2000)  # two spikes, 13.1 ms each
    assert found.repeats_kept == pytest.approx(1 - (141 + 262 + 262) / 3 / 2000)
    assert found.to_dict()["model"] == found.model


def test_the_true_voltage_explains_more_than_a_repeat_does():
    """The noise of one trial counts once against the mean, twice against another trial."""
    generator = np.random.default_rng(1)
    signal = np.sin(np.arange(20_000) / 100)
    trials = signal + generator.normal(0, 0.5, (4, 20_000))
    found = voltage_explained(trials, [np.empty(0)] * 4, signal, np.empty(0), dt_ms=DT_MS)
    assert found.model == pytest.approx(1 - 0.25 / 0.75, abs=0.02)
    assert found.repeats == pytest.approx(1 - 0.5 / 0.75, abs=0.02)


def test_one_trial_is_refused():
    with pytest.raises(ValueError, match="there are 1 voltages and spikes of 1 trials; expected at least two"):
        voltage_explained(np.zeros((1, 100)), [np.empty(0)], np.zeros(100), np.empty(0), dt_ms=DT_MS)

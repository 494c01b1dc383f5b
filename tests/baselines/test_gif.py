"""The GIF finds its own parameters back, and does what its equations say."""

import numpy as np
import pytest

from noble.baselines import GIF, GIFSettings, firing
from noble.spikes import coincidence_factor
from noble.stimuli import OrnsteinUhlenbeck
from noble.traces import TimeGrid

SETTINGS = GIFSettings(refractory_ms=3.0, current_ms=(5.0, 50.0), threshold_ms=(10.0, 100.0))
TRUE = GIF(
    SETTINGS,
    capacitance_nf=0.1,
    leak_us=0.01,
    rest_mv=-70.0,
    reset_mv=-65.0,
    current_na=(0.05, 0.01),
    threshold_mv=-52.0,
    softness_mv=1.5,
    moved_mv=(4.0, 2.0),
)
DT_MS, DURATION_MS = 0.1, 5000.0
GRID = TimeGrid.spanning(DURATION_MS, dt_ms=DT_MS)


def noise(seed: int) -> np.ndarray:
    return OrnsteinUhlenbeck(0.0, DURATION_MS, mean_na=0.25, sd_na=0.15, tau_ms=5.0, seed=seed).sample(GRID)


@pytest.fixture(scope="module")
def fitted() -> GIF:
    generator = np.random.default_rng(0)
    currents = np.stack([noise(seed) for seed in range(8)])
    answers = [TRUE.simulate(current, dt_ms=DT_MS, generator=generator) for current in currents]
    voltage = np.stack([voltage for voltage, _ in answers])
    return GIF.fit(currents, voltage, [spikes for _, spikes in answers], dt_ms=DT_MS, settings=SETTINGS)


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("capacitance_nf", 0.002),
        ("leak_us", 0.0005),
        ("rest_mv", 0.5),
        ("reset_mv", 0.01),
        ("current_na", 0.01),
        ("threshold_mv", 0.5),
        ("softness_mv", 0.3),
        ("moved_mv", 1.0),
    ],
)
def test_a_fit_finds_the_parameters_back(fitted, name, tolerance):
    np.testing.assert_allclose(getattr(fitted, name), getattr(TRUE, name), atol=tolerance)


def test_without_spikes_it_is_a_leaky_membrane():
    current = np.full(20_000, 0.05)
    voltage, spikes = TRUE.simulate(current, dt_ms=0.01)
    assert len(spikes) == 0
    times = np.arange(current.size) * 0.01
    expected = -70.0 + 5.0 * (1 - np.exp(-times / 10.0))  # 0.05 nA / 0.01 uS; tau = 0.1 nF / 0.01 uS
    np.testing.assert_allclose(voltage, expected, atol=0.01)


def test_it_fires_where_half_of_the_chance_is_used_up(fitted):
    """The hazard along its own voltage, integrated from spike to spike, is ln 2."""
    voltage, spikes = TRUE.simulate(noise(50), dt_ms=DT_MS)
    assert len(spikes) > 20
    first = round(spikes[0] / DT_MS)
    hazard = np.exp((voltage[: first + 1] + 52.0) / 1.5) * DT_MS
    assert hazard[:-1].sum() <= np.log(2) < hazard.sum()
    assert np.diff(spikes).min() > 3.0
    _, others = fitted.simulate(noise(50), dt_ms=DT_MS)
    assert coincidence_factor(spikes, others, duration_ms=DURATION_MS, window_ms=4.0) > 0.8


def test_trials_differ_and_repeat_with_their_seed():
    trains = [TRUE.simulate(noise(3), dt_ms=DT_MS, generator=np.random.default_rng(seed))[1] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(trains[0], trains[1])
    assert trains[0].tolist() != trains[2].tolist()


@pytest.mark.parametrize(
    ("current", "spikes", "message"),
    [
        (np.zeros((1, 100)), [np.array([2.0])], "1 spikes; expected at least 10"),
        (np.zeros((2, 100)), [np.arange(20.0)] * 3, "spikes of 3 traces"),
    ],
)
def test_what_cannot_be_fitted_is_refused(current, spikes, message):
    with pytest.raises(ValueError, match=message):
        GIF.fit(current, current, spikes, dt_ms=0.1)


@pytest.mark.parametrize("seed", [None, 0])
def test_the_compiled_loop_answers_as_python_does(monkeypatch, seed):
    current = noise(1)[:5000]

    def trial():
        return TRUE.simulate(current, dt_ms=DT_MS, generator=None if seed is None else np.random.default_rng(seed))

    voltage, spikes = trial()
    monkeypatch.setattr(firing, "respond", firing.respond.py_func)
    assert len(spikes) > 0
    np.testing.assert_allclose(trial()[0], voltage, atol=1e-9)
    np.testing.assert_array_equal(trial()[1], spikes)


def test_the_compiled_fit_answers_as_python_does(monkeypatch):
    currents = np.stack([noise(seed)[:10_000] for seed in range(3)])
    answers = [TRUE.simulate(current, dt_ms=DT_MS) for current in currents]
    voltage, spikes = np.stack([voltage for voltage, _ in answers]), [spikes for _, spikes in answers]
    compiled = GIF.fit(currents, voltage, spikes, dt_ms=DT_MS, settings=SETTINGS)
    monkeypatch.setattr(firing, "respond", firing.respond.py_func)
    assert GIF.fit(currents, voltage, spikes, dt_ms=DT_MS, settings=SETTINGS).threshold_mv == pytest.approx(
        compiled.threshold_mv, abs=1e-6
    )

"""The iGIF finds its own parameters back, is never worse than a GIF, and does what its equations say."""

from dataclasses import replace

import numpy as np
import pytest

from noble.baselines import GIF, IGIF, GIFSettings, IGIFSettings, firing
from noble.baselines.igif import followed
from noble.stimuli import OrnsteinUhlenbeck
from noble.traces import TimeGrid

SHARED = GIFSettings(refractory_ms=3.0, current_ms=(5.0, 50.0), threshold_ms=(10.0, 100.0))
SETTINGS = IGIFSettings(
    **SHARED.model_dump(), lags_ms=(3.0, 10.0), slopes_mv=(2.0,), half_quantiles=(0.2, 0.6), refinements=30
)
TRUE = IGIF(
    SETTINGS,
    capacitance_nf=0.1,
    leak_us=0.01,
    rest_mv=-70.0,
    reset_mv=-65.0,
    current_na=(0.05, 0.01),
    threshold_mv=-56.0,
    softness_mv=1.0,
    moved_mv=(4.0, 2.0),
    coupling_mv=2.4,
    half_mv=-60.0,
    slope_mv=3.0,
    lag_ms=5.0,
)
DT_MS, DURATION_MS = 0.1, 5000.0
GRID = TimeGrid.spanning(DURATION_MS, dt_ms=DT_MS)


def noise(seed: int) -> np.ndarray:
    return OrnsteinUhlenbeck(0.0, DURATION_MS, mean_na=0.25, sd_na=0.2, tau_ms=5.0, seed=seed).sample(GRID)


def trials(count: int, *, first_seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Currents, voltages and spikes of the true model."""
    generator = np.random.default_rng(first_seed)
    currents = np.stack([noise(seed) for seed in range(first_seed, first_seed + count)])
    answers = [TRUE.simulate(current, dt_ms=DT_MS, generator=generator) for current in currents]
    return currents, np.stack([voltage for voltage, _ in answers]), [spikes for _, spikes in answers]


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    return trials(4)


@pytest.fixture(scope="module")
def fitted(data) -> IGIF:
    return IGIF.fit(*data, dt_ms=DT_MS, settings=SETTINGS)


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("capacitance_nf", 0.002),
        ("leak_us", 0.0005),
        ("rest_mv", 0.5),
        ("current_na", 0.01),
        ("softness_mv", 0.2),
        ("moved_mv", 1.0),
        ("lag_ms", 1.5),
    ],
)
def test_a_fit_finds_the_parameters_back(fitted, name, tolerance):
    np.testing.assert_allclose(getattr(fitted, name), getattr(TRUE, name), atol=tolerance)


def test_a_fit_finds_the_curve_that_the_threshold_follows(fitted):
    """k_a, V_i and k_i trade against each other and against the level; their curve is what the spikes tell."""
    voltage = np.linspace(-66.0, -50.0, 17)

    def curve(model: IGIF) -> np.ndarray:
        return model.threshold_mv + model.coupling_mv * np.logaddexp(0.0, (voltage - model.half_mv) / model.slope_mv)

    np.testing.assert_allclose(curve(fitted), curve(TRUE), atol=1.0)


def test_it_explains_its_spikes_and_new_ones_better_than_a_gif(data, fitted):
    gif = GIF.fit(*data, dt_ms=DT_MS, settings=SHARED)

    def likelihood(model, currents, spikes):
        return sum(model.log_likelihood(*pair, dt_ms=DT_MS) for pair in zip(currents, spikes, strict=True))

    currents, _, spikes = data
    assert likelihood(fitted, currents, spikes) > likelihood(gif, currents, spikes) + 20
    currents, _, spikes = trials(3, first_seed=100)
    assert likelihood(fitted, currents, spikes) > likelihood(gif, currents, spikes)
    assert likelihood(fitted, currents, spikes) == pytest.approx(likelihood(TRUE, currents, spikes), abs=10)


def test_on_spikes_of_a_gif_it_is_no_worse_than_a_gif():
    plain = GIF(SHARED, 0.1, 0.01, -70.0, -65.0, (0.05, 0.01), -52.0, 1.5, (4.0, 2.0))
    current = noise(7)
    voltage, spikes = plain.simulate(current, dt_ms=DT_MS, generator=np.random.default_rng(0))
    both = [
        kind.fit(current[None], voltage[None], [spikes], dt_ms=DT_MS, settings=settings)
        for kind, settings in ((GIF, SHARED), (IGIF, SETTINGS))
    ]
    without, with_coupling = (model.log_likelihood(current, spikes, dt_ms=DT_MS) for model in both)
    assert with_coupling >= without - 1e-6
    assert with_coupling < without + 10  # three parameters more, and nothing to explain


def test_the_hazard_is_what_the_equations_say():
    current = noise(2)[:10_000]
    spikes = TRUE.simulate(current, dt_ms=DT_MS)[1]
    voltage, hazard = TRUE.told(current, spikes, dt_ms=DT_MS)
    follow = followed(voltage[None], half_mv=-60.0, slope_mv=3.0, lag_ms=5.0, dt_ms=DT_MS)[0]
    first, second = (round(time / DT_MS) for time in spikes[:2])
    np.testing.assert_allclose(
        hazard[: first + 1], np.exp(voltage[: first + 1] + 56.0 - 2.4 * follow[: first + 1]), rtol=1e-6
    )
    assert np.all(hazard[first + 1 : first + 30] == 0.0)
    since = (np.arange(first + 30, second) - first - 30) * DT_MS
    moved = 4.0 * np.exp(-since / 10.0) + 2.0 * np.exp(-since / 100.0)
    within = slice(first + 30, second)
    np.testing.assert_allclose(hazard[within], np.exp(voltage[within] + 56.0 - 2.4 * follow[within] - moved), rtol=1e-6)


def test_a_slow_depolarisation_raises_its_threshold_and_a_fast_one_does_not():
    """A current of 0.18 nA takes the voltage to -52 mV, by a ramp of 1 ms or of 200 ms."""
    quick = replace(TRUE, capacitance_nf=0.001)  # follows the current within 0.1 ms

    def hazard(ramp_ms: float) -> float:
        rising = np.linspace(0.0, 0.18, round(ramp_ms / 0.01))
        told = quick.told(np.concatenate([rising, np.full(50, 0.18)]), np.empty(0), dt_ms=0.01)
        assert told.voltage_mv[-1] == pytest.approx(-52.0, abs=0.2)
        return float(told.hazard[-1])

    assert hazard(1.0) > 20 * hazard(200.0)


def test_told_its_own_spikes_it_has_its_own_voltage():
    current = noise(4)
    voltage, spikes = TRUE.simulate(current, dt_ms=DT_MS, generator=np.random.default_rng(1))
    np.testing.assert_array_equal(TRUE.told(current, spikes, dt_ms=DT_MS).voltage_mv, voltage)


@pytest.mark.parametrize(
    ("current", "spikes", "message"),
    [
        (np.zeros((1, 100)), [np.array([2.0])], "1 spikes; expected at least 10"),
        (np.zeros((2, 100)), [np.arange(20.0)] * 3, "spikes of 3 traces"),
    ],
)
def test_what_cannot_be_fitted_is_refused(current, spikes, message):
    with pytest.raises(ValueError, match=message):
        IGIF.fit(current, current, spikes, dt_ms=0.1)


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

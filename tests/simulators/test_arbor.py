"""The default simulator: a population in one run, whatever the threads, from rest."""

from __future__ import annotations

import numpy as np
import pytest
from small_cells import ALL_ACTIVE, FIRING, SHORT_SETTLING, WINDOW, stylised

from noble.simulators import ArborSimulator, SolverSettings
from noble.spikes import spike_times_ms
from noble.stimuli import OrnsteinUhlenbeck, Ramp, Step
from noble.traces import TimeGrid

MODEL = stylised("stylised-vip", FIRING)
STEP = Step(5.0, 95.0, 0.2)


def test_the_population_gives_what_each_gives_alone() -> None:
    simulator = ArborSimulator(threads=1, numerics=SHORT_SETTLING)
    models = [MODEL, stylised("stylised-pv", FIRING), stylised("stylised-vip", ALL_ACTIVE)]
    stimuli = [STEP, Ramp(5.0, 95.0, 0.0, 0.4), OrnsteinUhlenbeck(5.0, 95.0, mean_na=0.1, sd_na=0.05, seed=1)]
    together = simulator.respond(models, stimuli, WINDOW)
    for index, (model, stimulus) in enumerate(zip(models, stimuli, strict=True)):
        alone = simulator.respond([model], [stimulus], WINDOW)
        np.testing.assert_array_equal(together.voltage_mv[index], alone.voltage_mv[0])
        np.testing.assert_array_equal(together.current_na[index], stimulus.sample(WINDOW))


def test_the_number_of_threads_does_not_matter() -> None:
    models, stimuli = [MODEL] * 3, [Step(5.0, 95.0, amplitude) for amplitude in (-0.05, 0.1, 0.2)]
    one, three = (
        ArborSimulator(threads=threads, numerics=SHORT_SETTLING).respond(models, stimuli, WINDOW).voltage_mv
        for threads in (1, 3)
    )
    np.testing.assert_array_equal(one, three)


@pytest.mark.parametrize(
    "numerics",
    [
        SolverSettings(equilibration_ms=1000.0),
        SolverSettings(equilibration_dt_ms=0.02),
        SolverSettings(equilibration_dt_ms=0.5),
    ],
)
def test_how_it_settled_does_not_matter(numerics: SolverSettings) -> None:
    stimuli = [Step(5.0, 95.0, -0.05), STEP]
    usual, other = (
        ArborSimulator(threads=1, numerics=choice).respond([MODEL] * 2, stimuli, WINDOW).voltage_mv
        for choice in (SolverSettings(), numerics)
    )
    np.testing.assert_allclose(usual[0], other[0], atol=0.01)
    times = [spike_times_ms(voltage, dt_ms=WINDOW.dt_ms) for voltage in (usual[1], other[1])]
    assert times[0].size > 3
    np.testing.assert_allclose(*times, atol=0.02)


def test_where_it_started_does_not_matter() -> None:
    low, high = (
        ArborSimulator(threads=1).respond(
            [stylised("stylised-vip", FIRING, v_init_mv=start)], [Step(5.0, 95.0, -0.05)], WINDOW
        )
        for start in (-95.0, -70.0)
    )
    np.testing.assert_allclose(low.voltage_mv, high.voltage_mv, atol=0.01)
    before = WINDOW.times_ms < 5.0
    assert np.ptp(low.voltage_mv[0, before]) < 0.01


def test_temperature_is_the_cells() -> None:
    simulator = ArborSimulator(threads=1, numerics=SHORT_SETTLING)
    cold, warm = (
        simulator.respond([stylised("stylised-vip", FIRING, celsius=celsius)], [STEP], WINDOW).voltage_mv[0]
        for celsius in (26.0, 34.0)
    )
    width = [np.sum(voltage > -20.0) / spike_times_ms(voltage, dt_ms=0.02).size for voltage in (cold, warm)]
    assert width[0] > 1.3 * width[1]


def test_the_window_is_decimated_without_shift() -> None:
    simulator = ArborSimulator(threads=1, numerics=SHORT_SETTLING)
    coarse_grid = TimeGrid.spanning(100.0, dt_ms=0.06)
    fine, coarse = (simulator.respond([MODEL], [STEP], grid).voltage_mv[0] for grid in (WINDOW, coarse_grid))
    assert coarse.shape == (1666,)
    times = spike_times_ms(fine, dt_ms=0.02), spike_times_ms(coarse, dt_ms=0.06)
    np.testing.assert_allclose(*times, atol=0.05)
    calm = slice(0, 60)
    np.testing.assert_allclose(coarse[calm], fine[::3][calm], atol=0.01)


def test_a_current_may_last_to_the_end_of_the_window() -> None:
    voltage = ArborSimulator(threads=1, numerics=SHORT_SETTLING).respond([MODEL], [Step(0.0, 100.0, -0.05)], WINDOW)
    assert voltage.voltage_mv[0, -1] < voltage.voltage_mv[0, 0] - 5


@pytest.mark.parametrize(
    ("models", "stimuli", "dt_ms", "message"),
    [
        ([MODEL], [Step(5.0, 200.0, 0.1)], 0.02, "ends at 200 ms but the window is 100 ms long"),
        ([MODEL], [STEP], 0.05, "no multiple of the integration step"),
        ([MODEL, MODEL], [STEP], 0.02, "got 2 models and 1 stimuli"),
        ([], [], 0.02, "got 0 models and 0 stimuli"),
        ([MODEL], [Step(5.0, 95.0, 120.0)], 0.02, "If the number is in pA, divide it by 1000"),
        ([MODEL, stylised("stylised-vip", FIRING, celsius=30.0)], [STEP] * 2, 0.02, "temperatures differ"),
    ],
)
def test_what_does_not_fit_is_refused(models, stimuli, dt_ms: float, message: str) -> None:
    grid = TimeGrid.spanning(100.0, dt_ms=dt_ms)
    with pytest.raises(ValueError, match=message):
        ArborSimulator(threads=1, numerics=SHORT_SETTLING).respond(models, stimuli, grid)

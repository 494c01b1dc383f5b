"""The reference simulator by itself: its one state per process, its processes, its errors."""

from __future__ import annotations

import numpy as np
import pytest
from small_cells import FIRING, SHORT_SETTLING, WINDOW, stylised

from noble.simulators import NeuronSimulator, SolverSettings
from noble.stimuli import Step
from noble.traces import TimeGrid

MODEL = stylised("stylised-vip", FIRING)
STEP = Step(5.0, 95.0, 0.2)

pytestmark = pytest.mark.neuron


def test_simulators_do_not_disturb_each_other() -> None:
    first = NeuronSimulator(numerics=SHORT_SETTLING)
    before = first.respond([MODEL], [STEP], WINDOW)
    other_model = stylised("stylised-pv", FIRING, celsius=26.0, v_init_mv=-70.0)
    other_grid = TimeGrid.spanning(50.0, dt_ms=0.05)
    NeuronSimulator(numerics=SolverSettings(dt_ms=0.05, equilibration_ms=0.0)).respond(
        [other_model], [Step(5.0, 45.0, 0.1)], other_grid
    )
    after = first.respond([MODEL], [STEP], WINDOW)
    np.testing.assert_array_equal(before.voltage_mv, after.voltage_mv)


def test_no_section_is_left_behind() -> None:
    from neuron import h

    NeuronSimulator(numerics=SolverSettings(equilibration_ms=0.0)).respond(
        [MODEL], [Step(0.0, 5.0, 0.1)], TimeGrid.spanning(5, dt_ms=0.02)
    )
    assert list(h.allsec()) == []
    with pytest.raises(FileNotFoundError):
        NeuronSimulator().respond([stylised("never-seen.swc", FIRING)], [STEP], WINDOW)
    assert list(h.allsec()) == []


@pytest.mark.slow
def test_several_processes_give_the_same() -> None:
    grid = TimeGrid.spanning(20.0, dt_ms=0.02)
    stimuli = [Step(5.0, 15.0, amplitude) for amplitude in (-0.05, 0.1, 0.3)]
    one, two = (
        NeuronSimulator(numerics=SolverSettings(equilibration_ms=20.0), processes=processes).respond(
            [MODEL] * 3, stimuli, grid
        )
        for processes in (1, 2)
    )
    np.testing.assert_array_equal(one.voltage_mv, two.voltage_mv)


@pytest.mark.parametrize(
    ("models", "stimuli", "dt_ms", "message"),
    [
        ([MODEL], [Step(5.0, 200.0, 0.1)], 0.02, "ends at 200 ms but the window is 100 ms long"),
        ([MODEL], [STEP], 0.05, "no multiple of the integration step"),
        ([MODEL, MODEL], [STEP], 0.02, "got 2 models and 1 stimuli"),
        ([MODEL], [Step(5.0, 95.0, 120.0)], 0.02, "If the number is in pA, divide it by 1000"),
    ],
)
def test_what_does_not_fit_is_refused(models, stimuli, dt_ms: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NeuronSimulator(numerics=SHORT_SETTLING).respond(models, stimuli, TimeGrid.spanning(100.0, dt_ms=dt_ms))

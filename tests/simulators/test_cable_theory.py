"""A passive ball and stick against the cable equation's analytic solutions (Rall, Handbook of Physiology, 1977)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from noble.cells import Cell, CellModel, MorphologySource
from noble.simulators import ArborSimulator, NeuronSimulator, SolverSettings
from noble.stimuli import Step
from noble.traces import TimeGrid

CM_UF_PER_CM2 = 1.5
RA_OHM_CM = 150.0
G_PAS_S_PER_CM2 = 1 / 15_000
SOMA_UM = 10.0
STICK_UM = 2.0
REST_MV = -75.0
TAU_MS = 1e-3 * CM_UF_PER_CM2 / G_PAS_S_PER_CM2  # uF/S = us; 22.5 ms
# Long enough to reach the steady state: the step lasts 13, the rest after it 5 time constants.
WINDOW = TimeGrid.spanning(420.0, dt_ms=0.02)
STEP = Step(5.0, 305.0, -0.01)


def ball_and_stick(length_um: float, folder: Path) -> CellModel:
    """A ball of SOMA_UM on whose middle hangs one cylinder, in pieces of 20 um."""
    path = folder / f"stick_{length_um:g}.swc"
    steps = np.linspace(0.0, length_um, int(length_um / 20) + 1)
    lines = [f"1 1 0 0 0 {SOMA_UM / 2} -1", f"2 3 0 0 0 {STICK_UM / 2} 1"]
    lines += [f"{index + 2} 3 {x} 0 0 {STICK_UM / 2} {index + 1}" for index, x in enumerate(steps) if index > 0]
    path.write_text("\n".join(lines) + "\n")
    passive = {"cm.all": CM_UF_PER_CM2, "Ra.all": RA_OHM_CM, "g_pas.all": G_PAS_S_PER_CM2, "e_pas.all": REST_MV}
    return Cell("stick", MorphologySource.from_swc(path, axon="keep"), fixed=passive, v_init_mv=REST_MV).model({})


def input_resistance_mohm(length_um: float) -> float:
    """Ball in parallel with a sealed cable: G = g pi D^2 + tanh(L / lambda) / R_inf."""
    um = 1e-4  # in cm
    lambda_cm = np.sqrt(STICK_UM * um / (4 * G_PAS_S_PER_CM2 * RA_OHM_CM))
    r_inf_ohm = 2 / np.pi * np.sqrt(RA_OHM_CM / G_PAS_S_PER_CM2) * (STICK_UM * um) ** -1.5
    ball_s = G_PAS_S_PER_CM2 * np.pi * (SOMA_UM * um) ** 2
    return float(1e-6 / (ball_s + np.tanh(length_um * um / lambda_cm) / r_inf_ohm))


@pytest.mark.parametrize(
    "simulator",
    [ArborSimulator(threads=1), pytest.param(NeuronSimulator(), marks=pytest.mark.neuron)],
    ids=["arbor", "neuron"],
)
def test_input_resistance_and_time_constant(simulator: ArborSimulator | NeuronSimulator, tmp_path: Path) -> None:
    lengths_um = (100.0, 600.0, 1200.0)  # 0.16, 0.95 and 1.9 space constants
    models = [ball_and_stick(length, tmp_path) for length in lengths_um]
    voltage = simulator.respond(models, [STEP] * len(models), WINDOW).voltage_mv
    at = (WINDOW.times_ms / WINDOW.dt_ms).round().astype(int)
    assert at.size == WINDOW.count
    np.testing.assert_allclose(voltage[:, 0], REST_MV, atol=1e-6)
    # Just before the step ends, all but exp(-13) of the deflection is there.
    before_end = int(STEP.stop_ms / WINDOW.dt_ms) - 1
    resistance = (voltage[:, before_end] - REST_MV) / STEP.amplitude_na
    np.testing.assert_allclose(resistance, [input_resistance_mohm(length) for length in lengths_um], rtol=0.01)
    # Late after the step only the slowest mode is left: sealed and uniform, its time constant is the membrane's.
    late = (WINDOW.times_ms > STEP.stop_ms + 2 * TAU_MS) & (WINDOW.times_ms < STEP.stop_ms + 4 * TAU_MS)
    for trace in voltage:
        slope_per_ms = np.polyfit(WINDOW.times_ms[late], np.log(REST_MV - trace[late]), 1)[0]
        assert -1 / slope_per_ms == pytest.approx(TAU_MS, rel=0.01)


def test_a_ball_charges_exponentially(tmp_path: Path) -> None:
    """A stick of 1 um adds 2 % of membrane and nothing else: the whole course is known."""
    path = tmp_path / "ball.swc"
    path.write_text(f"1 1 0 0 0 {SOMA_UM / 2} -1\n2 3 0 0 0 1 1\n3 3 1 0 0 1 2\n")
    passive = {"cm.all": CM_UF_PER_CM2, "Ra.all": RA_OHM_CM, "g_pas.all": G_PAS_S_PER_CM2, "e_pas.all": REST_MV}
    source = MorphologySource.from_swc(path, axon="keep")
    model = Cell("ball", source, fixed=passive, v_init_mv=REST_MV).model({})
    numerics = SolverSettings(equilibration_ms=20.0)
    voltage = ArborSimulator(threads=1, numerics=numerics).respond([model], [STEP], WINDOW).voltage_mv[0]
    area_cm2 = sum(source.load().area_um2(region) for region in ("soma", "dend")) * 1e-8
    final_mv = STEP.amplitude_na * 1e-6 / (G_PAS_S_PER_CM2 * area_cm2)  # nA / S = 1e-6 mV
    since = WINDOW.times_ms - STEP.start_ms
    expected = REST_MV + final_mv * np.where(since > 0, 1 - np.exp(-np.maximum(since, 0) / TAU_MS), 0)
    during = WINDOW.times_ms < STEP.stop_ms
    np.testing.assert_allclose(voltage[during], expected[during], atol=1e-3 * abs(final_mv))

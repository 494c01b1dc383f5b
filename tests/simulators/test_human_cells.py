"""Published models of a recorded human cell, whose fits delete the axon: spike counts and rest, in both simulators."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from noble.cells import CellModel, read_allen_fit
from noble.protocols import StepProtocol
from noble.simulators import ArborSimulator, NeuronSimulator
from noble.spikes import spike_times_ms, within
from noble.traces import TraceBatch

PROTOCOL = StepProtocol()
CELL = "PVALB__689331391"
AMPLITUDES_NA = (0.2, 0.28)


@pytest.fixture
def folder(shared_data: Path) -> Path:
    """The published models; without them the test is skipped."""
    found = shared_data / "human-cells"
    if not found.is_dir():
        pytest.skip(f"the development data is absent ({found})")
    return found


def model_of(folder: Path, rank: int) -> CellModel:
    [fit] = (folder / "json").glob(f"{CELL}_stage_1_seed_1_hof_{rank}_*.json")
    return read_allen_fit(fit, folder / "swc" / f"{CELL}_transformed.swc")


def counts(batch: TraceBatch) -> list[int]:
    trains = [spike_times_ms(voltage, dt_ms=PROTOCOL.dt_ms) for voltage in batch.voltage_mv]
    return [within(times, PROTOCOL.onset_ms, PROTOCOL.offset_ms).size for times in trains]


def rest_mv(batch: TraceBatch) -> float:
    return float(batch.voltage_mv[0, PROTOCOL.grid.times_ms < PROTOCOL.onset_ms].mean())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rank", "expected", "rest"), [(0, [14, 27], -77.09), (2, [26, 35], -75.26), (8, [0, 0], None)]
)
def test_published_models_of_a_human_pv_cell(rank: int, expected: list[int], rest: float | None, folder: Path) -> None:
    model = model_of(folder, rank)
    assert model.cell.morphology.axon == "none"
    batch = ArborSimulator(threads=1).respond(
        [model] * 2, [PROTOCOL.stimulus(amplitude) for amplitude in AMPLITUDES_NA], PROTOCOL.grid
    )
    assert counts(batch) == expected
    if rest is not None:
        assert rest_mv(batch) == pytest.approx(rest, abs=0.02)


@pytest.mark.slow
@pytest.mark.neuron
def test_neuron_agrees_on_one_of_them(folder: Path) -> None:
    answers = [
        simulator.respond([model_of(folder, 0)], [PROTOCOL.stimulus(0.2)], PROTOCOL.grid)
        for simulator in (ArborSimulator(threads=1), NeuronSimulator())
    ]
    arbor, neuron = (spike_times_ms(answer.voltage_mv[0], dt_ms=PROTOCOL.dt_ms) for answer in answers)
    assert [counts(answer) for answer in answers] == [[14], [14]]
    assert rest_mv(answers[1]) == pytest.approx(-77.09, abs=0.02)
    np.testing.assert_allclose(arbor, neuron, atol=0.1)

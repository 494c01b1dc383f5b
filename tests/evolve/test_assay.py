"""One candidate's way through the protocols: what is simulated, what is measured, and what failures cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from small_runs import FIRING_STEP, PASSIVE_STEP, small_targets

from noble.cells import Cell, HallOfFame
from noble.evolve.assay import LARGEST_Z, Assay, Score
from noble.features import extract
from noble.features.windows import measure_step
from noble.simulators import ArborSimulator, SolverSettings
from noble.stimuli import Step
from noble.targets import StepTargets, Target, Targets
from noble.traces import TimeGrid, TraceBatch

HALL = HallOfFame.load("stylised-pv")
GOOD = dict(HALL.models[0].values)
COARSE = SolverSettings(dt_ms=0.06, equilibration_ms=40)
# 600 nA through 1e20 S/cm2 of calcium channels: no step of integration survives.
ABSURD = 1e20
BLOCK_STEP = replace(FIRING_STEP, features={**FIRING_STEP.features, "depol_block": Target(0.0, 0.1, 2)})
BLOCKING = {name: 0.0 for name in GOOD if name.startswith(("gbar_K_", "gbar_Kv2like", "gbar_Kv3_1"))}
BLOCKING |= {"gbar_Kd.axon": 1e-7, "gbar_SK.soma": 1e-7, "gbar_SK.axon": 1e-7}
BLOCKING |= {"gbar_NaV.soma": 5.0, "gbar_NaV.axon": 0.1}


def wide_cell() -> Cell:
    """A cell that allows absurd values."""
    parameters = [
        replace(item, high=2 * ABSURD) if item.name == "gbar_Ca_HVA.soma" else item for item in HALL.cell.parameters
    ]
    return replace(HALL.cell, parameters=tuple(parameters))


def assay_of(targets: Targets | None = None, cell: Cell = HALL.cell) -> Assay:
    return Assay(cell, targets or small_targets(), COARSE)


# --- with the simulator


def test_all_candidates_with_all_steps_are_one_run(monkeypatch):
    runs: list[tuple[list[float], list[float]]] = []
    respond = ArborSimulator.respond

    def counted(self: ArborSimulator, neurons: Sequence[Any], stimuli: Sequence[Step], grid: TimeGrid) -> TraceBatch:
        assert self.numerics == COARSE
        runs.append(([model.values["e_pas.all"] for model in neurons], [step.amplitude_na for step in stimuli]))
        return respond(self, neurons, stimuli, grid)

    monkeypatch.setattr(ArborSimulator, "respond", counted)
    scores = assay_of().score([GOOD | {"e_pas.all": rest} for rest in (-84.0, -80.0, -76.0)])
    assert runs == [([-84.0, -80.0, -76.0] * 2, [-0.1] * 3 + [0.3] * 3)]
    bases = [score.z["voltage_base@-0.1"] for score in scores]
    assert bases[0] != bases[1] != bases[2]


def test_each_step_is_answered_under_its_own_holding_current(monkeypatch):
    held: list[float] = []

    def stub(self: ArborSimulator, neurons: Sequence[Any], stimuli: Sequence[Step], grid: TimeGrid) -> TraceBatch:
        held.extend(model.cell.holding_na for model in neurons)
        flat = np.full((len(neurons), grid.count), -80.0)
        return TraceBatch(grid, flat, np.zeros_like(flat))

    monkeypatch.setattr(ArborSimulator, "respond", stub)
    steps = (replace(PASSIVE_STEP, holding_na=0.003), replace(BLOCK_STEP, holding_na=-0.05))
    assay_of(small_targets(*steps)).score([GOOD, GOOD])
    assert held == [0.0, 0.0, -0.05, -0.05]  # 3 pA are a bias of the amplifier


def test_traces_that_do_not_share_out_to_the_steps_are_refused():
    grid = assay_of().protocol.grid
    three = TraceBatch(grid, np.full((3, grid.count), -80.0), np.zeros((3, grid.count)))
    with pytest.raises(ValueError, match="3 traces were given for 2 steps; expected as many at each step"):
        assay_of().score_traces(three)


def test_scores_are_distances_of_features_in_deviations():
    """Against simulating by itself and asking eFEL, one model and one step at a time."""
    assay = assay_of()
    [score] = assay.score([GOOD])
    assert list(score.z) == assay.score_names()
    protocol = assay.protocol
    simulator = ArborSimulator(threads=1, numerics=COARSE)
    for step in assay.targets.steps:
        batch = simulator.respond([HALL.cell.model(GOOD)], [protocol.stimulus(step.amplitude_na)], protocol.grid)
        found = extract(batch, onset_ms=protocol.onset_ms, offset_ms=protocol.offset_ms, names=list(step.features))
        for name, target in step.features.items():
            expected = min(abs(found[name][0] - target.mean) / target.std, 20.0)
            assert score.z[f"{name}@{step.amplitude_na:g}"] == pytest.approx(expected, abs=0.02)
    assert score.spike_counts == {"-0.1": 0, "0.3": 4}
    assert score.blocked == ()
    assert score.failure is None
    assert score.mean == pytest.approx(np.mean(list(score.z.values())))


def test_bad_models_are_penalised_and_good_ones_beside_them_untouched():
    """A model that is silent, one that blocks and one that diverges, in one run with a good one."""
    assay = assay_of(small_targets(PASSIVE_STEP, BLOCK_STEP), wide_cell())
    silent, diverging = GOOD | {"g_pas.all": 1e-2}, GOOD | {"gbar_Ca_HVA.soma": ABSURD}
    good, quiet, blocked, diverged = assay.score([GOOD, silent, GOOD | BLOCKING, diverging])
    [alone] = assay.score([GOOD])
    assert good == alone  # to the last bit, whoever it is simulated with
    assert good.failure is quiet.failure is blocked.failure is None

    assert quiet.spike_counts == {"-0.1": 0, "0.3": 0}
    assert quiet.z["AP1_peak@0.3"] == LARGEST_Z
    assert quiet.z["Spikecount@0.3"] == pytest.approx(4.0)
    assert quiet.blocked == ()

    assert "0.3" in blocked.blocked
    assert blocked.z["AP1_peak@0.3"] == LARGEST_Z
    assert blocked.z["depol_block@0.3"] == pytest.approx(10.0)  # 1 instead of 0, with a deviation of 0.1
    assert good.z["depol_block@0.3"] == quiet.z["depol_block@0.3"] == 0.0

    assert diverged.failure == "diverged"
    assert set(diverged.z.values()) == {LARGEST_Z}
    assert diverged.blocked == ()

    assert good.mean < min(quiet.mean, blocked.mean) < diverged.mean == LARGEST_Z


# --- with made-up traces


@dataclass
class Bells:
    """Stands in for the simulator: rests at -84 mV and spikes at given times, at steps above 0 only."""

    times_ms: Sequence[float] = ()
    plateau_mv: float | None = None
    broken: Sequence[int] = ()

    def __call__(self, **_: Any) -> Bells:
        return self

    def respond(self, neurons: Sequence[Any], stimuli: Sequence[Step], grid: TimeGrid) -> TraceBatch:
        current = np.stack([stimulus.sample(grid) for stimulus in stimuli])
        voltage = np.full_like(current, -84.0)
        for row, stimulus in enumerate(stimuli):
            if stimulus.amplitude_na > 0:
                for time in self.times_ms:
                    voltage[row] += 104 * np.exp(-0.5 * ((grid.times_ms - time) / 0.4) ** 2)
                if self.plateau_mv is not None:
                    voltage[row, current[row] != 0] = self.plateau_mv
        for row in self.broken:
            voltage[row, grid.count // 2 :] = np.nan
        return TraceBatch(grid, voltage, current)


@pytest.fixture
def bells(monkeypatch):
    """Puts made-up traces in the simulator's place."""

    def install(**facts: Any) -> None:
        monkeypatch.setattr("noble.evolve.assay.ArborSimulator", Bells(**facts))

    return install


def test_a_model_that_diverges_at_one_step_only_is_a_failure(bells):
    bells(times_ms=(20, 30, 40, 50), broken=(3,))  # the second candidate at the second step
    first, second = assay_of().score([GOOD, GOOD])
    assert first.failure is None
    assert first.z["Spikecount@0.3"] == 0
    assert second.failure == "diverged"
    assert second.z["Spikecount@0.3"] == second.z["AP1_peak@0.3"] == LARGEST_Z
    assert json.loads(json.dumps(second.to_dict(), allow_nan=False)) == second.to_dict()


def test_spikes_count_within_the_step_only(bells):
    """The step is from 15 to 75 ms; a spike before it and a rebound after it count nowhere."""
    bells(times_ms=(5, 20, 30, 40, 50, 90))
    [score] = assay_of().score([GOOD])
    assert score.spike_counts == {"-0.1": 0, "0.3": 4}


def test_a_rebound_after_the_step_is_left_out_as_targets_leave_it_out(bells):
    bells(times_ms=(20, 30, 40, 50, 90))
    assay = assay_of()
    protocol = assay.protocol
    batch = Bells((20, 30, 40, 50, 90)).respond([GOOD], [protocol.stimulus(0.3)], protocol.grid)
    as_target = measure_step(
        batch, onset_ms=protocol.onset_ms, offset_ms=protocol.offset_ms, step_ms=protocol.step_ms, names=["Spikecount"]
    )
    assert as_target["Spikecount"].tolist() == [4.0]
    assert assay.score([GOOD])[0].z["Spikecount@0.3"] == 0.0


@pytest.mark.parametrize(("plateau_mv", "blocked"), [(-30.0, ("0.3",)), (-39.0, ("0.3",)), (-41.0, ()), (-60.0, ())])
def test_a_plateau_without_a_spike_is_a_block(bells, plateau_mv, blocked):
    bells(plateau_mv=plateau_mv)
    [score] = assay_of(small_targets(PASSIVE_STEP, BLOCK_STEP)).score([GOOD])
    assert score.blocked == blocked
    assert score.z["depol_block@0.3"] == (10.0 if blocked else 0.0)
    # The same is found where no target asks for it.
    assert assay_of().score([GOOD])[0].blocked == blocked


def test_a_block_is_no_matter_of_the_candidates_beside_it(bells, monkeypatch):
    monkeypatch.setattr("noble.evolve.assay.ArborSimulator", Bells((20, 30, 40, 50)))
    assert assay_of().score([GOOD, GOOD])[1].blocked == ()


@pytest.mark.parametrize(
    ("target", "z"),
    [
        (Target(4.0, 1.0, 2), 0.0),
        (Target(7.0, 1.0, 2), 3.0),
        (Target(1.0, 2.0, 2), 1.5),
        (Target(400.0, 1.0, 2), LARGEST_Z),
        (Target(5.0, 0.3, 2), 3.3333),
    ],
)
def test_a_score_is_absolute_capped_and_rounded(bells, target, z):
    bells(times_ms=(20, 30, 40, 50))
    step = StepTargets(0.3, 0.0, (4, 4), {"Spikecount": target}, {})
    assert assay_of(small_targets(step)).score([GOOD])[0].z == {"Spikecount@0.3": z}


def test_the_window_holds_the_step_and_a_tenth_of_a_second_more():
    protocol = assay_of(small_targets(step_ms=400.0)).protocol
    assert (protocol.onset_ms, protocol.step_ms, protocol.window_ms) == (15.0, 400.0, 515.0)
    assert protocol.offset_ms == pytest.approx(415.0, abs=0.06)


# --- scores


def test_a_failed_candidate_has_the_worst_score_of_all_targets():
    assay = assay_of()
    score = assay.failed("it hung")
    assert score.z == dict.fromkeys(assay.score_names(), LARGEST_Z)
    assert (score.mean, score.worst, score.failure, score.spike_counts) == (LARGEST_Z, LARGEST_Z, "it hung", {})


@pytest.mark.parametrize(
    "score",
    [
        Score({"a@0.1": 1.0, "b@0.1": 3.0}, {"0.1": 4}),
        Score({"a@0.1": 20.0}, {"0.1": 4}, ("0.1",)),
        Score({"a@0.1": 20.0}, failure="diverged"),
    ],
)
def test_a_score_is_read_back_as_it_was(score):
    assert Score.from_dict(json.loads(json.dumps(score.to_dict()))) == score


def test_mean_and_worst():
    score = Score({"a@0.1": 1.0, "b@0.1": 3.0, "a@0.2": 0.5})
    assert (score.mean, score.worst) == (1.5, 3.0)

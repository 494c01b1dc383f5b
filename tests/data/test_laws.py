"""Laws that draw stimuli around the rheobase."""

from itertools import pairwise

import numpy as np
import pytest
from fake_family import FakeHall

from noble.data import GenerationConfig, StimulusMix, TraceCounts
from noble.data.laws import LAWS
from noble.data.plan import draw_plan
from noble.stimuli import Chirp, OrnsteinUhlenbeck, PulseTrain, Ramp, Step, Stimulus, Sum

RHEOBASE = 0.12
NAMES = ("noise", "ramps", "chirps", "pulses", "steps", "held")
CONFIG = GenerationConfig(hall="x", traces=TraceCounts(train=1))


def drawn(name: str, count: int = 300, rheobase_na: float = RHEOBASE) -> list[Stimulus]:
    return [LAWS[name].draw(0.1, rheobase_na=rheobase_na, seed=seed, config=CONFIG) for seed in range(count)]


@pytest.mark.parametrize("name", NAMES)
def test_a_law_fills_the_window_and_draws_anew_for_each_seed(name):
    grid = CONFIG.window.grid
    stimuli = drawn(name, 40)
    for stimulus in stimuli:
        current = stimulus.sample(grid)
        assert np.all(np.isfinite(current))
        assert stimulus.end_ms == CONFIG.window_ms
        if name != "held":
            assert not current[grid.times_ms < CONFIG.onset_ms - 1e-9].any()
    assert len({repr(stimulus) for stimulus in stimuli}) == 40
    assert [repr(stimulus) for stimulus in drawn(name, 40)] == [repr(stimulus) for stimulus in stimuli]


def test_parameters_lie_where_they_should_and_reach_the_ends():
    noises = [item for item in drawn("noise") if isinstance(item, OrnsteinUhlenbeck)]
    assert len(noises) == 300
    for values, low, high in (
        ([item.mean_na for item in noises], -0.05, 1.3 * RHEOBASE),
        ([item.sd_na for item in noises], 0.01, 0.15),
        ([item.tau_ms for item in noises], 1.0, 50.0),
    ):
        assert low <= min(values) < low + 0.2 * (high - low)
        assert high - 0.1 * (high - low) < max(values) <= high
    pulses = [item for item in drawn("pulses") if isinstance(item, PulseTrain)]
    widths = [item.width_ms for item in pulses]
    assert len(pulses) == 300
    assert (0.5 <= min(widths) < 0.6) & (40 < max(widths) <= 50)
    chirps = [item for item in drawn("chirps") if isinstance(item, Chirp)]
    assert all(0.5 <= hz <= 100 for item in chirps for hz in (item.f0_hz, item.f1_hz))
    ramps = [item for item in drawn("ramps") if isinstance(item, Ramp)]
    up = np.mean([item.stop_na > item.start_na for item in ramps])
    assert 0.4 < up < 0.6


@pytest.mark.parametrize("name", ["ramps", "chirps"])
@pytest.mark.parametrize("rheobase_na", [0.03, 0.4])
def test_a_neuron_of_any_size_is_driven_beyond_its_rheobase(name, rheobase_na):
    highest = [stimulus.sample(CONFIG.window.grid).max() / rheobase_na for stimulus in drawn(name, 60, rheobase_na)]
    assert min(highest) > 0.9
    assert max(highest) < 2.4


def test_steps_follow_one_another_without_a_gap():
    for stimulus in drawn("steps", 50):
        assert isinstance(stimulus, Sum)
        steps = [part for part in stimulus.parts if isinstance(part, Step)]
        assert 2 <= len(steps) == len(stimulus.parts) <= 6
        for before, after in pairwise(steps):
            assert before.stop_ms == pytest.approx(after.start_ms, abs=2e-3)


def test_a_holding_current_is_there_from_the_first_sample():
    for stimulus in drawn("held", 50):
        assert isinstance(stimulus, Sum)
        holding = stimulus.parts[0]
        assert isinstance(holding, Step)
        assert (holding.start_ms, -0.1 <= holding.amplitude_na <= 0.6 * RHEOBASE) == (0.0, True)


def test_a_plan_gives_each_neuron_currents_around_its_own_rheobase():
    hall = FakeHall()
    config = GenerationConfig(
        hall="balls",
        mix=StimulusMix.model_validate({"step": 0, "ramps": 1}),
        traces=TraceCounts(train=200, validation=0, test=0, unseen_models=0),
    )
    plan = draw_plan(config, hall)
    for index in range(len(plan)):
        ramp = plan.stimulus(index)
        assert isinstance(ramp, Ramp)
        highest = max(ramp.start_na, ramp.stop_na) / hall.models[plan.model_index[index]].features["rheobase"]
        assert 1.1 <= highest <= 2.3


def test_without_a_rheobase_nothing_is_drawn_around_it():
    with pytest.raises(ValueError, match="a neuron of the hall has no rheobase"):
        drawn("noise", 1, float("nan"))

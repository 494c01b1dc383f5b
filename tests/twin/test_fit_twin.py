"""A twin learns a neuron that fires by chance, goes on where it was stopped, and is a bundle like any other."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import recorded_neuron as neuron
from noble.operator import Operator
from noble.operator.feedback.config import SpikeFeedbackConfig
from noble.stimuli import Sampled
from noble.twin import TwinConfig, fit_twin
from noble.twin.card import twin_card

SMALL = SpikeFeedbackConfig(
    bin_ms=1.0,
    ahead_ms=1.0,
    width=8,
    hidden=8,
    blocks=1,
    filters=6,
    cell=8,
    averages=6,
    address=2,
    shapes=4,
    shape_width=8,
)
QUICK = TwinConfig(
    operator=SMALL,
    steps=40,
    seeds=2,
    validate_every=10,
    batch_ms=6000,
    window_ms=1000,
    settle_ms=200,
    learning_rate=1e-2,
)


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    return fit_twin(neuron.of_noise(), tmp_path_factory.mktemp("twin") / "training", config=QUICK)


def test_it_does_better_on_what_was_held_back_than_before(twin):
    assert [item.seed for item in twin.seeds] == [0, 1]
    untrained = fit_twin_of_no_step(neuron.of_noise())
    assert min(item.loss for item in twin.seeds) < 0.7 * untrained
    assert twin.seed == min(twin.seeds, key=lambda item: item.loss).seed


def fit_twin_of_no_step(recorded) -> float:
    """The loss of first weights."""
    from noble.operator.spec import FeatureSpec
    from noble.traces import TimeGrid
    from noble.twin.learning import Learning
    from noble.twin.material import material_of
    from noble.twin.windows import Windows

    material = material_of(recorded)
    operator = Operator.build(
        SMALL, FeatureSpec(names=(), units=(), minimum=(), maximum=()), TimeGrid(0.1, 10_000), seed=0
    )
    parts = [
        Windows(material, part, window_ms=1000, settle_ms=200, batch_ms=6000)
        for part in material.split(QUICK.held_back, QUICK.stretches)
    ]
    return Learning(operator.core, QUICK, seed=0, learned=parts[0], held_back=parts[1]).judged(parts[1])["loss"]


def test_it_says_what_it_learned_from(twin):
    assert (twin.sweeps, twin.seconds, twin.holding_na) == (1, 8.0, 0.0)
    assert twin.held_back_seconds == pytest.approx(1.2)
    told = json.loads(json.dumps(twin.to_dict()))
    assert "operator" not in told
    assert told["training_minutes"] >= 0
    facts = twin.operator.provenance["recording"]
    assert facts["kinds"] == ["noise"]
    assert facts["sha256"] == "0" * 64
    assert twin.operator.scope.kinds == ("OrnsteinUhlenbeck", "Sampled")


def test_it_is_a_bundle(twin, tmp_path):
    card = twin_card(twin, {})
    assert "cell.csv" in card
    assert f"{twin.spikes} spikes" in card
    twin.operator.save(tmp_path / "twin", card=card)
    loaded = Operator.load(tmp_path / "twin")
    current = torch.from_numpy(neuron.noise_na(5, 500.0)[None].astype(np.float32))
    nothing = torch.zeros(1, 0)
    with torch.no_grad():
        torch.testing.assert_close(loaded.core(nothing, current, 0.1), twin.operator.core(nothing, current, 0.1))


def test_a_training_that_was_stopped_ends_as_one_that_was_not(twin, tmp_path):
    class StoppedError(Exception):
        pass

    def stop_at(done, total, note=""):
        if done == 60:
            raise StoppedError

    folder = tmp_path / "training"
    with pytest.raises(StoppedError):
        fit_twin(neuron.of_noise(), folder, config=QUICK, progress=stop_at)
    with pytest.raises(ValueError, match="holds the unfinished training of a twin with other settings"):
        fit_twin(neuron.of_noise(), folder, config=QUICK.model_copy(update={"learning_rate": 1e-3}))
    resumed = fit_twin(neuron.of_noise(), folder, config=QUICK)
    assert not folder.exists()
    assert [replace(item) for item in resumed.seeds] == list(twin.seeds)
    for one, other in zip(resumed.operator.parameters(), twin.operator.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_donor_gives_its_weights(twin, tmp_path):
    config = QUICK.model_copy(update={"steps": 10, "seeds": 1})
    begun = fit_twin(neuron.of_noise(), tmp_path / "a", config=config, donor=twin.operator)
    fresh = fit_twin(neuron.of_noise(), tmp_path / "b", config=config)
    assert begun.seeds[0].loss < 0.9 * fresh.seeds[0].loss


def test_a_donor_of_another_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is a spike-phase operator; expected one that takes any current"):
        fit_twin(neuron.of_noise(), tmp_path / "a", config=QUICK, donor=Operator.load("human-vip"))


def test_its_current_comes_on_top_of_the_holding_current(tmp_path):
    config = QUICK.model_copy(update={"steps": 10, "seeds": 1})
    recorded = neuron.of_steps(tuple(np.linspace(0.1, 0.6, 8)), holding_na=-0.08)
    found = fit_twin(recorded, tmp_path / "a", config=config)
    assert found.holding_na == pytest.approx(-0.08, abs=1e-3)
    assert found.operator.holding_na == pytest.approx(-0.08, abs=1e-3)
    assert found.operator.scope.kinds == ("Sampled", "Step")
    assert Sampled.__name__ in found.operator.scope.kinds

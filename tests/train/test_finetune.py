"""Fine-tuning: what the composite loss is, that it works, resumes, and refuses what does not fit."""

from pathlib import Path

import numpy as np
import pytest
import torch
from spiking_family import TINY_FNO, TINY_PHASE, make_store

from noble.data import AmplitudeConfig, Store, TraceCounts
from noble.operator import Operator
from noble.train import FineTuneConfig, fine_tune, fine_tune_config, hyperpolarising_indices, read_curves
from noble.train.batches import shifted_window
from noble.train.config import LossConfig
from noble.train.dataset import StoreData
from noble.train.finetune_learner import CompositeObjective, FeatureTerm, FineTuneLearner
from noble.train.objectives import objective_for
from noble.train.soft_features import soft_feature

FEATURES = ("rheobase", "fi_gain")
BOTH_SIGNS = AmplitudeConfig(low_na=-0.2, high_na=0.2, mode_na=-0.02, skewness=0.0, scale_na=0.1)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> Path:
    """Half of the steps hyperpolarise; the family has no sag, so that only the operator's own shows."""
    path = tmp_path_factory.mktemp("mixed") / "store.zarr"
    make_store(path, amplitude=BOTH_SIGNS, traces=TraceCounts(train=24, validation=10, test=8, unseen_models=6))
    return path


def data_of(path: Path) -> StoreData:
    return StoreData(path, features=FEATURES, validation_limit=10, seed=0)


def operator_of(path: Path, kind=TINY_PHASE, **provenance) -> Operator:
    data = data_of(path)
    facts = {"hall": data.store.attributes["hall"], **provenance}
    return Operator.build(kind, data.feature_spec(), data.window, seed=1, provenance=facts).eval()


def configured(operator: Operator, path: Path, **changes) -> FineTuneConfig:
    settings = {
        "feature": "sag_amplitude",
        "weight": 25.0,
        "epochs": 3,
        "batch_size": 8,
        "loss": LossConfig(waveform_points=32),
    }
    return fine_tune_config(operator, Store.open(path), **(settings | changes))


def same(one: Operator, two: Operator) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def test_a_training_on_some_of_the_models_goes_on_with_those(mixed):
    some = operator_of(mixed, training={"models": 2, "seed": 4})
    assert configured(some, mixed, seed=4).models == 2
    assert configured(operator_of(mixed), mixed).models is None
    with pytest.raises(ValueError, match="seed is 0, but the bundle learned 2 models drawn by seed 4"):
        configured(some, mixed)


@pytest.mark.parametrize("kind", [TINY_PHASE, TINY_FNO])
@pytest.mark.parametrize("name", ["sag_amplitude", "steady_state_voltage_stimend", "voltage_base"])
def test_the_loss_is_the_objective_and_the_weighted_square_of_the_feature(mixed, kind, name):
    data, operator = data_of(mixed), operator_of(mixed, kind)
    [batch] = data.training.batches([np.arange(24)], 24)
    still = shifted_window(batch, torch.zeros_like(batch.index))
    plain = objective_for(LossConfig(waveform_points=32))
    term = FeatureTerm(soft_feature(name), weight=7.0, scale=0.5)
    composite = CompositeObjective(plain, term)
    losses = composite(operator, still, torch.Generator().manual_seed(3))
    without = plain(operator, still, torch.Generator().manual_seed(3))
    amplitude = np.array([data.store.stimulus(i).amplitude_na for i in data.store.indices("train")])  # type: ignore[attr-defined]
    rows = np.flatnonzero(amplitude < 0)
    assert 3 < rows.size < 21
    predicted = operator(still.features, still.current_na, data.window.dt_ms)[rows].detach()
    onset, offset = torch.full((rows.size,), 5.0), torch.full((rows.size,), 45.0)
    ours, theirs = (term.feature.values(v, onset, offset, 0.1) for v in (predicted, still.voltage_mv[rows]))
    expected = (((ours - theirs) / 0.5) ** 2).mean()
    torch.testing.assert_close(losses[name], expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(losses["loss"], without["loss"] + 7 * expected, rtol=1e-4, atol=1e-4)
    losses["loss"].backward()
    assert all(torch.isfinite(p.grad).all() for p in operator.parameters() if p.grad is not None)


def test_a_batch_without_hyperpolarising_steps_adds_nothing(store_path):
    """All currents of this store are positive once the negative ones are left out."""
    data, operator = data_of(store_path), operator_of(store_path)
    store = data.store
    rows = [k for k, i in enumerate(store.indices("train")) if store.stimulus(int(i)).amplitude_na > 0][:4]  # type: ignore[attr-defined]
    [batch] = data.training.batches([np.array(rows)], 4)
    still = shifted_window(batch, torch.zeros_like(batch.index))
    plain = objective_for(LossConfig(waveform_points=32))
    composite = CompositeObjective(plain, FeatureTerm(soft_feature("sag_amplitude"), 25.0, 0.5))
    losses, without = (o(operator, still, torch.Generator().manual_seed(3)) for o in (composite, plain))
    assert losses["sag_amplitude"] == 0
    assert losses["loss"] == without["loss"]


def test_the_score_that_chooses_the_epoch_adds_the_feature_whatever_the_weight(mixed):
    data, operator = data_of(mixed), operator_of(mixed)
    scores = []
    for weight in (0.0, 25.0):
        term = FeatureTerm(soft_feature("voltage_base"), weight, scale=2.0)
        learner = FineTuneLearner(operator, configured(operator, mixed, weight=weight), term=term)
        rows = []
        for batch in data.validation.batches(data.validation.in_order(), 8):
            still = shifted_window(batch, torch.zeros_like(batch.index))
            rows.append(learner.observed(still, still.voltage_mv + 1.0))
        scores.append(learner.summary(np.concatenate(rows)))
    assert scores[0] == scores[1]
    assert scores[0]["voltage_base_error_percent"] == pytest.approx(50.0, rel=1e-4)
    others = (
        sum(scores[0][f"{key}_percent"] for key in ("missed", "false", "spike_count_error", "relative_l2"))
        + 10 * scores[0]["timing_ms"]
    )
    assert scores[0]["score"] == pytest.approx(others + 50.0, rel=1e-4)


@pytest.mark.parametrize("kind", [TINY_PHASE, TINY_FNO])
def test_the_term_lowers_the_feature_error_and_the_control_does_not_as_much(mixed, tmp_path, kind):
    operator = operator_of(mixed, kind)
    before = {name: value.clone() for name, value in operator.state_dict().items()}
    settings = {"feature": "steady_state_voltage_stimend", "epochs": 10, "learning_rate": 0.003}
    errors = {}
    for weight in (0.0, 25.0):
        config = configured(operator, mixed, weight=weight, **settings)
        tuned = fine_tune(operator, config, mixed, tmp_path / str(weight))
        rows = read_curves(tmp_path / str(weight) / "curves.csv")
        errors[weight] = min(row["val/steady_state_voltage_stimend_error_percent"] for row in rows)
        assert not tuned.training
        assert not same(tuned, operator)
        assert tuned.spec is operator.spec
        assert tuned.scope is not None
        assert tuned.scope.lowest_na == Store.open(mixed).attributes["config"]["amplitude"]["low_na"]
        facts = tuned.provenance["fine_tuning"]
        assert facts["config"]["weight"] == weight
        assert 1 <= facts["run"]["best_epoch"] <= 10
        assert tuned.provenance["hall"] == operator.provenance["hall"]
    assert errors[25.0] < errors[0.0]
    assert all(torch.equal(value, before[name]) for name, value in operator.state_dict().items())


def test_an_interrupted_run_goes_on_to_the_same_end(mixed, tmp_path):
    class StoppedError(Exception):
        pass

    def stop(done, total, values):
        if done == 2:
            raise StoppedError

    operator = operator_of(mixed)
    config = configured(operator, mixed)
    whole = fine_tune(operator, config, mixed, tmp_path / "whole")
    with pytest.raises(StoppedError):
        fine_tune(operator, config, mixed, tmp_path / "part", progress=stop)
    with pytest.raises(ValueError, match="holds a training run already; resume it"):
        fine_tune(operator, config, mixed, tmp_path / "part")
    with pytest.raises(ValueError, match="started with another weight"):
        fine_tune(operator, configured(operator, mixed, weight=1.0), mixed, tmp_path / "part", resume=True)
    assert same(fine_tune(operator, config, mixed, tmp_path / "part", resume=True), whole)


def test_a_run_goes_on_as_the_bundle_was_trained(mixed):
    training = {"loss": LossConfig(timing=3.0).model_dump(), "batch_size": 5, "max_shift_ms": 4.0, "epochs": 99}
    operator = operator_of(mixed, training=training)
    config = fine_tune_config(operator, Store.open(mixed), feature="voltage_base", weight=1.0)
    assert (config.loss.timing, config.batch_size, config.max_shift_ms, config.epochs) == (3.0, 5, 4.0, 10)
    assert config.feature_names == FEATURES
    assert config.optimiser.learning_rate == 3e-4
    # Without a record, as far as the store's margins of 5 ms allow.
    assert (
        fine_tune_config(operator_of(mixed), Store.open(mixed), feature="voltage_base", weight=1.0).max_shift_ms == 5.0
    )


def test_hyperpolarising_samples_are_those_of_negative_steps(mixed):
    store = Store.open(mixed)
    for split in ("train", "validation", "test", "unseen_models"):
        rows = store.indices(split)
        expected = [i for i in rows if store.stimulus(int(i)).amplitude_na < 0]  # type: ignore[attr-defined]
        assert hyperpolarising_indices(store, split).tolist() == expected


def test_what_does_not_fit_is_refused_before_anything_is_written(mixed, tmp_path):
    operator = operator_of(mixed)
    config = configured(operator, mixed)

    def refused(message: str, operator: Operator = operator, store: Path = mixed) -> None:
        with pytest.raises(ValueError, match=message):
            fine_tune(operator, config, store, tmp_path / "run")
        assert not (tmp_path / "run").exists()

    positive = AmplitudeConfig(low_na=0.01, high_na=0.25, mode_na=0.1)
    upwards = make_store(tmp_path / "upwards.zarr", amplitude=positive).path
    refused("has no hyperpolarising step among its train traces .*drawn from 0.01 to 0.25 nA", store=upwards)
    longer = make_store(tmp_path / "longer.zarr", amplitude=BOTH_SIGNS, window_ms=60.0).path
    refused("trained on 55 ms at dt 0.1 ms but .* has 60 ms", store=longer)
    other = operator_of(mixed)
    other.provenance["hall"] = {"name": "others", "digest": "c" * 64}
    refused("holds other models", operator=other)
    renamed = Operator(
        operator.config,
        type(operator.spec).fit(np.array(operator.spec.training_features), ("rheobase", "colour"), ("nA", "1")),
        operator.grid,
        core=operator.core,
    )
    refused("knows neurons by colour, which .* lacks", operator=renamed)
    moved = Operator.build(operator.config, operator.spec, operator.grid, seed=2, provenance=operator.provenance)
    refused("an operator with other weights", operator=moved)

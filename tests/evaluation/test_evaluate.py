"""Errors of an operator with known mistakes, on a store and on fresh simulations."""

import json
import warnings
from typing import Any

import numpy as np
import pytest

from evaluated_family import CONFIG, TABLE, WINDOW, FakeHall, FakeSimulator, FakeStore, Spec, StandIn
from noble.evaluation import STABLE_KEYS, Evaluation, OtherModelsError, evaluate, evaluate_fresh
from noble.features.neurons import Neurons
from noble.stimuli import Stimulus
from noble.traces import TraceBatch


def run(operator: StandIn, **options: Any) -> Evaluation:
    return evaluate(operator, FakeStore(), **options)  # type: ignore[arg-type]


def test_an_exact_operator_has_no_error_over_the_window_alone():
    operator = StandIn()
    found = run(operator)
    assert set(found.subsets) == {"unseen_currents", "unseen_models"}
    assert (found["unseen_currents"].traces, found["unseen_models"].traces) == (8, 4)
    for summary in found.subsets.values():
        assert summary.relative_l2_percent == 0
        assert summary.coincidence_1ms == pytest.approx(1.0)
    assert {grid for _, grid in operator.calls} == {WINDOW.grid}
    written = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert all(set(STABLE_KEYS) < set(subset) for subset in written.values())
    assert Evaluation.from_dict(written) == found


def test_a_delay_is_found_and_batches_do_not_matter():
    whole, parts = run(StandIn(delay_ms=0.5)), run(StandIn(delay_ms=0.5), batch_size=3)
    assert whole == parts
    assert whole["unseen_models"].spike_time_median_ms == pytest.approx(0.5, abs=1e-3)
    assert whole["unseen_models"].relative_l2_percent > 1


def test_the_regimes_know_each_models_threshold():
    store = FakeStore()
    found = run(StandIn())["unseen_currents"].regimes
    assert found is not None
    rows = np.arange(8)
    thresholds = TABLE[store.model_index[rows], 1]
    spikes = np.ceil(np.maximum(store.amplitudes[rows] - thresholds, 0) / 0.01)
    near = (np.abs(np.maximum(store.amplitudes[rows], 0) - thresholds) <= 0.01) | ((spikes > 0) & (spikes <= 2))
    assert found["near_threshold"].traces == near.sum()
    assert found["sub_threshold"].traces == (~near & (spikes == 0)).sum()


def test_progress_counts_all_traces():
    seen: list[tuple[int, int]] = []
    run(StandIn(), batch_size=5, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 12), (5, 12), (8, 12), (12, 12)]


def test_a_limit_is_spread_over_the_split():
    found = run(StandIn(), limit=3)
    assert [summary.traces for summary in found.subsets.values()] == [3, 3]
    with pytest.raises(ValueError, match="limit is 0"):
        run(StandIn(), limit=0)


def test_currents_are_unseen_of_the_models_that_were_learned_alone():
    operator = StandIn(provenance={"models": [1]})
    found = run(operator)
    assert found["unseen_currents"].traces == 4
    assert found["unseen_models"].traces == 4


def test_held_out_models_are_also_known_by_the_plane_alone():
    class Guessing(StandIn):
        """Takes all neurons told by their threshold alone to rest at -60 mV."""

        def respond(self, neurons: Neurons, *args: Any, **options: Any) -> TraceBatch:
            if neurons.names == ("rheobase",):
                values = np.column_stack([neurons.values, np.full(len(neurons), -60.0)])
                neurons = Neurons(("rheobase", "voltage_base"), values)
            return super().respond(neurons, *args, **options)

    found = run(Guessing(spec=Spec(latent_features=("rheobase",))))
    assert list(found.subsets) == ["unseen_currents", "unseen_models", "unseen_models_plane"]
    assert found["unseen_models"].relative_l2_percent < 1e-5
    plane = found["unseen_models_plane"]
    assert plane.traces == 4
    assert plane.relative_l2_percent > 10
    assert plane.spike_count_error_percent == 0


def test_other_splits_keep_their_name_and_an_empty_one_has_every_key():
    found = run(StandIn(), splits=("validation",))
    assert set(found.subsets) == {"validation"}
    assert found["validation"].traces == 0
    assert found["validation"].relative_l2_percent is None


def test_settings_say_where_the_traces_come_from():
    settings = run(StandIn())["unseen_models"].settings
    assert settings is not None
    assert settings["source"] == "store"
    assert settings["store"] == "d" * 64
    assert settings["features"]["interpolation_step"] == "dt of the trace"  # type: ignore[index]


def test_held_out_models_do_not_fill_the_screen_with_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(StandIn(), batch_size=2)


def test_a_store_without_a_feature_is_refused():
    operator = StandIn(spec=Spec(names=("rheobase", "fi_gain")))
    with pytest.raises(
        ValueError, match="the operator needs fi_gain but the store's models have voltage_base, rheobase"
    ):
        run(operator)


def fresh(hall: Any, seed: int = 3, **options: Any) -> tuple[Evaluation, list[Stimulus]]:
    simulator = FakeSimulator()
    found = evaluate_fresh(
        StandIn(delay_ms=0.25), hall, simulator, count=20, seed=seed, config=CONFIG, batch_size=8, **options
    )
    return found, simulator.stimuli


def test_fresh_traces_of_training_and_of_held_out_models():
    found, stimuli = fresh(FakeHall())
    assert [summary.traces for summary in found.subsets.values()] == [20, 20]
    assert len(set(stimuli)) == 40
    assert found["unseen_models"].spike_time_median_ms == pytest.approx(0.25, abs=1e-3)
    assert found["unseen_models"].to_dict()["settings"]["seed"] == 3


def test_fresh_draws_repeat_with_their_seed_and_never_repeat_a_store_of_that_seed():
    from noble.data.plan import draw_plan

    first, second, other = fresh(FakeHall())[1], fresh(FakeHall())[1], fresh(FakeHall(), seed=4)[1]
    assert first == second
    assert not set(first) & set(other)
    hall: Any = FakeHall()
    stored = draw_plan(CONFIG.model_copy(update={"seed": 3}), hall)
    assert not set(first) & {stored.stimulus(index) for index in range(len(stored))}


def test_a_hall_without_held_out_models_has_an_empty_section():
    class AllTrain(FakeHall):
        train = (0, 1, 2)
        held_out = ()

    found, stimuli = fresh(AllTrain())
    assert len(stimuli) == 20
    assert found["unseen_models"].traces == 0


def test_no_fresh_traces_are_refused():
    with pytest.raises(ValueError, match="count is 0"):
        evaluate_fresh(StandIn(), FakeHall(), FakeSimulator(), count=0, seed=0, config=CONFIG)  # type: ignore[arg-type]


def test_a_store_or_hall_of_other_models_is_refused():
    """Which of its models the operator has seen would be unknown."""
    stranger = StandIn(provenance={"hall": {"digest": "0" * 64}})
    with pytest.raises(OtherModelsError, match=r"the store fake\.zarr holds other models \(digest hhhhhhhhhhhh"):
        run(stranger)
    simulator = FakeSimulator()
    with pytest.raises(OtherModelsError, match="the hall fake holds other models"):
        evaluate_fresh(stranger, FakeHall(), simulator, count=1, seed=0, config=CONFIG)  # type: ignore[arg-type]
    assert not stranger.calls
    assert not simulator.stimuli
    run(StandIn(provenance={"hall": {"digest": "h" * 64}}))

"""Training on stores whose windows differ in length."""

import numpy as np
import pytest
import torch
from spiking_family import STEP_MS, TINY_FNO, WINDOW_MS, make_store, training

from noble.data import Store, TraceCounts
from noble.train import fit
from noble.train.dataset import StoreData
from noble.train.stream import TraceSets

FEATURES = ("rheobase", "fi_gain")
COUNTS = TraceCounts(train=24, validation=6, test=0, unseen_models=0)


@pytest.fixture(scope="module")
def stores(tmp_path_factory) -> list:
    folder = tmp_path_factory.mktemp("stores")
    short = make_store(folder / "short.zarr", traces=COUNTS)
    long = make_store(folder / "long.zarr", traces=COUNTS, step_ms=3 * STEP_MS, window_ms=3 * WINDOW_MS, seed=9)
    return [short.path, long.path]


def data_of(stores, **options) -> StoreData:
    return StoreData(stores, features=FEATURES, validation_limit=12, seed=5, **options)


@pytest.mark.parametrize("memory_gb", [1.0, 100e-6])
def test_an_epoch_holds_every_trace_once_and_each_step_one_length(stores, memory_gb):
    data = data_of(stores, memory_gb=memory_gb)
    assert isinstance(data.training, TraceSets)
    order = data.training.shuffled(seed=1, epoch=2, unit=6)
    batches = list(data.training.batches(order, 6))
    seen = np.concatenate([batch.index.numpy() for batch in batches])
    assert sorted(seen.tolist()) == list(range(48))
    assert len(batches) == data.training.steps(6) == 4 + 12
    for batch in batches:
        long = batch.index >= 24
        assert long.all() or not long.any()
        assert len(batch.index) == (2 if long.all() else 6)
        assert batch.window.count == (1650 if long.all() else 550)
    turns = [bool(batch.index[0] >= 24) for batch in batches]
    if memory_gb == 1.0:
        assert turns != sorted(turns)
        assert turns != sorted(turns, reverse=True)
    assert [block.tolist() for block in order] == [
        block.tolist() for block in data_of(stores, memory_gb=memory_gb).training.shuffled(seed=1, epoch=2, unit=6)
    ]


def test_each_trace_is_that_of_its_store(stores):
    data = data_of(stores)
    for batch in data.validation.batches(data.validation.in_order(), 4):
        number = int(batch.index[0] >= 6)
        rows = data.validation_indices[number][batch.index.numpy() - 6 * number]
        expected = Store.open(stores[number]).read(rows)
        np.testing.assert_array_equal(batch.voltage_mv.numpy(), expected.voltage_mv)


def test_an_operator_learns_from_both_and_resumes_bit_for_bit(stores, tmp_path):
    config = training(epochs=3, max_shift_ms=0)

    class StoppedError(Exception):
        pass

    def stop(done, total, values):
        if done == 1:
            raise StoppedError

    whole = fit(config, stores, tmp_path / "whole")
    with pytest.raises(StoppedError):
        fit(config, stores, tmp_path / "part", progress=stop)
    resumed = fit(config, stores, tmp_path / "part", resume=True)
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in whole.state_dict().items())
    assert whole.scope is not None
    assert whole.scope.duration_ms == 3 * WINDOW_MS
    assert len(whole.provenance["further_generations"]) == 1
    with pytest.raises(ValueError, match="store_digest"):
        fit(config, stores[:1], tmp_path / "part", resume=True)


def test_stores_that_do_not_fit_together_are_refused(stores, tmp_path):
    other = make_store(tmp_path / "other.zarr", traces=COUNTS, dt_ms=0.2)
    with pytest.raises(ValueError, match=r"other.zarr has another sampling interval"):
        data_of([stores[0], other.path])
    with pytest.raises(ValueError, match="2 stores"):
        data_of(stores, traces=3)
    with pytest.raises(ValueError, match="window"):
        fit(training(operator=TINY_FNO, max_shift_ms=0, epochs=1), stores, tmp_path / "run")

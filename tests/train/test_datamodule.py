import numpy as np
import pytest
import torch
from spiking_family import MARGIN_MS, WINDOW_MS, SpikingHall, generation

from noble.data import Store
from noble.train.datamodule import Batch, SeededShuffle, StoreData, TraceSet, shifted_window

FEATURES = ("rheobase", "fi_gain")


@pytest.fixture
def data(store_path) -> StoreData:
    return StoreData(store_path, features=FEATURES, batch_size=8, validation_limit=7, seed=5)


def order(count: int, *, seed: int, epoch: int) -> list[int]:
    sampler = SeededShuffle(count, seed=seed)
    sampler.set_epoch(epoch)
    return list(sampler)


def test_the_order_depends_on_seed_and_epoch_alone():
    assert sorted(order(50, seed=1, epoch=2)) == list(range(50))
    orders = [order(50, seed=seed, epoch=epoch) for seed in (1, 2) for epoch in (0, 1, 2)]
    assert len({tuple(item) for item in orders}) == 6
    sampler = SeededShuffle(50, seed=1)
    for epoch in (0, 1):  # as in an uninterrupted run
        sampler.set_epoch(epoch)
        list(sampler)
    np.random.seed(9)  # noqa: NPY002 - nothing global may matter
    torch.manual_seed(9)
    sampler.set_epoch(2)
    assert list(sampler) == list(sampler) == order(50, seed=1, epoch=2)
    assert len(sampler) == 50


def test_a_split_in_memory_is_the_stores(store_path, data):
    store = Store.open(store_path)
    data.setup("fit")
    rows = store.indices("train")
    seen = []
    for batch in data.train_dataloader():
        samples = rows[batch.index.numpy()]
        seen += samples.tolist()
        np.testing.assert_array_equal(batch.voltage_mv, store.voltage_mv(samples))
        np.testing.assert_array_equal(batch.current_na, store.current_na(samples))
        expected = SpikingHall().feature_table(FEATURES)[store.model_index[samples]]
        np.testing.assert_allclose(batch.features, expected, rtol=1e-6)
        for sample, spikes in zip(samples, batch.spikes_ms.numpy(), strict=True):
            neuron = SpikingHall().cell_model(store.model_index[sample])
            true = neuron.spikes_ms(store.stimulus(sample).amplitude_na)  # type: ignore[attr-defined]
            np.testing.assert_allclose(spikes[np.isfinite(spikes)], true, atol=0.02)
            assert np.all(np.isinf(spikes[true.size :]))
    assert sorted(seen) == rows.tolist()


def test_epochs_differ_and_repeat(data):
    data.setup("fit")

    def first(epoch):
        loader = data.train_dataloader()
        loader.sampler.set_epoch(epoch)
        return next(iter(loader)).index.tolist()

    assert first(0) == first(0) != first(1)


def test_validation_is_limited_and_in_order(data, store_path):
    data.setup("fit")
    indices = [index for batch in data.val_dataloader() for index in batch.index.tolist()]
    assert indices == list(range(7))
    store = Store.open(store_path)
    assert len(TraceSet(store, store.indices("validation"), features=FEATURES)) == generation().traces.validation


def test_features_are_scaled_by_training_models_only(data):
    spec = data.feature_spec()
    used = np.unique(data.store.model_index[data.store.indices("train")])
    assert set(used) <= set(SpikingHall().train)
    table = SpikingHall().feature_table(FEATURES)
    assert spec.names == FEATURES
    assert spec.units == ("nA", "Hz/nA")
    np.testing.assert_array_equal(spec.minimum, table[used].min(axis=0))
    np.testing.assert_array_equal(spec.maximum, table[used].max(axis=0))
    np.testing.assert_array_equal(spec.training_features, table[used])
    assert table[:, 0].max() > spec.maximum[0]  # the held-out models would have shown


def test_features_can_be_chosen_and_ordered(store_path):
    data = StoreData(store_path, features=("input_resistance", "rheobase"), batch_size=8, validation_limit=7, seed=5)
    assert data.feature_spec().units == ("MOhm", "nA")
    data.setup("fit")
    batch = next(iter(data.val_dataloader()))
    assert 89 < batch.features[0, 0] < 96
    assert batch.features[0, 1] < 0.1


def test_all_features_in_which_the_training_models_differ_are_the_default(store_path):
    data = StoreData(store_path, features=None, batch_size=8, validation_limit=7, seed=5)
    names = data.feature_spec().names
    known = data.store.feature_names
    models = np.unique(data.store.model_index[data.store.indices("train")])
    assert names == tuple(name for name in known if np.ptp(data.store.feature_table[models, known.index(name)]) > 0)
    assert len(names) > 2


def test_an_unknown_feature_is_named(store_path):
    data = StoreData(store_path, features=("rheobase", "colour"), batch_size=8, validation_limit=7, seed=5)
    with pytest.raises(ValueError, match="no model feature colour; it knows rheobase, fi_gain, input_resistance"):
        data.feature_spec()


def some(store_path, **options) -> StoreData:
    return StoreData(store_path, features=FEATURES, batch_size=8, validation_limit=7, seed=5, **options)


def test_fewer_models_are_a_part_of_more_and_validation_is_on_the_same(store_path):
    everything = some(store_path)
    models = everything.store.model_index
    two, three = some(store_path, models=2), some(store_path, models=3)
    used = [set(map(tuple, data.feature_spec().training_features)) for data in (two, three, everything)]
    assert [len(rows) for rows in used[:2]] == [2, 3]
    assert used[0] < used[1] < used[2]
    two.setup("fit")
    of_two = set(models[two._indices["train"]])
    assert len(two.training) == np.isin(models[two.store.indices("train")], list(of_two)).sum()
    assert set(models[two._indices["validation"]]) <= of_two


def test_traces_are_limited(store_path):
    data = some(store_path, traces=5)
    data.setup("fit")
    assert len(data.training) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"models": 99}, "99 models are to be learned from, but the store's training split has"),
        ({"traces": 9999}, "9999 traces are to be learned from, but"),
    ],
)
def test_more_than_there_is_is_refused(store_path, options, message):
    with pytest.raises(ValueError, match=message):
        some(store_path, **options)


def test_the_window_leaves_the_tail_out(data):
    assert data.window.duration_ms == pytest.approx(WINDOW_MS)
    assert data.store.grid.duration_ms == pytest.approx(WINDOW_MS + MARGIN_MS)


@pytest.mark.parametrize("shifts", [[0, 0, 0], [3, -2, 40], [-50, 50, 1], [-1, -1, -1]])
def test_a_shifted_window_is_what_a_loop_gives(data, shifts):
    data.setup("fit")
    assert data._train is not None
    batch, window = data._train.gather([0, 5, 9]), data.window
    moved = shifted_window(batch, torch.tensor(shifts), window=window)
    assert torch.equal(moved.features, batch.features)
    assert torch.equal(moved.index, batch.index)
    for row, shift in enumerate(shifts):
        for source, result in [(batch.voltage_mv, moved.voltage_mv), (batch.current_na, moved.current_na)]:
            expected = [float(source[row, max(0, sample - shift)]) for sample in range(window.count)]
            assert result[row].tolist() == expected
        spikes = [float(time) + shift * window.dt_ms for time in batch.spikes_ms[row] if np.isfinite(time)]
        inside = [time for time in spikes if 0 <= time < (window.count - 1) * window.dt_ms]
        found = moved.spikes_ms[row]
        np.testing.assert_allclose(found[: len(inside)], inside, atol=1e-4)
        assert torch.isinf(found[len(inside) :]).all()


def test_spikes_stay_on_the_peaks_of_the_shifted_voltage(data):
    data.setup("fit")
    assert data._train is not None
    batch = data._train.gather(list(range(len(data._train))))
    fires = torch.isfinite(batch.spikes_ms).any(dim=1)
    assert fires.any()
    for shift in (-37, 0, 37):
        moved = shifted_window(batch, torch.full((len(fires),), shift), window=data.window)
        for voltage, spikes in zip(moved.voltage_mv[fires], moved.spikes_ms[fires], strict=True):
            at = (spikes[torch.isfinite(spikes)] / data.window.dt_ms).round().long()
            assert (voltage[at] > 0).all()


def test_a_spike_in_the_tail_is_not_the_windows(data):
    window = data.window
    count = data.store.grid.count
    batch = Batch(
        features=torch.zeros(2, 2),
        current_na=torch.zeros(2, count),
        voltage_mv=torch.zeros(2, count),
        spikes_ms=torch.tensor([[20.0, WINDOW_MS + 1.0]] * 2),
        index=torch.arange(2),
    )
    moved = shifted_window(batch, torch.tensor([0, -30]), window=window)
    torch.testing.assert_close(moved.spikes_ms, torch.tensor([[20.0, torch.inf], [17.0, WINDOW_MS - 2.0]]))

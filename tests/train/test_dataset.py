import numpy as np
import pytest
import torch
from spiking_family import MARGIN_MS, WINDOW_MS, SpikingHall, make_store

from noble.data import StimulusMix
from noble.train.batches import Batch, shifted_window
from noble.train.dataset import StoreData, evenly_spread

FEATURES = ("rheobase", "fi_gain")


@pytest.fixture
def data(store_path) -> StoreData:
    return StoreData(store_path, features=FEATURES, validation_limit=7, seed=5)


def test_validation_is_limited_and_evenly_spread(data):
    everything = data.store.indices("validation")
    assert len(everything) == 10
    np.testing.assert_array_equal(data.validation_indices[0], everything[[0, 1, 2, 4, 5, 7, 8]])


@pytest.mark.parametrize(("count", "limit"), [(10, 1), (10, 3), (10, 10), (10, 99), (1000, 7)])
def test_evenly_spread_means_no_gap_much_longer_than_another(count, limit):
    chosen = evenly_spread(np.arange(count), limit)
    assert len(chosen) == min(count, limit)
    assert chosen[0] == 0
    gaps = np.diff([*chosen, count])
    assert gaps.min() >= count // limit
    assert gaps.max() <= -(-count // len(chosen))


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
    data = StoreData(store_path, features=("input_resistance", "i_thr"), validation_limit=7, seed=5)
    assert data.feature_spec().names == ("input_resistance", "rheobase")  # whose former name was given
    assert data.feature_spec().units == ("MOhm", "nA")
    batch = next(data.validation.batches(data.validation.in_order(), 8))
    assert 89 < batch.features[0, 0] < 96
    assert batch.features[0, 1] < 0.1


def test_all_features_in_which_the_training_models_differ_are_the_default(store_path):
    data = StoreData(store_path, features=None, validation_limit=7, seed=5)
    names = data.feature_spec().names
    known = data.store.feature_names
    models = np.unique(data.store.model_index[data.store.indices("train")])
    assert names == tuple(name for name in known if np.ptp(data.store.feature_table[models, known.index(name)]) > 0)
    assert len(names) > 2


def test_an_unknown_feature_is_named(store_path):
    data = StoreData(store_path, features=("i_thr", "colour"), validation_limit=7, seed=5)
    with pytest.raises(ValueError, match=r"no model feature colour; it knows rheobase, fi_gain, input_resistance\.$"):
        data.feature_spec()


def some(store_path, **options) -> StoreData:
    return StoreData(store_path, features=FEATURES, validation_limit=7, seed=5, **options)


def test_fewer_models_are_a_part_of_more_and_validation_is_on_the_same(store_path):
    everything = some(store_path)
    models = everything.store.model_index
    two, three = some(store_path, models=2), some(store_path, models=3)
    used = [set(map(tuple, data.feature_spec().training_features)) for data in (two, three, everything)]
    assert [len(rows) for rows in used[:2]] == [2, 3]
    assert used[0] < used[1] < used[2]
    of_two = set(models[two.training_indices[0]])
    assert len(two.training) == np.isin(models[two.store.indices("train")], list(of_two)).sum()
    assert set(models[two.validation_indices[0]]) <= of_two


def test_traces_are_limited(store_path):
    data = some(store_path, traces=5)
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


def traces(data: StoreData, positions) -> Batch:
    """Traces of the training split in one batch."""
    [batch] = data.training.batches([np.array(positions)], len(positions))
    return batch


@pytest.mark.parametrize("shifts", [[0, 0, 0], [3, -2, 40], [-50, 50, 1], [-1, -1, -1]])
def test_a_shifted_window_is_what_a_loop_gives(data, shifts):
    batch, window = traces(data, [0, 5, 9]), data.window
    moved = shifted_window(batch, torch.tensor(shifts))
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
    batch = traces(data, range(len(data.training)))
    fires = torch.isfinite(batch.spikes_ms).any(dim=1)
    assert fires.any()
    for shift in (-37, 0, 37):
        moved = shifted_window(batch, torch.full((len(fires),), shift))
        for voltage, spikes in zip(moved.voltage_mv[fires], moved.spikes_ms[fires], strict=True):
            at = (spikes[torch.isfinite(spikes)] / data.window.dt_ms).round().long()
            assert (voltage[at] > 0).all()


def test_a_spike_in_the_tail_is_not_the_windows(data):
    count = data.store.grid.count
    batch = Batch(
        features=torch.zeros(2, 2),
        current_na=torch.zeros(2, count),
        voltage_mv=torch.zeros(2, count),
        spikes_ms=torch.tensor([[20.0, WINDOW_MS + 1.0]] * 2),
        index=torch.arange(2),
        window=data.window,
    )
    moved = shifted_window(batch, torch.tensor([0, -30]))
    torch.testing.assert_close(moved.spikes_ms, torch.tensor([[20.0, torch.inf], [17.0, WINDOW_MS - 2.0]]))


def test_the_scope_of_currents_around_the_rheobase_is_that_of_the_drawn_ones(tmp_path):
    make_store(tmp_path / "mixed.zarr", mix=StimulusMix.model_validate({"step": 1, "noise": 2, "ramps": 1}))
    data = StoreData(tmp_path / "mixed.zarr", features=FEATURES, validation_limit=7, seed=5)
    scope = data.scope()
    assert scope.kinds == ("OrnsteinUhlenbeck", "Ramp", "Step")
    currents = [data.store.stimulus(int(row)).sample(data.store.grid) for row in data.training_indices[0]]
    assert (scope.lowest_na, scope.highest_na) == (np.min(currents), np.max(currents))
    assert (scope.duration_ms, scope.step_ms) == (WINDOW_MS, None)

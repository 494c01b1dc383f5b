"""Traces in memory or read block by block: the same traces, in an order that seed and epoch decide, in bounded memory."""

import threading
import tracemalloc

import numpy as np
import pytest
import torch
from spiking_family import SpikingHall, make_store, training

from noble.data import Store, TraceCounts
from noble.train import fit
from noble.train.dataset import training_window
from noble.train.stream import TraceSet

COLUMNS = (0, 1)
EVERYTHING, LITTLE = 1e9, 40e3  # bytes; a trace of the family takes 4.8 kB


def traces_of(store: Store, memory_bytes: float, split: str = "train") -> TraceSet:
    window = training_window(store)
    return TraceSet(store, store.indices(split), columns=COLUMNS, window=window, memory_bytes=memory_bytes)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    """Eleven chunks of training traces, the last of which is shared with the validation split."""
    counts = TraceCounts(train=170, validation=10, test=4, unseen_models=4)
    return make_store(tmp_path_factory.mktemp("stream") / "store.zarr", traces=counts)


def order_of(traces: TraceSet, *, seed: int = 1, epoch: int = 0, unit: int = 4) -> list[list[int]]:
    return [block.tolist() for block in traces.shuffled(seed=seed, epoch=epoch, unit=unit)]


def test_in_memory_an_epoch_is_one_permutation(store):
    traces = traces_of(store, EVERYTHING)
    assert traces.in_memory
    for seed, epoch in [(1, 0), (1, 1), (2, 0)]:
        expected = np.random.default_rng([seed, epoch]).permutation(170)
        assert order_of(traces, seed=seed, epoch=epoch) == [expected.tolist()]


@pytest.mark.parametrize("memory", [EVERYTHING, LITTLE])
def test_the_order_depends_on_seed_and_epoch_alone(store, memory):
    traces = traces_of(store, memory)
    orders = [order_of(traces, seed=seed, epoch=epoch) for seed in (1, 2) for epoch in (0, 1, 2)]
    assert all(sorted(np.concatenate(order).tolist()) == list(range(170)) for order in orders)
    assert len({str(order) for order in orders}) == 6
    np.random.seed(9)  # noqa: NPY002 - nothing global may matter
    torch.manual_seed(9)
    assert order_of(traces_of(store, memory), seed=2, epoch=1) == orders[4]


@pytest.mark.parametrize(("memory", "unit", "size"), [(LITTLE, 1, 2), (LITTLE, 4, 4), (4 * LITTLE, 4, 8), (1.0, 3, 3)])
def test_blocks_are_whole_steps_within_the_memory_or_one_step(store, memory, unit, size):
    traces = traces_of(store, memory)
    assert not traces.in_memory
    lengths = [len(block) for block in order_of(traces, unit=unit)]
    assert lengths == [size] * (170 // size) + ([170 % size] if 170 % size else [])


def test_a_block_mixes_chunks_and_an_epoch_reads_them_in_another_order(store):
    traces = traces_of(store, 32 * 4.8e3 * 4)  # blocks of two chunks
    firsts = set()
    for epoch in range(4):
        blocks = order_of(traces, epoch=epoch)
        firsts.add(blocks[0][0] // 16)
        for block in blocks:
            assert len({position // 16 for position in block}) <= 4  # read little more than once
            if block is not blocks[-1]:
                assert np.any(np.diff([position // 16 for position in block]) < 0)  # not chunk after chunk
    assert len(firsts) > 1


@pytest.mark.parametrize("memory", [EVERYTHING, LITTLE])
def test_batches_are_the_stores_traces(store, memory):
    traces, indices = traces_of(store, memory), store.indices("train")
    assert len(traces) == 170
    seen: list[int] = []
    for batch in traces.batches(traces.shuffled(seed=3, epoch=0, unit=8), 8):
        samples = indices[batch.index.numpy()]
        seen += samples.tolist()
        np.testing.assert_array_equal(batch.voltage_mv, store.voltage_mv(samples))
        np.testing.assert_array_equal(batch.current_na, store.current_na(samples))
        expected = SpikingHall().feature_table(("rheobase", "fi_gain"))[store.model_index[samples]]
        np.testing.assert_allclose(batch.features, expected, rtol=1e-6)
        for sample, spikes in zip(samples, batch.spikes_ms.numpy(), strict=True):
            neuron = SpikingHall().cell_model(store.model_index[sample])
            true = neuron.spikes_ms(store.stimulus(sample).amplitude_na)  # type: ignore[attr-defined]
            np.testing.assert_allclose(spikes[np.isfinite(spikes)], true, atol=0.02)
            assert np.all(np.isinf(spikes[true.size :]))
    assert sorted(seen) == indices.tolist()


@pytest.mark.parametrize("memory", [EVERYTHING, LITTLE])
def test_in_order_means_ascending(store, memory):
    traces = traces_of(store, memory, "validation")
    found = [batch.index.tolist() for batch in traces.batches(traces.in_order(), 4)]
    assert np.concatenate(found).tolist() == list(range(10))


def test_batches_are_copies_that_the_next_block_does_not_change(store):
    traces, indices = traces_of(store, LITTLE), store.indices("train")
    kept = list(traces.batches(traces.shuffled(seed=1, epoch=0, unit=2), 2))
    for batch in kept:
        np.testing.assert_array_equal(batch.voltage_mv, store.voltage_mv(indices[batch.index.numpy()]))


def noted_reads(traces: TraceSet, monkeypatch) -> list[str]:
    """Will hold the name of the thread of every chunk that is read."""
    read: list[str] = []
    original = type(traces._store).read

    def note(self, indices):
        read.append(threading.current_thread().name)
        return original(self, indices)

    monkeypatch.setattr(type(traces._store), "read", note)
    return read


def test_a_part_of_the_next_block_is_read_after_each_batch(store, monkeypatch):
    traces = traces_of(store, 12 * LITTLE)
    read = noted_reads(traces, monkeypatch)
    order = traces.shuffled(seed=1, epoch=0, unit=1)
    assert len(order) > 4
    chunks = [len({position // 16 for position in block.tolist()}) for block in order]
    counts = [len(read) for _ in traces.batches(order, 1)]
    assert counts[0] == chunks[0]
    assert counts[-1] == sum(chunks)
    assert np.diff(counts).max() <= 2  # one, and one for the chunk that a batch and the next share
    at_ends = np.array(counts)[np.cumsum([len(block) for block in order]) - 1]
    assert np.all(at_ends[:-1] >= np.cumsum(chunks)[1:] - 1)  # the next block is there when it is needed
    assert set(read) == {threading.current_thread().name}


def test_a_store_on_a_server_is_read_by_a_thread_one_block_ahead_and_no_more(store, monkeypatch):
    traces = traces_of(store, 16 * LITTLE)
    read = noted_reads(traces, monkeypatch)
    monkeypatch.setattr(type(store.place), "is_local", property(lambda self: False))
    order = traces.shuffled(seed=1, epoch=0, unit=4)
    chunks = [len({position // 16 for position in block.tolist()}) for block in order]
    batches = traces.batches(order, 4)
    for _ in range(3):
        next(batches)
    batches.close()  # waits for the block that is being read
    assert len(read) == chunks[0] + chunks[1]
    assert len(order) > 2
    assert all(name.startswith("noble-read") for name in read)


def test_memory_stays_within_what_is_allowed(tmp_path):
    counts = TraceCounts(train=600, validation=1, test=1, unseen_models=1)
    store = make_store(tmp_path / "store.zarr", traces=counts)  # 2.9 MB
    store.voltage_mv([0])
    peaks = {}
    for memory in (EVERYTHING, 0.8e6):
        traces = traces_of(store, memory)
        tracemalloc.start()
        for _ in traces.batches(traces.shuffled(seed=1, epoch=0, unit=8), 8):
            pass
        peaks[memory] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[EVERYTHING] > 2.8e6
    assert peaks[0.8e6] < 0.8e6


def test_a_streamed_run_resumes_bit_for_bit(store_path, tmp_path):
    config = training(memory_gb=LITTLE / 1e9, epochs=4)

    class StoppedError(Exception):
        pass

    def stop(done, total, values):
        if done == 2:
            raise StoppedError

    whole = fit(config, store_path, tmp_path / "whole")
    with pytest.raises(StoppedError):
        fit(config, store_path, tmp_path / "part", progress=stop)
    resumed = fit(config, store_path, tmp_path / "part", resume=True)
    other = fit(training(epochs=4), store_path, tmp_path / "memory")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])
    assert any(not torch.equal(value, other.state_dict()[name]) for name, value in whole.state_dict().items())


@pytest.mark.parametrize("memory", [EVERYTHING, LITTLE])
@pytest.mark.parametrize("harm", ["flipped", "truncated", "empty-frame"])
def test_a_damaged_chunk_is_one_sentence(tmp_path, memory, harm):
    store = make_store(tmp_path / "store.zarr")
    [file] = store.path.rglob("voltage/c/1/0")
    content = bytearray(file.read_bytes())
    if harm == "flipped":
        content[len(content) // 2] ^= 255
    file.write_bytes({"flipped": content, "truncated": content[:50], "empty-frame": b"\0"}[harm])
    with pytest.raises(ValueError, match=r"voltage chunk 1 of .*store.zarr.* noble generate"):
        fit(training(memory_gb=memory / 1e9), store.path, tmp_path / "run")

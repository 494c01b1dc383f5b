import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from spiking_family import TINY_FNO, TINY_PHASE, SpikingHall, make_store, training

from noble.data import Store, TraceCounts
from noble.operator import FeatureSpec, Operator, Scope
from noble.operator.feedback.config import SpikeFeedbackConfig
from noble.operator.spiking.config import SpikePhaseConfig
from noble.spikes import spike_times_ms
from noble.stimuli import Step
from noble.traces import TimeGrid
from noble.train import LossConfig, OptimiserConfig, fit, read_curves
from noble.train.batches import Batch
from noble.train.checkpoint import read_checkpoint
from noble.train.objectives import objective_for

pytestmark = pytest.mark.filterwarnings("ignore")

COSINE = OptimiserConfig(warmup_epochs=1.0)
PLATEAU = OptimiserConfig(name="adam", schedule="plateau", plateau_patience=0)


def learned(path):
    """The curves without the one column that no two runs share."""
    rows = read_curves(path)
    assert all(row.pop("seconds") > 0 for row in rows)
    return rows


class StoppedError(Exception):
    pass


def interrupt_after(epoch: int):
    def progress(done, total, values):
        if done == epoch:
            raise StoppedError

    return progress


def recorder():
    """A list, and a progress callback that adds each epoch to it."""
    seen: list[int] = []
    return seen, lambda done, total, values: seen.append(done)


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    """Of the last epoch, not the best."""
    return read_checkpoint(folder / "checkpoints" / "last.ckpt")["weights"]


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Nothing phones home: any attempt to reach another machine fails the test."""

    def refuse(*args, **kwargs):
        raise AssertionError(f"training tried to reach the network: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize(
    ("operator", "optimiser", "every"),
    [(TINY_PHASE, COSINE, 1), (TINY_PHASE, COSINE.model_copy(update={"name": "soap"}), 1), (TINY_FNO, PLATEAU, 2)],
)
def test_a_resumed_run_is_the_uninterrupted_one(store_path, tmp_path, operator, optimiser, every):
    config = training(operator=operator, optimiser=optimiser, validate_every=every, epochs=5)
    whole = fit(config, store_path, tmp_path / "whole")
    for epoch in (1, 4):
        folder = tmp_path / f"after-{epoch}"
        with pytest.raises(StoppedError):
            fit(config, store_path, folder, progress=interrupt_after(epoch))
        seen, note = recorder()
        resumed = fit(config, store_path, folder, resume=True, progress=note)
        assert seen == list(range(epoch + 1, 6))  # an epoch is saved before it is reported
        assert same(resumed.state_dict(), whole.state_dict())
        assert same(weights_of(folder), weights_of(tmp_path / "whole"))
        assert learned(folder / "curves.csv") == learned(tmp_path / "whole" / "curves.csv")


def test_a_plateau_lowers_the_rate_and_the_rate_survives(store_path, tmp_path):
    """A patience of nothing and a rate far too large: the loss does not fall at every epoch."""
    config = training(operator=TINY_FNO, optimiser=PLATEAU.model_copy(update={"learning_rate": 0.3}), epochs=6)
    fit(config, store_path, tmp_path / "whole")

    def rate(folder):
        return read_checkpoint(folder / "checkpoints" / "last.ckpt")["optimiser"]["param_groups"][0]["lr"]

    with pytest.raises(StoppedError):
        fit(config, store_path, tmp_path / "part", progress=interrupt_after(5))
    fit(config, store_path, tmp_path / "part", resume=True)
    assert rate(tmp_path / "whole") == rate(tmp_path / "part") < 0.3


def test_a_finished_run_is_not_trained_again(store_path, tmp_path):
    config = training()
    first = fit(config, store_path, tmp_path)
    seen = []
    again = fit(config, store_path, tmp_path, resume=True, progress=lambda *args: seen.append(args))
    assert seen == []
    assert same(first.state_dict(), again.state_dict())
    assert again.provenance["training_run"]["best_epoch"] == first.provenance["training_run"]["best_epoch"]


def test_a_kill_at_any_replacement_of_a_file_costs_nothing(store_path, tmp_path, monkeypatch):
    """The k-th rename never happens, for every k; the run is then gone on with."""
    config = training(operator=TINY_FNO, epochs=2)
    whole = fit(config, store_path, tmp_path / "whole")
    real, calls = os.replace, 0

    def replace(source, target):
        nonlocal calls
        calls += 1
        if calls == fatal:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    for fatal in range(1, 99):
        calls, folder = 0, tmp_path / str(fatal)
        try:
            fit(config, store_path, folder)
            break
        except KeyboardInterrupt:
            calls = 99
        resumed = fit(config, store_path, folder, resume=True)
        assert same(resumed.state_dict(), whole.state_dict())
        assert learned(folder / "curves.csv") == learned(tmp_path / "whole" / "curves.csv")
        assert sorted(contents(folder)) == sorted(contents(tmp_path / "whole"))
    assert fatal == 8  # train.json, curves.csv, twice checkpoint and curves, once the checkpoint before: seven renames


@pytest.mark.parametrize(
    ("minutes", "every", "epochs"), [(0.5, 1, 1), (3.5, 1, 3), (3.5, 2, 2), (0.5, 2, 2), (99, 1, 6)]
)
def test_a_run_ends_before_the_epoch_that_would_end_after_its_time(
    store_path, tmp_path, monkeypatch, minutes, every, epochs
):
    monkeypatch.setattr("noble.train.loop.total_seconds", lambda rows: 60.0 * len(rows))
    config = training(operator=TINY_FNO, epochs=6, max_minutes=minutes, validate_every=every)
    seen, note = recorder()
    fit(config, store_path, tmp_path, progress=note)
    assert seen == list(range(1, epochs + 1))
    fit(config, store_path, tmp_path, resume=True, progress=note)  # no more by resuming
    assert seen == list(range(1, epochs + 1))


@pytest.mark.parametrize("operator", [TINY_PHASE, TINY_FNO])
def test_a_run_that_ended_for_lack_of_time_goes_on_with_more_as_if_it_had_had_it(
    store_path, tmp_path, monkeypatch, operator
):
    monkeypatch.setattr("noble.train.loop.total_seconds", lambda rows: 60.0 * len(rows))
    config = training(operator=operator, epochs=6, max_minutes=5)
    whole = fit(config, store_path, tmp_path / "whole")
    fit(training(operator=operator, epochs=6, max_minutes=2), store_path, tmp_path / "part")
    seen, note = recorder()
    resumed = fit(config, store_path, tmp_path / "part", resume=True, progress=note)
    assert seen == [3, 4, 5]
    assert same(resumed.state_dict(), whole.state_dict())
    assert (tmp_path / "part" / "train.json").read_text() == (tmp_path / "whole" / "train.json").read_text()


@pytest.mark.parametrize("every", [1, 2])
def test_the_best_epoch_is_the_one_with_the_lowest_score(store_path, tmp_path, every):
    config = training(operator=TINY_FNO, epochs=6, validate_every=every, optimiser=PLATEAU)
    kept = {}

    def keep(done, total, values):  # an epoch is saved before it is reported
        kept[done] = weights_of(tmp_path)

    operator = fit(config, store_path, tmp_path, progress=keep)
    rows = read_curves(tmp_path / "curves.csv")
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    scores = {int(row["epoch"]): row["val/score"] for row in rows if "val/score" in row}
    assert list(scores) == list(range(every, 7, every))
    best = min(scores, key=lambda epoch: scores[epoch])
    assert operator.provenance["training_run"]["best_epoch"] == best
    assert operator.provenance["training_run"]["validation_score"] == pytest.approx(scores[best], rel=1e-5)
    assert same(operator.state_dict(), kept[best])


@pytest.mark.parametrize(("operator", "optimiser"), [(TINY_PHASE, PLATEAU), (TINY_FNO, COSINE)])
def test_the_loss_falls(store_path, tmp_path, operator, optimiser):
    settings = {"learning_rate": 0.01, "plateau_patience": 4}
    config = training(operator=operator, optimiser=optimiser.model_copy(update=settings), epochs=12, max_shift_ms=0)
    fit(config, store_path, tmp_path)
    rows = read_curves(tmp_path / "curves.csv")
    for name in ("train/loss", "val/loss"):
        assert rows[-1][name] < (0.95 if name == "train/loss" else 1.0) * rows[0][name], name


def test_what_a_run_leaves(store_path, tmp_path):
    config = training()
    operator = fit(config, store_path, tmp_path)
    assert not operator.training
    record = json.loads((tmp_path / "train.json").read_text())
    assert {key: value for key, value in record.items() if key != "store_digest"} == config.model_dump(mode="json")
    assert sorted(contents(tmp_path)) == [
        "checkpoints/before.ckpt",
        "checkpoints/last.ckpt",
        "curves.csv",
        "train.json",
    ]
    store = Store.open(store_path)
    facts = operator.provenance
    assert facts["store_digest"] == store.digest
    assert facts["hall"]["digest"] == SpikingHall().digest
    assert facts["seed"] == config.seed
    assert facts["models"] == sorted(set(store.model_index[store.indices("train")].tolist()))
    assert facts["generation"]["amplitude"]["high_na"] == 0.25
    assert operator.grid == store.protocol.grid
    assert operator.scope == Scope.of_generation(facts["generation"])
    assert operator.scope.highest_na == 0.25
    operator.save(tmp_path / "bundle")
    step = [Step(start_ms=5.0, stop_ms=45.0, amplitude_na=0.2)]
    neuron = {name: SpikingHall().feature_table([name])[0] for name in operator.feature_names}
    answers = [
        item.respond(neuron, step, operator.grid).voltage_mv for item in (operator, Operator.load(tmp_path / "bundle"))
    ]
    np.testing.assert_array_equal(*answers)


def test_a_seed_gives_a_run(store_path, tmp_path):
    one, two, other = (
        fit(training(seed=seed, epochs=1), store_path, tmp_path / str(index)) for index, seed in enumerate((5, 5, 6))
    )
    assert same(one.state_dict(), two.state_dict())
    assert not same(one.state_dict(), other.state_dict())


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_run_of_a_release_without_a_later_option_goes_on(store_path, tmp_path):
    config = training(epochs=1)
    first = fit(config, store_path, tmp_path)
    record = json.loads((tmp_path / "train.json").read_text())
    assert record.pop("models", "absent") is None
    assert record.pop("memory_gb") == 1.0
    (tmp_path / "train.json").write_text(json.dumps(record))
    assert same(fit(config, store_path, tmp_path, resume=True).state_dict(), first.state_dict())


def test_another_configuration_or_an_existing_run_is_refused_and_left_alone(store_path, tmp_path):
    config = training(epochs=1)
    fit(config, store_path, tmp_path)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="started with another batch_size, seed; resume it with its own"):
        fit(training(epochs=1, seed=9, batch_size=4), store_path, tmp_path, resume=True)
    with pytest.raises(ValueError, match="holds a training run already; resume it"):
        fit(config, store_path, tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("store", "changes", "message"),
    [
        ({}, {"max_shift_ms": 5.5}, "max_shift_ms is 5.5 but .* tail margin is 5 ms"),
        ({"tail_margin_ms": 15.0}, {"max_shift_ms": 6.0}, "max_shift_ms is 6 but the store's currents start at 5 ms"),
        ({"traces": TraceCounts(train=4, validation=0, test=1, unseen_models=1)}, {}, "has no validation traces"),
        ({"traces": TraceCounts(train=0, validation=4, test=1, unseen_models=1)}, {}, "has no train traces"),
    ],
)
def test_a_store_that_does_not_fit_is_refused(tmp_path, store, changes, message):
    path = make_store(tmp_path / "store.zarr", **store).path
    with pytest.raises(ValueError, match=message):
        fit(training(**changes), path, tmp_path / "run")


@pytest.mark.slow
def test_one_batch_is_learned_by_heart():
    """Three regular trains and a silent trace: the free-running operator fires every spike, and nothing else."""
    grid = TimeGrid.spanning(80.0, dt_ms=0.1)
    spec = FeatureSpec.fit(np.array([[0.05, 800.0], [0.1, 1000.0]]), ("rheobase", "fi_gain"), ("nA", "Hz/nA"))
    trains = [[15.0, 25.0, 35.0, 45.0, 55.0], [20.0, 40.0], [12.0 + 6 * k for k in range(8)], []]
    amplitudes = (0.15, 0.1, 0.25, 0.0)
    times = grid.times_ms
    current = np.stack([Step(start_ms=8.0, stop_ms=62.0, amplitude_na=value).sample(grid) for value in amplitudes])
    voltage = -75 + 60 * current
    for row, train in zip(voltage, trains, strict=True):
        for at in train:
            row += 100 * np.exp(-0.5 * ((times - at) / 0.4) ** 2) - 8 * (times > at) * np.exp(
                (at - times).clip(max=0) / 4
            )
    longest = max(len(train) for train in trains)
    batch = Batch(
        features=torch.tensor([[0.06, 900.0]] * 4),
        current_na=torch.as_tensor(current, dtype=torch.float32),
        voltage_mv=torch.as_tensor(voltage, dtype=torch.float32),
        spikes_ms=torch.tensor([train + [torch.inf] * (longest - len(train)) for train in trains]),
        index=torch.arange(4),
        window=grid,
    )
    operator = Operator.build(
        SpikePhaseConfig(
            width=32, hidden=48, blocks=1, slow_width=24, slow_blocks=1, filters=24, shapes=4, shape_width=24
        ),
        spec,
        grid,
        seed=0,
    )
    objective = objective_for(LossConfig(waveform_points=128))
    optimiser = torch.optim.AdamW(operator.parameters(), lr=0.01)
    generator, steps = torch.Generator().manual_seed(0), 400
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        optimiser.zero_grad()
        objective(operator, batch, generator)["loss"].backward()
        torch.nn.utils.clip_grad_norm_(operator.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        predicted = operator(batch.features, batch.current_na, grid.dt_ms).numpy()
    for row, train in zip(predicted, trains, strict=True):
        found = spike_times_ms(row, dt_ms=grid.dt_ms)
        assert found.size == len(train)
        np.testing.assert_allclose(found, train, atol=1.5)


def beside_the_family(code, folder):
    """A script in a file, and an environment in which its process finds the family."""
    script = folder / "run.py"
    script.write_text(code)
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    return script, {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


KILLED_RUN = """
import sys
import torch
from spiking_family import training
from noble.train import fit

torch.set_num_threads(1)
fit(training(epochs=40), sys.argv[1], sys.argv[2], resume=len(sys.argv) > 3)
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_end(store_path, tmp_path):
    script, environment = beside_the_family(KILLED_RUN, tmp_path)

    def command(folder, *options):
        return [sys.executable, str(script), str(store_path), str(tmp_path / folder), *options]

    process = subprocess.Popen(command("killed"), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stop = time.monotonic() + 120
    while len(read_curves(tmp_path / "killed" / "curves.csv")) < 5:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < stop
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    reached = len(read_curves(tmp_path / "killed" / "curves.csv"))
    assert 5 <= reached < 40
    for folder, options in (("killed", ["--resume"]), ("whole", [])):
        subprocess.run(command(folder, *options), env=environment, check=True, capture_output=True)
    assert same(weights_of(tmp_path / "killed"), weights_of(tmp_path / "whole"))
    rows = [learned(tmp_path / folder / "curves.csv") for folder in ("killed", "whole")]
    assert rows[0] == rows[1]
    assert [row["epoch"] for row in rows[0]] == list(range(1, 41))


TWO_DEVICES = """
import sys
import numpy as np
from spiking_family import training
from noble.train import fit, is_first_process

operator = fit(training(memory_gb=float(sys.argv[3])), sys.argv[1], sys.argv[2], devices=2)
weights = np.concatenate([item.detach().numpy().ravel() for item in operator.parameters()])
np.save(f"{sys.argv[2]}/{'first' if is_first_process() else 'second'}.npy", weights)
"""


@pytest.mark.slow
@pytest.mark.parametrize("memory_gb", [1.0, 4e-5])  # which holds all traces, or blocks of a step
def test_two_devices_train_one_operator(store_path, tmp_path, memory_gb):
    script, environment = beside_the_family(TWO_DEVICES, tmp_path)
    folder = tmp_path / "run"
    command = [sys.executable, str(script), str(store_path), str(folder), str(memory_gb)]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
    first, second = np.load(folder / "first.npy"), np.load(folder / "second.npy")
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, second)
    assert [row["epoch"] for row in read_curves(folder / "curves.csv")] == [1.0, 2.0, 3.0]


TINY_FEEDBACK = SpikeFeedbackConfig(
    width=12, hidden=12, blocks=1, filters=8, cell=12, averages=6, address=12, shapes=3, shape_width=12
)


def test_the_feedback_core_trains_resumes_bit_for_bit_and_comes_back(tmp_path, store_path):
    config = training(operator=TINY_FEEDBACK, max_shift_ms=0, epochs=8)
    whole = fit(config, store_path, tmp_path / "whole")
    fit(config.model_copy(update={"max_minutes": 1e-9}), store_path, tmp_path / "parts")
    parts = fit(config, store_path, tmp_path / "parts", resume=True)
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, parts.state_dict()[name]), name
    losses = [row["train/loss"] for row in read_curves(tmp_path / "whole" / "curves.csv")]
    assert losses[-1] < losses[0]
    whole.save(tmp_path / "bundle")
    back = Operator.load(tmp_path / "bundle")
    neuron, step = {"rheobase": 0.05}, Step(5.0, 45.0, 0.15)
    np.testing.assert_array_equal(back.predict(neuron, step).voltage, whole.predict(neuron, step).voltage)

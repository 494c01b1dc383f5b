import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer

from found_fits import allen_fit, write_fits
from noble.evaluation import STABLE_KEYS, STABLE_SPEED_KEYS

COMMANDS = (
    *("cells", "targets", "evolve", "simulate", "features", "generate"),
    *("check", "train", "evaluate", "predict", "bench", "ensemble", "info", "demo"),
    *("fi", "map", "compare", "interpolate", "resolution", "subsampling"),
    *("finetune", "ablate", "report"),
)

TINY_TRAINING = """
operator: {kind: spike-phase, width: 12, hidden: 12, blocks: 1, slow_width: 12, filters: 8, shapes: 3, shape_width: 12}
epochs: 2
batch_size: 8
max_shift_ms: 4.0
loss: {waveform_points: 32}
validation_limit: 8
"""

TINY_GENERATION = """
hall: stylised-pv
traces: {train: 4, validation: 2, test: 2, unseen_models: 2}
onset_ms: 5
step_ms: 40
window_ms: 60
tail_margin_ms: 5
seed: 3
workers: 1
"""


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def options_of(command: str) -> dict[str, str]:
    """Options of a command and what is said about each."""
    from noble.cli.app import app

    group = typer.main.get_command(app)
    parameters = group.commands[command].params  # type: ignore[attr-defined]
    return {name: getattr(item, "help", None) or "" for item in parameters for name in item.opts if name[:2] == "--"}


def test_help_lists_every_command(noble):
    result = noble("--help")
    assert result.code == 0
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", plain(result.out)), command
    assert "nA" in result.out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_explains_every_option(noble, command):
    result = noble(command, "--help")
    assert result.code == 0
    text = plain(result.out)
    for option, words in options_of(command).items():
        assert option in text
        assert words, f"{option} is not explained"
        assert " ".join(words.split()[:3]) in " ".join(text.split())


def test_the_installed_command_answers_without_loading_torch():
    script = Path(sys.executable).parent / "noble"
    if not script.exists():
        pytest.skip("the package is not installed with its command")
    done = subprocess.run([script, "info"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "torch" in done.stdout
    program = (
        "import sys; sys.argv = ['noble', '--help']\n"
        "from noble.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(sorted({'torch', 'arbor', 'lightning_fabric', 'matplotlib', 'zarr'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_without_arguments_it_shows_its_help(noble):
    result = noble()
    assert "Usage" in plain(result.out + result.err)


def test_cells_lists_what_is_shipped(noble):
    result = noble("cells")
    assert result.code == 0
    for name in ("stylised-pv", "stylised-vip"):
        assert name in result.out


def test_cells_shows_a_cell_a_hall_and_a_file(noble, tmp_path):
    assert "gbar_NaV.soma" in noble("cells", "stylised-vip").out
    hall = noble("cells", "stylised-pv").out
    assert "held out" in hall
    assert "rheobase" in hall
    assert "(nA)" in hall
    assert "rate_rheobase_plus_100pA" in hall  # named, though its column does not fit
    swc = tmp_path / "mine.swc"
    swc.write_text("1 1 0 0 0 5 -1\n2 3 6 0 0 1 1\n3 3 106 0 0 1 2\n")
    shown = noble("cells", swc)
    assert shown.code == 0
    assert re.search(r"dend\W+1\W+\d+\W+100\.0\W+628\.3", shown.out)  # a cylinder of 100 um length and 2 um diameter


def test_simulate_then_features(noble, tmp_path, monkeypatch):
    pytest.importorskip("arbor")
    monkeypatch.chdir(tmp_path)
    short = ("--onset", 10, "--length", 60, "--window", 90)
    result = noble(
        "simulate", "stylised-pv", "--step", 0.2, "--step", -0.05, *short, "-o", "a.csv", "--figure", "a.png"
    )
    assert result.code == 0, result.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.png"]
    table = np.genfromtxt("a.csv", delimiter=",", names=True)
    assert table.dtype.names == ("time_ms", "current_na_0", "voltage_mv_0", "current_na_1", "voltage_mv_1")
    assert table["current_na_0"].max() == 0.2
    assert table["current_na_1"].min() == -0.05
    assert table["voltage_mv_0"].max() > 0  # it fires
    result = noble("features", "a.csv", "--onset", 10, "--length", 60, "--json", "f.json")
    assert result.code == 0, result.err
    found = json.loads((tmp_path / "f.json").read_text())
    assert found["features"]["Spikecount"][0] > 0 == found["features"]["Spikecount"][1]
    assert len(found["features"]) == 16
    assert found["settings"]["interpolation_step"] == "dt of the trace"


def test_simulate_and_cells_take_an_axon(noble, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_fits(tmp_path, {"fit.json": allen_fit()})
    short = ("--step", 0.05, "--window", 30, "--onset", 5, "--length", 20)
    deleted = noble("simulate", "fit.json", "--swc", "cell.swc", *short, "-o", "a.csv")
    assert (deleted.code, deleted.err) == (0, "")
    stub = noble("simulate", "fit.json", "--swc", "cell.swc", *short, "--axon", "stub")
    assert stub.code == 2  # the fit has nothing for an axon
    assert "warning: fit.json was fitted with the axon deleted (none)" in stub.err
    assert "no cm and no g_pas or any channel on region axon" in stub.err
    assert (
        "a hall says itself what becomes of the axon"
        in noble("simulate", "stylised-pv", *short, "--axon", "none").error
    )
    shown = noble("cells", "cell.swc", "--axon", "none")
    assert shown.code == 0, shown.err
    assert "axon" not in shown.out
    assert "--axon none is for a morphology" in noble("cells", "stylised-pv", "--axon", "none").error


def test_features_of_a_table_whose_time_starts_late(noble, place):
    times = 20.0 + np.arange(3000) / 10
    voltage = -70 + 100 * np.exp(-0.5 * ((times - 100) / 0.4) ** 2)
    rows = [f"{t:.1f};{v:.4f};{0.2 * (70 <= t < 270):g}" for t, v in zip(times, voltage, strict=True)]
    Path("late.csv").write_text("\n".join(["time (ms);V (mV);I (nA)", *rows]).replace(".", ","))
    result = noble("features", "late.csv", "--onset", 70, "--length", 200, "--json", "f.json")
    assert result.code == 0, result.err
    found = json.loads(Path("f.json").read_text())["features"]
    assert found["time_to_first_spike"][0] == pytest.approx(30.0, abs=0.11)
    assert found["voltage_base"][0] == pytest.approx(-70.0)
    result = noble("features", "late.csv", "--onset", 10, "--length", 200)
    assert result.code == 2
    assert "expected it within the times of late.csv, 20 to 319.9 ms" in " ".join(result.err.split())


def test_predict_writes_what_simulate_writes(noble, place):
    result = noble(
        "predict", "bundle", "--hall", "stylised-pv", "--model", 3, "--step", 0.1, "-o", "p.csv", "--figure", "p.svg"
    )
    assert result.code == 0, result.err
    table = np.genfromtxt("p.csv", delimiter=",", names=True)
    assert table.size == 8583  # the paper's number of samples
    assert np.isfinite(table["voltage_mv_0"]).all()
    assert (place / "p.svg").stat().st_size > 1000


def test_predict_takes_features_and_any_stimulus(noble, place):
    ramp = {"kind": "Ramp", "start_ms": 5, "stop_ms": 45, "first_na": 0, "last_na": 0.3}
    (place / "ramp.json").write_text(json.dumps([ramp, {"kind": "Sum", "parts": [ramp, ramp]}]))
    window = ("--onset", 5, "--length", 20, "--window", 50, "--dt", 0.1)
    point = "s_thr=560, i_thr=0.15"
    result = noble(
        "predict", "bundle", "--features", point, "--stimulus", "ramp.json", "--step", 0.1, *window, "-o", "p.csv"
    )
    assert result.code == 0, result.err
    table = np.genfromtxt("p.csv", delimiter=",", names=True)
    assert table.size == 500
    np.testing.assert_allclose(table["current_na_2"], 2 * table["current_na_1"], atol=1e-6)
    assert table["current_na_0"].max() == pytest.approx(0.1)


def test_predict_draws_trials(noble, place):
    import torch

    from noble.operator import Operator
    from noble.operator.feedback.config import SpikeFeedbackConfig

    known = Operator.load("bundle")
    sizes = {
        "width": 8,
        "hidden": 8,
        "filters": 6,
        "cell": 8,
        "averages": 5,
        "address": 8,
        "shapes": 3,
        "shape_width": 8,
    }
    operator = Operator.build(SpikeFeedbackConfig(**sizes), known.spec, known.grid, seed=0)
    with torch.no_grad():
        bias = operator.core.get_parameter("cell.decision.bias")
        bias.copy_(
            torch.tensor([-2.0, 0.0, -20.0, 0.0])
        )  # a spike in one of eight bins, whatever the F-I curve expects
    operator.save("drawing")
    asked = (
        "predict",
        "drawing",
        "--hall",
        "stylised-pv",
        "--step",
        0.1,
        "--step",
        0.2,
        "--window",
        100,
        "--length",
        80,
    )
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        result = noble(*asked, "--trials", 3, "--seed", seed, "-o", f"{name}.csv")
        assert result.code == 0, result.err
    assert "trial" in result.out.splitlines()[1]
    texts = [(place / f"{name}.csv").read_bytes() for name in "abc"]
    assert texts[0] == texts[1] != texts[2]
    table = np.genfromtxt("a.csv", delimiter=",", names=True)
    drawn = [table[f"voltage_mv_{index}"] for index in range(6)]
    assert len({column.tobytes() for column in drawn}) == 6
    assert [table[f"current_na_{index}"].max() for index in range(6)] == pytest.approx([0.1] * 3 + [0.2] * 3)
    refused = noble("predict", "bundle", "--hall", "stylised-pv", "--step", 0.1, "--trials", 2)
    assert refused.code == 2
    assert "it draws no trials; ask it without trials and seed" in refused.error


def test_a_feature_that_is_not_named_takes_its_mean(noble, place):
    from noble.operator import Operator

    [whole] = Operator.load("bundle").neurons({"rheobase": 0.15}).values
    for name, features in (("some", "i_thr=0.15"), ("all", f"rheobase=0.15,fi_gain={whole[1]}")):
        result = noble("predict", "bundle", "--features", features, "--step", 0.1, "-o", f"{name}.csv")
        assert result.code == 0, result.err
    assert (place / "some.csv").read_bytes() == (place / "all.csv").read_bytes()


def test_train_info_evaluate_predict(noble, place):
    pytest.importorskip("lightning_fabric")
    (place / "train.yaml").write_text(TINY_TRAINING)
    result = noble("train", "train.yaml", "store.zarr", "-o", "run")
    assert result.code == 0, result.err
    assert "2/2" in result.out
    assert sorted(path.name for path in (place / "run/bundle").iterdir()) == [
        "card.md",
        "config.json",
        "manifest.json",
        "metrics.json",
        "model.safetensors",
    ]
    result = noble("info", "run/bundle")
    assert result.code == 0
    assert "spike-phase" in result.out
    assert '"best_epoch"' in result.out
    result = noble("evaluate", "run/bundle", "store.zarr", "--by-regime", "--json", "m.json")
    assert result.code == 0, result.err
    assert result.out.count("near threshold") == 3  # a table for each section
    metrics = json.loads((place / "m.json").read_text())
    assert metrics == json.loads((place / "run/bundle/metrics.json").read_text())
    assert set(metrics) == {"unseen_currents", "unseen_models", "unseen_models_plane"}
    for section in metrics.values():
        assert list(section)[: len(STABLE_KEYS)] == list(STABLE_KEYS)
        assert section["traces"] == 6
    assert noble("predict", "run/bundle", "--features", "i_thr=0.05,s_thr=950", "--step", 0.1).code == 0

    again = noble("train", "train.yaml", "store.zarr", "-o", "run")
    assert again.code == 2
    assert "resume it" in again.error
    assert noble("train", "train.yaml", "store.zarr", "-o", "run", "--resume").code == 0


@pytest.fixture
def stranger(place) -> Path:
    """A bundle that learned the models of another hall than those of the store and of the shipped hall."""
    from noble.operator import Operator

    bundle = Operator.load("bundle")
    bundle.provenance["hall"] = {"name": "stylised-pv", "digest": "0" * 64}
    bundle.save("stranger")
    return place


def test_an_operator_is_not_evaluated_on_models_that_it_may_have_seen(noble, stranger, monkeypatch):
    monkeypatch.setattr("noble.simulators.ArborSimulator.respond", None)  # nothing is simulated
    (stranger / "g.yaml").write_text(TINY_GENERATION)
    for command, what in (
        (("evaluate", "stranger", "store.zarr"), f"the store {stranger / 'store.zarr'}"),
        (("evaluate", "stranger", "--fresh", 2, "--config", "g.yaml"), "the hall stylised-pv"),
        (("resolution", "stranger", "--traces", 2, "--config", "g.yaml"), "the hall stylised-pv"),
        (("fi", "stranger"), "the hall stylised-pv"),
    ):
        result = noble(*command, *(("--json", "m.json")))
        assert result.code == 2
        assert result.error.startswith(f"{what} holds other models (digest ")
        assert not (stranger / "m.json").exists()
    own = noble("evaluate", "bundle", "store.zarr", "--json", "m.json")  # which records no hall
    assert own.code == 0, own.err


def test_names_with_brackets_are_shown_as_they_are(noble, place):
    from dataclasses import replace

    from noble.cells import HallOfFame

    replace(HallOfFame.load("stylised-pv"), name="mine [/] [bold]x").save("mine.json")
    for command in (("cells", "mine.json"), ("hall", "show", "mine.json"), ("info", "mine.json")):
        result = noble(*command)
        assert result.code == 0, result.err
        assert "mine [/] [bold]x" in result.out


def test_help_is_grouped(noble):
    text = plain(noble("--help").out)
    panels = ("Recordings and cells", "Data", "Operators", "Ask an operator", "Housekeeping")
    places = [text.index(f" {panel} ") for panel in panels]
    assert places == sorted(places)
    for command, panel in (("hall", 0), ("targets", 0), ("generate", 1), ("train", 2), ("predict", 3), ("demo", 4)):
        assert f" {command} " in text[places[panel] : (*places, len(text))[panel + 1]], command


def test_info_knows_stores_halls_and_versions(noble, place):
    assert "torch" in noble("info").out
    store = noble("info", "store.zarr").out
    assert '"train": 24' in store
    assert "60 ms at dt 0.1 ms" in store
    assert "20 to train on, 4 held out" in noble("info", "stylised-pv").out
    assert "rheobase" in noble("info", "bundle").out


def test_check_passes_a_sound_store(noble, place):
    result = noble("check", "store.zarr")
    assert (result.code, result.err) == (0, "")
    assert "sound" in result.out


@pytest.mark.slow
def test_generate_check_train_and_evaluate_afresh(noble, tmp_path, monkeypatch):
    pytest.importorskip("arbor")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g.yaml").write_text(TINY_GENERATION)
    result = noble("generate", "g.yaml", "a.zarr")
    assert result.code == 0, result.err
    assert "10/10" in result.out
    assert noble("check", "a.zarr").code == 0
    again = noble("generate", "g.yaml", "a.zarr", "--workers", 2)
    assert again.code == 0, again.err
    (tmp_path / "t.yaml").write_text(TINY_TRAINING)
    assert noble("train", "t.yaml", "a.zarr", "-o", "run").code == 0
    result = noble("evaluate", "run/bundle", "--fresh", 3, "--seed", 1, "--json", "m.json")
    assert result.code == 0, result.err
    metrics = json.loads((tmp_path / "m.json").read_text())
    for section in ("unseen_currents", "unseen_models"):
        assert metrics[section]["traces"] == 3
        assert set(STABLE_KEYS) <= set(metrics[section])
        assert metrics[section]["settings"]["window_ms"] == 60
    apart = noble("evaluate", "run/bundle", "--fresh", 2, "--currents", "noise, pulses", "--json", "k.json")
    assert apart.code == 0, apart.err
    kinds = json.loads((tmp_path / "k.json").read_text())["currents"]
    assert set(kinds) == {"noise", "pulses"}
    for subset in ("unseen_currents", "unseen_models"):
        assert {*STABLE_KEYS, "spikes"} <= set(kinds["noise"][subset])
        assert kinds["pulses"][subset]["traces"] == 2
    for options, message in (
        (("--fresh", 2, "--currents", "noise,square"), "currents square are unknown; expected some of step, noise, "),
        (("--currents", "all"), "--currents simulates traces of each kind; say how many a subset with --fresh N."),
    ):
        refused = noble("evaluate", "run/bundle", *options)
        assert (refused.code, refused.error.startswith(message)) == (2, True)
    result = noble(
        "bench",
        "run/bundle",
        "--batch",
        4,
        "--arbor-traces",
        1,
        "--neuron-traces",
        0,
        "--json",
        "b.json",
        "--currents",
        "noise",
    )
    assert result.code == 0, result.err
    speed = json.loads((tmp_path / "b.json").read_text())
    assert set(STABLE_SPEED_KEYS) <= set(speed)
    assert (speed["batch"], speed["currents"]) == (4, "noise")
    assert speed["speedup_vs_arbor"] > 1
    assert speed["speedup_vs_neuron"] is None
    assert "Arbor" in result.out
    timing = ("--onset", 10, "--length", 40, "--window", 60, "--dt", 0.1)
    family = ("--models", "disc:0:0.1", "--n", 3, "--simulate", "--json", "e.json", "-o", "figures")
    result = noble("ensemble", "run/bundle", "--step", 0.3, *timing, *family)
    assert result.code == 0, result.err
    told = json.loads((tmp_path / "e.json").read_text())
    assert (told["neurons"], told["reference"]) == (3, "simulation")
    assert told["features"]["voltage_base"]["wasserstein"] >= 0
    assert (tmp_path / "figures" / "ensemble.png").stat().st_size > 10_000


@pytest.mark.slow
def test_the_demo_leaves_what_it_promises(noble, tmp_path):
    pytest.importorskip("arbor")
    result = noble("demo", "--scale", 0.02, "-o", tmp_path / "demo")
    assert result.code == 0, result.err
    folder = tmp_path / "demo"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert set(metrics) == {"unseen_currents", "unseen_models", "unseen_models_plane"}
    for section in metrics.values():
        assert set(STABLE_KEYS) <= set(section)
    assert (folder / "bundle" / "model.safetensors").exists()
    page = (folder / "index.html").read_text()
    figures = sorted(path.name for path in folder.glob("*.png"))
    assert len(figures) == 5
    for name in figures:
        assert f'src="{name}"' in page
    assert not re.findall(r'(?:src|href)="https?:', page)  # it needs no network either
    assert noble("info", folder / "bundle").code == 0
    # Run again, it simulates and trains nothing anew.
    before = (folder / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    assert noble("demo", "--scale", 0.02, "-o", folder).code == 0
    assert (folder / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before
    assert json.loads((folder / "metrics.json").read_text()) == metrics
    shutil.rmtree(folder)

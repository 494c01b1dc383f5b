"""Bad input: one sentence, exit code 2, and every file as it was."""

import json
import re
from pathlib import Path

import pytest

STEP = {"kind": "Step", "start_ms": 1.0, "stop_ms": 5.0, "amplitude_na": 0.1}
PREDICT = ("predict", "bundle", "--hall", "stylised-pv", "-o", "out.csv")


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def refused(noble, place):
    """Run, and return the sentence, after checking exit code and files."""

    def run(*arguments: object) -> str:
        before = snapshot(place)
        result = noble(*arguments)
        assert result.code == 2, result.out + result.err
        assert snapshot(place) == before
        assert result.error.endswith(".")
        return result.error

    return run


# --- cells and halls


def test_an_swc_whose_point_has_no_parent(refused, place):
    (place / "broken.swc").write_text("1 1 0 0 0 5 -1\n2 3 6 0 0 1 1\n3 3 9 0 0 1 7\n")
    assert refused("cells", "broken.swc").startswith("broken.swc: point 3 names parent 7, which is not in the file")


@pytest.fixture
def hall(place):
    """Write the shipped hall to a file, after a change."""
    from noble.cells import HallOfFame

    def write(change) -> str:
        content = json.loads(json.dumps(HallOfFame.load("stylised-pv").to_dict()))
        change(content)
        (place / "hall.json").write_text(json.dumps(content))
        return "hall.json"

    return write


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda hall: hall["cell"]["parameters"][0].update(name="gbar_Foo.soma"), r"channel 'Foo', which is not known"),
        (lambda hall: hall["cell"]["parameters"][0].update(name="zeta_NaV.soma"), r"NaV has no parameter 'zeta'"),
        (lambda hall: hall["cell"]["parameters"][0].update(name="cm.tail"), r"region 'tail' is unknown"),
        (lambda hall: hall["models"][0]["values"].update({"gbar_Im.soma": 1e-4}), r"sets gbar_Im.soma, not free in"),
        (lambda hall: hall["models"][0]["values"].pop("cm.soma"), r"lacks cm.soma"),
        (
            lambda hall: hall["models"][3]["values"].update({"cm.soma": 99.0}),
            r"cm.soma is 99 uF/cm2; expected 0.1 to 10",
        ),
        (lambda hall: hall.update(schema_version=3), r"expected a hall of fame \(noble-hall version 1 to 2\)"),
        (lambda hall: hall["models"][0].pop("values"), r"models\[0\]\.values is missing"),
        (lambda hall: hall.pop("cell"), r"cell is missing"),
    ],
    ids=["channel", "quantity", "region", "unknown", "missing", "bounds", "version", "no values", "no cell"],
)
def test_a_hall_that_is_wrong(refused, hall, change, message):
    file = hall(change)
    assert re.search(message, refused("simulate", file, "--step", 0.1, "-o", "out.csv"))


def test_a_hall_that_is_not_there_or_is_something_else(refused, place):
    assert "no hall of fame 'nowhere'" in refused("simulate", "nowhere", "--step", 0.1)
    (place / "list.json").write_text("[1]")
    assert "got a list" in refused("simulate", "list.json", "--step", 0.1)
    (place / "half.json").write_text('{"schema": ')
    assert "half.json is not a hall of fame: it is not valid JSON" in refused("info", "half.json")
    assert "models 0 to 23; 99 was asked for" in refused("simulate", "stylised-pv", "--model", 99, "--step", 0.1)


# --- configurations


@pytest.mark.parametrize(
    ("command", "text", "message"),
    [
        ("generate", "hall: stylised-pv\ncolour: blue", r"unknown key colour; expected one of hall, traces, amplitude"),
        ("generate", "hall: stylised-pv\namplitude: {hi: 1}", r"unknown key amplitude.hi; expected one of low_na"),
        ("generate", "", r"the key hall is missing"),
        ("generate", "hall: stylised-pv\nworkers: 0", r"workers is 0"),
        ("generate", "hall: stylised-pv\nstep_ms: 900", r"the current ends at 915 ms but window_ms is 515"),
        ("generate", "hall: stylised-pv\namplitude: {low_na: -110, high_na: 280, scale_na: 120}", r"divide it by 1000"),
        ("train", "epoch: 3", r"unknown key epoch; expected one of operator"),
        ("train", "operator: {kind: fno, depth: 3}", r"unknown key operator.fno.depth; expected one of kind, layers"),
        ("train", "max_shift_ms: 15", r"max_shift_ms is 15 but the store"),
        ("train", "max_shift_ms: 0\nfeatures: [i_thr, colour]", r"the store has no model feature colour"),
    ],
)
def test_a_configuration_that_is_wrong(refused, place, command, text, message):
    (place / "config.yaml").write_text(text)
    rest = ("new.zarr",) if command == "generate" else ("store.zarr", "-o", "run")
    assert re.search(message, refused(command, "config.yaml", *rest))


# --- stimuli


@pytest.mark.parametrize(
    ("stimulus", "message"),
    [
        ({**STEP, "stop_ms": 900.0}, r"the stimulus ends at 900 ms but the window is 51\d(\.\d+)? ms long"),
        (
            {**STEP, "amplitude_na": float("nan")},
            r"stimulus.json is not a stimulus file: it is not valid JSON \(NaN is not a number",
        ),
        ({"kind": "Sampled", "samples_na": [0.1, float("nan")], "dt_ms": 1.0}, r"NaN is not a number"),
        ({**STEP, "amplitude_na": 150.0}, r"reaches 150 nA; .*If the number is in pA, divide it by 1000"),
        ({**STEP, "kind": "Square"}, r"kind 'Square' is unknown; expected one of Step, Ramp, .*, Scaled"),
        ({**STEP, "height": 1.0}, r"expected start_ms, stop_ms, amplitude_na"),
        ({"kind": "Sum"}, r"Sum got nothing; expected parts"),
        (5, r"described by 5; expected an object"),
        ([], r"no stimulus was given"),
    ],
    ids=["long", "nan", "nan sample", "pA", "kind", "parameter", "sum", "number", "empty"],
)
def test_a_stimulus_that_is_wrong(refused, place, stimulus, message):
    (place / "stimulus.json").write_text(json.dumps(stimulus))
    assert re.search(message, refused(*PREDICT, "--stimulus", "stimulus.json"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--step", 150), "reaches 150 nA; a somatic current is expected within ±5 nA. If the number is in pA, divide"),
        (("--step", "nan"), "Step.amplitude_na is nan"),
        (("--step", 0.1, "--length", 900), "a step of 900 ms from 15 ms in a window of 515 ms"),
        (("--step", 0.1, "--dt", 0), "expected onset_ms >= 0, step_ms > 0, dt_ms > 0"),
        ((), "no stimulus was given; use --step AMPLITUDE (nA) or --stimulus FILE.json"),
        (("--stimulus", "nowhere.json"), "there is no file nowhere.json; expected a stimulus file"),
    ],
)
def test_a_step_that_is_wrong(refused, options, message):
    assert message in refused(*PREDICT, *options)


def test_a_simulated_step_in_picoampere(refused):
    pytest.importorskip("arbor")
    assert "If the number is in pA, divide" in refused("simulate", "stylised-pv", "--step", 150, "-o", "out.csv")


def test_a_step_up_to_the_very_end_of_the_window_is_no_error(noble, place):
    result = noble(*PREDICT, "--step", 0.1, "--onset", 115, "--length", 400)
    assert result.code == 0, result.err


# --- stores


@pytest.fixture(params=["version", "cut short", "no store", "missing"])
def bad_store(request, place) -> tuple[str, str]:
    """A store that cannot be used, and what is to be said about it."""
    if request.param == "version":
        path = place / "store.zarr" / "zarr.json"
        path.write_text(path.read_text().replace('"schema_version": 2', '"schema_version": 9'))
        return "store.zarr", "schema version 9; this noble reads versions 1 and 2"
    if request.param == "cut short":
        (place / "store.zarr/parts/0/voltage/c/1/0").unlink()
        return "store.zarr", "run noble generate again to finish it"
    if request.param == "no store":
        (place / "folder").mkdir()
        return "folder", "not a readable Zarr group"
    return "nowhere", "nowhere is not a folder"


def test_a_store_that_cannot_be_used(refused, noble, place, bad_store):
    store, message = bad_store
    (place / "train.yaml").write_text("max_shift_ms: 0")
    assert message in refused("train", "train.yaml", store, "-o", "run")
    assert message in refused("evaluate", "bundle", store, "--json", "m.json")
    assert refused("check", store) == f"{store} has 1 problem(s), listed above."
    assert message in noble("check", store).out
    if store != "nowhere":
        assert message in refused("info", store)


# --- bundles and features


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "card.md", "metrics.json"])
def test_a_bundle_that_lacks_a_file(refused, place, name):
    (place / "bundle" / name).unlink()
    for command in [
        (*PREDICT, "--step", 0.1),
        ("evaluate", "bundle", "store.zarr", "--json", "m.json"),
        ("info", "bundle"),
    ]:
        assert f"bundle is not a complete bundle: {name} missing" in refused(*command)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.safetensors", "model.safetensors is not the file that the bundle was saved with"),
        ("config.json", "config.json is not a file of a bundle: it is not valid JSON"),
        ("metrics.json", "metrics.json is not the file that the bundle was saved with"),
    ],
)
def test_a_bundle_with_a_corrupt_file(refused, place, name, message):
    path = place / "bundle" / name
    path.write_bytes(path.read_bytes()[:-3] if name != "model.safetensors" else path.read_bytes()[:-100])
    if name == "metrics.json":
        path.write_text("{")
    assert message in refused(*PREDICT, "--step", 0.1)
    assert message in refused("info", "bundle")


def test_one_flipped_bit_of_the_weights(refused, place):
    path = place / "bundle" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(bytes(content))
    assert "SHA-256 differs" in refused(*PREDICT, "--step", 0.1)


def test_features_outside_the_hull_warn_and_say_how_far(noble, place):
    result = noble("predict", "bundle", "--features", "i_thr=0.9,s_thr=560", "--step", 0.1, "-o", "out.csv")
    assert result.code == 0
    assert (place / "out.csv").exists()
    line = result.err.strip()
    assert line.startswith("warning: 1 of 1 neurons lie outside the hull of the 20 training models")
    assert re.search(r"rheobase = 0\.9 nA, \+\d+\.\d% of its range away", line)
    assert "\n" not in line
    inside = noble("predict", "bundle", "--hall", "stylised-pv", "--step", 0.1)
    assert (inside.code, inside.err) == (0, "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            (),
            "no neuron was named; use --hall HALL --model K, or --features with some of rheobase (nA), fi_gain (Hz/nA)",
        ),
        (
            ("--features", "i_thr=0.1,AP1_width=1"),
            "AP1_width was given of the neurons; expected some of what the operator knows: rheobase (nA), fi_gain (Hz/nA)",
        ),
        (("--features", "i_thr=a,s_thr=1"), "'i_thr=a' in --features is not NAME=NUMBER"),
        (("--features", "i_thr=nan,s_thr=1"), "feature i_thr of neuron 0 is nan"),
        (("--hall", "stylised-pv", "--model", 24), "has models 0 to 23; 24 was asked for"),
    ],
)
def test_a_neuron_that_is_not_named_well(refused, options, message):
    assert message in refused("predict", "bundle", "--step", 0.1, "-o", "out.csv", *options)


# --- the rest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is no file traces.csv; write one with `noble simulate ... -o traces.csv`"),
        ("a,b\n1,2\n", "traces.csv has columns a, b; expected time_ms"),
        ("time_ms,current_na_0,voltage_mv_0\n0,0,-70\n1,0,-70\n3,0,-70\n", "times in traces.csv are not uniform"),
        ("time_ms,current_na_0,voltage_mv_0\n0,0,-70\n1,0,high\n", "traces.csv is not a table of numbers"),
    ],
)
def test_traces_that_are_wrong(refused, place, text, message):
    if text is not None:
        (place / "traces.csv").write_text(text)
    assert message in refused("features", "traces.csv", "--json", "f.json")


def test_nothing_to_evaluate_on(refused):
    assert "name a store, or use --fresh N" in refused("evaluate", "bundle")
    assert "does not record how its data were drawn; name a generation YAML" in refused(
        "evaluate", "bundle", "--fresh", 2
    )


def test_a_demo_of_no_size(refused):
    assert "scale is 0; expected a share above 0" in refused("demo", "--scale", 0, "-o", "demo")


def test_a_command_or_option_that_does_not_exist(noble):
    for arguments in [("nonsense",), ("cells", "--colour")]:
        result = noble(*arguments)
        assert result.code == 2
        assert "No such" in result.err


def test_an_interrupt_is_no_error(noble, monkeypatch):
    from noble.cells import hall

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(hall.HallOfFame, "load", interrupt)
    result = noble("info", "stylised-pv")
    assert result.code == 130
    assert result.err == "interrupted; a command that goes on when run again has kept what was finished.\n"


def test_brackets_in_a_message_are_kept(noble, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "[bold]mine[/bold].json" in noble("simulate", "[bold]mine[/bold].json", "--step", 0.1).error

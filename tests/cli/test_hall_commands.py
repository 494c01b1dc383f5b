"""`noble hall` as a user types it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from checked_hall import checked_hall, targets
from firing_soma import firing_soma_hall
from found_fits import allen_fit, write_fits
from noble.cells import HallOfFame
from noble.cells.statistics import hall_statistics
from noble.features.catalogue import HALL_FEATURES
from noble.targets import StepTargets, Target

COMMANDS = ("show", "check", "merge", "import", "export", "interpolate")


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder of one's own, as the current one, with two halls and their targets."""
    monkeypatch.chdir(tmp_path)
    checked_hall("a").save("a.json")
    checked_hall("b", shares=(0.51, 0.53, 0.54)).save("b.json")
    targets().save("targets.json")
    return tmp_path


def plain(text: str) -> str:
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split())


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_every_option(noble, command):
    from noble.cli.app import app

    result = noble("hall", command, "--help")
    assert result.code == 0
    text = plain(result.out)
    group = typer.main.get_command(app).commands["hall"]  # type: ignore[attr-defined]
    for item in group.commands[command].params:
        for option in item.opts:
            if option.startswith("--"):
                assert option in text
        words = getattr(item, "help", None) or ""
        assert words, f"{item.name} of {command} is not explained"
        assert " ".join(words.split()[:3]) in text
    assert command in plain(noble("hall", "--help").out)


def test_hall_is_listed_among_the_commands(noble):
    assert re.search(r"\bhall\b.*Halls of fame", plain(noble("--help").out))


def test_show_prints_and_writes_what_a_hall_is_worth(noble, here):
    result = noble("hall", "show", "a.json", "--json", "worth.json")
    assert result.code == 0, result.err
    assert re.search(r"Models that block at any step\W+0\b", plain(result.out))
    assert re.search(r"Mean \|z\|, worst model\W+1.12\b", plain(result.out))
    assert "unknown" not in result.out
    assert json.loads((here / "worth.json").read_text()) == hall_statistics(checked_hall("a"))


def test_show_says_what_an_older_hall_does_not_know(noble, here):
    hall = checked_hall("old")
    replace(hall, models=tuple(replace(model, check=None) for model in hall.models)).save("old.json")
    result = noble("hall", "show", "old.json", "--json", "worth.json")
    assert result.code == 0, result.err
    assert "old holds no final check of every model, so how good they are is unknown" in plain(result.out)
    worth = json.loads((here / "worth.json").read_text())
    assert (worth["blocked"], worth["models"]) == (None, 7)


def test_show_takes_shipped_halls_and_lists_models_when_asked(noble):
    shown = noble("hall", "show", "stylised-pv")
    assert shown.code == 0, shown.err
    assert "held out\n" not in shown.out
    listed = noble("hall", "show", "stylised-pv", "--models").out
    table = noble("cells", "stylised-pv").out
    first = next(line for line in table.splitlines() if "held out" in line)
    assert first in listed.splitlines()


def test_check_simulates_and_writes_a_new_hall_or_nothing(noble, here):
    pytest.importorskip("arbor")
    firing_soma_hall(here).save("two.json")
    recorded = StepTargets(0.4, 0.0, (6, 6), {"voltage_base": Target(-80.0, 1.0, 2)}, {})
    replace(targets(), steps=(recorded,)).save("short.json")
    options = ("--targets", "short.json", "--workers", 0, "--held-out", 0, "--data-folder", here)
    result = noble("hall", "check", "two.json", *options, "--accept", 1e-4, "-o", "none.json")
    assert result.code == 2
    assert "no model of soma passes; the first fails by" in result.error
    assert not (here / "none.json").exists()
    result = noble("hall", "check", "two.json", *options, "--accept", 20, "-o", "again.json")
    assert result.code == 0, result.err
    assert "again.json: 2 of 2 models, 0 held out" in plain(result.out)
    again = HallOfFame.load("again.json")
    made_by = "noble hall check two.json --targets short.json --accept 20 --held-out 0 --seed 0"
    assert again.provenance["checked_again"]["command"] == made_by
    assert all(set(model.features) == set(HALL_FEATURES) for model in again.models)
    assert [path.name for path in here.glob("*.partial")] == ["none.json.partial"]  # what was simulated is kept


def test_merge_joins_files_into_one(noble, here):
    result = noble("hall", "merge", "a.json", "b.json", "-o", "both.json", "--held-out", 2, "--seed", 3)
    assert result.code == 0, result.err
    assert "both.json: 9 models, 2 held out; 1 were in several halls" in plain(result.out)
    merged = HallOfFame.load("both.json")
    assert (merged.name, len(merged), len(merged.held_out)) == ("both", 9, 2)
    assert noble("hall", "merge", "a.json", "b.json", "-o", "c.json", "--name", "joined", "--held-out", 0).code == 0
    assert HallOfFame.load("c.json").name == "joined"
    assert noble("hall", "show", "both.json").code == 0


def test_merge_refuses_in_one_sentence_and_writes_nothing(noble, here):
    result = noble("hall", "merge", "a.json", "stylised-vip", "-o", "both.json")
    assert result.code == 2
    assert "halls a and stylised-vip are of different cells" in result.error
    assert "nothing to merge in 1 hall" in noble("hall", "merge", "a.json", "-o", "both.json").error
    assert not (here / "both.json").exists()


def test_export_writes_both_files(noble, here):
    result = noble("hall", "export", "a.json", "-o", "exported/hall")
    assert result.code == 0, result.err
    folder = here / "exported" / "hall"
    assert sorted(path.name for path in folder.iterdir()) == ["hall_of_fame.json", "parameters.json"]
    models = json.loads((folder / "hall_of_fame.json").read_text())
    assert len(models) == 7
    assert "gbar_NaV.somatic" in models[0]["parameters"]


def test_interpolate_simulates_pairs_and_reports(noble, here):
    pytest.importorskip("arbor")
    options = ("--targets", "targets.json", "--workers", 0, "--pairs", 1, "--mean", "geometric")
    result = noble("hall", "interpolate", "a.json", *options, "--json", "found.json", "-o", "figures")
    assert result.code == 0, result.err
    found = json.loads((here / "found.json").read_text())
    assert list(found) == ["pairs", "worse_than_worst", "worst_member", "median_member", "median_pair", "mean"]
    assert (found["pairs"], found["mean"]) == (1, "geometric")
    assert found["worst_member"] == pytest.approx(1.12)  # from the check, not simulated
    assert 0 <= found["worse_than_worst"] <= 1
    assert f"{found['worse_than_worst']} of 1 halfway models are worse than every model of a" in plain(result.out)
    assert (here / "figures" / "interpolation.png").stat().st_size > 5000


def test_interpolate_refuses_what_it_cannot_do(noble, here):
    options = ("--targets", "targets.json", "--workers", 0)
    assert "7 models have 21" in noble("hall", "interpolate", "a.json", *options, "--pairs", 22).error
    missing = noble("hall", "interpolate", "a.json", "--targets", "absent.json")
    assert (missing.code, "absent.json" in missing.error) == (2, True)
    assert noble("hall", "interpolate", "a.json").code == 2  # the targets are required


def test_import_makes_a_hall_that_other_commands_take(noble, here):
    pytest.importorskip("arbor")
    swc = write_fits(
        here / "fits", {"PV_seed_1_hof_0.json": allen_fit(), "PV_seed_1_hof_1.json": allen_fit(gbar_NaV=1e-4)}
    )
    (here / "fits" / "notes.json").write_text("{}")
    options = ("--morphology", swc, "--prefix", "PV", "--largest-step", 0.4, "--workers", 0)
    result = noble("hall", "import", "fits", *options, "-o", "theirs.json")
    assert result.code == 0, result.err
    assert "PV_seed_1_hof_1.json is left out: never fires, up to 0.4 nA" in plain(result.out)
    assert re.search(r"theirs\.json: 1 of 2 models, 0 held out; rheobase and F-I gain .*; axon none", plain(result.out))
    assert "a junction potential of 14 mV: subtract it from recordings too" in plain(result.out)
    assert not list(here.glob("*.partial"))
    hall = HallOfFame.load("theirs.json")
    assert (hall.name, hall.cell.morphology.axon, hall.models[0].score) == ("theirs", "none", None)
    assert hall.provenance["command"].startswith("noble hall import fits --morphology")
    shown = noble("hall", "show", "theirs.json", "--models", "--json", "worth.json")
    assert shown.code == 0, shown.err
    assert json.loads((here / "worth.json").read_text())["mean_abs_z_median"] is None
    assert noble("info", "theirs.json").code == 0
    refused = noble("hall", "merge", "theirs.json", "theirs.json", "-o", "twice.json")
    assert refused.code == 2
    assert "do not say which recording they were checked against" in refused.error


def test_import_refuses_in_one_sentence_and_writes_nothing(noble, here):
    write_fits(here / "fits", {"fit.json": allen_fit()})
    result = noble("hall", "import", "fits", "--morphology", "cell.swc", "-o", "theirs.json")
    assert result.code == 2
    assert "cell.swc" in result.error
    result = noble("hall", "import", "fits", "--morphology", "fits/cell.swc", "--prefix", "VIP", "-o", "theirs.json")
    assert result.code == 2
    assert "no file in fits is called VIP..." in result.error
    assert not (here / "theirs.json").exists()

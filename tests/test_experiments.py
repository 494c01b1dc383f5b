"""Configurations and scripts in `examples/` and `experiments/` are what today's code reads; tables say what results say."""

import json
import re
import runpy
import subprocess
from pathlib import Path

import pytest
import yaml

from noble.cells import HallOfFame
from noble.data import GenerationConfig, TraceCounts
from noble.data.plan import draw_plan
from noble.evolve import EvolutionConfig
from noble.operator.bundle import read_metrics
from noble.train import TrainConfig
from noble.train.ablation import AblationConfig

ROOT = Path(__file__).parent.parent
CONFIGURATIONS = sorted(path for folder in ("examples", "experiments") for path in (ROOT / folder).rglob("*.yaml"))
SCRIPTS = sorted((ROOT / "experiments").rglob("*.sh"))
# Which configuration a file is, by a key that only this kind has.
KINDS = {"variants": AblationConfig, "stages": EvolutionConfig, "hall": GenerationConfig, "operator": TrainConfig}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=name)
def test_a_configuration_is_read(path: Path):
    content = yaml.safe_load(path.read_text())
    kind = next(kind for key, kind in KINDS.items() if key in content)
    config = kind.load(path)
    if isinstance(config, GenerationConfig):
        hall = HallOfFame.load(ROOT / config.hall if config.hall.endswith(".json") else config.hall)
        few = config.model_copy(update={"traces": TraceCounts(train=8, validation=4, test=4, unseen_models=4)})
        assert len(draw_plan(few, hall).model_index) == 20


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_a_script_is_one_and_names_configurations_that_are_there(path: Path):
    subprocess.run(["sh", "-n", str(path)], check=True)
    for pattern in re.findall(r"experiments/[\w/$-]+\.yaml", path.read_text()):
        assert list(ROOT.glob(re.sub(r"\$\w+", "*", pattern))), pattern


def test_tables_of_the_bar_are_made_from_the_results():
    bar = runpy.run_path(str(ROOT / "experiments/race/bar.py"))
    accuracy, speed = bar["accuracy"](), bar["speed"]()
    assert (ROOT / "experiments/race/bar.md").read_text() == f"{accuracy}\n{speed}"
    for quoting in ("docs/benchmarks.md", "experiments/race/README.md"):
        text = (ROOT / quoting).read_text()
        assert accuracy in text, quoting
        assert speed in text, quoting


@pytest.mark.parametrize("hall", ["human-pv", "human-vip"])
def test_the_table_of_a_race_is_made_from_its_results(hall: str):
    table = runpy.run_path(str(ROOT / "experiments/race/compare.py"))["table"](hall)
    assert (ROOT / f"experiments/race/{hall}.md").read_text() == table
    assert table in (ROOT / "experiments/race/README.md").read_text()


def test_the_table_of_the_scope_is_made_from_its_results():
    table = runpy.run_path(str(ROOT / "experiments/scope/table.py"))["table"]()
    assert table in (ROOT / "experiments/scope/README.md").read_text()


def test_the_rows_of_the_readme_are_made_from_the_results():
    rows = runpy.run_path(str(ROOT / "experiments/headlines.py"))["rows"]()
    assert rows in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", ["human-pv-steps", "human-vip", "stylised-pv"])
def test_bundles_of_steps_say_of_other_currents_what_was_measured(name: str):
    hall = name.removesuffix("-steps")
    measured = {
        kind: json.loads((ROOT / f"experiments/scope/{hall}-{kind}.json").read_text())
        for kind in ("noise", "ramp", "chirp")
    }
    assert read_metrics(name)["currents"] == measured


def test_the_bundle_of_any_current_says_what_was_measured_of_it():
    measured = json.loads((ROOT / "experiments/any_current/human-pv.json").read_text())
    assert read_metrics("human-pv") == measured
    table = runpy.run_path(str(ROOT / "experiments/any_current/table.py"))["table"]()
    for quoting in ("experiments/any_current/README.md", "docs/benchmarks.md"):
        assert table in (ROOT / quoting).read_text(), quoting

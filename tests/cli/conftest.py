"""A way to run `noble` as a user types it, in this process, and small things for it to work on."""

import shutil
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

TRAIN_TESTS = Path(__file__).parents[1] / "train"
sys.path.insert(0, str(TRAIN_TESTS))  # for spiking_family


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one sentence after `error:`; fails if there is more or less."""
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: "), lines[0]
        return lines[0].removeprefix("error: ")


Command = Callable[..., Result]


@pytest.fixture
def noble(monkeypatch, capsys) -> Command:
    """`noble("cells", "stylised-pv")` is `noble cells stylised-pv` on a wide screen that is no terminal."""
    from noble.cli import main
    from noble.cli.progress import console

    monkeypatch.setattr(console, "width", 250)
    monkeypatch.setenv("COLUMNS", "250")

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["noble", *(str(argument) for argument in arguments)])
            patch.setattr(warnings, "showwarning", warnings.showwarning)  # the command puts its own in this place
            try:
                main()
                code: object = 0
            except SystemExit as end:
                code = end.code or 0
        captured = capsys.readouterr()
        assert isinstance(code, int)
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """A store of the spiking family and an untrained bundle in the shipped hall's feature plane."""
    from spiking_family import TINY_PHASE, make_store

    from noble.cells import HallOfFame
    from noble.operator import FeatureSpec, Operator
    from noble.traces import TimeGrid

    folder = tmp_path_factory.mktemp("cli")
    make_store(folder / "store.zarr")
    hall = HallOfFame.load("stylised-pv")
    names = ("rheobase", "fi_gain")
    spec = FeatureSpec.fit(hall.feature_table(names)[list(hall.train)], names, ("nA", "Hz/nA"))
    Operator.build(TINY_PHASE, spec, TimeGrid.spanning(515.0, dt_ms=0.06), seed=1).save(folder / "bundle")
    return folder


@pytest.fixture
def place(made, tmp_path, monkeypatch) -> Path:
    """A folder of one's own with copies of store and bundle, as the current one."""
    shutil.copytree(made / "store.zarr", tmp_path / "store.zarr")
    shutil.copytree(made / "bundle", tmp_path / "bundle")
    monkeypatch.chdir(tmp_path)
    return tmp_path

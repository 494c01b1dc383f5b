"""What all tests share: shapes checked at run time, the folder of development data, and which tests can run here."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# Before any test imports noble: every jaxtyping shape and plain annotation is then checked at each call.
install_import_hook("noble", "typechecker.checked")

if "PYTEST_XDIST_WORKER" in os.environ:  # one worker a core: threads of torch would only wait for each other
    import torch

    torch.set_num_threads(1)

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Reconstructions and recordings that are not part of the package; without them the test is skipped."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the development data is absent ({SHARED_DATA})")
    return SHARED_DATA


def _why_no_neuron() -> str | None:
    """What NEURON lacks on this machine, or None."""
    from importlib.util import find_spec

    for package in ("neuron", "bmtk"):
        if find_spec(package) is None:
            return f"{package} is not installed"
    from noble.simulators.mechanisms import missing_for_compiling

    return missing_for_compiling()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("neuron")]
    if marked and (reason := _why_no_neuron()) is not None:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish() -> None:
    """Leave out of every later garbage collection what the tests' imports made: code that collects would take 0.4 s each time."""
    gc.collect()
    gc.freeze()

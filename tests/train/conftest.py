"""One small store for all tests of training, made once; nobody writes to it."""

import sys
from pathlib import Path

import pytest

# The family lies beside this file and is imported by name, also by processes that tests start.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def store_path(tmp_path_factory) -> Path:
    from spiking_family import make_store

    path = tmp_path_factory.mktemp("bells") / "store.zarr"
    make_store(path)
    return path

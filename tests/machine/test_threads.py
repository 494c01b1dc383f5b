from collections.abc import Iterator

import pytest
import torch

from noble.machine import threads
from noble.machine.threads import LEAVE_THREADS_VARIABLE, suitable_threads

TRACE = 8584


@pytest.fixture(autouse=True)
def two_threads(monkeypatch) -> Iterator[None]:
    monkeypatch.delenv(LEAVE_THREADS_VARIABLE, raising=False)
    monkeypatch.setattr(threads, "_asked", True)
    usual = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(usual)


@pytest.mark.parametrize(("samples", "expected"), [(TRACE, 1), (2 * TRACE, 1), (4 * TRACE, 2), (128 * TRACE, 2)])
def test_small_predictions_take_one_thread(samples, expected):
    with suitable_threads(samples):
        assert torch.get_num_threads() == expected
    assert torch.get_num_threads() == 2


def test_threads_come_back_after_an_error():
    with pytest.raises(RuntimeError, match="diverged"), suitable_threads(TRACE):
        raise RuntimeError("diverged")
    assert torch.get_num_threads() == 2


def test_they_are_left_alone_on_request(monkeypatch):
    monkeypatch.setenv(LEAVE_THREADS_VARIABLE, "1")
    with suitable_threads(TRACE):
        assert torch.get_num_threads() == 2


def test_a_process_of_one_thread_keeps_it():
    torch.set_num_threads(1)
    with suitable_threads(128 * TRACE):
        assert torch.get_num_threads() == 1


def test_a_process_that_did_not_ask_keeps_its_threads(monkeypatch):
    monkeypatch.setattr(threads, "_asked", False)
    with suitable_threads(TRACE):
        assert torch.get_num_threads() == 2
    threads.small_predictions_take_one_thread()
    with suitable_threads(TRACE):
        assert torch.get_num_threads() == 1

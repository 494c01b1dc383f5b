import ctypes
import sys

import pytest

from noble.machine import allocator

# The function itself, without its cache, so that each test gets its own answer.
ask = allocator.keep_freed_memory.__wrapped__


class Library:
    """A C library that notes what it is told."""

    def __init__(self, answer: int = 1) -> None:
        self.calls: list[tuple[int, int]] = []
        self.answer = answer

    def mallopt(self, parameter: int, value: int) -> int:
        self.calls.append((parameter, value))
        return self.answer


@pytest.fixture
def library(monkeypatch) -> Library:
    monkeypatch.delenv(allocator.LEAVE_ALLOCATOR_VARIABLE, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    return library


def test_glibc_is_told_not_to_map_and_not_to_trim(library):
    assert ask() is True
    assert library.calls == [(-4, 0), (-1, 2**31 - 1)]  # M_MMAP_MAX and M_TRIM_THRESHOLD of malloc.h


def test_it_is_left_alone_on_request(library, monkeypatch):
    monkeypatch.setenv(allocator.LEAVE_ALLOCATOR_VARIABLE, "1")
    assert ask() is False
    assert library.calls == []


def test_it_is_left_alone_on_other_systems(library, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert ask() is False
    assert library.calls == []


def test_another_c_library_is_no_error(library, monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert ask() is False


def test_a_refusal_is_reported(library):
    library.answer = 0
    assert ask() is False


def test_it_is_done_once_a_process(library):
    allocator.keep_freed_memory.cache_clear()
    assert allocator.keep_freed_memory()
    assert allocator.keep_freed_memory()
    assert len(library.calls) == 2
    allocator.keep_freed_memory.cache_clear()  # so that the next operator asks the real one

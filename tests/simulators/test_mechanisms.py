"""Where NEURON's channels come from, and what is said when they cannot be had."""

from __future__ import annotations

import importlib.util
from importlib import metadata
from pathlib import Path

import pytest

from noble.cells.channels import CHANNELS
from noble.simulators import NeuronSimulator, mechanisms


def suffix(source: Path) -> str:
    """The name of the mechanism in an NMODL file."""
    words = source.read_text().split()
    return words[words.index("SUFFIX") + 1]


@pytest.mark.neuron
def test_every_channel_has_its_source_and_no_other_is_compiled() -> None:
    assert {suffix(source) for source in mechanisms.channel_sources()} == set(CHANNELS)


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert mechanisms.cache_folder() == tmp_path / "noble" / "mechanisms"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert mechanisms.cache_folder() == tmp_path / ".cache" / "noble" / "mechanisms"


@pytest.mark.neuron
def test_a_failed_compilation_says_why_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "Broken.mod"
    broken.write_text("NEURON { SUFFIX Broken \n BREAKPOINT { this is not NMODL }\n")
    monkeypatch.setattr(mechanisms, "channel_sources", lambda: [broken])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(RuntimeError, match="nrnivmodl could not compile the channels"):
        mechanisms.compiled_channels()
    assert not (tmp_path / "cache").exists()


@pytest.mark.neuron
@pytest.mark.slow
def test_the_channels_are_compiled_once_into_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one = mechanisms.channel_sources()[:1]
    monkeypatch.setattr(mechanisms, "channel_sources", lambda: one)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    library = mechanisms.compiled_channels()
    assert library.is_relative_to(tmp_path / "noble" / "mechanisms")
    assert [path.name for path in library.parent.iterdir()] == [library.name]
    monkeypatch.setattr(mechanisms, "missing_for_compiling", lambda: "there is no compiler any more")
    assert mechanisms.compiled_channels() == library


def test_missing_bmtk_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"BMTK.*is not installed.*noble-neuro\[neuron\]") as caught:
        mechanisms.compiled_channels()
    assert caught.value.name == "bmtk"


def test_missing_neuron_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(mechanisms, "channel_sources", list)
    monkeypatch.setattr(metadata, "version", absent)
    with pytest.raises(ModuleNotFoundError, match=r"NEURON.*is not installed.*noble-neuro\[neuron\]") as caught:
        mechanisms.compiled_channels()
    assert caught.value.name == "neuron"


def test_a_missing_compiler_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mechanisms, "_nrnivmodl", lambda: "nrnivmodl")
    monkeypatch.setattr(mechanisms.shutil, "which", lambda name: None)
    with pytest.raises(OSError, match=r"C\+\+ compiler and make.*simulate with Arbor"):
        mechanisms._compile([], tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_the_number_of_processes_is_checked() -> None:
    with pytest.raises(ValueError, match="processes is 0; expected at least 1"):
        NeuronSimulator(processes=0)

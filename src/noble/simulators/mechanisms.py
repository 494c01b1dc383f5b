"""The channels for NEURON: the Allen ones found in the installed BMTK, compiled once into the cache, never copied elsewhere.

Those of Hay et al. (2011) that BMTK lacks are written here from the published equations (`nmodl/`).

BMTK is only located, not imported: its NMODL files are package data.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sysconfig
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Final

from noble.files import replacing

_INSTALL: Final = "pip install 'noble-neuro[neuron]'"
_OWN_SOURCES: Final = Path(__file__).parent / "nmodl"
_SOURCES: Final = Path("utils/scripts/bionet/mechanisms/modfiles")
# An artificial spike source, not a channel; NEURON may already know one of that name.
_NOT_A_CHANNEL: Final = "vecevent.mod"
_LIBRARY_NAMES: Final = ("libnrnmech.so", "libnrnmech.dylib")


def channel_sources() -> list[Path]:
    """The NMODL files of the channels: the Allen ones in the installed BMTK, and ours of those that it lacks.

    Raises:
        ModuleNotFoundError: if BMTK is not installed, or has no such files.
    """
    spec = importlib.util.find_spec("bmtk")
    folders = [Path(folder) / _SOURCES for folder in (spec.submodule_search_locations or ())] if spec else []
    sources = sorted(path for folder in folders for path in folder.glob("*.mod") if path.name != _NOT_A_CHANNEL)
    if not sources:
        found = "is not installed" if spec is None else "has no NMODL files"
        raise ModuleNotFoundError(
            f"BMTK, which brings the Allen channels for NEURON, {found}. Install it with: {_INSTALL}",
            name="bmtk",
        )
    return sources + sorted(_OWN_SOURCES.glob("*.mod"))


def cache_folder() -> Path:
    """Where compiled channels are kept: `noble/mechanisms` in XDG_CACHE_HOME, or in ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "noble" / "mechanisms"


def compiled_channels() -> Path:
    """The shared library of the channels, compiled on the first call on this machine.

    Its folder is named by a hash of the sources, NEURON's version and the machine, so a new version compiles afresh.

    Raises:
        ModuleNotFoundError: if NEURON or BMTK is not installed.
        OSError: if there is no compiler.
        RuntimeError: if it fails.
    """
    sources = channel_sources()
    try:
        version = metadata.version("neuron")
    except metadata.PackageNotFoundError as error:
        raise ModuleNotFoundError(
            f"NEURON, the reference simulator, is not installed. Install it with: {_INSTALL}; or simulate with Arbor.",
            name="neuron",
        ) from error
    digest = hashlib.sha256(f"neuron {version} {platform.system()} {platform.machine()}".encode())
    for source in sources:
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    folder = cache_folder() / digest.hexdigest()[:16]
    for name in _LIBRARY_NAMES:
        if (folder / name).is_file():
            return folder / name
    return _compile(sources, folder)


def missing_for_compiling() -> str | None:
    """What compiling the channels lacks on this machine, with the remedy; None if nothing."""
    if _nrnivmodl() is None:
        return f"NEURON's compiler driver nrnivmodl was not found. Install NEURON with: {_INSTALL}"
    compilers = (os.environ.get("CXX", "c++").split() or ["c++"])[0], "c++", "g++", "clang++"
    if shutil.which("make") is None or not any(shutil.which(name) for name in compilers):
        return (
            "NEURON needs a C++ compiler and make to compile the channels. Install them (for example with "
            "'apt install g++ make' or 'xcode-select --install'), or simulate with Arbor, which needs neither."
        )
    return None


def _nrnivmodl() -> str | None:
    """The driver beside this interpreter, or else on the path."""
    beside = Path(sysconfig.get_path("scripts")) / "nrnivmodl"
    return str(beside) if beside.is_file() else shutil.which("nrnivmodl")


def _compile(sources: list[Path], folder: Path) -> Path:
    """Compile in a temporary folder, then move only the library into place, in one step."""
    if (lacking := missing_for_compiling()) is not None:
        raise OSError(lacking)
    with tempfile.TemporaryDirectory(prefix="noble-mechanisms-") as scratch:
        for source in sources:
            shutil.copyfile(source, Path(scratch) / source.name)
        done = subprocess.run([_nrnivmodl() or ""], cwd=scratch, capture_output=True, text=True, check=False)
        libraries = [path for name in _LIBRARY_NAMES for path in sorted(Path(scratch).rglob(name))]
        if done.returncode != 0 or not libraries:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
            raise RuntimeError(f"nrnivmodl could not compile the channels (exit code {done.returncode}):\n{tail}")
        library = folder / libraries[0].name
        with replacing(library) as partial:
            shutil.copyfile(libraries[0], partial)
            shutil.copymode(libraries[0], partial)
    return library

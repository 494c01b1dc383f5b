"""How figures look, and how they are saved: colours, sizes, labels, and what panels have in common.

Simulation is black, prediction vermilion over it; line widths and markers tell the two apart in grey as well (colours: Okabe and
Ito, 2008).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.features import CATALOGUE, canonical
from noble.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIMULATED_COLOUR: Final = "#000000"
PREDICTED_COLOUR: Final = "#D55E00"
TRAINING_COLOUR: Final = "#0072B2"
HULL_COLOUR: Final = "#E6E6E6"

WIDTH_IN: Final = 7.2  # a text width in two columns
DPI: Final = 200

_STYLE: Final[dict[str, Any]] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.formatter.useoffset": False,
    "axes.unicode_minus": True,
}

_UNIT_LABELS: Final[Mapping[str, str]] = {"MOhm": "MΩ", "1": ""}


@contextmanager
def styled_figure(*, height_in: float, width_in: float) -> Iterator[Figure]:
    """A figure to draw in, under the package's style; matplotlib's own settings come back afterwards."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):  # pyright: ignore[reportArgumentType] - its keys are a closed list of literals
        yield Figure(figsize=(width_in, height_in), layout="constrained")


def save_figure(figure: Figure, path: Path | str, *, command: str = "") -> Path:
    """Write at 200 dpi in the format of the suffix, by a temporary name and a rename, without time stamps.

    Args:
        figure: to write.
        path: of the file.
        command: that made it; a PNG keeps it as its description (PNG specification, 11.3.3), where `command_of` finds it.
    """
    path = Path(path)
    kind = path.suffix.removeprefix(".") or "png"
    described = {"Description": command} if command else {}
    metadata = {"png": {"Software": None, **described}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    with replacing(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=DPI, metadata=metadata)
    return path


def command_of(path: Path | str) -> str:
    """The command that made a PNG figure; empty if it does not say."""
    from PIL import Image

    with Image.open(path) as image:
        return str(image.info.get("Description", ""))


def feature_label(name: str, unit: str) -> str:
    """A feature with its unit, as an axis shows it: `rheobase` and nA become "Rheobase (nA)"."""
    known = CATALOGUE.get(canonical(name))
    label = known.label if known else name.replace("_", " ")
    shown = _UNIT_LABELS.get(unit, unit)
    return f"{label} ({shown})" if shown else label


def with_minus(text: str) -> str:
    """Numbers in a text with the minus sign that matplotlib gives those on its axes, instead of a hyphen."""
    return text.replace("-", "\N{MINUS SIGN}")


def label_trace(above: Axes, below: Axes, *, left: bool, lowest: bool) -> None:
    """Name the axes that a voltage and the current below it share, once: voltage and current at the left, time below."""
    above.spines["bottom"].set_visible(False)
    above.tick_params(bottom=False, labelbottom=False, labelleft=left)
    below.tick_params(labelbottom=lowest, labelleft=left)
    above.set_ylabel("Voltage (mV)" if left else "")
    below.set_ylabel("Current\n(nA)" if left else "")
    below.set_xlabel("Time (ms)" if lowest else "")


def evenly_spaced(count: int, largest: int) -> np.ndarray:
    """Indices of at most so many of `count` items, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(count, largest)).round().astype(int))


def hull_corners(points: np.ndarray) -> np.ndarray:
    """Corners of the convex hull in order, shape (corners, 2); none where the points span no area."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        return points[ConvexHull(points).vertices]
    except (QhullError, ValueError, IndexError):
        return np.empty((0, 2))

"""What is in a recording, at one look: the sweeps of each stimulus, voltage over current, the stronger the darker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from noble.plots.style import WIDTH_IN, evenly_spaced, label_trace, styled_figure, with_minus

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from noble.recordings.survey import RecordingSurvey, StimulusSurvey, SweepSurvey

_MOST_SWEEPS: Final = 6
_MOST_STIMULI: Final = 12
_MOST_POINTS: Final = 6000
_HEIGHT_IN: Final = 2.1


def recording_survey_figure(survey: RecordingSurvey) -> Figure:
    """Up to twelve stimuli, two a row; of each up to six sweeps whose amplitudes are evenly spread, the doubtful ones dashed.

    Raises:
        ValueError: if no sweep can be read.
    """
    if not survey.stimuli:
        raise ValueError(f"{survey.source} has no sweep that can be read; there is nothing to draw.")
    stimuli = survey.stimuli[:_MOST_STIMULI]
    columns = min(2, len(stimuli))
    rows = -(-len(stimuli) // columns)
    sweeps = {sweep.name: sweep for sweep in survey.sweeps}
    with styled_figure(height_in=0.3 + _HEIGHT_IN * rows, width_in=WIDTH_IN) as figure:
        grid = figure.add_gridspec(2 * rows, columns, height_ratios=[3, 1] * rows)
        for number, stimulus in enumerate(stimuli):
            row, column = divmod(number, columns)
            above = figure.add_subplot(grid[2 * row, column])
            below = figure.add_subplot(grid[2 * row + 1, column], sharex=above)
            _draw(above, below, stimulus, sweeps)
            label_trace(above, below, left=True, lowest=True)
            if column:
                above.set_ylabel("")
                below.set_ylabel("")
        figure.align_ylabels()
    return figure


def _draw(above: Axes, below: Axes, stimulus: StimulusSurvey, sweeps: dict[str, SweepSurvey]) -> None:
    from matplotlib import colormaps

    members = sorted((sweeps[name] for name in stimulus.sweeps), key=lambda sweep: sweep.amplitude_na)
    shown = [members[index] for index in evenly_spaced(len(members), _MOST_SWEEPS)]
    colours = colormaps["viridis_r"](np.linspace(0.15, 1.0, len(shown)))
    for sweep, colour in zip(shown, colours, strict=True):
        assert sweep.raw is not None
        trace = sweep.raw.trace
        style = {"color": colour, "lw": 0.6, "ls": "-" if sweep.verdict == "good" else (0, (3, 2))}
        above.plot(*_thinned(trace.grid.times_ms, trace.voltage_mv), **style)
        below.plot(*_thinned(trace.grid.times_ms, trace.current_na), **style)
    above.set_title(with_minus(_title(stimulus)), loc="left")
    below.margins(y=0.15)


def _title(stimulus: StimulusSurvey) -> str:
    """Name, kind and number; a long name by its end, which tells more than its folder."""
    name = stimulus.stimulus.replace("\\", "/").rsplit("/", 1)[-1] or "unnamed"
    name = name if len(name) <= 32 else f"{name[:31]}…"
    count = len(stimulus.sweeps)
    return f"{name}: {stimulus.kind}, {count} sweep{'s' if count > 1 else ''}"


def _thinned(times_ms: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest value of each stretch: what a line of so few points would look like anyway, spikes whole."""
    size = times_ms.size // (_MOST_POINTS // 2)
    if size < 2:
        return times_ms, values
    count = times_ms.size // size
    parts = values[: count * size].reshape(count, size)
    return np.repeat(times_ms[: count * size : size], 2), np.stack(
        [parts.min(axis=1), parts.max(axis=1)], axis=1
    ).ravel()

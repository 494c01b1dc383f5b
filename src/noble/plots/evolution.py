"""Figures of an evolution and of the hall it made: from results, never from models; see `plots.style` for the manner.

The recording is black, models are blue and thinner; markers and line styles tell seeds apart in grey as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.plots.style import (
    HULL_COLOUR,
    PREDICTED_COLOUR,
    SIMULATED_COLOUR,
    TRAINING_COLOUR,
    WIDTH_IN,
    styled_figure,
    with_minus,
)
from noble.spikes import spike_times_ms

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Seeds: colours of Okabe and Ito (2008), each with a marker and a line style.
_SEED_STYLES: Final = (
    {"color": "#0072B2", "marker": "o"},
    {"color": "#D55E00", "marker": "s"},
    {"color": "#009E73", "marker": "^"},
    {"color": "#CC79A7", "marker": "D"},
    {"color": "#000000", "marker": "v"},
)
_MEMBER: Final[dict[str, Any]] = {"color": TRAINING_COLOUR, "marker": "o", "linewidths": 0, "alpha": 0.55}
# Points of one row or column are spread over this part of it.
_JITTER: Final = 0.5
# What is shown around the peak of the first spike, ms.
_SPIKE_MS: Final = (-1.5, 6.0)


@dataclass(frozen=True)
class Answer:
    """A voltage around a step.

    Attributes:
        times_ms: since the onset of the step, uniform, shape (time,), ms.
        voltage_mv: shape (time,), mV.
    """

    times_ms: np.ndarray
    voltage_mv: np.ndarray


def answers_figure(
    amplitudes_na: Sequence[float],
    models: Mapping[str, Sequence[Answer]],
    recorded: Sequence[Answer | None] | None = None,
) -> Figure:
    """The recording's answers above those of models, a column a step; last, the shape of the first spike.

    Where both can be seen, at steps without spikes and in the last column, the recording is drawn below every model.

    Args:
        amplitudes_na: of the steps, nA.
        models: answers to each step, by the model's label.
        recorded: the recording's answers, None at a step that it does not have; None if there is no recording.

    Raises:
        ValueError: if there is no model, or not one answer a step.
    """
    steps = len(amplitudes_na)
    rows = {"recording": recorded, **models} if recorded else models
    if not models or any(len(answers or ()) != steps for answers in rows.values()):
        raise ValueError(
            f"{steps} steps and answers to {[len(answers or ()) for answers in rows.values()]} were given; expected at least "
            "one model, and one answer a step."
        )
    fires = [any(_peak(row[step]) is not None for row in rows.values()) for step in range(steps)]
    first = next((step for step in range(steps) if all(_peak(row[step]) is not None for row in models.values())), None)
    with styled_figure(height_in=0.55 + 0.85 * len(rows), width_in=WIDTH_IN) as figure:
        widths = [1.0] * steps + ([0.75] if first is not None else [])
        grid = figure.subplots(len(rows), len(widths), sharex="col", sharey="col", squeeze=False, width_ratios=widths)
        for axes_row, (label, answers) in zip(grid, rows.items(), strict=True):
            for step, axes in enumerate(axes_row[:steps]):
                if recorded and not fires[step]:  # without spikes, one can be seen over the other
                    _draw(axes, recorded[step], recorded=True)
                if answers is not recorded:
                    _draw(axes, answers[step], recorded=False)
                elif fires[step]:
                    _draw(axes, answers[step], recorded=True, lw=0.6)
            if first is not None:
                if recorded:
                    _draw(axes_row[-1], _first_spike(recorded[first]), recorded=True)
                if answers is not recorded:
                    _draw(axes_row[-1], _first_spike(answers[first]), recorded=False)
            axes_row[0].set_title(label, loc="left", fontsize=7, pad=2)
        _name_columns(grid, amplitudes_na, first)
        _share_scales(grid, fires)
        figure.supylabel("Voltage (mV)", fontsize=8)
    return figure


def _name_columns(grid: np.ndarray, amplitudes_na: Sequence[float], first: int | None) -> None:
    """Amplitudes above, times below."""
    shown = [with_minus(f"{amplitude:g} nA") for amplitude in amplitudes_na]
    for top, bottom, amplitude in zip(grid[0], grid[-1], shown, strict=False):
        top.set_title(amplitude, loc="right")
        bottom.set_xlabel("Time from onset (ms)")
    if first is not None:
        grid[0][-1].set_title(f"first spike, {shown[first]}", loc="right")
        grid[-1][-1].set_xlabel("Time from peak (ms)")
        grid[-1][-1].set_xlim(*_SPIKE_MS)


def _share_scales(grid: np.ndarray, fires: Sequence[bool]) -> None:
    """One voltage scale for all columns with spikes, another for each without; ticks are named where the scale changes."""
    spiking = [column for column in range(grid.shape[1]) if column >= len(fires) or fires[column]]
    limits = np.array([grid[0][column].get_ylim() for column in spiking])
    for column in range(grid.shape[1]):
        if column in spiking:
            grid[0][column].set_ylim(limits[:, 0].min(), limits[:, 1].max())
        if column in spiking and column - 1 in spiking:
            for axes in grid[:, column]:
                axes.tick_params(labelleft=False)


def _draw(axes: Axes, answer: Answer | None, *, recorded: bool, lw: float | None = None) -> None:
    """One voltage; where the two lie over each other, the recording is the wider line."""
    if answer is not None:
        colour, width = (SIMULATED_COLOUR, 1.4) if recorded else (TRAINING_COLOUR, 0.7)
        axes.plot(answer.times_ms, answer.voltage_mv, color=colour, lw=lw or width)


def _first_spike(answer: Answer | None) -> Answer | None:
    """Around the first spike, on a clock that is 0 at its peak."""
    peak = _peak(answer)
    if answer is None or peak is None:
        return None
    times = answer.times_ms - peak
    near = (times >= _SPIKE_MS[0]) & (times <= _SPIKE_MS[1])
    return Answer(times[near], answer.voltage_mv[near])


def _peak(answer: Answer | None) -> float | None:
    """Time of the first spike after onset, on the answer's clock, ms."""
    if answer is None:
        return None
    first = answer.times_ms[0]
    times = spike_times_ms(answer.voltage_mv, dt_ms=float(answer.times_ms[1] - first)) + first
    times = times[times >= 0]
    return float(times[0]) if times.size else None


def rates_figure(
    amplitudes_na: np.ndarray, rates_hz: np.ndarray, recorded_hz: Sequence[Sequence[float]], tolerance_hz: np.ndarray
) -> Figure:
    """Firing rate by step amplitude: every model, and the recording with the range of its trials and what a hall tolerates.

    Args:
        amplitudes_na: shape (steps,), nA, ascending.
        rates_hz: of the models, shape (models, steps), Hz.
        recorded_hz: of the recording's trials at each step, Hz.
        tolerance_hz: how far a model may be off, shape (steps,), Hz; NaN where there is no such rule.

    Raises:
        ValueError: if the shapes disagree.
    """
    if rates_hz.shape[1:] != amplitudes_na.shape or not len(amplitudes_na) == len(recorded_hz) == len(tolerance_hz):
        raise ValueError(
            f"{len(amplitudes_na)} amplitudes, rates of shape {rates_hz.shape}, {len(recorded_hz)} recorded steps and "
            f"{len(tolerance_hz)} tolerances; expected rates of shape (models, amplitudes) and one of the others an amplitude."
        )
    middle = np.array([np.median(trials) for trials in recorded_hz])
    low, high = (np.array([extreme(trials) for trials in recorded_hz]) for extreme in (min, max))
    with styled_figure(height_in=2.9, width_in=WIDTH_IN / 2) as figure:
        axes = figure.subplots()
        lower, upper = np.maximum(middle - tolerance_hz, 0), middle + tolerance_hz
        axes.fill_between(amplitudes_na, lower, upper, color=HULL_COLOUR, lw=0, label="tolerated")
        lines = axes.plot(amplitudes_na, rates_hz.T, color=TRAINING_COLOUR, lw=0.6, alpha=0.5)
        lines[0].set_label(f"{len(rates_hz)} models")
        style = {"fmt": "o", "ms": 4.5, "mfc": "white", "mew": 1.0, "elinewidth": 0.8, "capsize": 2, "zorder": 3}
        axes.errorbar(
            amplitudes_na, middle, [middle - low, high - middle], color=SIMULATED_COLOUR, label="recording", **style
        )
        axes.set_xlabel("Step amplitude (nA)")
        axes.set_ylabel("Firing rate (Hz)")
        axes.legend(loc="upper left")
    return figure


def deviations_figure(names: Sequence[str], deviations: np.ndarray, accepted: float) -> Figure:
    """How far models are from the recording, a row a feature: every model, the quartiles and the median, largest on top.

    Args:
        names: of the features.
        deviations: mean |z| of each model over the steps that have the feature, shape (models, features).
        accepted: largest mean |z| over all features that a hall accepts.

    Raises:
        ValueError: if the shapes disagree.
    """
    if deviations.ndim != 2 or deviations.shape[1] != len(names):
        raise ValueError(
            f"deviations of shape {deviations.shape} of {len(names)} features; expected (models, features)."
        )
    order = np.argsort(np.median(deviations, axis=0))
    with styled_figure(height_in=0.6 + 0.2 * len(names), width_in=0.7 * WIDTH_IN) as figure:
        axes = figure.subplots()
        rows = np.arange(len(names))
        shifts = _shifts(len(deviations))
        for row, column in zip(rows, order, strict=True):
            axes.scatter(deviations[:, column], row + shifts, s=7, zorder=1, **_MEMBER)
        boxes = axes.boxplot(
            deviations[:, order],
            orientation="horizontal",
            positions=rows,
            widths=0.75,
            showfliers=False,
            showcaps=False,
            whis=0,
            manage_ticks=False,
            zorder=2,
        )
        for line in boxes["boxes"]:
            line.set_linewidth(0.7)
        for line in boxes["medians"]:
            line.set(color=SIMULATED_COLOUR, linewidth=1.6)
        axes.axvline(accepted, color=SIMULATED_COLOUR, lw=0.7, ls=":", zorder=0)
        _mark(axes, accepted, "accepted on average")
        axes.set_yticks(rows, [str(names[column]).replace("_", " ") for column in order])
        axes.set_ylim(-0.7, len(names) - 0.3)
        axes.set_xlim(left=0)
        axes.set_xlabel("Mean |z| over steps (standard deviations of the recording)")
        axes.tick_params(axis="y", length=0)
    return figure


def generations_figure(scores: Mapping[str, Mapping[int, Sequence[np.ndarray]]]) -> Figure:
    """Mean |z| by generation, a panel a stage: the best model so far and each generation's median, a colour a seed.

    Args:
        scores: by stage and seed, one array of all candidates' mean |z| a generation.

    Raises:
        ValueError: if there are none.
    """
    from matplotlib.ticker import MaxNLocator

    if not any(generations for of_seed in scores.values() for generations in of_seed.values()):
        raise ValueError("no generation was given; expected at least one of one seed and stage.")
    with styled_figure(height_in=2.5, width_in=max(WIDTH_IN / 2, 2.4 * len(scores))) as figure:
        panels = figure.subplots(1, len(scores), squeeze=False)[0]
        for axes, (stage, of_seed) in zip(panels, scores.items(), strict=True):
            for (seed, generations), style in zip(of_seed.items(), _seed_styles(), strict=False):
                numbers = np.arange(1, len(generations) + 1)
                best = np.minimum.accumulate([values.min() for values in generations])
                medians = [np.median(values) for values in generations]
                marks = {"ms": 3.2, "markevery": max(1, len(generations) // 8)}
                axes.plot(numbers, best, lw=1.2, label=f"seed {seed}, best", **style, **marks)
                axes.plot(numbers, medians, lw=0.8, ls="--", mfc="white", label="median", **style, **marks)
            axes.set_title(f"stage {stage}", loc="left")
            axes.set_xlabel("Generation")
            axes.set_ylim(bottom=0)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        panels[0].set_ylabel("Mean |z|")
        handles, labels = max((axes.get_legend_handles_labels() for axes in panels), key=lambda found: len(found[0]))
        columns = min(3, max(1, len(handles) // 2))
        figure.legend(handles, labels, loc="outside upper center", ncols=columns, handlelength=2.6, columnspacing=1.2)
    return figure


def ranges_figure(
    labels: Sequence[tuple[str, str, str]], positions: np.ndarray, reach: np.ndarray, held_out: np.ndarray
) -> Figure:
    """Where within its bounds each parameter of each model lies, a row a parameter.

    Args:
        labels: name, lower bound and upper bound of each parameter, the bounds with unit as they are to be read.
        positions: 0 at the lower bound, 1 at the upper, shape (models, parameters).
        reach: the same of the lowest and highest value that the evolution could try, shape (parameters, 2).
        held_out: which models are held out, shape (models,), bool.

    Raises:
        ValueError: if the shapes disagree.
    """
    models, parameters = positions.shape
    if parameters != len(labels) or reach.shape != (parameters, 2) or held_out.shape != (models,):
        raise ValueError(
            f"{len(labels)} labels, positions of shape {positions.shape}, reach of shape {reach.shape} and held_out of shape "
            f"{held_out.shape}; expected positions of shape (models, parameters) and the others to fit."
        )
    rows = np.arange(parameters)[::-1]
    with styled_figure(height_in=0.75 + 0.165 * parameters, width_in=WIDTH_IN) as figure:
        axes = figure.subplots()
        axes.barh(
            rows,
            reach[:, 1] - reach[:, 0],
            left=reach[:, 0],
            height=0.8,
            color=HULL_COLOUR,
            label="reach of the evolution",
        )
        kinds = (
            (~held_out, "training", {**_MEMBER, "s": 8}),
            (held_out, "held out", {"marker": "D", "edgecolors": PREDICTED_COLOUR, "facecolors": "white", "s": 9}),
        )
        shifts = _shifts(models)
        for mask, label, style in kinds:
            if mask.any():
                heights = rows[None, :] + shifts[mask][:, None]
                axes.scatter(positions[mask], heights, label=label, **{"linewidths": 0.6, **style})
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.7, parameters - 0.3)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
        axes.set_yticks(rows, [f"{name}   {low}" for name, low, _ in labels])
        axes.tick_params(axis="y", length=0)
        other = axes.secondary_yaxis("right")
        other.set_yticks(rows, [high for _, _, high in labels])
        other.tick_params(length=0)
        axes.set_xlabel("Position between the lower bound (0) and the upper bound (1); logarithmic, potentials linear")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure


def interpolation_figure(members: Sequence[float], halfway: Sequence[float]) -> Figure:
    """Mean |z| of a hall's models, and of the models halfway between pairs of them.

    Args:
        members: of the hall's models.
        halfway: of the models in between.

    Raises:
        ValueError: if there are none of either.
    """
    if not len(members) or not len(halfway):
        raise ValueError(f"{len(members)} models and {len(halfway)} pairs were given; expected at least one of each.")
    worst = max(members)
    with styled_figure(height_in=1.7, width_in=WIDTH_IN / 2) as figure:
        axes = figure.subplots()
        groups = (
            (1, members, f"{len(members)} models\nof the hall", _MEMBER),
            (0, halfway, f"{len(halfway)} halfway\nbetween two", {**_MEMBER, "color": PREDICTED_COLOUR, "marker": "D"}),
        )
        for row, values, _, style in groups:
            axes.scatter(values, row + _shifts(len(values)), s=11, **style)
            axes.plot([np.median(values)] * 2, [row - 0.38, row + 0.38], color=SIMULATED_COLOUR, lw=1.6)
        axes.axvline(worst, color=SIMULATED_COLOUR, lw=0.7, ls=":", zorder=0)
        _mark(axes, worst, "worst model of the hall")
        axes.set_yticks([row for row, *_ in groups], [label for _, _, label, _ in groups])
        axes.set_ylim(-0.5, 1.5)
        axes.set_xlim(left=0)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("Mean |z| (standard deviations of the recording)")
    return figure


def _mark(axes: Axes, position: float, text: str) -> None:
    """Say above the axes what a vertical line is."""
    where = axes.get_xaxis_transform()
    axes.annotate(text, (position, 1), (0, 2), where, "offset points", fontsize=7, ha="center", va="bottom")


def _shifts(count: int) -> np.ndarray:
    """Offsets that keep points of one row apart, the same every time; golden section, so that neighbours differ."""
    return _JITTER * ((np.arange(count) * 0.6180339887) % 1.0 - 0.5)


def _seed_styles() -> Iterator[dict[str, Any]]:
    from itertools import cycle

    return cycle(_SEED_STYLES)

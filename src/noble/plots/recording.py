"""Figures of a family of neurons beside a recording: firing rates, voltage, z-scores and spreads.

The recording is black and grey. Of the family, single neurons are vermilion and thin, median and band blue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.features import FEATURE_NAMES
from noble.plots.style import PREDICTED_COLOUR, SIMULATED_COLOUR, TRAINING_COLOUR, WIDTH_IN, styled_figure, with_minus

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from noble.comparison.agreement import FeatureAgreement
    from noble.comparison.recording import RecordingComparison, StepComparison

_TRIAL_COLOUR: Final = "#999999"
# Dashes and widths tell the lines apart in grey.
_NEURON: Final[dict[str, Any]] = {"color": PREDICTED_COLOUR, "lw": 0.6, "ls": (0, (4, 1))}
_BAND: Final[dict[str, Any]] = {"color": TRAINING_COLOUR, "alpha": 0.25, "lw": 0}
# Of a step that fires, this much is shown around its onset, ms: a second of spikes would be one black bar.
_FIRING_WINDOW_MS: Final = (-20.0, 180.0)
# z-scores beyond this share one colour.
_LARGEST_Z: Final = 4.0
# Of red, green and blue (Rec. 709): numbers on dark cells are white.
_LUMINANCE: Final = (0.2126, 0.7152, 0.0722)
# A number in every cell of the heat map is legible up to so many steps.
_MOST_NUMBERED_STEPS: Final = 16
_HEIGHT_PER_ROW_IN: Final = 0.21


def recording_fi_figure(comparison: RecordingComparison) -> Figure:
    """Firing rate by step amplitude: mean and standard deviation over trials, over the family's median and 5 to 95 % band."""
    amplitudes = np.array([step.amplitude_na for step in comparison.steps])
    quantiles = np.array([np.quantile(step.predicted_rates_hz, [0.05, 0.5, 0.95]) for step in comparison.steps])
    recorded = [step.recorded_rates_hz for step in comparison.steps]
    means = np.array([rates.mean() for rates in recorded])
    deviations = [rates.std(ddof=1) if rates.size > 1 else 0.0 for rates in recorded]
    with styled_figure(height_in=2.9, width_in=WIDTH_IN / 2) as figure:
        axes = figure.subplots()
        axes.fill_between(amplitudes, quantiles[:, 0], quantiles[:, 2], label="family, 5 to 95 %", **_BAND)
        axes.plot(amplitudes, quantiles[:, 1], color=TRAINING_COLOUR, lw=1.2, marker=".", ms=4, label="family, median")
        style = {"fmt": "o", "ms": 4, "mfc": "white", "mew": 1.0, "elinewidth": 0.8, "capsize": 2}
        axes.errorbar(amplitudes, means, deviations, color=SIMULATED_COLOUR, label="recording, mean ± SD", **style)
        axes.set_xlabel("Step amplitude (nA)")
        axes.set_ylabel("Firing rate (Hz)")
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        axes.legend(loc="upper left")
    return figure


def steps_to_show(steps: Sequence[StepComparison]) -> list[StepComparison]:
    """At most four telling steps: the most negative, the largest silent one, the smallest and the largest that fires."""
    negative = [step for step in steps if step.amplitude_na < 0]
    silent = [step for step in steps if step.amplitude_na >= 0 and not step.fires]
    firing = [step for step in steps if step.amplitude_na >= 0 and step.fires]
    chosen = {step.amplitude_na for step in (*negative[:1], *silent[-1:], *firing[:1], *firing[-1:])}
    return [step for step in steps if step.amplitude_na in chosen]


def recording_voltage_figure(comparison: RecordingComparison) -> Figure:
    """Voltage at the steps of `steps_to_show`: trials over the family's median, band and a few neurons; the current below.

    Of a step that fires, the first 180 ms are shown.
    """
    steps = steps_to_show(comparison.steps)
    columns = min(2, len(steps))
    rows = -(-len(steps) // columns)
    with styled_figure(height_in=0.5 + 2.4 * rows, width_in=WIDTH_IN) as figure:
        grid = figure.add_gridspec(2 * rows, columns, height_ratios=[3.2, 1] * rows)
        above: list[Axes] = []
        for index, step in enumerate(steps):
            row, column = divmod(index, columns)
            above.append(figure.add_subplot(grid[2 * row, column]))
            below = figure.add_subplot(grid[2 * row + 1, column], sharex=above[-1])
            _draw_step(above[-1], below, step)
            shown = f"{step.amplitude_na:g} nA, {len(step.trials)} trial{'s' if len(step.trials) > 1 else ''}"
            above[-1].set_title(with_minus(shown), loc="left")
            above[-1].set_ylabel("Voltage (mV)" if column == 0 else "")
            below.set_ylabel("Current\n(nA)" if column == 0 else "")
            below.set_xlabel("Time from onset (ms)")
        figure.align_ylabels()
        handles, labels = max((axes.get_legend_handles_labels() for axes in above), key=lambda found: len(found[1]))
        legend = figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
        for line in legend.get_lines():
            line.set_linewidth(1.8 * line.get_linewidth())
    return figure


def _draw_step(above: Axes, below: Axes, step: StepComparison) -> None:
    """Family first, trials over it, the first trial last."""
    family = step.family
    times = family.grid.times_ms - family.onset_ms
    low, middle, high = family.quantiles_mv
    above.fill_between(times, low, high, label="family, 5 to 95 %", **_BAND)
    for index, voltage in enumerate(family.single_mv):
        label = f"{len(family.single_mv)} neurons" if index == 0 else None
        above.plot(times, voltage, label=label, **_NEURON)
    above.plot(times, middle, color=TRAINING_COLOUR, lw=1.5, label="family, median")
    below.plot(times, family.current_na, color=TRAINING_COLOUR, lw=1.2, zorder=3)
    for index in reversed(range(len(step.trials))):
        trial = step.trials[index]
        style = {"color": _TRIAL_COLOUR, "lw": 0.4} if index else {"color": SIMULATED_COLOUR, "lw": 0.7}
        first = "trial without noise" if trial.clean and not step.trials[-1].clean else "first trial"
        label = first if index == 0 else "other trials" if index == 1 else None
        clock = trial.trace.grid.times_ms - trial.onset_ms
        above.plot(clock, trial.trace.voltage_mv, label=label, **style)
        below.plot(clock, trial.trace.current_na, zorder=1 if index else 2, **style)
    above.set_xlim(*(_FIRING_WINDOW_MS if step.fires else (times[0], times[-1])))
    above.spines["bottom"].set_visible(False)
    above.tick_params(bottom=False, labelbottom=False)
    below.margins(y=0.15)


def z_scores_figure(comparison: RecordingComparison) -> Figure:
    """z-score of the family's median by feature and step, as colour and number.

    Grey numbers without colour belong to steps where `noble targets` does not measure the feature; no summary counts them.
    R: only the recording has the feature; F: only the family; a dot: neither.
    """
    from matplotlib.colors import Normalize

    steps = comparison.steps
    numbered = len(steps) <= _MOST_NUMBERED_STEPS
    counted = [[step.features[name].z if name in step.typical else None for step in steps] for name in FEATURE_NAMES]
    values = np.array(counted, dtype=float)  # NaN for None
    with styled_figure(height_in=0.9 + _HEIGHT_PER_ROW_IN * len(FEATURE_NAMES), width_in=WIDTH_IN) as figure:
        axes = figure.subplots()
        norm = Normalize(-_LARGEST_Z, _LARGEST_Z)
        image = axes.imshow(values, cmap="PuOr_r", norm=norm, aspect="auto", interpolation="none")
        for row, name in enumerate(FEATURE_NAMES):
            for column, step in enumerate(steps):
                z = step.features[name].z
                colour = _TRIAL_COLOUR if z is not None else SIMULATED_COLOUR
                if np.isfinite(values[row, column]):
                    luminance = np.dot(image.to_rgba(values[row, column])[:3], _LUMINANCE)
                    colour = "white" if luminance < 0.5 else SIMULATED_COLOUR
                if numbered or z is None:
                    text = _cell_text(step.features[name])
                    axes.text(column, row, text, ha="center", va="center", fontsize=6.5, color=colour)
        axes.set_facecolor("#F2F2F2")
        axes.set_xticks(range(len(steps)), [with_minus(f"{step.amplitude_na:g}") for step in steps])
        axes.set_yticks(range(len(FEATURE_NAMES)), [name.replace("_", " ") for name in FEATURE_NAMES])
        axes.tick_params(length=0)
        axes.set_xticks(np.arange(len(steps) - 1) + 0.5, minor=True)
        axes.set_yticks(np.arange(len(FEATURE_NAMES) - 1) + 0.5, minor=True)
        axes.grid(which="minor", color="white", lw=1.2)
        axes.tick_params(which="minor", length=0)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("Step amplitude (nA)")
        bar = figure.colorbar(image, ax=axes, extend="both", fraction=0.03, pad=0.015)
        bar.set_label("z-score of the family's median (deviations of the recording)")
        bar.outline.set_visible(False)  # type: ignore[operator]
    return figure


def _cell_text(feature: FeatureAgreement) -> str:
    """What a cell of the heat map says."""
    if feature.z is None:
        sides = (feature.recording_has, feature.family_has)
        return {(True, False): "R", (False, True): "F", (False, False): "·"}.get(sides, "?")
    text = f"{feature.z:.1f}" if abs(feature.z) < 100 else f"{feature.z:.0e}"
    return "0.0" if text == "-0.0" else with_minus(text)


def spreads_figure(comparison: RecordingComparison) -> Figure:
    """How widely the family scatters in units of the trials, a row a feature: every step, and the median over them.

    Filled: trials scatter by more than the feature's floor. Hollow: by less, so that the ratio is large even for a family that
    is as close as the recording resolves. Only steps where `noble targets` measures the feature; no ratio where no trials differ.
    """
    rows = {name: _ratios(comparison.steps, name) for name in FEATURE_NAMES}
    with styled_figure(height_in=0.7 + _HEIGHT_PER_ROW_IN * len(rows), width_in=0.75 * WIDTH_IN) as figure:
        axes = figure.subplots()
        for row, ratios in enumerate(rows.values()):
            for resolved, face in ((True, TRAINING_COLOUR), (False, "white")):
                found = [ratio for ratio, above_floor in ratios if above_floor == resolved]
                axes.scatter(found, [row] * len(found), s=16, facecolors=face, edgecolors=TRAINING_COLOUR, lw=0.8)
            if ratios:
                middle = float(np.median([ratio for ratio, _ in ratios]))
                axes.plot([middle, middle], [row - 0.35, row + 0.35], color=SIMULATED_COLOUR, lw=1.8)
            else:
                axes.text(0.01, row, "no ratio", transform=axes.get_yaxis_transform(), va="center", size=6.5)
        axes.axvline(1.0, color=SIMULATED_COLOUR, lw=0.7, ls=":", zorder=0)
        for face, label in ((TRAINING_COLOUR, "trials' SD above the floor"), ("white", "below the floor")):
            axes.scatter([], [], s=16, facecolors=face, edgecolors=TRAINING_COLOUR, lw=0.8, label=label)
        axes.plot([], [], color=SIMULATED_COLOUR, lw=1.8, label="median")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda ratio, _: f"{ratio:g}")
        axes.set_yticks(range(len(rows)), [name.replace("_", " ") for name in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("SD over the family / SD over trials")
        figure.legend(loc="outside upper center", ncols=3, handletextpad=0.4)
    return figure


def _ratios(steps: Sequence[StepComparison], name: str) -> list[tuple[float, bool]]:
    """Ratio of the spreads at each step that counts, and whether the trials' spread is above the feature's floor."""
    found = []
    for step in steps:
        feature = step.features[name]
        if name in step.typical and feature.spread_ratio:  # no place for 0 on a logarithmic axis
            found.append((feature.spread_ratio, (feature.recorded_sd or 0.0) >= (feature.floor or 0.0)))
    return found

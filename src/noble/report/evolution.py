"""The page of an evolution and of the hall that it made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from noble.report.page import PageFigure, TextTable, facts_table, number_text, write_page

if TYPE_CHECKING:
    from noble.cells import HallOfFame
    from noble.evolve import Evolution
    from noble.recordings import Recording

WORTH_LABELS: Final[Mapping[str, tuple[str, str]]] = {
    "models": ("Models", ""),
    "train": ("of them to train on", ""),
    "held_out": ("of them held out", ""),
    "mean_abs_z_median": ("Mean |z|, median model", ""),
    "mean_abs_z_worst": ("Mean |z|, worst model", ""),
    "i_thr_relative_spread": ("Spread of the threshold current, standard deviation over mean", ""),
    "s_thr_relative_spread": ("Spread of the slope above threshold, standard deviation over mean", ""),
    "blocked": ("Models that block at any step", ""),
    "spike_count_out_of_tolerance": ("Models with a spike count off by more than 2 and 15 %", ""),
    "fires_where_silent": ("Models that fire at more than one step where the recording is silent", ""),
}
"""What a number of `noble.cells.hall_statistics` is called, and its unit; in the order of the table."""


def write_evolution_report(
    evolution: Evolution, hall: HallOfFame, path: Path | str, *, recording: Recording | None = None
) -> Path:
    """Write the page of an evolution and of the hall it made: scores by seed, what the hall is worth, figures.

    The best models are simulated once more, for their traces; everything else is read from the run's folder and from the hall.
    Figures are saved beside the page, in a folder of its name.

    Args:
        evolution: finished.
        hall: gathered from it.
        path: of the page, for example `report.html` in the run's folder.
        recording: the one that the check's targets were measured on, to be drawn with the models.

    Returns:
        The page's path.

    Raises:
        ValueError: if it is another recording, or its voltage has another junction potential subtracted, or if a model of the
            hall has no final check.
    """
    from noble.cells.statistics import hall_statistics
    from noble.plots.style import save_figure
    from noble.report.evolution_figures import evolution_figures

    path = Path(path)
    drawn = []
    for name, figure, caption in evolution_figures(evolution, hall, recording):
        file = Path(path.stem) / f"{name}.png"
        save_figure(figure, path.parent / file)
        drawn.append(PageFigure(file.as_posix(), caption))
    config, targets = evolution.config, evolution.check_targets
    worth = hall_statistics(hall)
    rows = [(label, number_text(worth[key], unit)) for key, (label, unit) in WORTH_LABELS.items()]
    facts = {
        "recording": config.source or targets.source,
        "cell": f"{hall.cell.name}, {len(hall.cell.parameters)} free parameters",
        **{
            f"stage {stage.name}": f"{stage.optimiser}, {stage.generations} generations of {stage.population}"
            for stage in config.stages
        },
        "final check": f"{len(targets.steps)} steps of {targets.step_ms:g} ms",
        **hall.provenance.get("versions", {}),
    }
    blocks = [
        facts_table(facts),
        _seed_table(evolution, hall),
        TextTable("What the hall is worth", ("", ""), rows),
        *drawn,
    ]
    command = str(hall.provenance.get("command", ""))
    return write_page(path, f"{hall.name}: {len(hall)} models", blocks, command=command)


def _seed_table(evolution: Evolution, hall: HallOfFame) -> TextTable:
    """What was tried with each seed, and what the hall has of it."""
    head = ("Seed", "Models tried", "In the hall", "Held out", "Mean |z|, best", "Median", "Worst")
    rows = []
    for seed in evolution.config.seeds:
        tried = sum(len(evolution.candidates(seed, stage.name)) for stage in evolution.config.stages)
        found = sorted(model.rank for model in hall.models if model.seed == seed)
        held_out = sum(model.held_out for model in hall.models if model.seed == seed)
        scores = (found[0], median(found), found[-1]) if found else (None, None, None)
        rows.append(
            (str(seed), f"{tried:,}", str(len(found)), str(held_out), *(number_text(score, "") for score in scores))
        )
    return TextTable("Models by seed", head, rows)

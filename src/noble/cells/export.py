"""A hall of fame as files of BluePyOpt."""

from __future__ import annotations

from pathlib import Path

from noble.cells.bluepyopt import write_bluepyopt_parameters
from noble.cells.hall import HallOfFame
from noble.files import read_json, write_json

PARAMETERS_FILE = "parameters.json"
HALL_FILE = "hall_of_fame.json"


def export_bluepyopt(hall: HallOfFame, folder: Path | str) -> tuple[Path, Path]:
    """Write `parameters.json`, which describes the cell, and `hall_of_fame.json`, the models of it, best first.

    A model is an object with `parameters`, its values by BluePyOpt's names (`gbar_NaV.somatic`), ready for
    `CellModel.freeze` or `CellEvaluator.evaluate_with_dicts`, and with its `score`, `seed` and `held_out`.

    Args:
        hall: what to write.
        folder: where; made if it does not exist.

    Returns:
        Paths of the two files.
    """
    parameters, models = Path(folder) / PARAMETERS_FILE, Path(folder) / HALL_FILE
    write_bluepyopt_parameters(hall.cell, parameters)
    # Names as that file gives them; entries with bounds are the cell's free parameters, in its order.
    entries = read_json(parameters)
    free = [f"{entry['param_name']}.{entry['sectionlist']}" for entry in entries if "bounds" in entry]
    names = dict(zip((item.name for item in hall.cell.parameters), free, strict=True))
    content = [
        {
            "parameters": {names[name]: value for name, value in hall.cell_model(index).values.items()},
            "score": model.score,
            "seed": model.seed,
            "held_out": model.held_out,
        }
        for index, model in enumerate(hall.models)
    ]
    write_json(models, content)
    return parameters, models

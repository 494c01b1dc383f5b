"""One hall of fame from several of the same cell and the same recording, for example of runs with different seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from noble.cells import HallModel, HallOfFame
from noble.evolve.gather import with_held_out
from noble.features.catalogue import LATENT_FEATURES


def merge_halls(halls: Sequence[HallOfFame], *, name: str, held_out: int = 10, seed: int = 0) -> HallOfFame:
    """Join the models of several halls, best first; a model that several have is kept once; held-out models are drawn anew.

    Args:
        halls: at least two, of one cell, whose models were checked against the same targets of the same recording.
        name: of the new hall.
        held_out: models to keep from training, see `draw_held_out`.
        seed: of their draw.

    Raises:
        ValueError: if there are fewer than two halls, if their cells, recordings or checks differ or a recording is not known,
            if a model lacks rheobase or F-I gain, or if fewer models than `held_out` lie inside the hull.
    """
    if len(halls) < 2:
        raise ValueError(f"there is nothing to merge in {len(halls)} hall; expected at least two.")
    first = halls[0]
    for other in halls[1:]:
        _check_alike(first, other)
    best: dict[str, HallModel] = {}
    everyone = [(hall, index, model) for hall in halls for index, model in enumerate(hall.models)]
    for hall, index, model in sorted(everyone, key=lambda item: item[2].rank):
        best.setdefault(json.dumps(hall.cell_model(index).values, sort_keys=True), model)
    joined = HallOfFame(name, first.cell, _with_common_features(list(best.values())))
    joined.feature_table(LATENT_FEATURES)  # names what is lacking
    return replace(joined, models=with_held_out(joined.models, held_out, seed), provenance=_provenance(halls, seed))


def _with_common_features(models: Sequence[HallModel]) -> tuple[HallModel, ...]:
    """The models with the features that all of them have: halls of other versions may have fewer."""
    common = [name for name in models[0].features if all(name in model.features for model in models)]
    return tuple(replace(model, features={name: model.features[name] for name in common}) for model in models)


def _check_alike(first: HallOfFame, other: HallOfFame) -> None:
    """Refuse halls whose models are not alternatives to each other, or whose scores mean different things."""
    mine, theirs = first.cell.to_dict(), other.cell.to_dict()
    if parts := [part for part in mine if mine[part] != theirs[part]]:
        raise ValueError(
            f"halls {first.name} and {other.name} are of different cells ({', '.join(parts)} differ); only halls of one cell "
            "can be merged."
        )
    for what, key in (("recording", "recording"), ("targets of the final check", "check")):
        found = [hall.provenance.get(key) for hall in (first, other)]
        if found[0] != found[1]:
            raise ValueError(
                f"halls {first.name} and {other.name} differ in the {what} that their provenance names, so their scores do not "
                "compare; merge halls of one recording and one targets file."
            )
    if first.provenance.get("recording") is None:
        raise ValueError(
            f"halls {first.name} and {other.name} do not say which recording they were checked against; only halls that an "
            "evolution gathered can be merged."
        )


def _provenance(halls: Sequence[HallOfFame], seed: int) -> Mapping[str, Any]:
    """What all share, and what each says of itself."""
    shared = {key: halls[0].provenance[key] for key in ("recording", "check") if key in halls[0].provenance}
    own = [
        {
            "name": hall.name,
            "digest": hall.digest,
            "provenance": {key: value for key, value in hall.provenance.items() if key not in shared},
        }
        for hall in halls
    ]
    return {"merged": own, "held_out_seed": seed, **shared}

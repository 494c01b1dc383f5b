"""How good an operator is on currents and on models it has not seen, from a store or from traces simulated afresh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.evaluation.answers import AT_ONCE, KnownTraces, Source, compare_in_batches, store_traces
from noble.evaluation.metrics import (
    COINCIDENCE_WINDOW_MS,
    NEAR_THRESHOLD_NA,
    NEAR_THRESHOLD_SPIKES,
    STABLE_FEATURES,
    summarise,
)
from noble.evaluation.results import Evaluation, Summary
from noble.evaluation.source import check_models
from noble.features import FeatureSettings
from noble.progress import Progress
from noble.responders import Responder

if TYPE_CHECKING:
    from noble.cells.hall import HallOfFame
    from noble.data import GenerationConfig, Store
    from noble.data.plan import Plan
    from noble.operator import Operator
    from noble.protocols import Window

SUBSETS: Final[Mapping[str, str]] = {"test": "unseen_currents", "unseen_models": "unseen_models"}
"""The subset of the evaluation that each split of the data fills."""

PLANE_SUBSET: Final = "unseen_models_plane"
"""Held-out models once more, of which the operator is told threshold and slope alone."""

# Keeps the currents of a fresh evaluation apart from those of a store generated with the same seed.
_FRESH_STREAM: Final = 0x66726573


def evaluate(
    operator: Operator,
    store: Store,
    *,
    splits: Sequence[str] = ("test", "unseen_models"),
    limit: int | None = None,
    batch_size: int = AT_ONCE,
    feature_names: Sequence[str] = STABLE_FEATURES,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate on splits of a store, over the window alone: the store's tail margin is dropped.

    Args:
        operator: the operator.
        store: the data set.
        splits: names of splits; "test" becomes the subset `unseen_currents`, any other keeps its name. Of an operator that
            learned from some of the training models alone (`TrainConfig.models`), "test" is those models' part of the split.
        limit: largest number of traces of each split, spread evenly over it; all if None.
        batch_size: traces predicted and held at once.
        feature_names: e-features to compare; `noble.features.FEATURE_NAMES` for all sixteen (about 10 ms a trace).
        progress: called with (traces done, traces in all).

    Returns:
        A summary for each split; for an operator with more features than those of the plane also `PLANE_SUBSET`.

    Raises:
        OtherModelsError: if the store holds other models than the operator learned.
        ValueError: if the store lacks a feature that the operator needs, or has no such split.
    """
    check_models(operator, store.attributes["hall"]["digest"], f"the store {store.path}")
    source = store_traces(store, operator.spec.names)
    chosen = {split: _spread(_of_learned(operator, store, split), limit) for split in splits}
    settings = {"source": "store", "store": store.digest}
    options = {"batch_size": batch_size, "feature_names": feature_names, "progress": progress}
    return _evaluated(operator, source, chosen, store.protocol, settings, **options)


def evaluate_fresh(
    operator: Operator,
    hall: HallOfFame,
    responder: Responder[Any],
    *,
    count: int,
    seed: int,
    config: GenerationConfig,
    batch_size: int = AT_ONCE,
    feature_names: Sequence[str] = STABLE_FEATURES,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate on traces simulated now, with models and currents drawn as for a data set but never part of one.

    Args:
        operator: the operator.
        hall: the models; its training models give `unseen_currents`, its held-out ones `unseen_models`.
        responder: simulates them.
        count: number of traces of each subset.
        seed: seed of the draw.
        config: distribution of the currents and window; its numbers of traces and its seed are not used.
        batch_size: traces simulated, predicted and held at once.
        feature_names: e-features to compare.
        progress: called with (traces done, traces in all).

    Returns:
        As `evaluate`; a hall without held-out models gives a subset of zero traces.

    Raises:
        OtherModelsError: if the hall holds other models than the operator learned.
        ValueError: for a count below one, or a hall that lacks a feature.
    """
    from noble.data.schema import SPLITS

    check_models(operator, hall.digest, f"the hall {hall.name}")
    plan = fresh_plan(hall, config, count=count, unseen_count=count if hall.held_out else 0, seed=seed)
    neurons = hall.neurons(operator.feature_names)
    rheobases = np.array([model.features.get("rheobase", np.nan) for model in hall.models])

    def simulated(rows: np.ndarray) -> KnownTraces:
        models = plan.model_index[rows]
        stimuli = [plan.stimulus(int(row)) for row in rows]
        traces = responder.respond([hall.cell_model(int(index)) for index in models], stimuli, config.window.grid)
        return KnownTraces(neurons.take(models), stimuli, traces.voltage_mv, rheobases[models])

    chosen = {split: np.flatnonzero(plan.split == SPLITS.index(split)) for split in SUBSETS}
    settings = {"source": "fresh", "hall": hall.digest, "seed": seed}
    options = {"batch_size": batch_size, "feature_names": feature_names, "progress": progress}
    return _evaluated(operator, simulated, chosen, config.window, settings, **options)


def fresh_plan(hall: HallOfFame, config: GenerationConfig, *, count: int, unseen_count: int, seed: int) -> Plan:
    """Models and currents drawn as for a data set, with a seed that no data set has.

    Args:
        hall: the models.
        config: distribution of the currents and window; its numbers of traces and its seed are not used.
        count: traces of training models (the split "test").
        unseen_count: traces of held-out models (the split "unseen_models").
        seed: seed of the draw.

    Raises:
        ValueError: for a count below one, or models that the hall does not have.
    """
    from noble.data.config import TraceCounts
    from noble.data.plan import draw_plan

    if count < 1:
        raise ValueError(f"count is {count}; expected at least one fresh trace a subset.")
    drawn_seed = int(np.random.SeedSequence([seed, _FRESH_STREAM]).generate_state(1)[0])
    counts = TraceCounts(train=0, validation=0, test=count, unseen_models=unseen_count)
    return draw_plan(config.model_copy(update={"traces": counts, "seed": drawn_seed}), hall)


def _evaluated(
    operator: Operator,
    source: Source,
    chosen: Mapping[str, np.ndarray],
    window: Window,
    settings: Mapping[str, object],
    *,
    batch_size: int,
    feature_names: Sequence[str],
    progress: Progress | None,
) -> Evaluation:
    """Summaries of all subsets of some splits, given by the indices of their traces."""
    advance = _Advance(progress, sum(indices.size for indices in chosen.values()))
    subsets: dict[str, Summary] = {}
    for split, indices in chosen.items():
        tables = compare_in_batches(
            operator,
            source,
            indices,
            window,
            views=_views(operator, split),
            at_once=batch_size,
            feature_names=feature_names,
            advance=advance,
        )
        of_split = {"split": split} if settings["source"] == "store" else {}
        described = {**settings, **of_split, **_settings(window)}
        subsets |= {name: replace(summarise(table), settings=described) for name, table in tables.items()}
    return Evaluation(subsets)


def _of_learned(operator: Operator, store: Store, split: str) -> np.ndarray:
    """Samples of a split; of "test" those of models that the operator learned from, as far as it knows them."""
    indices, learned = store.indices(split), operator.provenance.get("models")
    if split != "test" or learned is None:
        return indices
    return indices[np.isin(store.model_index[indices], learned)]


def _views(operator: Operator, split: str) -> dict[str, Sequence[str] | None]:
    """Subsets of a split, and the features that the operator is told in each.

    A model that nobody trained on is known by all of its features, or, as the paper's, by rheobase and F-I gain alone.
    """
    subset = SUBSETS.get(split, split)
    if split != "unseen_models" or len(operator.spec.latent_features) == len(operator.spec):
        return {subset: None}
    return {subset: None, PLANE_SUBSET: operator.spec.latent_features}


class _Advance:
    """Counts traces over all subsets."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0
        self(0)

    def __call__(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._done, self._total)


def _spread(indices: np.ndarray, limit: int | None) -> np.ndarray:
    """At most `limit` of the indices, evenly spread."""
    if limit is not None and limit < 1:
        raise ValueError(f"limit is {limit}; expected at least one trace a split, or None for all.")
    if limit is None or indices.size <= limit:
        return indices
    return indices[np.linspace(0, indices.size - 1, limit).round().astype(int)]


def _settings(window: Window) -> dict[str, object]:
    """What the numbers depend on besides operator and data."""
    return {
        "window_ms": window.window_ms,
        "onset_ms": window.onset_ms,
        "offset_ms": window.offset_ms,
        "dt_ms": window.dt_ms,
        "near_threshold_na": NEAR_THRESHOLD_NA,
        "near_threshold_spikes": NEAR_THRESHOLD_SPIKES,
        "coincidence_window_ms": COINCIDENCE_WINDOW_MS,
        "features": FeatureSettings().to_dict(),
    }

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

CURRENTS: Final[Mapping[str, str]] = {
    "step": "step",
    "noise": "noise",
    "ramp": "ramps",
    "chirp": "chirps",
    "pulses": "pulses",
    "steps": "steps",
    "held": "held",
}
"""The kinds of current that are evaluated apart, and the law that draws each (`noble.data.laws`)."""

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
    finer: Responder[Any] | None = None,
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
        finer: simulates the same traces once more with a smaller time step, for the ceiling.
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
        cells = [hall.cell_model(int(index)) for index in models]
        traces = responder.respond(cells, stimuli, config.window.grid)
        finer_mv = None if finer is None else finer.respond(cells, stimuli, config.window.grid).voltage_mv
        return KnownTraces(neurons.take(models), stimuli, traces.voltage_mv, rheobases[models], finer_mv)

    chosen = {split: np.flatnonzero(plan.split == SPLITS.index(split)) for split in SUBSETS}
    settings = {"source": "fresh", "hall": hall.digest, "seed": seed}
    options = {"batch_size": batch_size, "feature_names": feature_names, "progress": progress}
    return _evaluated(operator, simulated, chosen, config.window, settings, **options)


def evaluate_currents(
    operator: Operator,
    hall: HallOfFame,
    responder: Responder[Any],
    kinds: Sequence[str],
    *,
    count: int,
    seed: int,
    config: GenerationConfig,
    finer: Responder[Any] | None = None,
    progress: Progress | None = None,
) -> dict[str, Evaluation]:
    """Evaluate on each kind of current apart, on traces simulated now; see `evaluate_fresh`.

    Args:
        operator, hall, responder, count, seed, finer, progress: as there; `count` traces a subset of each kind.
        kinds: some of `CURRENTS`.
        config: window, and what the laws need; its mix is not used.

    Raises:
        ValueError: for a kind that is not known, and as `evaluate_fresh`.
    """
    check_kinds(kinds)
    total, found = 2 * count * len(kinds), {}
    for number, kind in enumerate(kinds):
        found[kind] = evaluate_fresh(
            operator,
            hall,
            responder,
            count=count,
            seed=seed,
            config=of_kind(config, kind),
            batch_size=32,
            finer=finer,
            progress=_later(progress, 2 * count * number, total),
        )
    return found


def check_kinds(kinds: Sequence[str]) -> None:
    """Refuse a kind that is none of `CURRENTS`.

    Raises:
        ValueError: with those that there are.
    """
    if unknown := [kind for kind in kinds if kind not in CURRENTS]:
        raise ValueError(f"currents {', '.join(unknown)} are unknown; expected some of {', '.join(CURRENTS)}, or all.")


def of_kind(config: GenerationConfig, kind: str) -> GenerationConfig:
    """The configuration with currents of one kind, one of `CURRENTS`, alone."""
    from noble.data import StimulusMix

    shares = {"step": 0.0, CURRENTS[kind]: 1.0}
    return config.model_copy(update={"mix": StimulusMix.model_validate(shares)})


def _later(progress: Progress | None, done: int, total: int) -> Progress | None:
    return None if progress is None else lambda some, _: progress(done + some, total)


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

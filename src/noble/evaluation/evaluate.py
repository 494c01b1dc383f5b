"""How good an operator is on currents and on models it has not seen, from a store or from traces simulated afresh."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.evaluation.metrics import (
    COINCIDENCE_WINDOW_MS,
    NEAR_THRESHOLD_NA,
    NEAR_THRESHOLD_SPIKES,
    STABLE_FEATURES,
    TraceTable,
    concatenate,
    summarise,
    trace_table,
)
from noble.features import FeatureSettings
from noble.responders import Responder
from noble.stimuli import Stimulus
from noble.traces import TraceBatch

if TYPE_CHECKING:
    from noble.cells.hall import HallOfFame
    from noble.data import GenerationConfig, Store
    from noble.data.plan import Plan
    from noble.operator import Operator
    from noble.protocols import Window

Progress = Callable[[int, int], None]

SECTIONS: Final[Mapping[str, str]] = {"test": "unseen_currents", "unseen_models": "unseen_models"}
"""The section of the metrics that each split of the data fills."""

PLANE_SECTION: Final = "unseen_models_plane"
"""Held-out models once more, of which the operator is told threshold and slope alone."""

# Keeps the currents of a fresh evaluation apart from those of a store generated with the same seed.
_FRESH_STREAM: Final = 0x66726573


# Of some samples: features (n, features), stimuli, reference voltage (n, time) in mV, thresholds (n,) in nA or None.
_Parts = Callable[[np.ndarray], tuple[np.ndarray, list[Stimulus], np.ndarray, np.ndarray | None]]


def evaluate(
    operator: Operator,
    store: Store,
    *,
    splits: Sequence[str] = ("test", "unseen_models"),
    limit: int | None = None,
    batch_size: int = 128,
    feature_names: Sequence[str] = STABLE_FEATURES,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Evaluate on splits of a store, over the window alone: the store's tail margin is dropped.

    Args:
        operator: the operator.
        store: the data set.
        splits: names of splits; "test" becomes the section `unseen_currents`, any other keeps its name. Of an operator that
            learned from some of the training models alone (`TrainConfig.models`), "test" is those models' part of the split.
        limit: at most so many traces a split, spread evenly over it; all if None.
        batch_size: traces predicted and held at once.
        feature_names: e-features to compare; `noble.features.FEATURE_NAMES` for all sixteen (about 10 ms a trace).
        progress: called with (traces done, traces in all).

    Returns:
        For each section the keys of `noble.evaluation.metrics.summarise`, and `settings`; JSON-ready. An operator with more
        features than those of the plane has a section `PLANE_SECTION`, too.

    Raises:
        ValueError: if the store lacks a feature that the operator needs, or has no such split.
    """
    window, grid = store.protocol, store.protocol.grid
    features = _columns(store, operator.spec.names)
    thresholds = _columns(store, ("i_thr",))[:, 0] if "i_thr" in store.feature_names else None
    chosen = {split: _spread(_of_learned(operator, store, split), limit) for split in splits}
    advance = _Advance(progress, sum(indices.size for indices in chosen.values()))

    def parts(rows: np.ndarray) -> tuple[np.ndarray, list[Stimulus], np.ndarray, np.ndarray | None]:
        models = store.model_index[rows]
        voltage_mv = store.voltage_mv(rows)[:, : grid.count]
        i_thr_na = None if thresholds is None else thresholds[models]
        return features[models], [store.stimulus(int(row)) for row in rows], voltage_mv, i_thr_na

    sections = {}
    for split, indices in chosen.items():
        settings = {"source": "store", "store": store.digest, "split": split, **_settings(window)}
        tables = _tables_in_batches(
            operator, indices, _views(operator, split), parts, window, batch_size, feature_names, advance
        )
        sections |= {name: {**summarise(table), "settings": settings} for name, table in tables.items()}
    return sections


def evaluate_fresh(
    operator: Operator,
    hall: HallOfFame,
    responder: Responder[Any],
    *,
    count: int,
    seed: int,
    config: GenerationConfig,
    batch_size: int = 128,
    feature_names: Sequence[str] = STABLE_FEATURES,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Evaluate on traces simulated now, with models and currents drawn as for a data set but never part of one.

    Args:
        operator: the operator.
        hall: the models; its training models give `unseen_currents`, its held-out ones `unseen_models`.
        responder: simulates them.
        count: traces a section.
        seed: of the draw.
        config: distribution of the currents and window; its numbers of traces and its seed are not used.
        batch_size: traces simulated, predicted and held at once.
        feature_names: e-features to compare.
        progress: called with (traces done, traces in all).

    Returns:
        As `evaluate`; a hall without held-out models gives a section of zero traces.

    Raises:
        ValueError: for a count below one, or a hall that lacks a feature.
    """
    from noble.data.schema import SPLITS

    plan = fresh_plan(hall, config, count=count, unseen_count=count if hall.held_out else 0, seed=seed)
    features = np.asarray(hall.feature_table(operator.spec.names), dtype=float)
    thresholds = np.array([model.features.get("i_thr", np.nan) for model in hall.models])
    advance = _Advance(progress, len(plan))

    def parts(rows: np.ndarray) -> tuple[np.ndarray, list[Stimulus], np.ndarray, np.ndarray | None]:
        models = plan.model_index[rows]
        stimuli = [plan.stimulus(int(row)) for row in rows]
        answers = responder.respond([hall.cell_model(int(index)) for index in models], stimuli, config.window.grid)
        return features[models], stimuli, answers.voltage_mv, thresholds[models]

    sections = {}
    settings = {"source": "fresh", "hall": hall.digest, "seed": seed, **_settings(config.window)}
    for split in SECTIONS:
        indices = np.flatnonzero(plan.split == SPLITS.index(split))
        tables = _tables_in_batches(
            operator, indices, _views(operator, split), parts, config.window, batch_size, feature_names, advance
        )
        sections |= {name: {**summarise(table), "settings": settings} for name, table in tables.items()}
    return sections


def _of_learned(operator: Operator, store: Store, split: str) -> np.ndarray:
    """Samples of a split; of "test" those of models that the operator learned from, as far as it knows them."""
    indices, learned = store.indices(split), operator.provenance.get("models")
    if split != "test" or learned is None:
        return indices
    return indices[np.isin(store.model_index[indices], learned)]


def fresh_plan(hall: HallOfFame, config: GenerationConfig, *, count: int, unseen_count: int, seed: int) -> Plan:
    """Models and currents drawn as for a data set, with a seed that no data set has.

    Args:
        hall: the models.
        config: distribution of the currents and window; its numbers of traces and its seed are not used.
        count: traces of training models (the split "test").
        unseen_count: traces of held-out models (the split "unseen_models").
        seed: of the draw.

    Raises:
        ValueError: for a count below one, or models that the hall does not have.
    """
    from noble.data.config import TraceCounts
    from noble.data.plan import draw_plan

    if count < 1:
        raise ValueError(f"count is {count}; expected at least one fresh trace a section.")
    drawn_seed = int(np.random.SeedSequence([seed, _FRESH_STREAM]).generate_state(1)[0])
    counts = TraceCounts(train=0, validation=0, test=count, unseen_models=unseen_count)
    return draw_plan(config.model_copy(update={"traces": counts, "seed": drawn_seed}), hall)


def evaluate_traces(
    operator: Operator,
    features: np.ndarray,
    stimuli: Sequence[Stimulus],
    reference: TraceBatch,
    *,
    onset_ms: float,
    offset_ms: float,
    i_thr_na: np.ndarray | None = None,
    batch_size: int = 128,
    feature_names: Sequence[str] = STABLE_FEATURES,
) -> dict[str, Any]:
    """Evaluate on given traces.

    Args:
        operator: the operator.
        features: of the model behind each trace, in the operator's order, shape (n, features), physical units.
        stimuli: n currents.
        reference: n traces; the operator predicts on their grid.
        onset_ms, offset_ms: edges of the stimulus for the e-features, ms.
        i_thr_na: threshold of the model behind each trace, shape (n,), nA; unknown if None.
        batch_size: traces predicted at once.
        feature_names: e-features to compare.

    Returns:
        The keys of `noble.evaluation.metrics.summarise`.
    """
    predicted = operator.predict(features, stimuli, reference.grid, batch_size=batch_size)
    table = trace_table(
        predicted, reference, onset_ms=onset_ms, offset_ms=offset_ms, i_thr_na=i_thr_na, feature_names=feature_names
    )
    return summarise(table)


def _views(operator: Operator, split: str) -> dict[str, list[int]]:
    """Sections of a split, and the features that the operator is given in each.

    A model that nobody trained on is known by all of its features, or, as the paper's, by threshold and slope alone.
    """
    every, section = list(range(len(operator.spec.names))), SECTIONS.get(split, split)
    if split != "unseen_models" or len(operator.spec.plane_columns) == len(every):
        return {section: every}
    return {section: every, PLANE_SECTION: list(operator.spec.plane_columns)}


def _tables_in_batches(
    operator: Operator,
    indices: np.ndarray,
    views: Mapping[str, list[int]],
    parts: _Parts,
    window: Window,
    batch_size: int,
    feature_names: Sequence[str],
    advance: _Advance,
) -> dict[str, TraceTable]:
    """Compare traces batch by batch, a table a view; no traces give empty tables, so that their sections have every key."""
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; expected at least 1.")
    edges = {"onset_ms": window.onset_ms, "offset_ms": window.offset_ms, "feature_names": feature_names}
    nothing = TraceBatch(window.grid, np.empty((0, window.grid.count)), np.empty((0, window.grid.count)))
    tables = {name: [trace_table(nothing, nothing, **edges)] for name in views}
    for start in range(0, indices.size, batch_size):
        rows = indices[start : start + batch_size]
        features, stimuli, voltage_mv, thresholds = parts(rows)
        for name, columns in views.items():
            with outside_hull_expected():
                predicted = operator.predict(features[:, columns], stimuli, window.grid, batch_size=batch_size)
            reference = TraceBatch(window.grid, voltage_mv, predicted.current_na)
            tables[name].append(trace_table(predicted, reference, i_thr_na=thresholds, **edges))
        advance(rows.size)
    return {name: concatenate(found) for name, found in tables.items()}


@contextmanager
def outside_hull_expected() -> Iterator[None]:
    """Keep an operator from warning of neurons and currents outside its training, which are asked for on purpose."""
    from noble.operator import OutsideTrainingWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutsideTrainingWarning)
        yield


class _Advance:
    """Counts traces towards a total and reports."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0
        if progress is not None:
            progress(0, total)

    def __call__(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._done, self._total)


def _columns(store: Store, names: Sequence[str]) -> np.ndarray:
    """Features of all models by name, shape (models, names)."""
    missing = [name for name in names if name not in store.feature_names]
    if missing:
        raise ValueError(
            f"the operator needs {', '.join(missing)} but the store's models have {', '.join(store.feature_names)}; "
            "generate the store from a hall with these features."
        )
    return store.feature_table[:, [store.feature_names.index(name) for name in names]]


def _spread(indices: np.ndarray, limit: int | None) -> np.ndarray:
    """At most `limit` of the indices, evenly spread."""
    if limit is not None and limit < 1:
        raise ValueError(f"limit is {limit}; expected at least one trace a split, or None for all.")
    if limit is None or indices.size <= limit:
        return indices
    return indices[np.linspace(0, indices.size - 1, limit).round().astype(int)]


def _settings(window: Window) -> dict[str, Any]:
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

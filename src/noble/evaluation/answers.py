"""An operator's answers, batch by batch, and how they compare with traces that are known."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from noble.evaluation.metrics import STABLE_FEATURES, TraceTable, concatenate, trace_table
from noble.features.neurons import Neurons
from noble.stimuli import Stimulus
from noble.traces import TimeGrid, TraceBatch

if TYPE_CHECKING:
    from noble.data import Store
    from noble.operator import Operator
    from noble.protocols import StepProtocol, Window

AT_ONCE: Final = 128
"""Traces that are predicted and held at once unless told otherwise: of the paper's length, 9 MB."""


@contextmanager
def outside_hull_expected() -> Iterator[None]:
    """Keep an operator from warning of neurons and currents outside its training, which are asked for on purpose."""
    from noble.operator import OutsideTrainingWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutsideTrainingWarning)
        yield


def answers(
    operator: Operator,
    neurons: Neurons,
    stimuli: Stimulus | Sequence[Stimulus],
    grid: TimeGrid,
    *,
    at_once: int = AT_ONCE,
) -> Iterator[tuple[slice, TraceBatch]]:
    """Answers of neurons to their currents, of a bounded number at once and without a warning of those outside the hull.

    Args:
        operator: who answers.
        neurons: features by name.
        stimuli: one for all neurons, or one for each.
        grid: instants of the answers.
        at_once: traces predicted and held at once.

    Yields:
        Which of the neurons, and their traces.

    Raises:
        ValueError: if `at_once` is below one.
    """
    if at_once < 1:
        raise ValueError(f"batch_size is {at_once}; expected at least 1.")
    for start in range(0, len(neurons), at_once):
        rows = slice(start, min(start + at_once, len(neurons)))
        chosen = [stimuli] * (rows.stop - start) if isinstance(stimuli, Stimulus) else stimuli[rows]
        with outside_hull_expected():
            predicted = operator.respond(neurons[rows], chosen, grid, batch_size=min(at_once, AT_ONCE))
        yield rows, predicted


def answer(operator: Operator, neurons: Neurons, stimuli: Stimulus | Sequence[Stimulus], grid: TimeGrid) -> TraceBatch:
    """All of `answers` in one batch; there must be at least one neuron."""
    return TraceBatch.join([batch for _, batch in answers(operator, neurons, stimuli, grid)])


@dataclass(frozen=True)
class KnownTraces:
    """Reference traces, and the neurons and currents behind them.

    Attributes:
        neurons: features of the model behind each trace, by name.
        stimuli: one for each trace.
        voltage_mv: shape (traces, time), mV.
        rheobase_na: rheobase of the model behind each trace, shape (traces,), nA; None or NaN where it is unknown.
        finer_mv: the same traces by a finer simulation; None where there is none.
    """

    neurons: Neurons
    stimuli: Sequence[Stimulus]
    voltage_mv: np.ndarray
    rheobase_na: np.ndarray | None = None
    finer_mv: np.ndarray | None = None


Source = Callable[[np.ndarray], KnownTraces]
"""Gives some traces, by their indices of shape (traces,)."""


def store_traces(store: Store, names: Sequence[str]) -> Source:
    """The traces of a store over its window, the tail margin dropped, with these features of their models.

    Raises:
        ValueError: if the store lacks one of the features.
    """
    neurons = Neurons(tuple(names), _columns(store, names))
    rheobases = _columns(store, ("rheobase",))[:, 0] if "rheobase" in store.feature_names else None

    def traces(rows: np.ndarray) -> KnownTraces:
        models = store.model_index[rows]
        voltage_mv = store.voltage_mv(rows)[:, : store.protocol.grid.count]
        rheobase_na = None if rheobases is None else rheobases[models]
        return KnownTraces(neurons.take(models), [store.stimulus(int(row)) for row in rows], voltage_mv, rheobase_na)

    return traces


def compare_traces(
    operator: Operator,
    known: KnownTraces,
    grid: TimeGrid,
    window: Window | StepProtocol,
    *,
    told: Sequence[str] | None = None,
    feature_names: Sequence[str] = STABLE_FEATURES,
) -> TraceTable:
    """Let an operator answer the currents of known traces, and compare trace by trace.

    Args:
        operator: who answers.
        known: the references, at least one.
        grid: their instants.
        window: the edges of its step are those of the e-features.
        told: names of the features that the operator is told; all if None.
        feature_names: e-features to compare.
    """
    neurons = known.neurons if told is None else known.neurons.known_by(told)
    predicted = answer(operator, neurons, known.stimuli, grid)
    # Both carry the current as it is at their instants.
    reference = TraceBatch(grid, known.voltage_mv, predicted.current_na)
    finer = None if known.finer_mv is None else TraceBatch(grid, known.finer_mv, predicted.current_na)
    edges = {"onset_ms": window.onset_ms, "offset_ms": window.offset_ms, "feature_names": feature_names}
    return trace_table(predicted, reference, rheobase_na=known.rheobase_na, finer=finer, **edges)


def compare_in_batches(
    operator: Operator,
    source: Source,
    indices: np.ndarray,
    window: Window | StepProtocol,
    *,
    views: Mapping[str, Sequence[str] | None],
    at_once: int = AT_ONCE,
    feature_names: Sequence[str] = STABLE_FEATURES,
    advance: Callable[[int], None] | None = None,
) -> dict[str, TraceTable]:
    """Compare traces batch by batch.

    Args:
        operator: who answers.
        source: gives the references on the window's grid.
        indices: which traces, shape (traces,); without any, the tables have no rows, but every column.
        window: grid of the traces, and edges of the e-features.
        views: features that the operator is told, by name of the table that shall hold the comparison; None tells all.
        at_once: traces fetched, predicted and held at once.
        feature_names: e-features to compare.
        advance: called with the number of traces after each batch.

    Raises:
        ValueError: if `at_once` is below one.
    """
    if at_once < 1:
        raise ValueError(f"batch_size is {at_once}; expected at least 1.")
    nothing = TraceBatch(window.grid, np.empty((0, window.grid.count)), np.empty((0, window.grid.count)))
    edges = {"onset_ms": window.onset_ms, "offset_ms": window.offset_ms, "feature_names": feature_names}
    tables = {name: [trace_table(nothing, nothing, **edges)] for name in views}
    for start in range(0, indices.size, at_once):
        known = source(indices[start : start + at_once])
        for name, told in views.items():
            table = compare_traces(operator, known, window.grid, window, told=told, feature_names=feature_names)
            tables[name].append(table)
        if advance is not None:
            advance(len(known.neurons))
    return {name: concatenate(found) for name, found in tables.items()}


def _columns(store: Store, names: Sequence[str]) -> np.ndarray:
    """Features of all models by name, shape (models, names)."""
    missing = [name for name in names if name not in store.feature_names]
    if missing:
        raise ValueError(
            f"the operator needs {', '.join(missing)} but the store's models have {', '.join(store.feature_names)}; "
            "generate the store from a hall with these features."
        )
    return store.feature_table[:, [store.feature_names.index(name) for name in names]]

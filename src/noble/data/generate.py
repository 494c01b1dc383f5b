"""Making a store: write the plan, then simulate chunk by chunk, in parallel, so that a killed run can be finished."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from noble.cells.hall import HallOfFame
from noble.data.config import GenerationConfig
from noble.data.part import Part, features_sha256
from noble.data.place import Place
from noble.data.plan import check_shared, draw_plan
from noble.data.schema import SCHEMA_VERSION
from noble.data.store import Store, open_unchecked
from noble.data.workers import ChunkWriter, Jobs, ResponderFactory, Written
from noble.data.writing import FeatureTable, PartDraft, append_part, create_store, store_attributes, write_index
from noble.jobs import Failed, Pool
from noble.progress import Progress

# A chunk that takes longer than this, or this a trace, will not end.
_CHUNK_LIMIT_S: Final = 600.0
_TRACE_LIMIT_S: Final = 60.0


def generate(
    config: GenerationConfig,
    hall: HallOfFame,
    path: str | Path,
    *,
    responder_factory: ResponderFactory | None = None,
    pool: Pool | None = None,
    append: bool = False,
    progress: Progress | None = None,
) -> Store:
    """Make a data set, finish one that was interrupted, or add to one; what is there is never simulated or written again.

    Memory does not grow with the number of traces beyond their plan and their spikes: each worker has one chunk.

    Args:
        config: what to generate.
        hall: the models; picklable if there is more than one worker.
        path: the store's folder or fsspec URL; new, or one that the same configuration and hall began.
        responder_factory: makes each worker's simulator; not needed where nothing remains to simulate.
        pool: of workers, entered; None means as many processes here as the configuration says.
        append: whether the store gets another part, drawn by this configuration, beside those that it has. Hall and window
            must be theirs; the same configuration again finishes or leaves the part that it began.
        progress: called with (traces done, traces in all) of this configuration, first with what was already there.

    Raises:
        ValueError: if `path` holds something else, another run is writing it, the hall has a feature that is not finite,
            a test sample equals one that training sees, a simulation gives a voltage that is not finite or not in range,
            or there is something to simulate and no `responder_factory`.
        ChildProcessError: if a chunk ends its worker, or takes too long, however often it is tried.
    """
    place = Place.of(path)
    plan = draw_plan(config, hall)
    draft = PartDraft.of(config, plan)
    if not place.exists():
        _need(responder_factory, place)
        create_store(place, store_attributes(config, hall), FeatureTable.of(hall), draft)
    with place.locked():
        store = open_unchecked(place)
        number = _number_of_part(store, config, hall, draft, append=append)
        if store.facts.version < SCHEMA_VERSION:
            return _old_store(place)
        place.sweep()
        if number == len(store.parts):
            _need(responder_factory, place)
            check_shared([*(part.plan for part in store.parts), plan])
            append_part(place, draft)
            store = open_unchecked(place)
        part = store.parts[number]
        written = _fill(store, part, config, hall, responder_factory, pool, progress or (lambda done, total: None))
        if written or part.index is None:
            features = {"names": store.feature_names, "units": store.feature_units}
            write_index(store, part, written, features_sha256(store.feature_table, features))
    return Store.open(place)


def _need(factory: ResponderFactory | None, place: Place) -> ResponderFactory:
    if factory is None:
        raise ValueError(f"{place} has traces to simulate; give a responder_factory, for example ArborFactory().")
    return factory


def _old_store(place: Place) -> Store:
    """A store of an earlier version, if it is complete."""
    try:
        return Store.open(place)
    except ValueError as error:
        raise ValueError(
            f"{place} is of an earlier schema version and not complete ({error}) Run noble migrate to copy it to a new "
            "store, which can be finished."
        ) from error


def _number_of_part(store: Store, config: GenerationConfig, hall: HallOfFame, draft: PartDraft, *, append: bool) -> int:
    """The part that this configuration began; one more than there are if it may begin one.

    Raises:
        ValueError: if the store was begun by another configuration or hall, or with other packages.
    """
    place, wanted = store.place, config.identity()
    if store.facts.hall.digest != hall.digest:
        _refuse(place, "hall.digest", store.facts.hall.digest, hall.digest)
    for number, part in enumerate(store.parts):
        if part.facts.config == wanted:
            if part.facts.plan_digest != draft.attributes["plan_digest"]:
                raise ValueError(
                    f"{part.place} was begun with another plan although configuration and hall are the same; it was made "
                    f"with {part.facts.versions} and this is {draft.attributes['versions']}. Finish it with those. "
                    "Nothing was changed."
                )
            return number
    if not append:
        for key, had, wants in _compare("config", store.parts[0].facts.config, wanted):
            _refuse(place, key, had, wants)
    if store.facts.version < SCHEMA_VERSION:
        raise ValueError(
            f"{place} is of an earlier schema version; run noble migrate to copy it, and append to the copy."
        )
    if config.window != store.protocol:
        for key, had, wants in _compare("protocol", store.protocol.to_dict(), config.window.to_dict()):
            _refuse(place, key, had, wants)
    for part in store.parts:
        if part.index is None:
            raise ValueError(f"{part.place} is not finished; finish it with its configuration before appending.")
    return len(store.parts)


def _refuse(place: Place, key: str, had: Any, wants: Any) -> None:
    raise ValueError(
        f"{place} was begun with {key} = {had!r} but this run has {wants!r}; use the same configuration and hall to "
        "finish it, or another path for a new store. Nothing was changed."
    )


def _compare(key: str, had: Any, wants: Any) -> Iterator[tuple[str, Any, Any]]:
    """Keys whose values differ, dotted, with both values."""
    if isinstance(had, dict) and isinstance(wants, dict):
        for part in sorted({*had, *wants}):
            yield from _compare(f"{key}.{part}", had.get(part), wants.get(part))
    elif had != wants:
        yield key, had, wants


def _fill(
    store: Store,
    part: Part,
    config: GenerationConfig,
    hall: HallOfFame,
    factory: ResponderFactory | None,
    pool: Pool | None,
    progress: Progress,
) -> dict[int, Written]:
    """Let workers write every chunk that is not there, and give what they wrote."""
    there = part.written()
    total, done = len(part), sum(len(part.rows_of(chunk)) for chunk in there)
    progress(done, total)
    missing = [chunk for chunk in range(part.chunks) if chunk not in there]
    written: dict[int, Written] = {}
    if not missing:
        return written
    writer = ChunkWriter(part.place, part.chunk_rows, store.grid, _need(factory, part.place), hall)
    with (
        _entered(pool, config, len(missing)) as workers,
        closing(workers.stream(writer, Jobs(part, missing))) as answers,
    ):
        for index, answer in answers:
            chunk = missing[index]
            if isinstance(answer, Failed):
                if answer.error is not None:
                    raise answer.error
                raise ChildProcessError(
                    f"samples {part.rows_of(chunk).start} to {part.rows_of(chunk).stop - 1} could not be simulated "
                    f"({answer.reason}; out of memory?); {done} of {total} traces are written and kept: run again with "
                    "fewer workers or a smaller chunk_traces to finish."
                )
            written[chunk] = answer
            done += len(part.rows_of(chunk))
            progress(done, total)
    return written


@contextmanager
def _entered(pool: Pool | None, config: GenerationConfig, chunks: int) -> Iterator[Pool]:
    """The pool that was given, or one of this machine's processes; one chunk, or one worker, needs no other process."""
    if pool is not None:
        yield pool
        return
    workers = min(config.worker_count, chunks)
    limit_s = max(_CHUNK_LIMIT_S, _TRACE_LIMIT_S * config.chunk_traces)
    with Pool(workers=workers if workers > 1 else 0, timeout_s=limit_s) as own:
        yield own

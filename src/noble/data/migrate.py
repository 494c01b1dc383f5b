"""A store of schema version 1 as one of the present version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from noble.data.part import features_sha256
from noble.data.place import Place
from noble.data.plan import Plan
from noble.data.schema import SCHEMA_VERSION, chunk_key
from noble.data.store import Store, open_unchecked
from noble.data.writing import FeatureTable, PartDraft, create_store, write_index
from noble.progress import Progress
from noble.stimuli import todays_name


def migrate(old: str | Path, new: str | Path, *, progress: Progress | None = None) -> Place:
    """Copy a store of version 1, complete or not, to a new one: the same samples, digest and voltages, byte by byte.

    Args:
        old: its folder or URL.
        new: of the store to make; `noble generate` finishes it where the old one was not complete.
        progress: called with chunks copied and chunks in all.

    Returns:
        Where the new store lies.

    Raises:
        ValueError: if the old one cannot be read or is not of version 1, or there is something at `new`.
    """
    report = progress or (lambda done, total: None)
    source, place = open_unchecked(Place.of(old)), Place.of(new)
    if source.facts.version != 1:
        raise ValueError(f"{source.place} is of schema version {source.facts.version}; only version 1 is migrated.")
    if place.exists():
        raise ValueError(f"{place} exists; give the migrated store a new name.")
    part = source.parts[0]
    kinds = tuple(
        replace(kind, parameters=tuple(todays_name(kind.name, name) for name in kind.parameters))
        for kind in part.plan.stimuli.kinds
    )
    plan = Plan(replace(part.plan.stimuli, kinds=kinds), part.plan.model_index, part.plan.split, part.plan.seed)
    attributes = part.facts.model_dump(mode="json") | {"stimulus_kinds": [kind.to_dict() for kind in kinds]}
    features = FeatureTable(source.feature_names, source.feature_units, source.feature_table)
    shared = source.facts.model_dump(mode="json", by_alias=True) | {"schema_version": SCHEMA_VERSION}
    create_store(place, shared, features, PartDraft(attributes, plan, part.chunk_rows, part.count))
    with place.locked():
        _copy(source, place, report)
    return place


def _copy(source: Store, place: Place, report: Progress) -> None:
    old, target = source.parts[0], open_unchecked(place)
    chunks = sorted(old.written())
    report(0, len(chunks))
    for done, chunk in enumerate(chunks, 1):
        content = old.content(chunk)
        old.unpacked(chunk, content)  # which refuses a damaged one
        target.parts[0].place.write(chunk_key(chunk), content)
        report(done, len(chunks))
    if len(chunks) == old.chunks:
        features = {"names": source.feature_names, "units": source.feature_units}
        write_index(target, target.parts[0], {}, features_sha256(source.feature_table, features))

"""Which models and currents an operator learned, and whether a hall or a store holds these very models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from noble.operator.origin import check_simulated

if TYPE_CHECKING:
    from noble.cells import HallOfFame
    from noble.data import GenerationConfig
    from noble.operator import Operator


class UnknownSourceError(ValueError):
    """An operator does not record what it learned from, and nobody said it."""


class OtherModelsError(ValueError):
    """A hall or a store holds other models than an operator learned, so which of them it has seen is unknown."""


def generation_of(operator: Operator, config: Path | str | None = None) -> GenerationConfig:
    """What an operator's training data were drawn from, by its own record or as named: fresh traces are drawn likewise.

    Args:
        operator: the operator.
        config: YAML of a generation, which then counts.

    Raises:
        UnknownSourceError: if it is nowhere.
        ValueError: if it learned from a recording.
    """
    from noble.data import GenerationConfig

    check_simulated(operator)
    found = recorded_generation(operator) if config is None else GenerationConfig.load(config)
    if found is None:
        raise UnknownSourceError(
            "the bundle does not record how its data were drawn; name a generation YAML with --config."
        )
    return found


def hall_of(operator: Operator, hall: Path | str | None = None) -> HallOfFame:
    """The hall that an operator learned, by its own record or as named.

    Args:
        operator: the operator.
        hall: name or file, which then counts.

    Raises:
        UnknownSourceError: if it is nowhere.
        OtherModelsError: if it holds other models.
        ValueError: if the operator learned from a recording.
    """
    from noble.cells import HallOfFame

    check_simulated(operator)
    name = hall or (operator.provenance.get("hall") or {}).get("name")
    if name is None:
        raise UnknownSourceError("the bundle does not record its hall; name it with --hall.")
    try:
        found = HallOfFame.load(name)
    except FileNotFoundError as error:
        raise UnknownSourceError(
            f"{error} Name the file of the hall that the bundle was trained on with --hall."
        ) from error
    check_models(operator, found.digest, f"the hall {name}")
    return found


def family_hall(operator: Operator, hall: Path | str | None = None) -> HallOfFame | None:
    """The hall whose models an operator's family lies among; None for an operator of one neuron, unless one is named.

    Raises:
        ValueError: as `hall_of`.
    """
    return None if operator.spec.one_neuron and hall is None else hall_of(operator, hall)


def check_models(operator: Operator, digest: str, what: str) -> None:
    """Refuse models that are not those the operator learned; an operator that does not record its hall takes any.

    Args:
        operator: the operator.
        digest: digest of the hall that holds the models.
        what: who holds them, for the message.

    Raises:
        OtherModelsError: if they are others.
        ValueError: if the operator learned from a recording.
    """
    check_simulated(operator)
    trained_on = (operator.provenance.get("hall") or {}).get("digest")
    if trained_on is not None and trained_on != digest:
        raise OtherModelsError(
            f"{what} holds other models (digest {digest[:12]}…) than the bundle was trained on ({trained_on[:12]}…), so "
            "which of them it has seen is unknown; use the hall of its training."
        )


def recorded_generation(operator: Operator) -> GenerationConfig | None:
    """What an operator's training data were drawn from, by its own record; None where it has none."""
    from noble.data import GenerationConfig

    recorded = operator.provenance.get("generation")
    return None if recorded is None else GenerationConfig.model_validate(recorded)


def fresh_source(
    operator: Operator, *, hall: Path | str | None = None, config: Path | str | None = None
) -> tuple[HallOfFame, GenerationConfig]:
    """The models and the distribution of currents that fresh traces are drawn from: those of the training, or as named.

    Raises:
        UnknownSourceError: if either is nowhere.
        OtherModelsError: if the hall holds other models than the operator learned.
    """
    settings = generation_of(operator, config)
    return hall_of(operator, hall or settings.hall), settings

"""What an operator learned from: the simulated models of a hall, or the recording of one neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from noble.operator.operator import Operator


def recorded_source(operator: Operator) -> str | None:
    """Name of the recording that an operator learned from; None for one that learned from simulations."""
    recording = operator.provenance.get("recording")
    return None if recording is None else str(recording.get("source") or "a recording")


def check_simulated(operator: Operator) -> None:
    """Refuse an operator of a recorded neuron where the models that it learned are needed.

    Raises:
        ValueError: if it learned from a recording.
    """
    source = recorded_source(operator)
    if source is not None:
        raise ValueError(
            f"this operator is of one neuron that was recorded ({source}): it learned no models of a hall, so none can be "
            "simulated, drawn or stored beside it; noble predict, fi, compare, report and info take it."
        )

"""A twin that begins from the weights of an operator of simulated neurons."""

from __future__ import annotations

from torch import Tensor

from noble.operator import Operator
from noble.operator.feedback.config import SpikeFeedbackConfig
from noble.operator.feedback.core import PARTS


def take_over(twin: Operator, donor: Operator) -> None:
    """A twin begins from a donor's weights, as if it were the donor's middle neuron.

    A twin has no F-I curve to expect its firing from, so what the donor's layers are told of it is left out; everything else is
    alike by name and shape.

    Args:
        twin: of the donor's sizes, changed in place.
        donor: a spike-feedback operator.
    """
    given, own = donor.core.state_dict(), twin.core.state_dict()
    signals = _signals(given), _signals(own)
    taken: dict[str, Tensor] = {}
    for name, weight in own.items():
        other = given[name]
        if other.shape == weight.shape:
            taken[name] = other
        elif name in ("context.spread.weight", "context.enter.weight"):
            # The first signal is the current, the last are its parts; between them is what the curve says.
            kept = weight.clone()
            kept[:, 0] = other[:, 0]
            kept[:, signals[1] - PARTS :] = other[:, signals[0] - PARTS :]
            taken[name] = kept
        else:  # of the features, which a twin has not
            taken[name] = weight
    twin.core.load_state_dict(taken)


def donor_sizes(donor: Operator) -> SpikeFeedbackConfig:
    """The sizes that a twin of a donor has.

    Raises:
        ValueError: if it is an operator of another kind.
    """
    if not isinstance(donor.config, SpikeFeedbackConfig):
        raise ValueError(
            f"{donor.name or 'the donor'} is a {donor.config.kind} operator; expected one that takes any current "
            "(spike-feedback)."
        )
    return donor.config


def _signals(weights: dict[str, Tensor]) -> int:
    return weights["context.spread.weight"].shape[1]

"""How each kind of stimulus is drawn for a data set: laws by the names that `GenerationConfig.mix` gives shares to."""

from __future__ import annotations

from typing import Final

from noble.data.laws import around_rheobase
from noble.data.laws.around_rheobase import AroundRheobase
from noble.data.laws.base import StimulusLaw
from noble.data.laws.multiples import ChirpMultiples, NoiseMultiples, RampMultiples, StepLaw
from noble.data.laws.recording import Recorded

# By the name of the share, in the order in which a kind is drawn; `register_law` adds to it.
LAWS: Final[dict[str, StimulusLaw]] = {
    "step": StepLaw(),
    "ramp": RampMultiples(),
    "chirp": ChirpMultiples(),
    "ornstein_uhlenbeck": NoiseMultiples(),
    "noise": AroundRheobase(around_rheobase.noise),
    "ramps": AroundRheobase(around_rheobase.ramp),
    "chirps": AroundRheobase(around_rheobase.chirp),
    "pulses": AroundRheobase(around_rheobase.pulses),
    "steps": AroundRheobase(around_rheobase.steps),
    "held": AroundRheobase(around_rheobase.held),
    "recording": Recorded(),
}


def register_law(name: str, law: StimulusLaw) -> None:
    """Let `mix` of a configuration give a share to a law of one's own; the law must be the same when a run goes on.

    Raises:
        ValueError: if the name is taken.
    """
    from noble.data.config import StimulusMix  # which knows this room

    if name in LAWS or name in StimulusMix.model_fields:
        raise ValueError(f"a share {name} of stimuli is already known; give the law another name.")
    LAWS[name] = law


def law_named(name: str) -> StimulusLaw:
    """The law of a share.

    Raises:
        ValueError: if it is not known.
    """
    if name not in LAWS:
        raise ValueError(
            f"mix gives a share to {name}, which no law draws; expected {', '.join(LAWS)}, or a law that "
            "`noble.data.register_law` made known before."
        )
    return LAWS[name]

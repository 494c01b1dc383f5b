"""The ion channels and the quantities a model can set, by the names NEURON and the Allen Institute use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Channel:
    """A density mechanism.

    Attributes:
        name: SUFFIX of its NMODL file and its name in Arbor's Allen catalogue.
        units: unit of each parameter that a model may set.
        source: where its kinetics come from.
        bbp: whether Arbor has it in its Blue Brain catalogue instead, where `gbar` is called `gNAMEbar`. Its rates are those at
            34 C whatever the temperature of the cell.
    """

    name: str
    units: dict[str, str]
    source: str
    bbp: bool = False


def _conductance(name: str, source: str, *, bbp: bool = False) -> Channel:
    return Channel(name, {"gbar": "S/cm2"}, source, bbp)


CHANNELS: Final = {
    channel.name: channel
    for channel in (
        _conductance("NaV", "Carter et al. 2012"),
        _conductance("NaTs", "Colbert and Pan 2002"),
        _conductance("NaTa", "Colbert and Pan 2002"),
        _conductance("Nap", "Magistretti and Alonso 1999"),
        _conductance("K_T", "Korngreen and Sakmann 2000"),
        _conductance("K_P", "Korngreen and Sakmann 2000"),
        _conductance("Kd", "Foust et al. 2011"),
        _conductance("Kv2like", "Keren et al. 2005"),
        _conductance("Kv3_1", "Rettig et al. 1992"),
        _conductance("Im", "Adams et al. 1982"),
        _conductance("Im_v2", "Vervaeke et al. 2006"),
        _conductance("SK", "Kohler et al. 1996"),
        _conductance("Ca_HVA", "Reuveni et al. 1993"),
        _conductance("Ca_LVA", "Avery and Johnston 1996"),
        _conductance("Ih", "Kole et al. 2006"),
        Channel("CaDynamics", {"gamma": "", "decay": "ms"}, "Destexhe et al. 1994"),
        # Of the all-active workflow since Buchin et al. 2022. They are no other names of the above: K_T opens 37 mV lower than
        # K_Tst, and a model of the one is silent with the other.
        _conductance("NaTs2_t", "Colbert and Pan 2002, as in Hay et al. 2011", bbp=True),
        _conductance("NaTa_t", "Colbert and Pan 2002, as in Hay et al. 2011", bbp=True),
        _conductance("Nap_Et2", "Magistretti and Alonso 1999, as in Hay et al. 2011", bbp=True),
        _conductance("K_Tst", "Korngreen and Sakmann 2000, as in Hay et al. 2011", bbp=True),
        _conductance("K_Pst", "Korngreen and Sakmann 2000, as in Hay et al. 2011", bbp=True),
    )
}

# What the cable itself has, painted without a channel.
CABLE_UNITS: Final = {"cm": "uF/cm2", "Ra": "Ohm cm", "g_pas": "S/cm2", "e_pas": "mV"}


def split_quantity(quantity: str) -> tuple[str | None, str]:
    """Channel and parameter of a quantity: `gbar_NaV` -> (NaV, gbar); `cm` -> (None, cm).

    Raises:
        ValueError: for a channel or parameter that is not known, with the nearest names.
    """
    if quantity in CABLE_UNITS:
        return None, quantity
    parameter, _, suffix = quantity.partition("_")
    channel = CHANNELS.get(suffix)
    if channel is None:
        raise ValueError(
            f"{quantity!r} names channel {suffix or quantity!r}, which is not known; expected one of "
            f"{', '.join(CHANNELS)}, or one of {', '.join(CABLE_UNITS)}."
        )
    if parameter not in channel.units:
        raise ValueError(
            f"{quantity!r}: channel {channel.name} has no parameter {parameter!r}; expected one of {', '.join(channel.units)}."
        )
    return channel.name, parameter


def canonical_quantity(quantity: str) -> str:
    """The quantity as it is written everywhere; one that is not known is refused."""
    channel, parameter = split_quantity(quantity)
    return parameter if channel is None else f"{parameter}_{channel}"


def unit_of(quantity: str) -> str:
    """Unit of a quantity."""
    channel, parameter = split_quantity(quantity)
    return CABLE_UNITS[parameter] if channel is None else CHANNELS[channel].units[parameter]

"""The canonical units of the package, and the check for the commonest mistake with them.

Every number that crosses a public boundary is in one of these units, and its name says which: time in ms, voltage in mV,
current in nA, length in um, conductance density in S/cm2, rate in Hz, slope of an F-I curve in Hz/nA. Files and simulators
that use other units are converted where they are read or written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MS_PER_SECOND = 1e3

# Patch-clamp steps on a cortical neuron stay within a few nA. A larger number is almost always picoampere passed as nA.
LARGEST_PLAUSIBLE_CURRENT_NA = 5.0

_PREFIXES: Final[Mapping[str, float]] = {"": 1.0, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "n": 1e-9, "p": 1e-12}
_WORDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("volt", "volts"), "V"),
    **dict.fromkeys(("amp", "amps", "ampere", "amperes"), "A"),
    **dict.fromkeys(("sec", "second", "seconds"), "s"),
    **{
        f"{prefix}{word}": f"{symbol}{base}"
        for prefix, symbol in (("milli", "m"), ("micro", "u"), ("nano", "n"), ("pico", "p"))
        for base, words in (
            ("V", ("volt", "volts")),
            ("A", ("amp", "amps", "ampere", "amperes")),
            ("s", ("sec", "second", "seconds")),
        )
        for word in words
    },
    **dict.fromkeys(("msec", "msecs"), "ms"),
}


def base_unit(unit: str) -> tuple[str, float]:
    """`V`, `A` or `s`, and the factor to it; ("", nan) for any other unit. Case counts in symbols and not in words."""
    text = unit.strip()
    symbol = _WORDS.get(text.lower(), text)
    for base in ("V", "A", "s"):
        prefix = symbol[: -len(base)] if symbol.endswith(base) else None
        if prefix is not None and prefix in _PREFIXES:
            return base, _PREFIXES[prefix]
    return "", float("nan")


def nanoseconds(duration_ms: float) -> int:
    """A time as a whole number, which compares without rounding errors."""
    return round(duration_ms * 1e6)


def check_current_na(largest_na: float, *, what: str) -> None:
    """Refuse a current so large that it must be in another unit.

    Args:
        largest_na: largest absolute current, nA.
        what: what carries it, for the message.

    Raises:
        ValueError: if it is above `LARGEST_PLAUSIBLE_CURRENT_NA`.
    """
    if abs(largest_na) > LARGEST_PLAUSIBLE_CURRENT_NA:
        raise ValueError(
            f"{what} reaches {largest_na:g} nA; a somatic current is expected within "
            f"±{LARGEST_PLAUSIBLE_CURRENT_NA:g} nA. If the number is in pA, divide it by 1000."
        )

"""The canonical units of the package, and the check for the commonest mistake with them.

Every number that crosses a public boundary is in one of these units, and its name says which: time in ms, voltage in mV,
current in nA, length in um, conductance density in S/cm2, rate in Hz, slope of an F-I curve in Hz/nA. Files and simulators
that use other units are converted where they are read or written.
"""

MS_PER_SECOND = 1e3

# Patch-clamp steps on a cortical neuron stay within a few nA. A larger number is almost always picoampere passed as nA.
LARGEST_PLAUSIBLE_CURRENT_NA = 5.0


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

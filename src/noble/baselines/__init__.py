"""Models that people know, fitted to the same data, to hold an operator against."""

from noble.baselines.firing import GIFSettings, IntegrateAndFire
from noble.baselines.gif import GIF
from noble.baselines.igif import IGIF, IGIFSettings

__all__ = ["GIF", "IGIF", "GIFSettings", "IGIFSettings", "IntegrateAndFire"]

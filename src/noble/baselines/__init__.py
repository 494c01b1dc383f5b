"""Models that people know, fitted to the same data, to hold an operator against."""

from noble.baselines.gif import GIF, GIFSettings

__all__ = ["GIF", "GIFSettings"]

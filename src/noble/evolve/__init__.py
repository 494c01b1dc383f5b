"""Finding models: from the features of a recording to a hall of fame."""

from noble.evolve.search import SearchConfig, Targets, gather_hall, search

__all__ = ["SearchConfig", "Targets", "gather_hall", "search"]

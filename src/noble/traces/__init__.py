"""Voltage traces: the instants they are sampled at, batches of them, and the same with labels."""

from noble.traces.batch import Trace, TraceBatch
from noble.traces.grid import TimeGrid

__all__ = ["TimeGrid", "Trace", "TraceBatch"]

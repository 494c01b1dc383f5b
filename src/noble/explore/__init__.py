"""The explorer: a static page in which an operator answers in the browser, from a file, without a network."""

from noble.explore.content import SimulatedTrace, content_of, core_to_run
from noble.explore.maps import MAPPED_FEATURES, maps_of
from noble.explore.page import page_text, write_page

__all__ = ["MAPPED_FEATURES", "SimulatedTrace", "content_of", "core_to_run", "maps_of", "page_text", "write_page"]

"""Bundles: a trained operator as a folder of five files, none of them pickled.

`model.safetensors` holds the weights, `config.json` everything else that an answer depends on, `card.md` what a reader
should know, `metrics.json` how well it does, and `manifest.json` a checksum of each of the four. docs/bundle.md describes them.
"""

from noble.operator.bundle.layout import CARD, CONFIG, FILES, MANIFEST, METRICS, SCHEMA_VERSION, WEIGHTS
from noble.operator.bundle.locating import locate, shipped_bundles
from noble.operator.bundle.reading import identity, load, read_metrics
from noble.operator.bundle.weights import weights_sha256
from noble.operator.bundle.writing import revise, save, upgrade

__all__ = [
    "CARD",
    "CONFIG",
    "FILES",
    "MANIFEST",
    "METRICS",
    "SCHEMA_VERSION",
    "WEIGHTS",
    "identity",
    "load",
    "locate",
    "read_metrics",
    "revise",
    "save",
    "shipped_bundles",
    "upgrade",
    "weights_sha256",
]

"""The built-in morphologies have the published numbers they are made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from noble.cells import MorphologySource
from noble.cells.morphology import Morphology, Section
from noble.cells.stylised import STYLISED_TREES, StylisedTree, stylised_morphology


def dendrites(morphology: Morphology) -> Iterator[tuple[int, Section]]:
    return ((index, section) for index, section in enumerate(morphology.sections) if section.region == "dend")


def tip_paths_um(morphology: Morphology) -> list[float]:
    """Distance along the dendrite from the soma to each tip, um."""
    parents = {section.parent for section in morphology.sections}
    paths = []
    for index, section in dendrites(morphology):
        if index in parents:
            continue
        path, walked = section.length_um, section.parent
        while walked:  # 0 is the soma
            path += morphology.sections[walked].length_um
            walked = morphology.sections[walked].parent
        paths.append(path)
    return paths


@pytest.mark.parametrize("name", list(STYLISED_TREES))
def test_the_numbers_are_reproduced(name: str) -> None:
    tree, morphology = STYLISED_TREES[name], MorphologySource(name).load()
    paths = tip_paths_um(morphology)
    assert morphology.length_um("dend") == pytest.approx(tree.length_um, rel=1e-3)
    assert morphology.area_um2("dend") == pytest.approx(tree.area_um2, rel=1e-3)
    assert np.mean(paths) == pytest.approx(tree.mean_path_um, rel=1e-3)
    assert len(paths) == tree.tips
    assert sum(section.parent == 0 for _, section in dendrites(morphology)) == tree.stems
    assert morphology.area_um2("soma") == pytest.approx(4 * np.pi * tree.soma_radius_um**2, rel=1e-3)
    assert morphology.length_um("axon") == pytest.approx(60)
    assert np.std(paths) > 0.1 * np.mean(paths)


def test_the_same_numbers_give_the_same_tree() -> None:
    tree = STYLISED_TREES["stylised-pv"]
    assert stylised_morphology(tree).digest == stylised_morphology(tree).digest
    assert stylised_morphology(replace(tree, length_um=5000)).digest != stylised_morphology(tree).digest


@pytest.mark.parametrize(("stems", "depth"), [(1, 3), (3, 2), (11, 1)])
def test_trees_of_other_sizes_are_made_as_asked(stems: int, depth: int) -> None:
    tips = stems * 2**depth
    length, mean_path = 60.0 * tips + 80.0 * (tips - stems), 60.0 + 80.0 * depth
    tree = StylisedTree(6.0, stems=stems, tips=tips, length_um=length, area_um2=4 * length, mean_path_um=mean_path)
    morphology = stylised_morphology(tree)
    assert morphology.length_um("dend") == pytest.approx(length, rel=1e-3)
    assert morphology.area_um2("dend") == pytest.approx(4 * length, rel=1e-3)
    assert np.mean(tip_paths_um(morphology)) == pytest.approx(mean_path, rel=1e-3)
    inner = [
        section.length_um
        for index, section in dendrites(morphology)
        if index in {s.parent for s in morphology.sections}
    ]
    assert inner == pytest.approx([80.0] * (tips - stems))


def test_numbers_that_contradict_are_refused() -> None:
    tree = StylisedTree(6.8, stems=6, tips=28, length_um=5212, area_um2=8319, mean_path_um=2000)
    with pytest.raises(ValueError, match="cannot have a mean path of 2000 um"):
        stylised_morphology(tree)

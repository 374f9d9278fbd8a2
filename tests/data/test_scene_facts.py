"""What a caption says of a scene: read back from every sentence of the grammar, and wrong as often as was asked."""

import numpy as np
import pytest

from scar.data.sources._scene_grammar import DETAILS, TYPES, Scene, describe
from scar.data.sources.scene_facts import FACTS, describe_with_errors, read_facts, right_facts


def test_every_true_sentence_is_read_as_true():
    scenes = [Scene.of(kind, detail) for kind in range(len(TYPES)) for detail in range(0, len(DETAILS), 7)]
    full = [describe(scene, np.random.default_rng(row), full=True) for row, scene in enumerate(scenes)]
    assert right_facts(full, [scene.name for scene in scenes]).min() == 1
    loose = [describe(scene, np.random.default_rng(row), full=False) for row, scene in enumerate(scenes)]
    found = right_facts(loose, [scene.name for scene in scenes])
    assert np.nanmin(found) == 1
    assert 0.5 < np.isnan(found[:, FACTS.index("size")]).mean() + 0.35 < 0.8


def test_what_is_wrong_and_what_is_not_said_are_told_apart():
    (found,) = right_facts(["two little scarlet discs in the middle"], ["circle-red-1-small-top_left-white"])
    assert dict(zip(FACTS, found, strict=True)) == pytest.approx(
        {"shape": 1, "colour": 1, "count": 0, "size": 1, "position": 0, "background": np.nan}, nan_ok=True
    )
    assert read_facts("in the lower left corner on a dark background : three big golden hoops") == {
        "shape": "ring", "colour": "yellow", "count": "3", "size": "large", "position": "bottom_left",
        "background": "black",
    }  # fmt: skip
    assert read_facts("nothing of the kind") == {}


@pytest.mark.parametrize("wrong", [0.0, 0.25, 1.0])
def test_an_oracle_is_wrong_as_often_as_it_was_asked_to_be(wrong):
    name = Scene.of(3, 17).name
    told = [describe_with_errors(name, np.random.default_rng(row), wrong=wrong) for row in range(400)]
    found = right_facts(told, [name] * 400)
    assert not np.isnan(found).any()
    assert found.mean() == pytest.approx(1 - wrong, abs=0.03)


def test_what_is_no_scene_is_refused():
    with pytest.raises(ValueError, match="scene='cat' names no scene"):
        right_facts(["one"], ["cat"])
    with pytest.raises(ValueError, match="1 captions of 2 scenes"):
        right_facts(["one"], ["a", "b"])
    with pytest.raises(ValueError, match="wrong=2 must be a probability"):
        describe_with_errors(Scene.of(0, 0).name, np.random.default_rng(0), wrong=2)

from pathlib import Path

import numpy as np
import pytest

from scar.data.samples import TEST, TRAIN
from scar.data.sources._scene_grammar import (
    BACKGROUNDS,
    COLOURS,
    COUNTS,
    DETAILS,
    POSITIONS,
    SHAPES,
    SIZES,
    TYPES,
    Scene,
    describe,
)
from scar.data.sources.captioned_scenes import CaptionedScenes

HERE = Path()


def load(**settings):
    return CaptionedScenes(**{"train_size": 700, "test_size": 200, **settings}).load(HERE)


@pytest.fixture(scope="module")
def scenes():
    return load()


def is_true(caption: str, scene: str) -> bool:
    """Tell whether every word of a caption that names a value names the one of the scene."""
    shape, colour, count, size, position, background = scene.split("-")
    values = {"shape": shape, "colour": colour, "count": int(count), "size": size}
    tables = {"shape": SHAPES, "colour": COLOURS, "count": COUNTS, "size": SIZES}
    words = caption.replace(":", "").split(" on a ")[0].split()
    for name, table in tables.items():
        for value, names in table.items():
            said = any(f" {n} " in f" {' '.join(words)} " or (name == "shape" and _plural(n) in words) for n in names)
            if said and value != values[name]:
                return False
    places = [value for value, names in POSITIONS.items() if any(n in caption for n in names)]
    grounds = [value for value, names in BACKGROUNDS.items() if any(f"on a {n} background" in caption for n in names)]
    return places == [position] and grounds in ([], [background])


def _plural(noun: str) -> str:
    return noun + ("es" if noun.endswith(("s", "x")) else "s")


def test_the_planted_shares_are_exact_and_the_test_part_is_clean(scenes):
    train = scenes.splits == TRAIN
    assert np.sum(train) == 700
    assert np.sum(scenes.groups["mismatched"][train] == "yes") == 105
    assert np.sum(scenes.groups["duplicate_of"][train] != "") == 210
    assert not np.any((scenes.groups["mismatched"] == "yes") & (scenes.groups["duplicate_of"] != ""))
    assert np.all(scenes.groups["mismatched"][~train] == "no")
    assert np.all(scenes.groups["duplicate_of"][~train] == "")


def test_planted_mismatches_really_mismatch_and_all_other_captions_are_true(scenes):
    wrong = scenes.groups["mismatched"] == "yes"
    truth = [is_true(c[0], s) for c, s in zip(scenes.payloads["text"], scenes.groups["scene"], strict=True)]
    assert not np.any(np.array(truth)[wrong])
    assert np.all(np.array(truth)[~wrong])


def test_a_near_duplicate_is_nearer_to_its_original_than_another_picture_of_the_same_class(scenes):
    place = {name: row for row, name in enumerate(scenes.ids.tolist())}
    pictures = scenes.payloads["image"].astype(float)
    plain = (scenes.groups["duplicate_of"] == "") & (scenes.splits == TRAIN)
    nearer = []
    for row in np.flatnonzero(scenes.groups["duplicate_of"] != ""):
        original = place[scenes.groups["duplicate_of"][row]]
        assert scenes.groups["mismatched"][original] == "no"
        assert plain[original]
        assert scenes.groups["scene"][row] == scenes.groups["scene"][original]
        assert scenes.payloads["text"][row] != scenes.payloads["text"][original]
        others = np.flatnonzero(plain & (scenes.labels == scenes.labels[row]))
        others = others[others != original]
        distance = np.abs(pictures[others] - pictures[row]).mean(axis=(1, 2, 3))
        nearer.append(np.abs(pictures[original] - pictures[row]).mean() < distance.min())
    assert len(nearer) == 210
    assert np.mean(nearer) > 0.98


def test_the_same_seed_gives_the_same_pairs_and_another_seed_others(scenes):
    again, other = load(), load(seed=1)
    assert np.array_equal(again.payloads["image"], scenes.payloads["image"])
    assert again.payloads["text"] == scenes.payloads["text"]
    assert np.array_equal(again.groups["duplicate_of"], scenes.groups["duplicate_of"])
    assert np.mean(np.all(other.payloads["image"] == scenes.payloads["image"], axis=(1, 2, 3))) < 0.01


def test_a_smaller_set_without_planted_pairs_is_the_beginning_of_a_larger_one():
    clean = {"mismatched": 0.0, "duplicates": 0.0}
    small, large = load(train_size=500, test_size=150, **clean), load(train_size=600, **clean)
    for part, size in ((TRAIN, 500), (TEST, 150)):
        a, b = np.flatnonzero(small.splits == part), np.flatnonzero(large.splits == part)[:size]
        assert np.array_equal(small.payloads["image"][a], large.payloads["image"][b])
        assert [small.payloads["text"][row] for row in a] == [large.payloads["text"][row] for row in b]
        assert np.array_equal(small.ids[a], large.ids[b])


def test_the_planted_shares_leave_the_pictures_of_the_other_rows_alone(scenes):
    clean = load(mismatched=0.0, duplicates=0.0)
    same = scenes.groups["duplicate_of"] == ""
    assert np.array_equal(clean.payloads["image"][same], scenes.payloads["image"][same])


def test_classes_are_unbalanced_as_asked():
    sizes = np.bincount(load(train_size=2000, duplicates=0.0).labels[:2000], minlength=len(TYPES))
    assert 8 < sizes.max() / sizes.min() < 12.5
    even = np.bincount(load(train_size=2000, duplicates=0.0, imbalance=1).labels[:2000], minlength=len(TYPES))
    assert even.max() - even.min() <= 5


def test_scenes_of_a_class_repeat_only_after_all_have_come(scenes):
    test = scenes.splits == TEST
    assert len(np.unique(scenes.groups["scene"][test])) == np.sum(test)
    assert len({scenes.payloads["text"][row] for row in np.flatnonzero(test)}) == np.sum(test)


def test_every_scene_can_be_described_and_has_a_name_of_its_own():
    names = set()
    for kind in range(len(TYPES)):
        for detail in range(len(DETAILS)):
            scene = Scene.of(kind, detail)
            names.add(scene.name)
            assert is_true(describe(scene, np.random.default_rng(detail), full=True), scene.name)
    assert len(names) == len(TYPES) * len(DETAILS) == 2880


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train_size": None}, r"dataset\.train_size=null.*give a number"),
        ({"mismatched": 1.0}, r"dataset\.mismatched=1\.0 must be a share"),
        ({"duplicates": float("nan")}, r"dataset\.duplicates=nan"),
        ({"mismatched": 0.5, "duplicates": 0.5}, r"leave less than a fifth"),
        ({"imbalance": 0.5}, r"dataset\.imbalance=0\.5"),
    ],
)
def test_what_cannot_be_generated_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        CaptionedScenes(**settings)


def test_too_few_scenes_for_the_classes_are_refused_by_name():
    with pytest.raises(ValueError, match="captioned_scenes: training labels: every class needs at least 2"):
        load(train_size=60)

"""Faults planted in any pairs: what is faulty is known, and the test part stays as it is."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scar.data.samples import Samples
from scar.data.source import Source
from scar.data.sources.planted_pairs import PlantedPairs


@dataclass(frozen=True, kw_only=True)
class Plain(Source):
    """100 training and 20 test pairs, two of each item, of four classes."""

    name: str = "plain"
    captions: int = 3
    payload: str = "image"

    @property
    def modalities(self) -> tuple[str, ...]:
        return (self.payload, "text")

    def files(self, data_dir: Path) -> list[Path]:
        return []

    def load(self, data_dir: Path) -> Samples:
        images = np.random.default_rng(0).integers(0, 255, (120, 32, 32, 3)).astype(np.uint8)
        item = np.arange(120) // 2
        return Samples(
            ids=np.array([f"p{row:03d}" for row in range(120)]),
            payloads={
                self.payload: images,
                "text": [tuple(f"item {i} word {w}" for w in range(self.captions)) for i in item],
            },
            labels=item % 4,
            class_names=("a", "b", "c", "d"),
            splits=np.repeat(["train", "test"], [100, 20]),
            groups={"item": np.char.add("i", item.astype(str))},
        )


def planted(**settings: Any) -> Samples:
    return PlantedPairs(source=Plain(), group="item", **settings).load(Path())


def test_the_shares_are_planted_in_the_training_part_and_the_test_part_is_as_it_was():
    made, plain = planted(), Plain().load(Path())
    wrong, again = made.groups["mismatched"] == "yes", made.groups["duplicate_of"] != ""
    assert (wrong.sum(), again.sum()) == (15, 30)
    assert not (wrong & again).any()
    assert not (wrong | again)[100:].any()
    assert made.payloads["text"][100:] == plain.payloads["text"][100:]
    np.testing.assert_array_equal(made.payloads["image"][110], plain.payloads["image"][110])
    assert (
        "planted: 15 of 100 training pairs have captions of another, 30 are near-duplicates of 10 others" in made.notes
    )


def test_a_mismatch_has_captions_of_another_class_and_item():
    made = planted(joined=False)
    for row in np.flatnonzero(made.groups["mismatched"] == "yes"):
        item = int(made.payloads["text"][row][0].split()[1])
        assert made.labels is not None
        assert item % 4 != made.labels[row]
        assert made.groups["item"][row] != f"i{item}"


def test_a_near_duplicate_is_its_original_a_little_changed_in_other_words():
    made = planted()
    place = {name: row for row, name in enumerate(made.ids)}
    for row in np.flatnonzero(made.groups["duplicate_of"] != ""):
        original = place[made.groups["duplicate_of"][row]]
        assert made.groups["duplicate_of"][original] == ""
        assert made.groups["mismatched"][original] == "no"
        assert made.groups["item"][row] == made.groups["item"][original]
        (one,), (other,) = made.payloads["text"][row], made.payloads["text"][original]
        assert sorted(one.split(", ")) == other.split(", ")[1:]
        images = [made.payloads["image"][each].astype(float)[2:-2, 2:-2] for each in (row, original)]
        assert np.abs(images[0].mean() - images[1].mean()) < 20
    near = made.payloads["image"][np.flatnonzero(made.groups["duplicate_of"] != "")[0]]
    assert near.dtype == np.uint8
    assert near.shape == (32, 32, 3)


def test_the_same_seed_plants_the_same_and_a_slice_reads_the_same_images():
    one, two, other = planted(), planted(), planted(seed=1)
    assert one.payloads["text"] == two.payloads["text"] != other.payloads["text"]
    for row in range(20):
        np.testing.assert_array_equal(one.payloads["image"][row], two.payloads["image"][:20][row])


def test_captions_are_joined_in_the_training_part_alone_or_kept_apart():
    joined, apart = planted(duplicates=0.0), planted(duplicates=0.0, joined=False)
    assert {len(each) for each in joined.payloads["text"][:100]} == {1}
    assert {len(each) for each in joined.payloads["text"][100:]} == {3}
    assert {len(each) for each in apart.payloads["text"]} == {3}
    single = PlantedPairs(source=Plain(captions=1), mismatched=0.0).load(Path())
    row = int(np.flatnonzero(single.groups["duplicate_of"] != "")[0])
    assert single.payloads["text"][row][0].startswith("picture of item ")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mismatched": 1.0}, r"dataset\.mismatched=1\.0 must be a share in \[0, 1\)"),
        ({"mismatched": 0.5, "duplicates": 0.3}, r"leave too few pairs as they are"),
        ({"train_size": 5}, r"belong to dataset\.source here"),
    ],
)
def test_impossible_settings_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        PlantedPairs(source=Plain(), **fields)


def test_what_the_source_lacks_is_named():
    with pytest.raises(ValueError, match="holds no image; faults are planted in pairs of both"):
        PlantedPairs(source=Plain(payload="video")).load(Path())
    with pytest.raises(ValueError, match=r"dataset\.group=emoji is no column of plain; it has item"):
        PlantedPairs(source=Plain(), group="emoji").load(Path())
    with pytest.raises(ValueError, match="source is not given"):
        PlantedPairs().load(Path())

    @dataclass(frozen=True, kw_only=True)
    class OneClass(Plain):
        def load(self, data_dir: Path) -> Samples:
            return replace(super().load(data_dir), labels=np.zeros(120, np.int64), class_names=("a",))

    with pytest.raises(ValueError, match=r"dataset\.mismatched=0\.15: p\d+ finds no pair of another class and group"):
        PlantedPairs(source=OneClass()).load(Path())

"""Named shifts: what they change, what they leave, and that nothing but the id decides what is drawn."""

import numpy as np
import pytest
from PIL import Image

from scar.data.samples import Samples
from scar.sampling.shifts import SHIFTS, match_classes, shift_item, shift_samples

GREY = np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)
COLOUR = np.stack([GREY, GREY.T // 2, 255 - GREY], axis=2)
TEXT = "the process by which green plants make carbohydrates from carbon dioxide and water"


def samples(items, modality):
    count = len(items)
    return Samples(
        np.array([f"id-{i}" for i in range(count)]), {modality: items}, np.zeros(count, np.int64), ("a", "b"),
        np.full(count, "test"), {},
    )  # fmt: skip


@pytest.mark.parametrize("name", SHIFTS["image"])
@pytest.mark.parametrize(
    "image",
    [GREY, COLOUR, Image.fromarray(COLOUR), Image.fromarray(GREY)],
    ids=["grey", "colour", "PIL colour", "PIL grey"],
)
def test_an_image_keeps_its_shape_and_changes_the_same_way_for_the_same_id(name, image):
    first = shift_item(image, "image", name, sample_id="a")
    assert first.dtype == np.uint8
    assert first.shape == np.asarray(image).shape
    assert (first != np.asarray(image)).mean() > 0.3
    np.testing.assert_array_equal(first, shift_item(image, "image", name, sample_id="a"))


@pytest.mark.parametrize("name", ["noise", "rotation"])
def test_random_shifts_differ_between_ids_and_seeds(name):
    a, b = (shift_item(GREY, "image", name, sample_id=i) for i in "ab")
    assert (a != b).any()
    assert (a != shift_item(GREY, "image", name, sample_id="a", seed=1)).any()


def test_noise_has_the_stated_deviation_and_blur_takes_detail_away():
    flat = np.full((64, 64), 128, np.uint8)
    assert shift_item(flat, "image", "noise", sample_id="a").std() == pytest.approx(0.15 * 255, rel=0.05)
    checks = (np.indices((28, 28)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert shift_item(checks, "image", "blur", sample_id="a").std() < 0.2 * checks.std()


def test_a_sketch_is_white_with_dark_lines_at_the_edges():
    square = np.zeros((28, 28), np.uint8)
    square[8:20, 8:20] = 200
    lines = shift_item(square, "image", "sketch", sample_id="a")
    assert lines[0, 0] == lines[14, 14] == 255
    assert lines[8, 14] < 60


def test_a_rotation_fills_its_corners_with_the_border():
    image = np.full((28, 28, 3), (10, 200, 30), np.uint8)
    np.testing.assert_array_equal(shift_item(image, "image", "rotation", sample_id="a"), image)


def test_texts_get_typos_capitals_or_lose_words():
    typos = shift_item(TEXT, "text", "typos", sample_id="a")
    assert typos != TEXT
    assert len(typos.split()) == len(TEXT.split())
    assert all(a[0] == b[0] for a, b in zip(typos.split(), TEXT.split(), strict=True))
    assert shift_item(TEXT, "text", "case", sample_id="a") == TEXT.upper()
    assert shift_item("NASA", "text", "case", sample_id="a") == "nasa"
    dropped = shift_item(TEXT, "text", "word_drop", sample_id="a").split()
    assert 0 < len(dropped) < len(TEXT.split())
    assert [word for word in TEXT.split() if word in dropped] == dropped
    assert all(shift_item("word", "text", "word_drop", sample_id=str(i)) == "word" for i in range(50))


def test_rates_of_typos_and_dropped_words_are_as_stated():
    words = ["abcdef"] * 4000
    typos = shift_item(" ".join(words), "text", "typos", sample_id="a").split(" ")
    assert np.mean([word != "abcdef" for word in typos]) == pytest.approx(0.25, abs=0.03)
    assert len(shift_item(" ".join(words), "text", "word_drop", sample_id="a").split()) == pytest.approx(2800, abs=120)


def test_samples_are_shifted_lazily_and_wherever_they_stand():
    whole = shift_samples(samples(np.stack([GREY, GREY, GREY]), "image"), "image", "noise")
    part = shift_samples(samples(np.stack([GREY, GREY, GREY]), "image").take(np.array([2, 0])), "image", "noise")
    np.testing.assert_array_equal(whole.payloads["image"][2], part.payloads["image"][0])
    np.testing.assert_array_equal(whole.payloads["image"][0:2][0], part.payloads["image"][1])
    captions = shift_samples(samples([(TEXT, "two words")], "text"), "text", "case")
    assert captions.payloads["text"][0] == (TEXT.upper(), "TWO WORDS")


def test_classes_of_a_shift_are_found_by_name_or_by_place():
    assert match_classes(("a", "b", "c"), ("c", "a")).tolist() == [2, 0]
    assert match_classes(("n01", "n02", "n03"), ("0", "2", "1")).tolist() == [0, 2, 1]
    with pytest.raises(ValueError, match="'d'"):
        match_classes(("a", "b"), ("a", "d"))
    with pytest.raises(ValueError, match="'7'"):
        match_classes(("a", "b"), ("0", "7"))


@pytest.mark.parametrize(("modality", "name", "message"), [("audio", "noise", "modality='audio'"), ("text", "blur", "shift='blur'")])  # fmt: skip
def test_unknown_shifts_are_refused(modality, name, message):
    with pytest.raises(ValueError, match=message):
        shift_item(TEXT, modality, name, sample_id="a")

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_files import write_image, write_tone, write_video
from PIL import Image

from scar.data.duplicates import exact_duplicates
from scar.data.image_decoding import UnreadableMedia
from scar.data.media import AudioFile, ImageFiles, VideoFile
from scar.data.samples import Samples
from scar.data.sources._encoded import EncodedImages
from scar.data.undecoded import undecoded


def make(payload: Any, splits: list[str], labels: list[int] | None, **more: Any) -> Samples:
    return Samples(
        ids=np.array([f"s{i}" for i in range(len(splits))]),
        payloads={"main": payload, **more},
        labels=None if labels is None else np.array(labels),
        class_names=() if labels is None else ("a", "b"),
        splits=np.array(splits),
        groups={},
    )


SPLITS = ["train", "train", "train", "test", "test", "test"]


def test_copies_are_counted_within_and_across_the_splits() -> None:
    report = exact_duplicates(make(["x", "x", "y", "x", "z", "z"], SPLITS, [0, 0, 1, 1, 1, 1]))
    assert report.groups == (("s0", "s1", "s3"), ("s4", "s5"))
    assert (report.within_train, report.within_test, report.across) == (1, 1, ("s3",))
    assert report.conflicting == 1
    assert "1 test samples also in train (s3)" in str(report)


def test_distinct_samples_give_an_empty_report() -> None:
    report = exact_duplicates(make(list("uvwxyz"), SPLITS, [0] * 6))
    assert report.groups == ()
    assert str(report) == "no exact duplicates"


def test_arrays_images_captions_and_files_are_compared_by_content(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for name, text in (("one", "same"), ("two", "same"), ("three", "else")):
        (tmp_path / name).write_text(text)
    payloads: list[list[Any]] = [
        [array, array.copy(), array.T, array.astype(np.int16), array + 1, array.reshape(4, 3)],
        [Image.fromarray(a) for a in (array, array.copy(), array.T.copy(), array + 1, array + 2, array + 3)],
        [("a", "b"), ("a", "b"), ("ab",), ("b", "a"), ("a", "b", ""), ("a", "bb")],
        [tmp_path / "one", tmp_path / "two", tmp_path / "three", "one", "two", "three"],
    ]
    for payload in payloads:
        assert exact_duplicates(make(payload, SPLITS, [0] * 6)).groups == (("s0", "s1"),)


def test_pairs_repeat_only_where_both_sides_do() -> None:
    samples = make(list("aabbcc"), SPLITS, [0] * 6, text=list("xxyzvw"))
    assert exact_duplicates(samples).groups == (("s0", "s1"),)
    assert len(exact_duplicates(samples, "main").groups) == 3
    with pytest.raises(ValueError, match="modality='sound' is not among"):
        exact_duplicates(samples, "sound")


def test_sounds_and_videos_are_compared_by_their_files_and_the_part_that_is_read(tmp_path: Path) -> None:
    one, same, other = (write_tone(tmp_path / f"{name}.wav", hertz) for name, hertz in (("a", 1), ("b", 1), ("c", 2)))
    parts = [AudioFile(one), AudioFile(same), AudioFile(other), AudioFile(one, 0.1), AudioFile(one, 0.1, 0.1), "one"]
    assert exact_duplicates(make(parts, SPLITS, [0] * 6)).groups == (("s0", "s1"),)
    films = [VideoFile(write_video(tmp_path / f"{i}.mp4", frames=3 + i // 2)) for i in range(4)]
    assert exact_duplicates(make(films, SPLITS[1:5], [0] * 4)).groups == (("s0", "s1"), ("s2", "s3"))


def test_pairs_without_labels_have_no_conflicts_to_count() -> None:
    report = exact_duplicates(make(list("aabbcd"), SPLITS, None))
    assert report.groups == (("s0", "s1"), ("s2", "s3"))
    assert report.conflicting is None
    assert str(report) == "exact duplicates: 1 within train, 0 within test, 1 test samples also in train (s3)"


def test_images_in_files_are_compared_without_decoding_them(tmp_path: Path) -> None:
    colours = [(9, 9, 9), (9, 9, 9), (1, 2, 3), (4, 5, 6), (7, 8, 9), (1, 1, 1)]
    paths = [write_image(tmp_path / f"{i}.png", colour) for i, colour in enumerate(colours)]
    paths[5].write_bytes(b"no image")
    contents = [path.read_bytes() for path in paths]
    for images in (ImageFiles(paths), EncodedImages(6, lambda row: (contents[row], str(row)))):
        samples = make(images, SPLITS, [0] * 6)
        assert exact_duplicates(undecoded(samples)).groups == (("s0", "s1"),)
        part = undecoded(samples.take(np.array([5, 1, 2, 0])))
        assert exact_duplicates(part).groups == (("s1", "s0"),)
        with pytest.raises(UnreadableMedia):
            exact_duplicates(samples)


def test_what_is_no_image_file_stays_as_it_is(tmp_path: Path) -> None:
    sound = AudioFile(tmp_path / "none.wav")
    samples = make([sound] * 6, SPLITS, None, text=list("aabbcc"), image=np.zeros((6, 2, 2), np.uint8))
    for name, payload in undecoded(samples).payloads.items():
        assert payload is samples.payloads[name]

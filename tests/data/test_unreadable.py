from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_files import write_image, write_noise, write_tone, write_video

from scar.data.media import AudioFile, ImageFiles, VideoFile
from scar.data.samples import Samples
from scar.data.unreadable import Unreadable, drop_unreadable


def make(**payloads: Any) -> Samples:
    size = len(next(iter(payloads.values())))
    return Samples(
        ids=np.array([f"s{i}" for i in range(size)]),
        payloads=payloads,
        labels=None,
        class_names=(),
        splits=np.array(["train", "test"] * size)[:size],
        groups={"source": np.array([f"g{i}" for i in range(size)])},
    )


def _images(folder: Path, count: int) -> list[Path]:
    return [write_image(folder / f"{i}.png", (i, 0, 0)) for i in range(count)]


def test_nothing_changes_where_all_can_be_read(tmp_path: Path) -> None:
    samples = make(image=ImageFiles(_images(tmp_path, 4)), text=[("a", "b")] * 4)
    assert drop_unreadable(samples, name="mine", max_share=0) == (samples, ())


def test_pairs_of_which_one_side_is_broken_are_dropped_whole_and_listed(tmp_path: Path) -> None:
    paths = _images(tmp_path, 8)
    write_noise(paths[2])
    paths[2].write_bytes(paths[2].read_bytes()[:2000])
    paths[5].unlink()
    captions = [(f"caption {i}", "x") for i in range(8)]
    captions[3] = ("caption 3", " ")
    captions[5] = ()  # type: ignore[assignment]
    kept, dropped = drop_unreadable(make(image=ImageFiles(paths), text=captions), name="mine", max_share=0.5)
    assert kept.ids.tolist() == ["s0", "s1", "s4", "s6", "s7"]
    assert [image.getpixel((0, 0))[0] for image in kept.payloads["image"]] == [0, 1, 4, 6, 7]
    assert [text[0] for text in kept.payloads["text"]] == [f"caption {i}" for i in (0, 1, 4, 6, 7)]
    assert kept.splits.tolist() == ["train", "test", "train", "train", "test"]
    assert kept.groups["source"].tolist() == ["g0", "g1", "g4", "g6", "g7"]
    assert [(each.id, each.modality) for each in dropped] == [
        ("s2", "image"),
        ("s3", "text"),
        ("s5", "image"),
        ("s5", "text"),
    ]
    reasons = [each.reason for each in dropped]
    assert "truncated" in reasons[0]
    assert reasons[1] == "caption 2 of 2 is empty"
    assert reasons[2].endswith("5.png: no such file")
    assert reasons[3] == "it has no caption"


def test_sounds_and_videos_are_decoded_to_their_end(tmp_path: Path) -> None:
    import soundfile

    sounds = [write_tone(tmp_path / f"{i}.wav") for i in range(4)]
    videos = [write_video(tmp_path / f"{i}.mp4") for i in range(4)]
    soundfile.write(sounds[1], np.zeros(0, np.float32), 8000)
    videos[2].write_bytes(videos[2].read_bytes()[:300])
    samples = make(audio=[AudioFile(path) for path in sounds], video=[VideoFile(path) for path in videos])
    kept, dropped = drop_unreadable(samples, name="mine", max_share=0.5)
    assert kept.ids.tolist() == ["s0", "s3"]
    assert dropped[0] == Unreadable("s1", "audio", f"{sounds[1]}: the sound has no samples")
    assert (dropped[1].id, dropped[1].modality) == ("s2", "video")


def test_more_than_the_share_is_an_error_that_lists_the_first(tmp_path: Path) -> None:
    samples = make(text=["a", "", "c", " ", "e", "f", "g", "h"])
    assert len(drop_unreadable(samples, name="mine", max_share=0.25)[1]) == 2
    with pytest.raises(ValueError, match=r"mine: 2 of 8 samples cannot be read.*max_unreadable=0\.2:\n  - s1 \(text\)"):
        drop_unreadable(samples, name="mine", max_share=0.2)


def test_what_is_left_must_still_be_a_dataset() -> None:
    with pytest.raises(ValueError, match="mine: the test split is empty"):
        drop_unreadable(make(text=["a", "", "c"]), name="mine", max_share=1)


def test_errors_that_are_not_of_the_data_are_not_swallowed() -> None:
    class Broken(list[str]):
        def __getitem__(self, index: Any) -> Any:
            raise TypeError("a bug")

    with pytest.raises(TypeError, match="a bug"):
        drop_unreadable(make(text=Broken(["a", "b"])), name="mine", max_share=1)

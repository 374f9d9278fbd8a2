"""MSR-VTT and AudioCaps, written in their true formats with clips and sounds that a test recognises."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_files import write_tone, write_video

from scar.data.fingerprint import fingerprint
from scar.data.source import Source
from scar.data.sources.audiocaps import AudioCaps
from scar.data.sources.msr_vtt import MsrVtt

CLIPS = (
    ("train", "aaa", 30, 1),
    ("train", "b-b", 0, 1),
    ("train", "_cc", 7, 1),
    ("val", "ddd", 10, 5),
    ("val", "eee", 3, 5),
)
"""Part, YouTube id, start and number of captions of each sound; sound i has 300 + 100 · i hertz."""


def _msr_vtt(root: Path) -> Path:
    """Three training clips with 20 captions and two of test with one, as a string; clip i is grey of the level 20 + 30 · i."""
    folder = root / "msr_vtt"
    for part, numbers in (("train_9k", (0, 1, 2)), ("test_1k", (3, 4))):
        videos = []
        for number in numbers:
            write_video(folder / "video" / f"video{number}.mp4", frames=4, step=0, first=20 + 30 * number)
            several = [f"clip {number} seen {k}" for k in range(20)]
            videos.append(
                {
                    "video_id": f"video{number}",
                    "video": f"video{number}.mp4",
                    "caption": several if part == "train_9k" else several[0],
                    "source": "MSR-VTT",
                    "category": 9,
                    "url": "https://example.org",
                    "start time": 1.0,
                    "end time": 2.0,
                    "id": number,
                }
            )
        (folder / f"msrvtt_{part}.json").write_text(json.dumps(videos, indent=1))
    return folder


def _rows(part: str) -> list[dict[str, Any]]:
    rows = []
    for place, (own, key, start, count) in enumerate(CLIPS):
        if own == part:
            for k in range(count):
                caption = f'sound {place}, "take" {k}'
                rows.append(
                    {"audiocap_id": 100 * place + k, "youtube_id": key, "start_time": start, "caption": caption}
                )
    return sorted(rows, key=lambda row: row["audiocap_id"] % 100)  # captions of a clip do not stand together


def _audiocaps(root: Path, *, parquet: bool = False) -> Path:
    folder = root / "audiocaps"
    folder.mkdir(parents=True)
    for part, stem in (("train", "train"), ("val", "validation" if parquet else "val")):
        rows = _rows(part)
        if parquet:
            import pyarrow as pa
            import pyarrow.parquet as pq

            pq.write_table(pa.Table.from_pylist(rows), folder / f"{stem}.parquet")
        else:
            with (folder / f"{stem}.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
    for place, (part, key, _, _) in enumerate(CLIPS):
        name = {"val": "validation"}.get(part, part)
        write_tone(folder / name / f"{key}.wav", 300 + 100 * place, seconds=0.25)
    return folder


def test_msr_vtt_pairs_clips_with_all_their_captions(tmp_path: Path) -> None:
    _msr_vtt(tmp_path)
    samples = MsrVtt().load(tmp_path)
    assert samples.ids.tolist() == [f"video{i}" for i in range(5)]
    assert samples.splits.tolist() == ["train"] * 3 + ["test"] * 2
    assert [len(captions) for captions in samples.payloads["text"]] == [20, 20, 20, 1, 1]
    assert samples.payloads["text"][1][19] == "clip 1 seen 19"
    assert samples.payloads["text"][4] == ("clip 4 seen 0",)
    levels = [clip.frames(2).mean() for clip in samples.payloads["video"]]
    np.testing.assert_allclose(levels, [20, 50, 80, 110, 140], atol=4)
    assert samples.labels is None
    assert MsrVtt().modalities == tuple(samples.payloads)


@pytest.mark.parametrize("parquet", [False, True])
def test_audiocaps_pairs_sounds_with_all_their_captions(tmp_path: Path, parquet: bool) -> None:
    _audiocaps(tmp_path, parquet=parquet)
    samples = AudioCaps().load(tmp_path)
    assert samples.ids.tolist() == ["aaa_30", "b-b_0", "_cc_7", "ddd_10", "eee_3"]
    assert samples.splits.tolist() == ["train"] * 3 + ["test"] * 2
    assert [len(captions) for captions in samples.payloads["text"]] == [1, 1, 1, 5, 5]
    assert samples.payloads["text"][4] == tuple(f'sound 4, "take" {k}' for k in range(5))
    assert samples.labels is None
    for place, sound in enumerate(samples.payloads["audio"]):
        wave = sound.read(8000)
        hertz = np.abs(np.fft.rfft(wave)).argmax() * 8000 / len(wave)
        assert hertz == pytest.approx(300 + 100 * place, abs=5)


def test_the_sounds_of_audiocaps_may_bear_other_names(tmp_path: Path) -> None:
    folder = _audiocaps(tmp_path)
    for place, (part, key, start, _) in enumerate(CLIPS):
        name = {"val": "validation"}.get(part, part)
        (folder / "wav").mkdir(exist_ok=True)
        (folder / name / f"{key}.wav").rename(folder / "wav" / f"Y{key}_{start}-{100 * place}.wav")
    source = AudioCaps(audio="wav/Y{youtube_id}_{start_time}-{audiocap_id}.wav")
    assert [path.path.name for path in source.load(tmp_path).payloads["audio"]][3] == "Yddd_10-300.wav"
    with pytest.raises(ValueError, match="5 of 5 files"):
        AudioCaps().load(tmp_path)
    with pytest.raises(ValueError, match=r"dataset\.audio='\{part\}/x\.wav' names no column"):
        AudioCaps(audio="{part}/x.wav")
    with pytest.raises(ValueError, match=r"train\.csv, line 1: the column 'id' is missing"):
        AudioCaps(audio="{id}.wav").load(tmp_path)


def test_the_published_test_part_of_audiocaps_is_its_validation_part(tmp_path: Path) -> None:
    folder = _audiocaps(tmp_path)
    (folder / "val.csv").rename(folder / "test.csv")
    (folder / "validation").rename(folder / "test")
    assert (AudioCaps(test_part="test").load(tmp_path).splits == "test").sum() == 2
    with pytest.raises(FileNotFoundError, match=r"validation\.csv or .* not found .*github\.com/cdjkim/audiocaps"):
        AudioCaps().load(tmp_path)
    with pytest.raises(ValueError, match=r"dataset\.test_part='val' is unknown"):
        AudioCaps(test_part="val")


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


MSR = "msrvtt_train_9k.json"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: _edit(f / MSR, '"caption": [', '"caption": ['[:-1]), r"train_9k\.json, line \d+, column \d+"),
        (lambda f: _edit(f / MSR, '"video_id": "video1"', '"video_id": "video0"'), "several pairs each: video0"),
        (lambda f: _edit(f / MSR, '"video_id": "video1"', '"video_id": "video3"'), "several pairs each: video3"),
        (lambda f: _edit(f / MSR, '"video_id"', '"id_of_video"'), r"train_9k\.json, \[0\] has no 'video_id'"),
        (lambda f: _edit(f / MSR, "video1.mp4", "../../x.mp4"), "leaves the folder"),
        (lambda f: (f / "video" / "video2.mp4").unlink(), r"1 of 5 files that msr_vtt names .*\(video2\.mp4\)"),
        (lambda f: (f / MSR).write_text("{}"), r"train_9k\.json is a dict, not a list of videos"),
    ],
)
def test_damage_to_msr_vtt_is_named(tmp_path: Path, damage: Callable[[Path], Any], message: str) -> None:
    damage(_msr_vtt(tmp_path))
    with pytest.raises(ValueError, match=message):
        MsrVtt().load(tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: _edit(f / "train.csv", "b-b,0,", "b-b,0,,"), r"train\.csv, line 3: 5 fields"),
        (lambda f: _edit(f / "train.csv", "b-b", ""), r"train\.csv, line 3, column 'youtube_id': it is empty"),
        (lambda f: _edit(f / "val.csv", "ddd,10", "aaa,30"), r"1 clips stand in both parts \(aaa_30\)"),
        (lambda f: _edit(f / "val.csv", "ddd,10", "../ddd,10"), "1 of 6 files .*validation/../ddd"),
        (lambda f: (f / "train" / "_cc.wav").unlink(), r"1 of 5 files that audiocaps names .*\(train/_cc\.wav\)"),
    ],
)
def test_damage_to_audiocaps_is_named(tmp_path: Path, damage: Callable[[Path], Any], message: str) -> None:
    damage(_audiocaps(tmp_path))
    with pytest.raises(ValueError, match=message):
        AudioCaps().load(tmp_path)


@pytest.mark.parametrize(
    ("source", "write", "media"), [(MsrVtt(), _msr_vtt, "*1.mp4"), (AudioCaps(), _audiocaps, "*dd.wav")]
)
def test_the_files_follow_annotations_and_media(
    tmp_path: Path, source: Source, write: Callable[[Path], Path], media: str
) -> None:
    with pytest.raises(FileNotFoundError, match=rf"{source.name}: .* not found in .*dataset\.root"):
        source.files(tmp_path)
    folder = write(tmp_path)
    before = fingerprint(source.files(tmp_path))
    assert fingerprint(source.files(tmp_path)) == before
    next(folder.rglob(media)).write_bytes(b"something else")
    assert fingerprint(source.files(tmp_path)) != before

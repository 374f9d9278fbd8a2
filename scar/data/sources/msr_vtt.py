"""MSR-VTT: video clips with twenty captions each, split 9k / 1k."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scar.data.media import VideoFile
from scar.data.samples import TEST, TRAIN, Samples
from scar.data.source import Source
from scar.data.sources._annotations import Captions, file_names, media_files, member, read_annotations
from scar.data.sources._listing import listing
from scar.data.sources._pairs import find, home, make_pairs

_PARTS = {"msrvtt_train_9k.json": TRAIN, "msrvtt_test_1k.json": TEST}
_FOLDERS = ("video", "videos", "MSRVTT_Videos/video", "MSRVTT_Videos")
_ADVICE = "It is part of friedrichor/MSR-VTT at the Hugging Face hub (the clips as MSRVTT_Videos.zip)."


@dataclass(frozen=True, kw_only=True)
class MsrVtt(Source):
    """``msrvtt_train_9k.json`` and ``msrvtt_test_1k.json`` with the mp4 files; every caption is kept."""

    name: str = "msr_vtt"

    @property
    def modalities(self) -> tuple[str, ...]:
        """Clips and their captions."""
        return ("video", "text")

    def located(self, data_dir: Path) -> list[Path]:
        """Return the two annotation files and the folder of the clips."""
        folder = home(self, data_dir)
        places = [(name, f"annotations/{name}") for name in _PARTS]
        return [find(self, folder, each, _ADVICE) for each in (*places, _FOLDERS)]

    def files(self, data_dir: Path) -> list[Path]:
        """Return the annotation files and a listing of the clips."""
        *annotations, clips = self.located(data_dir)
        return [*annotations, listing(clips, file_names(clips, (".mp4",)), data_dir)]

    def load(self, data_dir: Path) -> Samples:
        """Read the pairs; ids are those of the videos, such as ``video7010``."""
        *annotations, folder = self.located(data_dir)
        parts = [_read(path) for path in annotations]
        rows = [row for part in parts for row in part]
        files = media_files(folder, [name for _, name, _ in rows], self)
        return make_pairs(
            self,
            ids=[key for key, _, _ in rows],
            payloads={"video": [VideoFile(path) for path in files], "text": [captions for _, _, captions in rows]},
            splits=np.repeat(list(_PARTS.values()), [len(part) for part in parts]),
        )


def _read(path: Path) -> list[tuple[str, str, Captions]]:
    """Return the id, the file name and the captions of each video; the test file has one caption, as a string."""
    content = read_annotations(path)
    if not isinstance(content, list):
        raise ValueError(f"{path} is a {type(content).__name__}, not a list of videos")
    rows = []
    for place, video in enumerate(content):
        where = f"{path}, [{place}]"
        captions = member(video, "caption", (str, list), where)
        several = [captions] if isinstance(captions, str) else captions
        if not several or not all(isinstance(each, str) for each in several):
            raise ValueError(f"{where}: 'caption' must be a caption or a list of captions")
        rows.append((member(video, "video_id", str, where), member(video, "video", str, where), tuple(several)))
    return rows

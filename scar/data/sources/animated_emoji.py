"""Animated emoji: the moving pictures of Fluent Emoji with the names and tags of emojibase."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scar.data.media import AnimatedImage
from scar.data.samples import Samples
from scar.data.source import Source
from scar.data.sources._emoji import names_files, npm_folder, pictures, read_names
from scar.data.sources._listing import listing
from scar.data.sources._pairs import draw_group_test_part, large_classes, make_pairs

PARTS = (1, 2, 3, 4)
_VERSION = "1.0.0"
_SKIN_TONE = re.compile("1f3f[b-f]")


@dataclass(frozen=True, kw_only=True)
class AnimatedEmoji(Source):
    """Animations of 256 × 256 pixels; captions are the label and each tag; classes are the groups of Unicode.

    Attributes:
        parts: numbers of the packages ``@lobehub/fluent-emoji-anim-1`` to ``-4``; each holds emoji of its own.
        min_frames: frames that an animation needs; many have one.
        test_fraction: share of the animations that forms the test part.
        min_class_size: smallest group that is kept.
    """

    name: str = "animated_emoji"
    parts: tuple[int, ...] = (2,)
    min_frames: int = 1
    test_fraction: float = 0.2
    min_class_size: int = 30

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "parts", tuple(sorted(set(self.parts))))
        if not self.parts or not set(self.parts) <= set(PARTS):
            raise ValueError(f"dataset.parts={list(self.parts)} must be some of {list(PARTS)}")
        self._require_least("min_frames", 1)
        self._require_share("test_fraction")
        self._require_least("min_class_size", 2)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Animations and their captions."""
        return ("video", "text")

    def located(self, data_dir: Path) -> list[Path]:
        """Return the two files of emojibase and a folder of animations per part, fetching them if needed."""
        return [*names_files(self, data_dir), *(self._animations(data_dir, part) for part in self.parts)]

    def files(self, data_dir: Path) -> list[Path]:
        """Return the files of emojibase and a listing of each folder of animations."""
        data, groups, *folders = self.located(data_dir)
        listings = [listing(each, [p.name for p in pictures(each, ".webp").values()], data_dir) for each in folders]
        return [data, groups, *listings]

    def load(self, data_dir: Path) -> Samples:
        """Read the pairs; ids are codes, such as ``1f600``. Variants by skin tone are left out."""
        data, groups, *folders = self.located(data_dir)
        emoji, group_names = read_names(data, groups)
        found: dict[str, Path] = {}
        for folder in folders:
            found = {**pictures(folder, ".webp"), **found}
        frames = {code: AnimatedImage(found[code]).length() for code in sorted(found) if code in emoji}
        moving = [code for code, length in frames.items() if length >= self.min_frames]
        labels = np.array([emoji[code].group for code in moving], np.int64)
        rows, labels, names, notes = large_classes(labels, group_names, self.min_class_size)
        codes = np.array([moving[row] for row in rows])
        still = sum(frames[code] == 1 for code in codes)
        return make_pairs(
            self,
            ids=codes.tolist(),
            payloads={
                "video": [AnimatedImage(found[code]) for code in codes],
                "text": [emoji[code].captions for code in codes],
            },
            splits=draw_group_test_part(codes, labels, self.test_fraction, self.seed),
            labels=labels,
            class_names=names,
            notes=[*notes, f"{still} of {len(codes)} animations have a single frame"],
        )

    def _animations(self, data_dir: Path, part: int) -> Path:
        package = f"@lobehub/fluent-emoji-anim-{part}"
        return npm_folder(self, data_dir, package, _VERSION, _without_skin_tone) / "assets"


def _without_skin_tone(name: str) -> bool:
    return name.startswith("assets/") and name.endswith(".webp") and not _SKIN_TONE.search(name)

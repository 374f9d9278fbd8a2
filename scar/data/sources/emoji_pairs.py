"""Emoji pairs: the pictures of three vendors with the names and tags of emojibase."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scar.data.media import ImageFiles
from scar.data.samples import Samples
from scar.data.source import Source
from scar.data.sources._emoji import names_files, npm_folder, pictures, read_names
from scar.data.sources._listing import listing
from scar.data.sources._pairs import draw_group_test_part, large_classes, make_pairs

VENDORS = ("google", "twitter", "fluent")
SEVERAL = {"both": VENDORS[:2], "all": VENDORS}
_VERSION = "16.0.0"
_FLUENT = "@lobehub/fluent-emoji-3d", "1.1.0"


@dataclass(frozen=True, kw_only=True)
class EmojiPairs(Source):
    """Pictures of 64 × 64 pixels, of Fluent Emoji 256 × 256; captions are the label and each tag; classes are the groups of Unicode.

    The test part is drawn by code point: all pictures of an emoji are on one side.

    Attributes:
        vendor: ``"google"``, ``"twitter"``, ``"fluent"`` (Microsoft), ``"both"`` for the first two, or ``"all"``.
        test_fraction: share of the code points that forms the test part.
        min_class_size: smallest group that is kept, in code points.
    """

    name: str = "emoji_pairs"
    vendor: str = "google"
    test_fraction: float = 0.2
    min_class_size: int = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.vendor not in (*VENDORS, *SEVERAL):
            raise ValueError(f"dataset.vendor={self.vendor!r} is unknown; use google, twitter, fluent, both or all")
        self._require_share("test_fraction")
        self._require_least("min_class_size", 2)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Pictures and their captions."""
        return ("image", "text")

    @property
    def vendors(self) -> tuple[str, ...]:
        """Whose pictures are read."""
        return SEVERAL.get(self.vendor, (self.vendor,))

    def located(self, data_dir: Path) -> list[Path]:
        """Return the two files of emojibase and a folder of pictures per vendor, fetching them if needed."""
        return [*names_files(self, data_dir), *(self._pictures(data_dir, vendor) for vendor in self.vendors)]

    def files(self, data_dir: Path) -> list[Path]:
        """Return the files of emojibase and a listing of each folder of pictures."""
        data, groups, *folders = self.located(data_dir)
        found = [self._found(vendor, folder) for vendor, folder in zip(self.vendors, folders, strict=True)]
        listings = [
            listing(folder, [path.name for path in each.values()], data_dir)
            for folder, each in zip(folders, found, strict=True)
        ]
        return [data, groups, *listings]

    def load(self, data_dir: Path) -> Samples:
        """Read the pairs; ids are vendor and code, such as ``google-1f600``; the group column is ``code_point``."""
        data, groups, *folders = self.located(data_dir)
        emoji, group_names = read_names(data, groups)
        by_vendor = {vendor: self._found(vendor, folder) for vendor, folder in zip(self.vendors, folders, strict=True)}
        known = sorted(code for code in set().union(*by_vendor.values()) if code in emoji)
        groups_of = np.array([emoji[code].group for code in known], np.int64)
        rows, classes, names, notes = large_classes(groups_of, group_names, self.min_class_size)
        class_of = {known[row]: int(label) for row, label in zip(rows, classes, strict=True)}
        kept = [(vendor, code) for vendor, found in by_vendor.items() for code in found if code in class_of]
        codes = np.array([code for _, code in kept])
        labels = np.array([class_of[code] for code in codes], np.int64)
        return make_pairs(
            self,
            ids=[f"{vendor}-{code}" for vendor, code in kept],
            payloads={
                "image": ImageFiles([by_vendor[vendor][code] for vendor, code in kept]),
                "text": [emoji[code].captions for code in codes],
            },
            splits=draw_group_test_part(codes, labels, self.test_fraction, self.seed),
            labels=labels,
            class_names=names,
            groups={"code_point": codes},
            notes=notes,
        )

    def _found(self, vendor: str, folder: Path) -> dict[str, Path]:
        """Return the pictures of a vendor by their code."""
        return pictures(folder, ".webp" if vendor == "fluent" else ".png")

    def _pictures(self, data_dir: Path, vendor: str) -> Path:
        if vendor == "fluent":
            return npm_folder(self, data_dir, *_FLUENT, lambda name: name.startswith("assets/")) / "assets"
        place = f"img/{vendor}/64"
        package = f"emoji-datasource-{vendor}"
        return npm_folder(self, data_dir, package, _VERSION, lambda name: name.startswith(f"{place}/")) / place

"""COCO Captions 2014: photographs with five captions or more each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scar.data.media import ImageFiles
from scar.data.samples import TEST, TRAIN, Samples
from scar.data.source import Source
from scar.data.sources._annotations import (
    Captions,
    file_names,
    group_captions,
    media_files,
    member,
    read_annotations,
    refuse_unpaired,
)
from scar.data.sources._listing import listing
from scar.data.sources._pairs import find, home, make_pairs

_PARTS = {"train2014": TRAIN, "val2014": TEST}
_ADVICE = "cocodataset.org has it: annotations_trainval2014.zip, train2014.zip, val2014.zip."


@dataclass(frozen=True, kw_only=True)
class CocoCaptions(Source):
    """``captions_{train,val}2014.json`` with the JPEGs of ``train2014`` and ``val2014``; every caption is kept."""

    name: str = "coco_captions"

    @property
    def modalities(self) -> tuple[str, ...]:
        """Photographs and their captions."""
        return ("image", "text")

    def located(self, data_dir: Path) -> list[Path]:
        """Return the two annotation files and the two folders of images."""
        folder = home(self, data_dir)
        annotations = [(f"annotations/captions_{part}.json", f"captions_{part}.json") for part in _PARTS]
        images = [(part, f"images/{part}") for part in _PARTS]
        return [find(self, folder, places, _ADVICE) for places in (*annotations, *images)]

    def files(self, data_dir: Path) -> list[Path]:
        """Return the annotation files and listings of the images."""
        *annotations, train, val = self.located(data_dir)
        listings = [listing(folder, file_names(folder, (".jpg",)), data_dir) for folder in (train, val)]
        return [*annotations, *listings]

    def load(self, data_dir: Path) -> Samples:
        """Read the pairs; ids are file names without their suffix, such as ``COCO_val2014_000000000042``."""
        located = self.located(data_dir)
        images: list[Path] = []
        captions: list[Captions] = []
        sizes = []
        for file, folder in zip(located[:2], located[2:], strict=True):
            by_name = read_captions(file)
            images += media_files(folder, list(by_name), self)
            captions += by_name.values()
            sizes.append(len(by_name))
        return make_pairs(
            self,
            ids=[path.stem for path in images],
            payloads={"image": ImageFiles(images), "text": captions},
            splits=np.repeat(list(_PARTS.values()), sizes),
        )


def read_captions(path: Path) -> dict[str, Captions]:
    """Read an annotation file.

    Returns:
        The captions of each image by its file name, in the order of the file's ``images``.

    Raises:
        ValueError: the file is malformed, an image stands there twice, or an image or a caption has no partner.
    """
    content = read_annotations(path)
    images = member(content, "images", list, str(path))
    names: dict[str, str] = {}
    for place, image in enumerate(images):
        where = f"{path}, images[{place}]"
        key = str(member(image, "id", (int, str), where))
        if key in names:
            raise ValueError(f"{where}: the image id {key} stands there a second time")
        names[key] = member(image, "file_name", str, where)
    captions = group_captions(_rows(path, member(content, "annotations", list, str(path))))
    refuse_unpaired([key for key in captions if key not in names], f"captions of {path} name no image", "repair it")
    refuse_unpaired([key for key in names if key not in captions], f"images of {path} have no caption", "repair it")
    return {name: captions[key] for key, name in names.items()}


def _rows(path: Path, annotations: list[object]) -> Iterator[tuple[str, str]]:
    for place, annotation in enumerate(annotations):
        where = f"{path}, annotations[{place}]"
        yield str(member(annotation, "image_id", (int, str), where)), member(annotation, "caption", str, where)

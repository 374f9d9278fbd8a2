"""A release of images that somebody wrote out as files: ``train/<class>/…`` and ``test/<class>/…``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scar.data.image_decoding import UnreadableMedia, on_white, open_image
from scar.data.samples import TEST, TRAIN, Samples
from scar.data.sources._image_listing import Images, images_below, together

_PARTS = (TRAIN, TEST)


@dataclass(frozen=True, eq=False)
class DecodedImages(Sequence[Any]):
    """Image files of one size as a sequence of uint8 arrays [side, side, 3]; each is decoded when it is asked for.

    Attributes:
        paths: [N] files.
        side: height and width that each must have.
    """

    paths: Sequence[Path]
    side: int

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return DecodedImages(self.paths[index], self.side)
        path = self.paths[int(index)]
        with open_image(path) as image:
            if image.size != (self.side, self.side):
                raise UnreadableMedia(
                    f"{path}: {image.size[0]} × {image.size[1]} pixels, where the release has {self.side} × {self.side}; "
                    "put an image of that size there, or read the folder by dataset=image_folder"
                )
            return np.asarray(on_white(image, path))


def image_files(folder: Path) -> Images:
    """Return the images of both parts as paths relative to the folder.

    Raises:
        FileNotFoundError: there is no test part.
    """
    for part in _PARTS:
        if not (folder / part).is_dir():
            raise FileNotFoundError(
                f"{folder} holds {TRAIN}/ but no {part}/; put the {part} images at {part}/<class>/ there, or read "
                f"{folder / TRAIN} by dataset=image_folder, which draws a test part"
            )
    return together(images_below(folder / part, folder) for part in _PARTS)


def read_class_folders(folder: Path, class_names: tuple[str, ...], side: int) -> Samples:
    """Return the images in the order of the parts, the classes and the file names; ids are paths relative to the folder.

    The folder that an image lies in is called as its class, or by the index of it; there may be others above.

    Args:
        folder: with the folders ``train`` and ``test``.
        class_names: [K] of the release, in its order.
        side: height and width of its images.

    Raises:
        FileNotFoundError: there is no test part.
        ValueError: an image lies in a folder that is no class, or a class has no image in a part.
    """
    images = image_files(folder)
    names = images.names
    places = {name: Path(name).parts for name in names}
    used = {parts[-2] for parts in places.values() if len(parts) > 2}
    numbered = bool(used) and all(name.isdecimal() for name in used)
    found: dict[str, tuple[int, int]] = {}
    for name, parts in places.items():
        found[name] = _PARTS.index(parts[0]), _class_of(parts, class_names, numbered, folder / name)
    for number, part in enumerate(_PARTS):
        there = {label for at, label in found.values() if at == number}
        missing = [label for label in range(len(class_names)) if label not in there]
        if missing:
            raise ValueError(
                f"{folder / part} holds no image of the class {class_names[missing[0]]!r} (folder "
                f"{missing[0] if numbered else class_names[missing[0]]}); {len(missing)} of {len(class_names)} classes "
                "are missing. Put their images there, or read the folder by dataset=image_folder"
            )
    ordered = sorted(names, key=lambda name: (found[name], name))
    return Samples(
        ids=np.array(ordered),
        payloads={"image": DecodedImages([folder / name for name in ordered], side)},
        labels=np.array([found[name][1] for name in ordered], np.int64),
        class_names=class_names,
        splits=np.array([_PARTS[found[name][0]] for name in ordered]),
        groups={},
        notes=images.notes(),
    )


def _class_of(parts: tuple[str, ...], class_names: tuple[str, ...], numbered: bool, path: Path) -> int:
    """Return the class of an image by the folder that it lies in."""
    if len(parts) < 3:
        raise ValueError(f"{path} lies in no class folder; put it at {parts[0]}/<class>/{path.name}")
    name = parts[-2]
    if numbered and int(name) < len(class_names):
        return int(name)
    if name in class_names:
        return class_names.index(name)
    shown = ", ".join(class_names[:10]) + (" …" if len(class_names) > 10 else "")
    raise ValueError(
        f"{path.parent}: the folder {name!r} is none of the {len(class_names)} classes; class folders are called {shown}, or "
        f"0..{len(class_names) - 1} in that order. Rename it, or read the folder by dataset=image_folder"
    )

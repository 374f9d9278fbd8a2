"""Samples written out as image files."""

from pathlib import Path

import numpy as np
from PIL import Image

from scar.data.samples import Samples


def write_folders(folder: Path, samples: Samples, called: list[str], *, suffix: str = "png") -> None:
    """Write every image to ``<part>/<class folder>/<row>.<suffix>``; `called` names the folder of each class."""
    assert samples.labels is not None
    for row, (part, label) in enumerate(zip(samples.splits, samples.labels, strict=True)):
        path = folder / part / called[label] / f"{row:04d}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(samples.payloads["image"][row]).save(path)


def digest(samples: Samples, row: int) -> tuple[str, int, bytes]:
    """Return part, class and pixels of a sample."""
    assert samples.labels is not None
    return str(samples.splits[row]), int(samples.labels[row]), np.asarray(samples.payloads["image"][row]).tobytes()

"""What the experiments share: a job from overrides, an interval over seeds, tables and figures on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from hydra import compose, initialize_config_module
from numpy.typing import ArrayLike

from scar.config import build
from scar.pipeline import Job
from scar.reporting.style import Drawing
from scar.store import Store

DATASETS: dict[str, tuple[str, ...]] = {
    "fashion_mnist": ("dataset=fashion_mnist", "encoder=efficientnet_lite0"),
    "wordnet_glosses": ("dataset=wordnet_glosses", "encoder=wordllama", "dataset.test_fraction=0.005"),
}
"""Overrides per dataset. No experiment looks at the test part; that of WordNet is ours, so nearly all glosses train."""
TITLES = {"fashion_mnist": "Fashion-MNIST", "wordnet_glosses": "WordNet glosses", "digits": "digits"}


def open_job(overrides: Sequence[str], store: Path | str) -> Job:
    """Return the job of a composed configuration; nothing is computed yet."""
    with initialize_config_module("scar.conf", version_base="1.3"):
        return Job(build(compose("config", list(overrides))), Store(store))


def mean_interval(values: ArrayLike, *, level: float = 0.95) -> tuple[float, float, float]:
    """Return the mean of independent values and its Student interval; a single value has an infinite one."""
    from scipy.stats import t

    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean())
    if array.size < 2:
        return mean, -np.inf, np.inf
    half = float(t.ppf(0.5 + level / 2, array.size - 1) * array.std(ddof=1) / np.sqrt(array.size))
    return mean, mean - half, mean + half


def write_text(path: Path, text: str) -> None:
    """Write a file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(temporary).replace(path)


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a table with six significant figures."""
    write_text(path, frame.to_csv(index=False, float_format="%.6g"))


def write_png(path: Path, drawing: Drawing) -> None:
    """Write a figure with 128 colours, which keeps it small; the bytes depend on the drawing alone."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(BytesIO(drawing.render("png"))).convert("RGB").quantize(128).save(path, optimize=True)

"""What studies share: a job from overrides, also inside a running `scar`; tables and figures on disk."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from scar.common.files import replacing
from scar.common.spreadsheets import harmless_frame
from scar.config.build import build
from scar.config.schema import Config
from scar.job.algorithm import algorithm
from scar.job.job import Job
from scar.store.store import Store
from scar.sweep.hydra_internals import packaged_configuration

if TYPE_CHECKING:
    import pandas as pd

    from scar.reporting.figures.style import Drawing

DATASETS: dict[str, tuple[str, ...]] = {
    "fashion_mnist": ("dataset=fashion_mnist", "encoder=efficientnet_lite0", "probe=linear"),
    "wordnet_glosses": ("dataset=wordnet_glosses", "encoder=wordllama", "probe=linear", "dataset.test_fraction=0.005"),
}
"""Overrides per dataset. No experiment looks at the test part; that of WordNet is ours, so nearly all glosses train."""
OWN: dict[str, tuple[str, ...]] = {
    "cifar10": ("dataset=cifar10", "encoder=efficientnet_lite0", "probe=linear"),
    "ag_news": ("dataset=ag_news", "encoder=minilm", "probe=linear"),
}
"""Data of the paper, of which one has a copy of one's own (``SCAR_DATA``), or has not."""
TITLES = {
    "fashion_mnist": "Fashion-MNIST",
    "wordnet_glosses": "WordNet glosses",
    "digits": "digits",
    "cifar10": "CIFAR-10",
    "ag_news": "AG-News",
}


def compose_config(overrides: Sequence[str]) -> Config:
    """Compose and validate a configuration; a `scar` that is running keeps its own."""
    with packaged_configuration() as compose:
        return build(compose("config", list(overrides)))


def open_job(overrides: Sequence[str], store: Store | Path | str) -> Job:
    """Return the job of a composed configuration; nothing is computed yet."""
    return algorithm(compose_config(overrides), store if isinstance(store, Store) else Store(store))


def shared_overrides(config: Config) -> list[str]:
    """Return the overrides that hand what cannot change a number (paths, machine) on to the jobs of a study."""
    paths, trainer = config.paths, config.trainer
    lines = [f"paths.output_dir={paths.output_dir}", f"paths.store_dir={paths.store_dir}"]
    lines += [f"paths.data_dir={'null' if paths.data_dir is None else paths.data_dir}"]
    threads = "null" if trainer.threads is None else trainer.threads
    return [*lines, f"trainer.accelerator={trainer.accelerator}", f"trainer.threads={threads}"]


def write_text(path: Path, text: str) -> None:
    """Write a file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a table with six significant figures."""
    write_text(path, harmless_frame(frame).to_csv(index=False, float_format="%.6g"))


def write_png(path: Path, drawing: Drawing) -> None:
    """Write a figure with 128 colours, which keeps it small; the bytes depend on the drawing alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        image = Image.open(BytesIO(drawing.render("png"))).convert("RGB").quantize(128)
        image.save(temporary, format="png", optimize=True)

"""Pairs made of shared latent classes, their encoders, and jobs over them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_module

from scar.config.build import build
from scar.config.schema import Config
from scar.data.checks import validate_samples
from scar.data.samples import Samples
from scar.data.source import Source
from scar.encoders.encoder import Encoder
from scar.encoders.paired import Paired
from scar.job.algorithm import algorithm
from scar.sampling.step_functions import CrossModalLabels
from scar.store.store import Store

WORDS = ("anchor", "bridge", "candle", "desert", "engine")
LIGHT = ["dataset=digits", "subsets=quick", "logger=csv", "study=test", "probe=converged"]


@dataclass(frozen=True, kw_only=True)
class PlantedPairs(Source):
    """Images are vectors; texts are a word and numbers; both are drawn around the centre of a latent class.

    Attributes:
        n: pairs; a fifth of them is the test part.
        shuffled: pair every image with the text of another item.
        poisoned: put noise in place of the test part.
        captions: per item.
        order: of the modalities.
    """

    name: str = "planted"
    n: int = 1200
    shuffled: bool = False
    poisoned: bool = False
    captions: int = 1
    order: tuple[str, ...] = ("image", "text")

    @property
    def modalities(self) -> tuple[str, ...]:
        return self.order

    def files(self, data_dir: Path) -> list[Path]:
        return []

    def load(self, data_dir: Path) -> Samples:
        rng = np.random.default_rng(0)
        labels = rng.choice(len(WORDS), size=self.n, p=(0.4, 0.2, 0.15, 0.15, 0.1))
        splits = np.where(np.arange(self.n) % 5 == 0, "test", "train")
        images = 4 * rng.normal(size=(len(WORDS), 12))[labels] + rng.normal(size=(self.n, 12))
        texts = 4 * rng.normal(size=(len(WORDS), 8))[labels][:, None] + rng.normal(size=(self.n, self.captions, 8))
        if self.poisoned:
            test = splits == "test"
            images[test], texts[test] = (
                50 * rng.normal(size=images[test].shape),
                50 * rng.normal(size=texts[test].shape),
            )
        spoken = [tuple(_say(WORDS[label], row) for row in rows) for label, rows in zip(labels, texts, strict=True)]
        if self.shuffled:
            spoken = [spoken[i] for i in rng.permutation(self.n)]
        captions: Any = spoken if self.captions > 1 else [each[0] for each in spoken]
        payloads = {"image": images.astype(np.float32), "text": captions}
        samples = Samples(
            ids=np.array([f"p{i:04d}" for i in range(self.n)]),
            payloads={modality: payloads[modality] for modality in self.order},
            labels=None,
            class_names=(),
            splits=splits,
            groups={"triple": np.array([f"g{i // 3}" for i in range(self.n)])},
        )
        return validate_samples(samples, name=self.name)

    def latent(self) -> np.ndarray:
        """The class of every item."""
        return np.random.default_rng(0).choice(len(WORDS), size=self.n, p=(0.4, 0.2, 0.15, 0.15, 0.1))


def _say(word: str, row: np.ndarray) -> str:
    return " ".join([word, *(f"{value:.5f}" for value in row)])


@dataclass(frozen=True, kw_only=True)
class Vectors(Encoder):
    """The payload itself; of a text, its numbers."""

    name: str = "vectors"
    modality: str = "image"

    def weights(self) -> list[Path]:
        return []

    def open(self) -> Any:
        def embed(items: Sequence[Any]) -> np.ndarray:
            rows = [item.split()[1:] if isinstance(item, str) else item for item in items]
            return np.array(rows, np.float32)

        return embed


def planted_job(
    folder: Path,
    modality: str,
    *overrides: str,
    labels: dict[str, Any] | None = None,
    planner: Any = None,
    **source: Any,
):
    """Return the job of one direction over planted pairs."""
    with initialize_config_module("scar.conf", version_base="1.3"):
        base = build(compose("config", [*LIGHT, f"paths.output_dir={folder}", *overrides]))
    config = planted_config(base, modality, labels=labels, **source)
    return algorithm(config if planner is None else replace(config, completion=planner), Store(folder / "store"))


def planted_config(base: Config, modality: str, *, labels: dict[str, Any] | None = None, **source: Any) -> Config:
    """Put planted pairs in the place of the dataset of a configuration."""
    dataset = PlantedPairs(**source)
    towers = {each: Vectors(modality=each) for each in dataset.order}
    return replace(
        base,
        dataset=dataset,
        encoder=Paired(name="vectors", **towers, modality="+".join(dataset.order)),
        labels=CrossModalLabels(**{"k": 5, "restarts": 5, "repeats": 2} | (labels or {})),
        modality=modality,
    )

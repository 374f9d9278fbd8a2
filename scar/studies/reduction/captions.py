"""From the source to captions: pairs as arrays, the captioner, its codes and what it writes; all of it in the store."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from scar.config import Config
from scar.config_nodes import ConfigError
from scar.extraction import KeptSamples
from scar.pipeline import Job
from scar.randomness import derive_seed
from scar.reduction.codes import Codes, read_codes
from scar.reduction.config import ReductionConfig
from scar.store import Key, Store, make_key, read_json, write_json
from scar.studies.reduction.material import Material, make_material

CAPTIONER = tuple(
    f"scar.reduction.{name}"
    for name in ("captioner", "captioner_parts", "codebook", "keywords", "phase", "pictures", "tokens", "training")
)
"""Modules whose code decides a captioner."""
_CLEAN_SHARE = 0.1
"""Clean pairs of the captioner's second phase, over the pairs of the first."""


class Captions:
    """The stages that need no choice of pairs.

    Args:
        config: dataset of pairs, the reduction, and the encoder whose frozen embeddings judge sets of images.
        store: of the artefacts; an interrupted study goes on where it stopped.
    """

    def __init__(self, config: Config, store: Store) -> None:
        if config.reduction is None:
            raise ConfigError("reduction is not given; use reduction=small, or reduction=tldr for the paper's size")
        self.config, self.store, self.reduction = config, store, config.reduction
        self.job = Job(config, store)

    @property
    def _side(self) -> int:
        """Of the images, in pixels: as many as the larger of the two models reads."""
        return max(self.reduction.captioner.image_size, self.reduction.pair_model.image_size)

    @property
    def material_key(self) -> Key:
        """The pairs as arrays."""
        code = ["scar.studies.reduction.material", "scar.reduction.pictures", "scar.encoders.images"]
        return make_key("reduction_pairs", config={"size": self._side}, upstream=[self.job.dataset_key], code=code)

    @cached_property
    def material(self) -> Material:
        """All pairs of the source."""

        def make(folder: Path) -> None:
            kept = KeptSamples(self.config.dataset, self.job.data_dir, self.job.catalogue.ids)
            make_material(kept(), self._side).save(folder)

        return self.store.load(self.material_key, make, Material.load)

    def captioner_key(self, reduction: ReductionConfig) -> Key:
        """The trained captioner."""
        settings = {"captioner": reduction.captioner, "seed": self.config.seed, "clean": self._clean_source}
        return make_key("captioner", config=settings, upstream=[self.material_key], code=CAPTIONER)

    @cached_property
    def _clean_source(self) -> Any:
        """A small set of the same kind without planted faults, for the second phase; None where there is none."""
        dataset, epochs = self.config.dataset, self.reduction.captioner.clean_epochs
        if not epochs or not hasattr(dataset, "mismatched"):
            return None
        size = max(1, round(_CLEAN_SHARE * int(dataset.train_size or 1)))
        seed = derive_seed(dataset.seed, "clean pairs") % 2**31
        return replace(dataset, seed=seed, mismatched=0.0, duplicates=0.0, train_size=size, test_size=1)  # type: ignore[call-arg]

    def captioner(self, reduction: ReductionConfig) -> Path:
        """Return the folder of the trained captioner."""
        key = self.captioner_key(reduction)

        def make(folder: Path, partial: Path) -> None:
            from scar.reduction.training import save, train_captioner

            clean = None
            if self._clean_source is not None:
                extra = make_material(self._clean_source.load(self.job.data_dir), self._side)
                clean = (extra.images[extra.train], [extra.texts[row] for row in extra.train])
            captioner = train_captioner(
                reduction.captioner, self._images(), self.original, clean=clean,
                seed=self.config.seed, folder=partial, trainer=self.config.trainer,
            )  # fmt: skip
            save(captioner, folder)
            write_json(folder / "history.json", captioner.history)

        return self._obtain(key, make)

    def codes(self, reduction: ReductionConfig) -> Codes:
        """Return what the captioner's codebook says of the training images."""
        key = make_key("codes", upstream=[self.captioner_key(reduction)], code=["scar.reduction.codes"])

        def make(folder: Path, partial: Path) -> None:
            from scar.reduction.codes import write_codes
            from scar.reduction.training import load

            ids, images = self.material.ids[self.material.train].tolist(), self._images()
            write_codes(load(self.captioner(reduction)), images, ids, partial, batch_size=reduction.generation_batch)
            for part in sorted(partial.iterdir()):
                part.rename(folder / part.name)

        return read_codes(self._obtain(key, make))[1]

    @property
    def generated_key(self) -> Key:
        """Captions of the training images by the captioner."""
        kept = ("decoding", "beams", "top_p")
        settings = {name: getattr(self.reduction, name) for name in kept} | {"seed": self.config.seed}
        code = ["scar.reduction.refine"]
        return make_key("captions", config=settings, upstream=[self.captioner_key(self.reduction)], code=code)

    @cached_property
    def generated(self) -> list[str]:
        """T_g of every training image."""

        def make(folder: Path) -> None:
            from scar.reduction.refine import generate
            from scar.reduction.training import load

            own = self.reduction
            texts = generate(
                load(self.captioner(own)), self._images(), method=own.decoding, beams=own.beams, top_p=own.top_p,
                seed=self.config.seed, batch_size=own.generation_batch,
            )  # fmt: skip
            write_json(folder / "captions.json", texts)

        def read(folder: Path) -> list[str]:
            return [str(text) for text in read_json(folder / "captions.json")]

        return self.store.load(self.generated_key, make, read)

    @cached_property
    def refined(self) -> list[str]:
        """T of every training image: its caption, refined."""
        from scar.reduction.refine import refine

        return refine(self.original, self.generated, mode=self.reduction.refine)

    @cached_property
    def original(self) -> list[str]:
        """T_o of every training image."""
        return [self.material.texts[row] for row in self.material.train]

    def _images(self) -> Any:
        """Training images [n, H, W, 3]."""
        return self.material.images[self.material.train]

    def _obtain(self, key: Key, make: Callable[[Path, Path], None]) -> Path:
        """Make an artefact in parts: ``make(folder, partial)`` finds in `partial` what an interrupted attempt left."""
        partial = self.store.root / "partial" / key.digest
        folder = self.store.obtain(key, lambda folder: make(folder, partial))
        shutil.rmtree(partial, ignore_errors=True)
        return folder

"""From the source to codes: pairs as arrays, the captioner and what its codebook says; all of it in the store."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scar.common.files import write_json
from scar.common.randomness import derive_seed
from scar.config.nodes import ConfigError
from scar.config.schema import Config
from scar.data.paths import data_folder
from scar.data.source import Source
from scar.job.algorithm import algorithm
from scar.reduction.codes import Codes, read_codes
from scar.reduction.settings import ReductionConfig
from scar.store.artefact import PARTIAL
from scar.store.keys import Key, make_key
from scar.store.store import Store
from scar.studies.reduction.pair_arrays import PairArrays, make_pair_arrays

if TYPE_CHECKING:
    from scar.reduction.captioner import CodebookCaptioner

VALIDATION_SHARE = 0.1
"""Of the training pairs, on which checkpoints are chosen and nothing is trained."""
_CLEAN_SHARE = 0.1
"""Clean pairs of the captioner's second phase, over the pairs of the first."""


class CaptionStages:
    """The stages that need no choice of pairs.

    Args:
        config: dataset of pairs, the reduction, and the encoder whose frozen embeddings judge sets of images.
        store: of the artefacts; an interrupted study goes on where it stopped.
    """

    def __init__(self, config: Config, store: Store) -> None:
        if config.reduction is None:
            raise ConfigError("reduction is not given; use reduction=small, or reduction=tldr for the paper's size")
        self.config, self.store, self.reduction = config, store, config.reduction
        self.job = algorithm(config, store)

    @property
    def _side(self) -> int:
        """Of the images, in pixels: as many as the larger of the two models reads."""
        return max(self.reduction.captioner.image_size, self.reduction.pair_model.image_size)

    @property
    def pairs_key(self) -> Key:
        """The pairs as arrays."""
        settings: dict[str, Any] = {"size": self._side, "validation": VALIDATION_SHARE, "seed": self.config.seed}
        settings |= {"group": self.config.split.group}
        upstream = [self.job.inputs.dataset.key]
        return make_key("reduction_pairs", config=settings, upstream=upstream, code=[make_pair_arrays])

    @cached_property
    def pairs(self) -> PairArrays:
        """All pairs of the source."""

        def make(folder: Path) -> None:
            make_pair_arrays(
                self.job.samples(), self._side, validation_share=VALIDATION_SHARE, seed=self.config.seed,
                group=self.config.split.group,
            ).save(folder)  # fmt: skip

        return self.store.load(self.pairs_key, make, PairArrays.load)

    def captioner_key(self, reduction: ReductionConfig) -> Key:
        """The trained captioner."""
        settings = {"captioner": reduction.captioner, "seed": self.config.seed, "clean": self._clean_source}
        return make_key("captioner", config=settings, upstream=[self.pairs_key], code=[CaptionStages])

    @cached_property
    def _clean_source(self) -> Source | None:
        """A small set of the same kind without planted faults, for the second phase; None where there is none."""
        if not self.reduction.captioner.clean_epochs:
            return None
        dataset = self.config.dataset
        size = max(1, round(_CLEAN_SHARE * int(dataset.train_size or 1)))
        return dataset.without_faults(size, derive_seed(dataset.seed, "clean pairs") % 2**31)

    def captioner(self, reduction: ReductionConfig) -> Path:
        """Return the folder of the trained captioner."""
        key = self.captioner_key(reduction)

        def make(folder: Path, partial: Path) -> None:
            from scar.reduction.training import save, train_captioner

            clean = None
            if self._clean_source is not None:
                extra = make_pair_arrays(self._clean_source.load(data_folder(self.config.paths.data_dir)), self._side)
                clean = (extra.images[extra.train], [extra.texts[row] for row in extra.train])
            captioner = train_captioner(
                reduction.captioner, self._images(), self.original, clean=clean,
                seed=self.config.seed, folder=partial, trainer=self.config.trainer,
            )  # fmt: skip
            save(captioner, folder)
            write_json(folder / "history.json", captioner.history)

        return self._obtain(key, make)

    def _open_captioner(self, reduction: ReductionConfig) -> CodebookCaptioner:
        from scar.reduction.training import load

        return load(self.captioner(reduction))

    def codes(self, reduction: ReductionConfig) -> Codes:
        """Return what the captioner's codebook says of the training images."""
        key = make_key("codes", upstream=[self.captioner_key(reduction)], code=[CaptionStages])

        def make(folder: Path, partial: Path) -> None:
            from scar.reduction.image_codes import write_codes

            ids, images = self.pairs.ids[self.pairs.train].tolist(), self._images()
            write_codes(self._open_captioner(reduction), images, ids, partial, batch_size=reduction.generation_batch)
            for part in sorted(partial.iterdir()):
                part.rename(folder / part.name)

        return read_codes(self._obtain(key, make))[1]

    @cached_property
    def original(self) -> list[str]:
        """T_o of every training image."""
        return [self.pairs.texts[row] for row in self.pairs.train]

    def _images(self) -> Any:
        """Training images [n, H, W, 3]."""
        return self.pairs.images[self.pairs.train]

    def _obtain(self, key: Key, make: Callable[[Path, Path], None]) -> Path:
        """Make an artefact in parts: ``make(folder, partial)`` finds in `partial` what an interrupted attempt left."""
        partial = self.store.root / PARTIAL / key.digest
        folder = self.store.obtain(key, lambda folder: make(folder, partial))
        shutil.rmtree(partial, ignore_errors=True)
        return folder

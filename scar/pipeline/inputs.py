"""From the source to labelled, divided samples: catalogue, embeddings, step functions, split."""

from __future__ import annotations

import shutil
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from scar.data.catalogue import Catalogue, load_catalogue, save_catalogue
from scar.data.duplicates import content_hashes, exact_duplicates
from scar.data.undecoded import undecoded
from scar.data.unreadable import drop_unreadable, save_unreadable
from scar.embedding_cost import read_cost
from scar.embeddings import EmbeddingSet
from scar.extraction import KeptSamples, embed_shards, embed_together, merge_shards
from scar.labels import CrossModalLabels, Steps, given_steps
from scar.pairs import Alignment, Supervision, align, has_joint_space, supervise
from scar.pipeline.keys import Keys
from scar.ranks import everywhere
from scar.reuse import CONTENTS, find_reusable
from scar.splits import Split, draw_split


class Inputs(Keys):
    """The stages up to the split; every property is computed at most once."""

    @cached_property
    def catalogue(self) -> Catalogue:
        """Ids, labels, class names, splits and groups of the source; no payloads."""

        def make(folder: Path) -> None:
            source = self.config.dataset
            samples, notes = source.load(self.data_dir), []
            if source.on_error == "skip":
                samples, unreadable = drop_unreadable(samples, name=source.name, max_share=source.max_unreadable)
                notes += save_unreadable(folder, unreadable)
            contents = content_hashes(undecoded(samples))
            duplicates = exact_duplicates(samples, hashes=contents)
            notes += [str(duplicates)] if duplicates.groups else []
            save_catalogue(folder, samples, tuple(notes), contents)

        return self.store.load(self.dataset_key, make, load_catalogue)

    @cached_property
    def embeddings(self) -> EmbeddingSet:
        """[N, D] embeddings of the modality that is probed, memory-mapped."""
        return self.tower(self.config.probed)

    def tower(self, modality: str) -> EmbeddingSet:
        """Return the [N, D] embeddings of one modality, aligned with the catalogue."""
        key, encoder = self.tower_keys[modality], self.config.encoder.towers()[modality]
        partial = self.store.root / "partial" / key.digest  # shards survive an interruption, and jobs share them
        reuse, same = None, self._encoder_key(encoder).digest
        if not self.store.has(key) and self.store.policy != "only-cache":
            final = None if self.store.policy == "refresh" else self.store.path(key)
            with self.store.booked(key.stage):
                if self.store.policy == "reuse" and not encoder.learns:
                    reuse = find_reusable(self.store, same, self.catalogue.contents[modality])
                everywhere(embed_together, self._samples, encoder, partial, final, reuse)

        def make(folder: Path) -> None:
            samples = self._samples()
            embed_shards(samples, encoder, partial, reuse=reuse)
            merge_shards(samples, encoder, partial, folder)
            np.save(folder / CONTENTS, self.catalogue.contents[modality], allow_pickle=False)

        embeddings = self.store.load(key, make, EmbeddingSet.load, encoder=encoder.name, tower=same)
        shutil.rmtree(partial, ignore_errors=True)
        return embeddings

    def encoder_cost(self) -> dict[str, Any]:
        """Return what the embeddings that are probed have cost, and how large they are."""
        rows = sum(len(shard) for shard in self.embeddings.shards)
        size = {"samples": len(self.embeddings), "rows": rows, "dimension": self.embeddings.dimension}
        return size | read_cost(self.store.path(self.embeddings_key))

    @property
    def _samples(self) -> KeptSamples:
        """Reads the samples that the catalogue kept."""
        return KeptSamples(self.config.dataset, self.data_dir, self.catalogue.ids)

    @cached_property
    def supervision(self) -> Supervision:
        """The clusters of both modalities of pairs."""
        labels = self.config.labels
        assert isinstance(labels, CrossModalLabels)

        def make(folder: Path) -> None:
            towers = {modality: self.tower(modality) for modality in self.config.modalities}
            catalogue, texts = self.catalogue, self._samples().payloads.get("text") if labels.words else None
            train = catalogue.rows("train")
            supervise(towers, ids=catalogue.ids, train=train, config=labels, texts=texts).save(folder)

        return self.store.load(self.labels_key, make, Supervision.load)

    @cached_property
    def alignment(self) -> Alignment:
        """Agreement of the two modalities of pairs."""

        def make(folder: Path) -> None:
            towers = {modality: self.tower(modality) for modality in self.config.modalities}
            train, test = (self.catalogue.rows(part) for part in ("train", "test"))
            joint = has_joint_space(self.config.encoder, towers)
            align(towers, self.supervision, train=train, test=test, joint=joint).save(folder / "alignment.json")

        return self.store.load(self.alignment_key, make, lambda folder: Alignment.load(folder / "alignment.json"))

    @cached_property
    def steps(self) -> Steps:
        """The step functions: labels [N] and their names."""
        return self.supervision.labels_for(self.config.probed) if self.is_cross_modal else given_steps(self.catalogue)

    @cached_property
    def split(self) -> Split:
        """The parts that each step may see."""

        def make(folder: Path) -> None:
            catalogue, config = self.catalogue, self.config
            groups = catalogue.group(config.split.group) if config.split.group else None
            split = draw_split(
                self.steps.labels,
                train=catalogue.rows("train"),
                test=catalogue.rows("test"),
                config=config.split,
                seed=config.seed,
                groups=groups,
                strata=self.supervision.cells if self.is_cross_modal else None,
            )
            features = self.embeddings.array() if config.regime.needs_features else None
            split = config.regime.apply(split, num_classes=self.num_classes, seed=config.seed, features=features)
            split.save(folder / "split.npz")

        return self.store.load(self.split_key, make, lambda folder: Split.load(folder / "split.npz"))

    @property
    def num_classes(self) -> int:
        """Number of step functions K."""
        return len(self.steps.names)

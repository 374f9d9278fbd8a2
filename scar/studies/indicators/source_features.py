"""Everything that derived datasets are made of and tested on, embedded once and kept in the store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from scar.common.randomness import generator
from scar.common.types import Floats32, Ints
from scar.data.samples import Samples
from scar.data.sources.digits import Digits
from scar.data.stratify import draw_per_class
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.encoders.embeddings.extraction import extract
from scar.job.algorithm import algorithm
from scar.job.job import Job
from scar.sampling.shifts import SHIFTS, match_classes, shift_samples
from scar.store.artefact import PARTIAL
from scar.store.keys import Key, make_key
from scar.studies.indicators.cells import OTHER, OWN, SECOND, SYNTHETIC
from scar.studies.indicators.indicator_settings import IndicatorStudy
from scar.studies.indicators.synthetic import fractal_images, nonsense_texts

SECOND_SHIFT = {"image": "sketch", "text": "typos"}
"""Shift of the training samples that makes the second source of a blend, by modality."""
LARGEST_FRACTAL = 56
"""Side of a generated image at most [pixels]."""


@dataclass(frozen=True, eq=False)
class SourceFeatures:
    """Features of all sources in one array, and of the shifted test items.

    Attributes:
        features: [N', D] own samples in the order of the catalogue, then those of every other source.
        extras: source, rows and classes of what is not the dataset's own; the rows of the second source last as long
            as those of the samples that it shows, see `second_of`.
        second_of: [m] own row of each row of the second source.
        shifted: [s, D] features of the shift items, by shift.
        shift_rows: [s] test rows of the shift items.
        tests: features [t, D] and classes [t] of datasets that are shifts of this one, by name.
        keys: artefacts behind all of it.
    """

    features: Floats32
    extras: dict[str, tuple[Ints, Ints]]
    second_of: Ints
    shifted: dict[str, Floats32]
    shift_rows: Ints
    tests: dict[str, tuple[Floats32, Ints]]
    keys: tuple[Key, ...]


def gather(job: Job, study: IndicatorStudy, shifts: Sequence[Job] = ()) -> SourceFeatures:
    """Embed what is not embedded yet; nothing here depends on the seed of the job.

    Args:
        job: of any seed.
        study: fitted to the dataset.
        shifts: jobs of datasets that are shifts of this one, e.g. ImageNet-R for ImageNet.
    """
    modality, labels = job.config.probed, job.steps.labels
    if modality not in SHIFTS:
        raise ValueError(f"modality={modality!r} has no named shifts; the study knows those of {', '.join(SHIFTS)}")
    catalogue, keys = job.catalogue, [job.inputs.embeddings.key]
    own = job.embeddings.array()
    blocks: list[Floats32] = [own]
    extras: dict[str, tuple[Ints, Ints]] = {}
    next_class = job.num_classes

    def append(source: str, block: Floats32, classes: Ints) -> None:
        start = sum(map(len, blocks))
        blocks.append(block)
        extras[source] = (np.arange(start, start + len(block)), classes)

    train = catalogue.rows("train")
    second = _per_class(train, labels, study.second_size, generator(0, "second source"))
    append(SECOND, _shifted(job, second, SECOND_SHIFT[modality], keys), labels[second])
    other = _other_dataset(job, keys)
    if other is not None and other[0].shape[1] == own.shape[1]:
        append(OTHER, other[0], other[1] + next_class)
        next_class += int(other[1].max()) + 1
    made, made_classes = _synthetic(job, study, keys)
    if made.shape[1] == own.shape[1]:
        append(SYNTHETIC, made, made_classes + next_class)
    test = catalogue.rows("test")
    items = test[draw_per_class(labels[test], min(study.shift_items, len(test)), generator(0, "shift items"))]
    shifted = {name: _shifted(job, items, name, keys) for name in SHIFTS[modality]}
    tests = {other.config.dataset.name: _dataset_shift(job, other, keys) for other in shifts}
    return SourceFeatures(np.concatenate(blocks), extras, second, shifted, items, tests, tuple(keys))


def _dataset_shift(job: Job, other: Job, keys: list[Key]) -> tuple[Floats32, Ints]:
    """Return features and our classes of a dataset's samples; of its test samples where it shares ids with ours."""
    keys.append(other.inputs.embeddings.key)
    classes = match_classes(job.steps.names, other.steps.names)[other.steps.labels]
    shared = np.isin(other.catalogue.ids, job.catalogue.ids).any()
    rows = other.catalogue.rows("test") if shared else np.arange(len(classes))
    return other.embeddings.array()[rows], classes[rows]


def _per_class(rows: Ints, labels: Ints, size: int, rng: np.random.Generator) -> Ints:
    """Draw up to `size` rows of every class."""
    order = rng.permutation(rows)
    return np.sort(np.concatenate([order[labels[order] == c][:size] for c in np.unique(labels[rows])]))


def _shifted(job: Job, rows: Ints, name: str, keys: list[Key]) -> Floats32:
    """Return the features of some samples under a named shift."""
    ids = job.catalogue.ids[rows]

    def samples() -> Samples:
        loaded = job.samples()
        places = {sample_id: place for place, sample_id in enumerate(loaded.ids.tolist())}
        chosen = loaded.take(np.array([places[sample_id] for sample_id in ids.tolist()], np.int64))
        return shift_samples(chosen, job.config.probed, name)

    digest = hashlib.sha256("\n".join(ids.tolist()).encode()).hexdigest()
    settings = {"shift": name, "ids": digest}
    return _embedded(
        job, samples, make_key("shifted", config=settings, upstream=[job.inputs.embeddings.key], code=[_shifted]), keys
    )


def _other_dataset(job: Job, keys: list[Key]) -> tuple[Floats32, Ints] | None:
    """Return training features and classes of another dataset of the modality: the digits, for images."""
    if job.config.probed != "image" or isinstance(job.config.dataset, Digits):
        return None
    other = algorithm(replace(job.config, dataset=Digits(name="digits")), job.store)
    keys.append(other.inputs.embeddings.key)
    rows = other.catalogue.rows("train")
    return other.embeddings.array()[rows], other.steps.labels[rows]


def _synthetic(job: Job, study: IndicatorStudy, keys: list[Key]) -> tuple[Floats32, Ints]:
    """Return features and classes of generated samples: enough classes for the largest multiple."""
    classes, size = (max(study.multiples) - 1) * study.target_classes, max(study.base_sizes)
    labels = np.repeat(np.arange(classes), size)
    modality = job.config.probed

    def samples() -> Samples:
        if modality == "image":
            first = np.asarray(job.samples().payloads["image"][0])
            shape = (min(first.shape[0], LARGEST_FRACTAL), min(first.shape[1], LARGEST_FRACTAL))
            payload = fractal_images(classes, size, shape=shape, seed=0)
        else:
            payload = nonsense_texts(classes, size, seed=0)  # type: ignore[assignment]
        ids = np.array([f"synthetic-{row:06d}" for row in range(len(labels))])
        names = tuple(f"synthetic {c}" for c in range(classes))
        return Samples(ids, {modality: payload}, labels, names, np.full(len(ids), "train"), {})  # type: ignore[dict-item]

    settings = {"classes": classes, "per_class": size, "modality": modality}
    key = make_key("synthetic", config=settings, upstream=[job.inputs.embeddings.key], code=[_synthetic])
    return _embedded(job, samples, key, keys), labels


def _embedded(job: Job, samples: Callable[[], Samples], key: Key, keys: list[Key]) -> Floats32:
    """Return the features of samples that are read only if they are not embedded yet."""
    encoder = job.config.encoder.towers()[job.config.probed]

    def make(folder: Path) -> None:
        extract(samples(), encoder, folder, partial=job.store.root / PARTIAL / key.digest)

    keys.append(key)
    return EmbeddingSet.load(job.store.obtain(key, make, encoder=encoder.name)).array()


def source_parts(material: SourceFeatures, pool: Ints, labels: Ints) -> list[tuple[str, Ints, Ints]]:
    """Return source, rows and classes of every part that may be trained on under one split.

    Args:
        material: of `gather`.
        pool: rows of the dataset that may be trained on.
        labels: [N] classes of the dataset's own rows.
    """
    parts = [(OWN, pool, labels[pool])]
    for source, (rows, classes) in material.extras.items():
        allowed = np.isin(material.second_of, pool) if source == SECOND else np.ones(len(rows), bool)
        parts.append((source, rows[allowed], classes[allowed]))
    return parts

"""From a source to the parts: samples, labels, the split and the subsets of a training set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scar.common.types import Ints
from scar.data.catalogue import Catalogue, load_catalogue, save_catalogue
from scar.data.duplicates import content_hashes, exact_duplicates
from scar.data.samples import Samples
from scar.data.source import Source
from scar.data.stratify import count_labels
from scar.data.undecoded import undecoded
from scar.data.unreadable import Unreadable, drop_unreadable, save_unreadable
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.encoders.embeddings.extraction import KeptSamples
from scar.encoders.encoder import Encoder
from scar.encoders.text_lengths import Truncation, count_truncated
from scar.job.flow import Format, Stage
from scar.pairs.alignment import Alignment, align, has_joint_space
from scar.pairs.supervision import Supervision, supervise
from scar.sampling.pool_mix import Stock
from scar.sampling.regimes.regime import Regime
from scar.sampling.splits import Split, SplitConfig, draw_split
from scar.sampling.step_functions import CrossModalLabels, Steps, given_steps
from scar.sampling.subsets import Subset, SubsetsConfig, draw_subsets


@dataclass(frozen=True)
class _Read:
    """What reading a source showed."""

    samples: Samples
    contents: Mapping[str, Any]
    notes: tuple[str, ...]
    unreadable: Sequence[Unreadable] | None


def read_dataset(*, source: Source, data_dir: Path) -> _Read:
    """Read ids, labels, class names, splits and groups of a source, and the hashes of its payloads."""
    samples, unreadable = source.load(data_dir), None
    if (samples.labels is not None and samples.labels.ndim == 2) != source.several_labels:
        raise ValueError(
            f"dataset={source.name} says several_labels={source.several_labels}, but its labels are not so; a class for each "
            "sample is [N], several labels are zeros and ones [N, K]"
        )
    if source.on_error == "skip":
        samples, unreadable = drop_unreadable(samples, name=source.name, max_share=source.max_unreadable)
    contents = content_hashes(undecoded(samples))
    duplicates = exact_duplicates(samples, hashes=contents)
    return _Read(samples, contents, (str(duplicates),) if duplicates.groups else (), unreadable)


def save_dataset(read: _Read, folder: Path) -> None:
    """Write the catalogue, and what could not be read where that was to be skipped."""
    skipped = () if read.unreadable is None else save_unreadable(folder, read.unreadable)
    save_catalogue(folder, read.samples, (*skipped, *read.notes), read.contents)


DATASET = Stage("dataset", read_dataset, Format.functions(save_dataset, load_catalogue))


def cluster_pairs(
    catalogue: Catalogue,
    towers: Mapping[str, EmbeddingSet],
    *,
    labels: CrossModalLabels,
    source: Source,
    data_dir: Path,
) -> Supervision:
    """Cluster both modalities of pairs: the clusters of one are the step functions of the other (§4.3)."""
    kept = KeptSamples(source, data_dir, catalogue.ids)
    texts = kept().payloads.get("text") if labels.words else None
    return supervise(towers, ids=catalogue.ids, train=catalogue.rows("train"), config=labels, texts=texts)


def align_pairs(
    catalogue: Catalogue, towers: Mapping[str, EmbeddingSet], supervision: Supervision, *, encoder: Encoder
) -> Alignment:
    """Measure how well the two modalities of pairs agree."""
    joint = has_joint_space(encoder, towers)
    return align(towers, supervision, train=catalogue.rows("train"), test=catalogue.rows("test"), joint=joint)


def name_steps(catalogue: Catalogue, supervision: Supervision | None, *, probed: str) -> Steps:
    """Return the step functions that the probes learn: given labels, or clusters of the other modality."""
    return given_steps(catalogue) if supervision is None else supervision.labels_for(probed)


def measure_texts(catalogue: Catalogue, *, encoder: Encoder, source: Source, data_dir: Path) -> Truncation:
    """Count the texts that are longer than the encoder reads."""
    payload = KeptSamples(source, data_dir, catalogue.ids)().payloads["text"]
    return count_truncated(encoder, payload)


TRUNCATION = Stage("truncation", measure_texts, Format.file(Truncation, "truncation.json"))
SUPERVISION = Stage("labels", cluster_pairs, Format.folder(Supervision))
ALIGNMENT = Stage("alignment", align_pairs, Format.file(Alignment, "alignment.json"))
STEPS: Stage[Steps] = Stage("steps", name_steps)


def take_stock(
    catalogue: Catalogue,
    steps: Steps,
    supervision: Supervision | None,
    embeddings: EmbeddingSet | None,
    *,
    split: SplitConfig,
    regime: Regime,
    seed: int,
) -> Stock:
    """Return the parts under the regime, before a pool is drawn from what is unused."""
    train, groups = catalogue.rows("train"), catalogue.group(split.group) if split.group else None
    drawn = draw_split(
        steps.labels,
        train=train,
        test=catalogue.rows("test"),
        config=split,
        seed=seed,
        groups=groups,
        strata=None if supervision is None else supervision.cells,
    )
    features = None if embeddings is None else embeddings.array()
    return Stock(
        split=regime.apply(drawn, num_classes=len(steps.names), seed=seed, features=features),
        regime=regime,
        training=count_labels(steps.labels[train], len(steps.names)),
        names=steps.names,
        seed=seed,
        groups=groups,
    )


def divide(stock: Stock, *, mix: str) -> Split:
    """Divide the samples into the parts that each later stage may see, with a pool of some mix."""
    return stock.draw(mix)


def without_pool(stock: Stock) -> Split:
    """Return the parts without a reserve: what probes are trained and tested with, whatever pool can be had."""
    return stock.split.with_parts(reserve=np.empty(0, np.int64))


def compare_pools(stock: Stock, *, mixes: Sequence[str]) -> Ints:
    """Return [M, K] the class sizes of the pools that are compared; a mix that there cannot be does not count."""
    return stock.class_sizes(mixes)


def draw(split: Split, *, subject: str, subsets: SubsetsConfig, seed: int) -> list[Subset]:
    """Down-sample a training set."""
    return draw_subsets(getattr(split, subject), split.labels, subsets, seed=seed)


STOCK: Stage[Stock] = Stage("stock", take_stock)
SPLIT = Stage("split", divide, Format.file(Split, "split.npz"))
WITHOUT_POOL: Stage[Split] = Stage("without_pool", without_pool)
COMPARED_POOLS: Stage[Ints] = Stage("compared_pools", compare_pools)
SUBSETS: Stage[list[Subset]] = Stage("subsets", draw)

"""The clusters of each modality of a pair: fitted on the training part of the source, assigned to its test part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.files import read_json, write_json
from scar.common.mapped import repeated_texts
from scar.common.randomness import derive_seed, generator
from scar.common.types import Floats, Floats32, Ints
from scar.common.vectors import chunks
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.pairs.caption_clusters import vote
from scar.pairs.words import step_names, typical_words
from scar.sampling.clusters import IN_MEMORY, UnitRows, choose_k, fit_clusters, stability
from scar.sampling.step_functions import CrossModalLabels, Steps

_SHOWN = 5
_NAMED = 1 << 18
# Training items whose texts name the clusters, at most.


@dataclass(frozen=True, eq=False)
class _TowerRows:
    """Some rows of a tower, read when they are asked for."""

    tower: EmbeddingSet
    rows: Ints

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), self.tower.dimension

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Floats32:
        return self.tower.rows(self.rows[index])


@dataclass(frozen=True, eq=False, kw_only=True)
class ModalityClusters:
    """Clusters of one modality.

    Attributes:
        modality: that was clustered.
        labels: [N] cluster of every item of the source; of several captions by majority.
        sizes: [K] training items of each cluster.
        centroids: [K, D].
        inertia: mean squared distance of a training row to its centroid; within 0..2 for ``cosine``.
        seeds: adjusted Rand indices against fits with other seeds.
        bootstrap: adjusted Rand indices against fits to bootstrap samples.
        tie_share: share of the items whose captions are divided equally between clusters.
        agreement: mean share of an item's captions that lie in its cluster.
        captions: mean number of captions per item.
        names: [K] of the clusters.
        scores: of the numbers of clusters tried; empty where k was given.
    """

    modality: str
    labels: Ints
    sizes: Ints
    centroids: NDArray[np.float32]
    inertia: float
    seeds: Floats
    bootstrap: Floats
    tie_share: float
    agreement: float
    captions: float
    names: tuple[str, ...]
    scores: dict[int, float]

    @property
    def steps(self) -> Steps:
        """The step functions that this modality gives to the other one."""
        return Steps(self.labels, self.names)

    def save(self, folder: Path) -> None:
        """Write arrays and figures, without pickling."""
        arrays = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        about = {name: value for name, value in vars(self).items() if name not in arrays}
        np.savez(folder / f"{self.modality}.npz", allow_pickle=False, **arrays)
        write_json(folder / f"{self.modality}.json", about)

    @classmethod
    def load(cls, folder: Path, modality: str) -> ModalityClusters:
        """Read what `save` wrote."""
        about: dict[str, Any] = read_json(folder / f"{modality}.json")
        about |= {
            "names": tuple(about["names"]),
            "scores": {int(k): float(score) for k, score in about["scores"].items()},
        }
        with np.load(folder / f"{modality}.npz", allow_pickle=False) as archive:
            return cls(**archive, **about)


@dataclass(frozen=True, eq=False)
class Supervision:
    """The clusters of both modalities, in the order of their names, whatever order they were given in."""

    clusters: Mapping[str, ModalityClusters]

    @property
    def modalities(self) -> tuple[str, str]:
        """The two, sorted."""
        first, second = sorted(self.clusters)
        return first, second

    def labels_for(self, probed: str) -> Steps:
        """Return the step functions of a modality: the clusters of the other one."""
        first, second = self.modalities
        return self.clusters[second if probed == first else first].steps

    @property
    def cells(self) -> Ints:
        """[N] the joint cell of every item: its two clusters together, numbered without gaps."""
        first, second = (self.clusters[modality] for modality in self.modalities)
        joint = first.labels * len(second.sizes) + second.labels
        cells: Ints = np.cumsum(np.bincount(joint) > 0)[joint] - 1
        return cells

    def save(self, folder: Path) -> None:
        """Write both modalities."""
        for each in self.clusters.values():
            each.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Supervision:
        """Read what `save` wrote."""
        names = sorted(path.stem for path in folder.glob("*.npz"))
        return cls({name: ModalityClusters.load(folder, name) for name in names})


def supervise(
    towers: Mapping[str, EmbeddingSet],
    *,
    ids: NDArray[np.str_],
    train: Ints,
    config: CrossModalLabels,
    texts: Sequence[Any] | None = None,
) -> Supervision:
    """Cluster both modalities of the pairs.

    Args:
        towers: embeddings of the two modalities.
        ids: [N] of the source, in its order.
        train: rows of the source's training part; nothing else is seen by the fit.
        config: how.
        texts: [N] text, or tuple of captions, of every item, for the names of the clusters; None names by number.

    Raises:
        ValueError: a modality lacks an item, has one too many or one twice.
    """
    for modality, tower in towers.items():
        check_pairs(ids, tower.ids, modality)
    return Supervision({m: _cluster(m, towers[m], train, config, texts) for m in sorted(towers)})


def check_pairs(ids: NDArray[np.str_], found: NDArray[np.str_], modality: str) -> None:
    """Refuse embeddings that are not those of the pairs, one for one and in their order.

    Raises:
        ValueError: naming the first items that occur twice, are missing, or belong to no pair.
    """
    same = len(ids) == len(found) and all(np.array_equal(ids[part], found[part]) for part in chunks(len(ids)))
    if same and not len(repeated_texts(ids)):
        return
    distinct, counts = np.unique(found, return_counts=True)
    faults = {
        "occur twice": distinct[counts > 1],
        "are missing": np.setdiff1d(ids, found),
        "have no partner": np.setdiff1d(found, ids),
    }
    for fault, wrong in faults.items():
        if len(wrong):
            shown = ", ".join(wrong[:_SHOWN].tolist()) + (" …" if len(wrong) > _SHOWN else "")
            raise ValueError(f"{modality}: {len(wrong)} ids {fault} ({shown}); every pair needs each modality once")
    if not np.array_equal(ids, found):
        row = int(np.argmax(ids != found))
        raise ValueError(f"{modality}: row {row} is {found[row]}, but the pair there is {ids[row]}; sort by id")


def _cluster(
    modality: str, tower: EmbeddingSet, train: Ints, config: CrossModalLabels, texts: Sequence[Any] | None
) -> ModalityClusters:
    rows: Any = _TowerRows(tower, tower.caption_rows(train)[0])
    rows = UnitRows(rows) if config.cosine else rows
    if rows.shape[0] * rows.shape[1] <= IN_MEMORY:
        rows = rows[:]
    drawn = np.sort(generator(config.seed, "rows for stability").permutation(len(rows))[: config.sample])
    sample, settings = rows[drawn], config.kmeans
    k, scores = config.k, dict[int, float]()
    if k is None:
        options: dict[str, Any] = {"criterion": config.criterion, "repeats": config.repeats, "seed": config.seed}
        k, scores = choose_k(sample, config.candidates, settings=settings, **options)
    clustering = fit_clusters(rows, k, seed=derive_seed(config.seed, "clusters"), settings=settings)
    votes = vote(tower, clustering)
    stable = stability(
        sample, k, repeats=config.repeats, seed=config.seed, settings=settings, reference=clustering.labels[drawn]
    )
    labels = votes.labels[train]
    words = [""] * k
    if texts is not None and config.words:
        named, own = train, labels
        if len(train) > _NAMED:
            chosen = np.sort(generator(config.seed, "texts for names").choice(len(train), _NAMED, replace=False))
            named, own = train[chosen], labels[chosen]
        joined = [text if isinstance(text, str) else " ".join(text) for text in (texts[int(row)] for row in named)]
        words = list(typical_words(joined, own, k, config.words))
    return ModalityClusters(
        modality=modality,
        labels=votes.labels,
        sizes=np.bincount(labels, minlength=k),
        centroids=clustering.centroids,
        inertia=clustering.inertia / len(rows),
        seeds=stable.seeds,
        bootstrap=stable.bootstrap,
        tie_share=float(votes.tied[train].mean()),
        agreement=float(votes.agreement[train].mean()),
        captions=len(rows) / len(train),
        names=step_names(words),
        scores=scores,
    )

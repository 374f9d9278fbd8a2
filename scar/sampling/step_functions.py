"""Step functions: the labels that a probe learns (§2, §4.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scar.data.catalogue import Catalogue
from scar.sampling.clusters import CRITERIA, KMeans


@dataclass(frozen=True, kw_only=True)
class LabelsConfig:
    """The labels that the dataset gives."""

    name: str = "given"
    kind: str = "given"

    def __post_init__(self) -> None:
        if self.kind != "given":
            raise ValueError(f"labels.kind={self.kind!r} is unknown; use labels=given or labels=cross_modal")


@dataclass(frozen=True, kw_only=True)
class CrossModalLabels(LabelsConfig):
    """Clusters of the other modality of a pair (§4.3).

    They are fitted once, on the whole training part of the source, before any further split, and only assigned to its
    test part.

    Attributes:
        k: clusters of each modality; None chooses among `candidates` by `criterion`, for each modality by itself.
        candidates: numbers of clusters to choose from.
        criterion: ``"silhouette"`` or ``"stability"``; see `scar.sampling.clusters.choose_k`.
        cosine: compare directions (spherical k-means).
        restarts: k-means++ seeds that are tried.
        iterations: of each restart at most.
        tolerance: a restart ends when an iteration lowers the inertia by less than this share.
        repeats: fits with other seeds, and fits to bootstrap samples, that measure stability.
        sample: most training rows on which stability and `criterion` are computed; the clusters use all of them.
        words: typical words in the name of a cluster, from the texts of its items; 0 for a number alone.
        seed: of the clusters; it is not the seed of the job, so that every split is of the same labels.
    """

    name: str = "cross_modal"
    kind: str = "cross_modal"
    k: int | None = None
    candidates: tuple[int, ...] = (4, 5, 6, 8, 10, 12, 15, 20)
    criterion: str = "silhouette"
    cosine: bool = True
    restarts: int = 10
    iterations: int = 300
    tolerance: float = 1e-4
    repeats: int = 5
    sample: int = 5000
    words: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind != "cross_modal":
            raise ValueError(f"labels.kind={self.kind!r} is unknown; use labels=given or labels=cross_modal")
        if self.k is not None and self.k < 2:
            raise ValueError(f"labels.k={self.k} must be at least 2, or null to choose it by labels.criterion")
        object.__setattr__(self, "candidates", tuple(sorted(set(self.candidates))))
        if not self.candidates or min(self.candidates) < 2:
            raise ValueError(f"labels.candidates={list(self.candidates)} must be numbers of clusters of at least 2")
        if self.criterion not in CRITERIA:
            raise ValueError(f"labels.criterion={self.criterion!r} is unknown; use one of {', '.join(CRITERIA)}")
        for field, least in (("repeats", 1), ("sample", 10), ("words", 0), ("seed", 0)):
            if getattr(self, field) < least:
                raise ValueError(f"labels.{field}={getattr(self, field)} must be at least {least}")
        _ = self.kmeans

    @property
    def kmeans(self) -> KMeans:
        """Settings of the algorithm."""
        return KMeans(cosine=self.cosine, restarts=self.restarts, iterations=self.iterations, tolerance=self.tolerance)


@dataclass(frozen=True, eq=False)
class Steps:
    """The step functions of a dataset.

    Attributes:
        labels: [N] step of every sample, in 0..K-1; or [N, K] zeros and ones where a sample carries any number of labels.
        names: [K] of the steps.
    """

    labels: NDArray[np.int64]
    names: tuple[str, ...]

    @property
    def several(self) -> bool:
        """Whether a sample may carry several labels, or none: every step is then a decision of its own."""
        return self.labels.ndim == 2


def given_steps(catalogue: Catalogue) -> Steps:
    """Return the labels that the dataset gives.

    Raises:
        ValueError: it gives none.
    """
    if catalogue.labels is None:
        raise ValueError("labels=given, but the dataset has no labels; use labels=cross_modal on its pairs")
    return Steps(catalogue.labels, catalogue.class_names)

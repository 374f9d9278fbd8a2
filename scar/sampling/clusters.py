"""K-means over embeddings: fitted on every point given, seeded, and checked for how much of it is chance.

The work is done by faiss (k-means++ seeds, restarts, multi-threaded assignment). An iteration costs what one of
scikit-learn costs; what is saved is the long tail of iterations that move the inertia by less than `tolerance`.
Points that are more than memory should hold are read a chunk at a time: faiss fits a sample of them, and Lloyd's
iterations over all points go on from there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from scar.common.randomness import derive_seed, generator
from scar.common.types import Floats32, Ints
from scar.common.vectors import CHUNK, chunks, unit_rows

CRITERIA = ("silhouette", "stability")
_REPAIRS = 10
_SMALL = 5 * 10**8
"""Products in an iteration below which it is done by one thread."""
_UNIT = 1e-5
"""Largest error of a length that counts as 1."""
IN_MEMORY = 1 << 26
"""Values of the points that are clustered in memory, 256 MiB; of more, faiss sees a sample."""
_OF_EACH = 1000
# Points of the sample, for each cluster.
_SILHOUETTE_ROWS = 4096
"""Most rows of a silhouette, which compares all pairs of them."""


@dataclass(frozen=True, kw_only=True)
class KMeans:
    """How clusters are fitted.

    Attributes:
        cosine: compare directions: rows and centroids are scaled to length 1 (spherical k-means).
        restarts: k-means++ seeds that are tried; the least inertia wins.
        iterations: of Lloyd's algorithm at most, for each restart.
        tolerance: a restart ends when an iteration lowers the inertia by less than this share.
    """

    cosine: bool = True
    restarts: int = 10
    iterations: int = 300
    tolerance: float = 1e-4

    def __post_init__(self) -> None:
        for name in ("restarts", "iterations"):
            if getattr(self, name) < 1:
                raise ValueError(f"labels.{name}={getattr(self, name)} must be at least 1")
        if not 0 < self.tolerance < 1:
            raise ValueError(f"labels.tolerance={self.tolerance} must lie strictly between 0 and 1")


@dataclass(frozen=True, eq=False, kw_only=True)
class Clustering:
    """Clusters of the points that they were fitted on.

    Attributes:
        centroids: [K, D], the clusters in the order of their sizes, the largest first.
        labels: [n] cluster of every point.
        inertia: sum of the squared distances to the own centroid (of the scaled rows for ``cosine``).
        cosine: whether rows are scaled to length 1 before they are compared.
    """

    centroids: Floats32
    labels: Ints
    inertia: float
    cosine: bool

    @property
    def sizes(self) -> Ints:
        """Points of each cluster [K]."""
        return np.bincount(self.labels, minlength=len(self.centroids))

    def assign(self, rows: Floats32 | Points) -> Ints:
        """Return the nearest cluster [n] of every row [n, D], a chunk of rows at a time."""
        return nearest(rows, self.centroids, cosine=self.cosine)[0]


class Points(Protocol):
    """Rows [n, D] that are read when they are asked for, by a slice or by their positions."""

    @property
    def shape(self) -> tuple[int, ...]:
        """N and D."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any) -> Floats32: ...


def fit_clusters(rows: Floats32 | Points, k: int, *, seed: int, settings: KMeans | None = None) -> Clustering:
    """Fit k clusters on all rows.

    Args:
        rows: [n, D]; contiguous float32 is copied only where ``cosine`` has to scale it, that is never for unit rows. More
            than `IN_MEMORY` values are read a chunk at a time, in every iteration.
        k: number of clusters.
        seed: of the restarts.
        settings: of the algorithm.

    Raises:
        ValueError: there are fewer than k distinct rows.
    """
    settings = settings or KMeans()
    if not 2 <= k <= len(rows):
        raise ValueError(f"labels.k={k} must lie in 2..{len(rows)}, the samples to be clustered")
    fit = _lloyd
    if rows.shape[0] * rows.shape[1] > IN_MEMORY:
        points: Any = UnitRows(rows) if settings.cosine and not isinstance(rows, UnitRows) else rows
        fit = _lloyd_in_chunks
    else:
        points = np.ascontiguousarray(rows[:], np.float32)
        if settings.cosine and not _are_unit(points):
            points = unit_rows(points)
    centroids = fit(points, k, seed=seed, settings=settings)
    labels, distances = nearest(points, centroids)
    for _ in range(_REPAIRS):
        empty = np.flatnonzero(np.bincount(labels, minlength=k) == 0)
        if not len(empty):
            order = np.argsort(-np.bincount(labels), kind="stable")
            place = np.argsort(order)
            inertia = float(distances.sum(dtype=np.float64))
            return Clustering(centroids=centroids[order], labels=place[labels], inertia=inertia, cosine=settings.cosine)
        centroids[empty] = points[_farthest(points, distances, len(empty))]
        centroids = fit(points, k, seed=seed, settings=replace(settings, restarts=1), start=centroids)
        labels, distances = nearest(points, centroids)
    raise ValueError(
        f"labels.k={k}, but {_REPAIRS} repairs left clusters empty: most samples are alike; lower labels.k"
    )


def _lloyd(points: Floats32, k: int, *, seed: int, settings: KMeans, start: Floats32 | None = None) -> Floats32:
    """Return the centroids of the best restart, or of the one that begins at `start`."""
    try:
        import faiss
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("clusters are fitted by faiss: pip install 'scar-data[pairs]'") from error

    kmeans = faiss.Kmeans(
        points.shape[1],
        k,
        niter=settings.iterations,
        nredo=settings.restarts,
        seed=seed % (1 << 31),
        spherical=settings.cosine,
        init_method=faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS,
        early_stop_threshold=settings.tolerance,
        min_points_per_centroid=1,
        max_points_per_centroid=len(points),  # every point is used
    )
    with threadpool_limits(1 if points.size * k < _SMALL else None):  # threads would wait for each other
        kmeans.train(points, init_centroids=start)
    centroids: Any = kmeans.centroids
    return np.array(centroids, np.float32)


@dataclass(frozen=True, eq=False)
class UnitRows:
    """Rows [n, D] that are scaled to length 1 as they are read."""

    rows: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """N and D."""
        return tuple(self.rows.shape)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Floats32:
        found = np.atleast_2d(np.asarray(self.rows[index], np.float32))
        return unit_rows(found, copy=isinstance(self.rows, np.ndarray))  # of an array it may be a view


def _lloyd_in_chunks(points: Points, k: int, *, seed: int, settings: KMeans, start: Floats32 | None = None) -> Floats32:
    """Return the centroids that Lloyd's iterations over all points find from `start`, or from those of a sample."""
    if start is None:
        most = min(max(_OF_EACH * k, CHUNK), IN_MEMORY // points.shape[1])
        drawn = np.sort(generator(seed, "points for the first centroids").choice(len(points), most, replace=False))
        start = _lloyd(points[drawn], k, seed=seed, settings=settings)
    centroids, before = start, np.inf
    for _ in range(settings.iterations):
        sums, sizes, inertia = np.zeros(centroids.shape), np.zeros(k), 0.0
        for part in chunks(len(points)):
            chunk = points[part]
            labels, distances = nearest(chunk, centroids)
            members = csr_matrix((np.ones(len(chunk)), labels, np.arange(len(chunk) + 1)), shape=(len(chunk), k))
            sums += members.T @ chunk
            sizes += np.bincount(labels, minlength=k)
            inertia += float(distances.sum(dtype=np.float64))
        means = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centroids)
        centroids = np.ascontiguousarray(unit_rows(means) if settings.cosine else means, np.float32)
        if inertia >= before * (1 - settings.tolerance):
            break
        before = inertia
    return centroids


def _farthest(points: Any, distances: Floats32, count: int) -> Ints:
    """Return rows for empty clusters: distinct ones, the farthest from their own centroid first."""
    order = np.argsort(-distances, kind="stable")
    found: list[int] = []
    for row in order:
        if distances[row] <= 0 or len(found) == count:
            break
        if all(not np.array_equal(points[row], points[other]) for other in found):
            found.append(int(row))
    if len(found) < count:
        raise ValueError(f"{count} clusters stay empty: fewer distinct samples than clusters; lower labels.k")
    return np.array(found, np.int64)


def nearest(rows: Floats32 | Points, centroids: Floats32, *, cosine: bool = False) -> tuple[Ints, Floats32]:
    """Return the nearest centroid [n] of every row and the squared distance [n] to it.

    Args:
        rows: [n, D]; read in chunks, so that a memory-mapped array is never in memory as a whole.
        centroids: [K, D].
        cosine: scale the rows of each chunk to length 1 first.
    """
    labels, distances = np.empty(len(rows), np.int64), np.empty(len(rows), np.float32)
    squares = np.einsum("kd,kd->k", centroids, centroids)
    for part in chunks(len(rows)):
        chunk = np.asarray(rows[part], np.float32)
        chunk = unit_rows(chunk) if cosine else chunk
        away = squares - 2 * (chunk @ centroids.T)
        labels[part] = away.argmin(axis=1)
        own = np.take_along_axis(away, labels[part][:, None], axis=1)[:, 0]
        distances[part] = np.maximum(own + np.einsum("nd,nd->n", chunk, chunk), 0)
    return labels, distances


def _are_unit(rows: Floats32) -> bool:
    norms = (np.linalg.norm(rows[part], axis=1) for part in chunks(len(rows)))
    return all(bool(np.all((np.abs(each - 1) < _UNIT) | (each == 0))) for each in norms)


@dataclass(frozen=True, eq=False, kw_only=True)
class Stability:
    """Agreement of a clustering with others of the same data: adjusted Rand indices, 1 for the same clusters.

    Attributes:
        seeds: one for each fit with another seed.
        bootstrap: one for each fit to a resample of the rows, compared on all rows.
    """

    seeds: NDArray[np.float64]
    bootstrap: NDArray[np.float64]


def stability(
    rows: Floats32, k: int, *, repeats: int, seed: int, settings: KMeans, reference: Ints | None = None
) -> Stability:
    """Fit again with other seeds, and to bootstrap samples.

    Args:
        rows: [n, D].
        k: number of clusters.
        repeats: fits of each kind.
        seed: of the resamples and of the fits.
        settings: of the algorithm.
        reference: [n] labels to compare with; None fits them.
    """
    from sklearn.metrics import adjusted_rand_score

    if reference is None:
        reference = fit_clusters(rows, k, seed=derive_seed(seed, "clusters"), settings=settings).labels
    seeds, resampled = np.empty(repeats), np.empty(repeats)
    for index in range(repeats):
        other = derive_seed(seed, "clusters", index + 1)
        again = fit_clusters(rows, k, seed=other, settings=settings)
        seeds[index] = adjusted_rand_score(reference, again.labels)
        drawn = generator(seed, "bootstrap of clusters", index).integers(0, len(rows), len(rows))
        fitted = fit_clusters(rows[drawn], k, seed=other, settings=settings)
        resampled[index] = adjusted_rand_score(reference, fitted.assign(rows))
    return Stability(seeds=seeds, bootstrap=resampled)


def choose_k(
    rows: Floats32, candidates: tuple[int, ...], *, criterion: str, repeats: int, seed: int, settings: KMeans
) -> tuple[int, dict[int, float]]:
    """Return the number of clusters that a criterion prefers, and the score of each candidate.

    Args:
        rows: [n, D] to choose on.
        candidates: numbers of clusters to try; those above n / 2 are left out.
        criterion: ``"silhouette"``: the highest mean silhouette (over at most 4096 rows), the smaller k of equals.
            ``"stability"``: the largest k whose mean adjusted Rand index over bootstrap samples is within one
            standard error of the best, because the index favours few clusters.
        repeats: bootstrap samples of ``"stability"``.
        seed: of the fits and draws.
        settings: of the algorithm.
    """
    possible = [k for k in sorted(candidates) if k <= len(rows) // 2]
    if not possible:
        raise ValueError(f"labels.candidates={list(candidates)} are all above half of the {len(rows)} samples")
    if criterion == "silhouette":
        scores = {k: _silhouette(rows, k, seed=seed, settings=settings) for k in possible}
        return max(scores, key=lambda k: (scores[k], -k)), scores
    found = {k: stability(rows, k, repeats=repeats, seed=seed, settings=settings).bootstrap for k in possible}
    scores = {k: float(values.mean()) for k, values in found.items()}
    best = found[max(scores, key=lambda k: scores[k])]
    least = best.mean() - best.std() / np.sqrt(repeats)
    return max(k for k in possible if scores[k] >= least), scores


def _silhouette(rows: Floats32, k: int, *, seed: int, settings: KMeans) -> float:
    from sklearn.metrics import silhouette_score

    labels = fit_clusters(rows, k, seed=derive_seed(seed, "clusters"), settings=settings).labels
    drawn = generator(seed, "rows of the silhouette").permutation(len(rows))[:_SILHOUETTE_ROWS]
    metric: dict[str, Any] = {"metric": "cosine" if settings.cosine else "euclidean"}
    if len(np.unique(labels[drawn])) < 2:
        return -1.0
    return float(silhouette_score(rows[drawn], labels[drawn], **metric))

"""The map: embeddings in two dimensions, and which of them lie where the primary set does not reach.

Rows of length 1 are projected on their first principal components, and t-SNE begins at the first two of them (Kobak and
Berens 2019), with uniform affinities to the nearest neighbours in place of those of a perplexity (Böhm et al. 2022).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from scar.common.extras import install, is_installed
from scar.common.randomness import derive_seed, generator
from scar.common.types import Bools, Floats, Floats32, Ints
from scar.common.vectors import chunks, unit_rows
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.sampling.splits import Split

PARTS = ("primary", "reserve", "heldout", "test")
"""Parts of a split that are drawn."""
TSNE, PCA = "tsne", "pca"
LIBRARY = "openTSNE"
COMPONENTS = 50
"""Principal components that distances are taken in."""
NEIGHBOURS = 15
"""Of each point that pull it."""
EARLY, LATE = 100, 250
"""Iterations of t-SNE with and without early exaggeration."""
BY_GRID = 4000
"""Points from which repulsion is interpolated on a grid rather than summed over a tree."""
LEAST_SHARE = 1 / 8
"""Of the points that a part gets at least, if it has them."""
REFERENCE = 20_000
"""Samples of the primary set that distances to it are taken from, and test items that clusters are fitted on, at most."""
REACHED = 0.99
"""Share of the primary set whose nearest other sample is nearer than what counts as out of its reach."""
FEWEST = 50
"""Points of the primary set that say what its reach is."""
MOST_SLICES = 40


@dataclass(frozen=True, kw_only=True)
class MapConfig:
    """What the map shows; nothing of it can change a number of another stage.

    Attributes:
        points: that are drawn at most; of more samples a class-aware sub-sample. 0: no map.
        method: ``"tsne"``, or ``"pca"``, which also stands in where openTSNE is not installed.
        slice_size: test items of the smallest cluster that is judged as a slice.
        texts: whether the page holds beginnings of texts, for the pointer to show.
        pictures: thumbnails that the page holds at most; 0 for none.
    """

    name: str = "default"
    points: int = 5000
    method: str = TSNE
    slice_size: int = 50
    texts: bool = field(default=True, metadata={"runtime": True})
    pictures: int = field(default=300, metadata={"runtime": True})

    def __post_init__(self) -> None:
        for name, least in (("points", 10), ("slice_size", 10), ("pictures", 0)):
            if getattr(self, name) < least and not (name == "points" and self.points == 0):
                raise ValueError(f"map.{name}={getattr(self, name)} must be at least {least}; map=none draws no map")
        if self.method not in (TSNE, PCA):
            raise ValueError(f"map.method={self.method!r} is unknown; use {TSNE} or {PCA}")

    @property
    def possible_method(self) -> str:
        """The method that is installed."""
        return PCA if self.why_not else self.method

    @property
    def why_not(self) -> str:
        """Why the method that is asked for cannot be had; empty if it can."""
        if self.method == PCA or is_installed(LIBRARY):
            return ""
        return f"{LIBRARY} is not installed: {install(LIBRARY)}"


@dataclass(frozen=True, eq=False, kw_only=True)
class MapLayout:
    """Points of the map.

    Attributes:
        rows: [n] of the embeddings, sorted.
        parts: [n] index into `PARTS`.
        place: [n, 2] where each is drawn.
        distance: [n] to the nearest other sample of the primary set, over the median of those of the primary set; NaN
            where the primary set is too small to say.
        reach: the distance from which a sample counts as out of reach: `REACHED` of the primary set is nearer to the rest.
        clusters: [n_test] cluster of every test item, the order of ``split.test``.
    """

    rows: Ints
    parts: Ints
    place: Floats
    distance: Floats
    reach: float
    clusters: Ints

    @property
    def empty(self) -> Bools:
        """[n] which samples outside the primary set lie out of its reach."""
        return (self.parts > 0) & (self.distance > self.reach)

    def save(self, path: Path) -> None:
        """Write all arrays to one ``.npz`` file without pickling."""
        np.savez(path, allow_pickle=False, **vars(self))

    @classmethod
    def load(cls, path: Path) -> MapLayout:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as archive:
            arrays = dict(archive)
        return cls(reach=float(arrays.pop("reach")), **arrays)


def lay_out(
    embeddings: EmbeddingSet, split: Split, classes: Ints, *, points: int, method: str, slice_size: int, seed: int
) -> MapLayout:
    """Lay samples of every part out in two dimensions.

    Args:
        embeddings: N of them.
        split: of the samples.
        classes: [N] class of each.
        points: that are drawn at most.
        method: `TSNE` or `PCA`.
        slice_size: test items of the smallest cluster worth judging; clusters have twice as many on average.
        seed: of the job.
    """
    from sklearn import decomposition

    drawn = _drawn(split, classes, points, seed)
    rows = np.concatenate(drawn)
    parts = np.repeat(np.arange(len(PARTS)), [len(each) for each in drawn])
    order = np.argsort(rows, kind="stable")
    rows, parts = rows[order], parts[order]
    with threadpool_limits(1):  # sums of several threads differ in the last digit
        count = max(1, min(COMPONENTS, embeddings.dimension, len(rows) - 1))
        components = decomposition.PCA(
            count, svd_solver="randomized", random_state=derive_seed(seed, "components") % 2**32
        )
        with np.errstate(invalid="ignore", divide="ignore"):  # of the explained share of samples that are all alike
            seen = components.fit_transform(unit_rows(embeddings.take(rows)))
        distance = _distances(components, embeddings, split.primary, seen, rows, seed)
        own = distance[(parts == 0) & np.isfinite(distance)]
        judged = len(own) >= FEWEST and np.median(own) > 0
        place = _embed(seen, derive_seed(seed, "layout")) if method == TSNE else _plane(seen)
        return MapLayout(
            rows=rows,
            parts=parts,
            place=place,
            distance=distance / np.median(own) if judged else np.full(len(rows), np.nan),
            reach=float(np.quantile(own, REACHED) / np.median(own)) if judged else float("nan"),
            clusters=_clusters(_projected(components, embeddings, split.test), slice_size, seed),
        )


def spread(rows: Ints, classes: Ints, most: int, rng: np.random.Generator) -> Ints:
    """Return at most so many rows: half of them shared evenly among the classes, the others at random.

    Args:
        rows: to draw from.
        classes: [n] class of each row.
        most: rows that are returned at most.
        rng: of the draw.
    """
    if len(rows) <= most:
        return np.sort(rows)
    order = rng.permutation(len(rows))
    by_class = order[np.argsort(classes[order], kind="stable")]
    _, starts, sizes = np.unique(classes[by_class], return_index=True, return_counts=True)
    rank = np.empty(len(rows), np.int64)
    rank[by_class] = np.arange(len(rows)) - np.repeat(starts, sizes)
    even = max(most // (2 * len(sizes)), 1)
    chosen = order[np.argsort(np.minimum(rank[order], even), kind="stable")][:most]
    return np.sort(rows[chosen])


def _drawn(split: Split, classes: Ints, points: int, seed: int) -> list[Ints]:
    """Return the rows of each part that are drawn: in proportion to its size, but of a small one an eighth of the points."""
    available: list[Ints] = [getattr(split, part) for part in PARTS]
    sizes = np.array([len(each) for each in available])
    quota = np.minimum(sizes, max(int(points * LEAST_SHARE), 1))
    left = points - quota.sum()
    if left > 0 and (sizes > quota).any():
        quota = np.minimum(sizes, quota + (left * (sizes - quota) / (sizes - quota).sum()).astype(int))
    drawn = zip(available, PARTS, quota, strict=True)
    return [spread(rows, classes[rows], int(most), generator(seed, f"map {part}")) for rows, part, most in drawn]


def _projected(components: Any, embeddings: EmbeddingSet, rows: Ints) -> Floats32:
    """Return the principal components [n, C] of some rows, a chunk of embeddings at a time."""
    parts = [components.transform(unit_rows(embeddings.take(rows[part]))) for part in chunks(len(rows))]
    found: Floats32 = np.concatenate(parts) if parts else np.zeros((0, components.n_components_), np.float32)
    return found


def _distances(
    components: Any, embeddings: EmbeddingSet, primary: Ints, seen: NDArray[np.floating], rows: Ints, seed: int
) -> Floats:
    """Return [n] the distance of each point to the nearest other sample of the primary set."""
    from sklearn.neighbors import NearestNeighbors

    drawn = generator(seed, "reference of the map").permutation(len(primary))[:REFERENCE]
    reference = np.sort(primary[drawn])
    if len(reference) < 2:
        return np.full(len(rows), np.nan)
    index = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(_projected(components, embeddings, reference))
    away, which = index.kneighbors(seen)
    return np.asarray(np.where(reference[which[:, 0]] == rows, away[:, 1], away[:, 0]), np.float64)


def _plane(seen: NDArray[np.floating]) -> Floats:
    """Return the first two principal components [n, 2]; zeros where there is but one."""
    plane = np.zeros((len(seen), 2))
    plane[:, : min(2, seen.shape[1])] = seen[:, :2]
    return plane


def _embed(seen: NDArray[np.floating], seed: int) -> Floats:
    """Return the t-SNE of points, from their first two principal components."""
    plane = _plane(seen)
    if len(seen) <= 3 * NEIGHBOURS or not plane.std(axis=0).all():
        return plane
    import openTSNE
    from openTSNE.affinity import Uniform
    from openTSNE.initialization import rescale

    state = seed % 2**31
    affinities = Uniform(np.asarray(seen, np.float64), k_neighbors=NEIGHBOURS, random_state=state, n_jobs=1)
    embedder = openTSNE.TSNE(
        early_exaggeration_iter=EARLY,
        n_iter=LATE,
        negative_gradient_method="fft" if len(seen) >= BY_GRID else "bh",
        random_state=state,
        n_jobs=1,
    )
    return np.array(embedder.fit(affinities=affinities, initialization=rescale(plane)), np.float64)


def _clusters(seen: NDArray[np.floating], slice_size: int, seed: int) -> Ints:
    """Return [n_test] clusters of the test items by k-means; one of all where there are too few."""
    from sklearn.cluster import KMeans

    count = min(len(seen) // (2 * slice_size), MOST_SLICES)
    if count < 2 or len(np.unique(seen[:REFERENCE], axis=0)) < count:
        return np.zeros(len(seen), np.int64)
    state = derive_seed(seed, "slices") % 2**32
    fitted = KMeans(count, n_init=3, random_state=state).fit(seen[:REFERENCE])
    return np.asarray(fitted.predict(seen), np.int64)

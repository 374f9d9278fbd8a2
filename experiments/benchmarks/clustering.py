"""K-means of `scar` against scikit-learn: every point used, equal restarts, and the inertia that each reaches."""

import numpy as np

from experiments.benchmarks.timing import Row, interleave
from scar.common.vectors import unit_rows
from scar.sampling.clusters import KMeans, fit_clusters, nearest

RESTARTS = 3
SUBSAMPLE = 256
"""Points per cluster that faiss uses by default."""


def embeddings_like(n: int, dimension: int, components: int = 200) -> np.ndarray:
    """Rows of length 1 around overlapping centres, with a spectrum that falls as that of embeddings does."""
    rng = np.random.default_rng(0)
    spectrum = (1 + np.arange(dimension)) ** -0.5
    centres = rng.normal(size=(components, dimension)) * spectrum
    rows = centres[rng.integers(0, components, n)] + 1.3 * rng.normal(size=(n, dimension)) * spectrum
    return unit_rows(rows.astype(np.float32))


def clustering_rows(quick: bool, repetitions: int) -> list[Row]:
    """Euclidean k-means on both sides; scikit-learn with its own settings, and stopped after as many iterations."""
    from sklearn.cluster import KMeans as Other

    n, dimension, k = (8_000, 128, 20) if quick else (80_000, 512, 50)
    x = embeddings_like(n, dimension)
    settings = KMeans(cosine=False, restarts=RESTARTS)
    inertia: dict[str, float] = {}

    def ours() -> None:
        inertia["scar"] = fit_clusters(x, k, seed=0, settings=settings).inertia

    def theirs() -> None:
        inertia["scikit-learn"] = Other(k, n_init=RESTARTS, random_state=0).fit(x).inertia_

    def stopped() -> None:
        inertia["stopped"] = Other(k, n_init=RESTARTS, random_state=0, max_iter=25).fit(x).inertia_

    def subsampled() -> None:
        drawn = np.random.default_rng(0).permutation(n)[: SUBSAMPLE * k]
        fitted = fit_clusters(x[drawn], k, seed=0, settings=settings)
        inertia["subsampled"] = float(nearest(x, fitted.centroids)[1].sum(dtype=np.float64))

    cases = {"scar": ours, "scikit-learn": theirs, "stopped": stopped, "subsampled": subsampled}
    times = interleave("clustering", cases, min(repetitions, 3))
    seconds = {name: timing.median for name, timing in times.items()}
    note = f"{n // 1000}k × {dimension}, k={k}, {RESTARTS} restarts, every point: {seconds['scar']:.1f} s"
    excess = {name: 100 * (value / inertia["scikit-learn"] - 1) for name, value in inertia.items()}
    return [
        Row("k-means vs scikit-learn", seconds["scikit-learn"] / seconds["scar"], 3, note=note),
        Row("k-means, inertia above scikit-learn's", excess["scar"], 1, "%", at_least=False, note=note),
        Row("k-means vs scikit-learn stopped at 25 iterations", seconds["stopped"] / seconds["scar"], None,
            note=f"its inertia is {excess['stopped']:+.2f} % of that of its own settings"),
        Row(f"k-means on {SUBSAMPLE} points per cluster vs scikit-learn", seconds["scikit-learn"] / seconds["subsampled"],
            None, note=f"{seconds['subsampled']:.2f} s; inertia on every point {excess['subsampled']:+.2f} %"),
    ]  # fmt: skip

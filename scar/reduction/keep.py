"""Which pairs are kept: the same share of every cluster (§3.2), its members by a rule (Table 2b)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from scar.common.randomness import derive_seed, generator
from scar.common.types import Floats32, Ints
from scar.common.vectors import unit_rows
from scar.completion.plan import take_first
from scar.completion.selection.gradient import GradientSelection, gradient_norms
from scar.completion.selection.k_center import KCenterSelection
from scar.completion.selection.large_distance import LargeDistanceSelection
from scar.completion.selection.margin import MarginSelection
from scar.completion.selection.random_order import RandomSelection
from scar.completion.selection.selection import Pool, Selection
from scar.completion.selection.semantic_dedup import SemanticDedupSelection
from scar.data.checks import validate_embeddings
from scar.data.stratify import share_out
from scar.reduction.settings import MOST_CLUSTERS, RULES
from scar.sampling.clusters import KMeans, fit_clusters

FILTERED = "left out: pair score"
KMEANS = KMeans(restarts=3, iterations=100)


@dataclass(frozen=True, eq=False, kw_only=True)
class Kept:
    """Which of N pairs are kept.

    Attributes:
        rows: [M] positions of the kept pairs, sorted.
        cluster: [N] cluster of every pair, the largest cluster 0; -1 for pairs that were left out before.
        reason: [N] why a pair is kept or not, such as ``"kept: uniform"``.
        scores: [N] what the rule saw in each pair; NaN where it did not look.
    """

    rows: Ints
    cluster: Ints
    reason: NDArray[np.str_]
    scores: NDArray[np.float64]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """[N] whether a pair is kept."""
        kept = np.zeros(len(self.cluster), bool)
        kept[self.rows] = True
        return kept


def find_rule(name: str, *, duplicate_threshold: float = 0.95) -> Selection:
    """Return the selection that a rule of `RULES` names.

    ``"uniform"`` draws from every cluster, ``"random"`` from all pairs; ``"hard"`` takes the smallest margins of a probe,
    ``"gradient"`` the largest gradients, ``"large_distance"`` the border of a cluster, ``"k_center"`` covers it, and
    ``"semantic_dedup"`` draws near-duplicates last.

    Raises:
        ValueError: there is no such rule.
    """
    rules: dict[str, Selection] = {
        "uniform": RandomSelection(),
        "large_distance": LargeDistanceSelection(),
        "hard": MarginSelection(),
        "gradient": GradientSelection(),
        "random": RandomSelection(),
        "semantic_dedup": SemanticDedupSelection(threshold=duplicate_threshold),
        "k_center": KCenterSelection(),
    }
    if name not in rules:
        raise ValueError(f"reduction.keep={name!r} is unknown; use one of {', '.join(RULES)}")
    return rules[name]


def clusters_for(size: int) -> int:
    """Return the number of clusters that follows from the number of pairs: its square root, at most the paper's 3000."""
    return max(1, min(MOST_CLUSTERS, round(float(np.sqrt(size)))))


def keep(
    features: Floats32,
    *,
    share: float,
    clusters: int | None,
    rule: Selection | str,
    seed: int,
    ids: ArrayLike | None = None,
    allowed: NDArray[np.bool_] | None = None,
    targets: Ints | None = None,
    margins: NDArray[np.float64] | None = None,
    gradients: NDArray[np.float64] | None = None,
    settings: KMeans = KMEANS,
) -> Kept:
    """Keep exactly ``round(share · N)`` pairs, of every cluster its share by the largest remainder.

    The result depends on the pairs, their ids and the seed, not on their order.

    Args:
        features: [N, F] of `scar.reduction.cluster_features`; k-means compares their directions.
        share: in (0, 1].
        clusters: number of clusters; None takes `clusters_for`, or fewer if there are fewer distinct pairs.
        rule: which members of a cluster come first: a selection, or a name of `find_rule`. ``"random"`` makes a single
            cluster.
        seed: of the clusters and the draws.
        ids: [N] unique, sort the pairs; None takes their positions.
        allowed: [N] pairs that may be kept, those that a pair filter left; None allows all.
        targets: [N] what the probe of ``"hard"`` and ``"gradient"`` predicts; None takes the clusters.
        margins: [N] of a probe, for ``"hard"``; None fits one.
        gradients: [N] norms, for ``"gradient"``; None fits a probe.
        settings: of k-means.

    Raises:
        ValueError: a share outside (0, 1], more pairs asked for than are allowed, ids that repeat, more clusters than
            distinct pairs.
    """
    if not 0 < share <= 1:
        raise ValueError(f"reduction.share={share} must lie in (0, 1]")
    checked = validate_embeddings(features, name="features")
    ranked = _sorted(ids, len(checked))
    usable = ranked if allowed is None else ranked[np.asarray(allowed, bool)[ranked]]
    budget = round(share * len(checked))
    if budget > len(usable):
        raise ValueError(
            f"reduction.share={share} of {len(checked)} pairs are {budget}, but a pair filter left {len(usable)}; lower "
            "reduction.share, or filter less"
        )
    name = rule if isinstance(rule, str) else rule.name
    chosen = find_rule(rule) if isinstance(rule, str) else rule
    labels = _cluster(checked[usable], 1 if rule == "random" else clusters, seed=seed, settings=settings)
    given = {"margins": margins, "gradients": gradients}
    known = {key: None if values is None else np.asarray(values, np.float64)[usable] for key, values in given.items()}
    wanted = None if targets is None else np.asarray(targets)[usable]
    taken, scores = _rank(chosen, checked[usable], labels, budget, seed=seed, targets=wanted, **known)
    cluster, seen = np.full(len(checked), -1, np.int64), np.full(len(checked), np.nan)
    cluster[usable], seen[usable] = labels, scores
    reason = np.full(len(checked), FILTERED, f"<U{max(len(FILTERED), len(name) + 10)}")
    reason[usable] = f"left out: {name}"
    rows = np.sort(usable[taken])
    reason[rows] = f"kept: {name}"
    return Kept(rows=rows, cluster=cluster, reason=reason, scores=seen)


def _sorted(ids: ArrayLike | None, size: int) -> Ints:
    """Return the positions of the pairs in the order of their ids."""
    if ids is None:
        return np.arange(size)
    names = np.asarray(ids)
    distinct, counts = np.unique(names, return_counts=True)
    if len(names) != size or len(distinct) < size:
        repeated = f": {str(distinct[counts > 1][0])!r} comes twice" if len(distinct) < len(names) else ""
        raise ValueError(f"{len(names)} ids ({len(distinct)} distinct) for {size} pairs must be unique{repeated}")
    return np.argsort(names, kind="stable")


def _cluster(features: Floats32, clusters: int | None, *, seed: int, settings: KMeans) -> Ints:
    """Return the cluster [n] of every row."""
    if clusters == 1:
        return np.zeros(len(features), np.int64)
    rows = unit_rows(features) if settings.cosine else features
    distinct = len(np.unique(rows, axis=0))
    k = min(clusters_for(len(rows)), distinct) if clusters is None else clusters
    if k > distinct:
        raise ValueError(f"reduction.clusters={k}, but only {distinct} pairs differ in their features; lower it")
    if k == 1:
        return np.zeros(len(rows), np.int64)
    try:
        return fit_clusters(rows, k, seed=derive_seed(seed, "reduction clusters"), settings=settings).labels
    except ValueError as error:
        raise ValueError(f"reduction.clusters={clusters}: {error}") from error


def _rank(
    rule: Selection,
    features: Floats32,
    labels: Ints,
    budget: int,
    *,
    seed: int,
    targets: Ints | None,
    margins: NDArray[np.float64] | None,
    gradients: NDArray[np.float64] | None,
) -> tuple[Ints, NDArray[np.float64]]:
    """Return the rows that are taken, and what the rule saw in each row."""
    wants_gradients = rule.needs_gradients and gradients is None
    if wants_gradients or (rule.needs_margins and margins is None):
        found_margins, found_gradients = probe_scores(features, labels if targets is None else targets)
        margins = found_margins if margins is None else margins
        gradients = found_gradients if gradients is None else gradients
    order = generator(seed, "reduction order").permutation(len(features))
    pool = Pool(
        features=features[order],
        classes=labels[order],
        margins=None if margins is None else margins[order],
        gradients=None if gradients is None else gradients[order],
    )
    counts = share_out(np.bincount(labels), budget, generator(seed, "reduction shares"))
    ranking = rule.rank(pool, counts)
    scores = np.empty(len(features))
    scores[order] = ranking.scores
    return order[take_first(ranking.order, pool.classes[ranking.order], counts)], scores


def probe_scores(features: Floats32, targets: Ints) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit a linear probe (multinomial, L2 penalty) to all rows and return the margin and gradient norm of each.

    Args:
        features: [N, F]; standardised first.
        targets: [N] what the probe predicts; a single value leaves nothing to predict and gives zeros.
    """
    names, labels = np.unique(targets, return_inverse=True)
    if len(names) < 2:
        return np.zeros(len(features)), np.zeros(len(features))
    rows = StandardScaler().fit_transform(features.astype(np.float64))
    probe = LogisticRegression(max_iter=1000, tol=1e-3).fit(rows, labels)
    probabilities = probe.predict_proba(rows)
    ordered = np.partition(probabilities, -2, axis=1)
    return ordered[:, -1] - ordered[:, -2], gradient_norms(probabilities, labels, rows)

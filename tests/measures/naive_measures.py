"""The measures sample by sample and class by class, as the definitions read."""

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.stats import norm


def draw_logits(samples, classes, *, seed=0, shift=3.0, dtype=np.float64):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, samples)
    logits = random.normal(size=(samples, classes)).astype(dtype)
    logits[np.arange(samples), labels] += shift
    return logits, labels


def naive_coverage(values, bins=100):
    histogram, edges = np.histogram(values, bins=bins, density=True)
    centres = 0.5 * (edges[1:] + edges[:-1])
    normal = norm.pdf(centres, values.mean(), values.std(ddof=1))
    p, q = histogram + 1e-12, normal + 1e-12
    return 1 - jensenshannon(p / p.sum(), q / q.sum(), base=2) ** 2


def naive_measures(logits, labels, decision, bins=100, min_count=30):
    samples, classes = logits.shape
    predicted = logits.argmax(axis=1)
    decided = logits > 0 if decision == "threshold" else np.eye(classes, dtype=bool)[predicted]
    right = decided == np.eye(classes, dtype=bool)[labels]
    rows = []
    for j in range(classes):
        valid = [i for i in range(samples) if right[i, j]]
        semi = [i for i in range(samples) if not right[i, j] and right[i].any()]
        rich = len(valid) + sum(np.delete(right[i], j).mean() for i in semi)
        own = logits[(labels == j) & (predicted == j), j].astype(np.float64)
        own = own[own > 0]
        defined = len(own) >= min_count and len(set(own)) > 1
        coverage = naive_coverage(own, bins) if defined else np.nan
        rows.append(((len(valid) + len(semi)) / samples, coverage, len(valid) / samples, rich / samples, len(own)))
    return np.array(rows).T

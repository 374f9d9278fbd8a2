"""Predictions of paired arms with a known truth: seeds move classes, items are hard for every seed, arms err together."""

from dataclasses import dataclass

import numpy as np
from scipy import special

SKEW = 0.6
"""How fast the classes that an item is mistaken for fall off."""


@dataclass(frozen=True, kw_only=True)
class World:
    """What the test items and the training of every seed are drawn from.

    An arm of seed s is right on item i of class k if ``μ_k √(1 + item²) + both_sk + own_ask − item·b_i + noise > 0`` with
    standard normal b_i; the noise is standard normal and correlates by `shared` between arms.

    Attributes:
        items: of the test part.
        ratio: size of a class over that of the next larger one.
        recalls: by class, where the seeds have no effect.
        item: spread of the difficulty of items.
        both, own: spread over seeds and classes that all arms share, and that each has of its own.
        shared: correlation of the noise of two arms.
    """

    items: int
    ratio: float
    recalls: tuple[float, ...]
    item: float = 1.0
    both: float = 0.1
    own: float = 0.1
    shared: float = 0.5

    @property
    def mix(self):
        sizes = self.ratio ** np.arange(len(self.recalls))
        return sizes / sizes.sum()

    def margins(self, shifts):
        """[A, K] margins of arms that are shifted on the probit scale."""
        return special.ndtri(np.array(self.recalls)) + np.asarray(shifts, float)[:, None]

    def draw(self, rng, shifts, seeds):
        """Predictions [A, S, n] and labels [n] of one replication."""
        k, n, arms = len(self.recalls), self.items, len(shifts)
        labels = rng.choice(k, size=n, p=self.mix)
        shift = self.margins(shifts)[:, None] * np.hypot(1, self.item) + self._effects(rng, arms, seeds)
        noise = rng.standard_normal((arms + 1, seeds, n), dtype=np.float32)
        latent = np.sqrt(self.shared) * noise[:1] + np.sqrt(1 - self.shared) * noise[1:]
        latent += shift.astype(np.float32)[:, :, labels]
        latent -= (self.item * rng.standard_normal(n)).astype(np.float32)
        mistaken = (labels + 1 + rng.choice(k - 1, size=n, p=self._mistakes())) % k
        return np.where(latent > 0, labels, mistaken), labels

    def _effects(self, rng, arms, seeds):
        k = len(self.recalls)
        return rng.normal(0, self.both, (1, seeds, k)) + rng.normal(0, self.own, (arms, seeds, k))

    def _mistakes(self):
        weights = SKEW ** np.arange(len(self.recalls) - 1)
        return weights / weights.sum()

    def truth(self, shifts, draws=20_000):
        """Accuracy, balanced accuracy and macro-F1 of every arm [A] in the population, mean over seeds."""
        k, mix = len(self.recalls), self.mix
        scale = np.hypot(1, self.item)
        effects = self._effects(np.random.default_rng(0), len(shifts), draws)
        recall = special.ndtr(self.margins(shifts)[:, None] + effects / scale)
        to = np.zeros((k, k))
        for step, weight in enumerate(self._mistakes(), start=1):
            to[np.arange(k), (np.arange(k) + step) % k] = weight
        predicted = mix * recall + (mix * (1 - recall)) @ to
        found = {
            "accuracy": recall @ mix,
            "balanced_accuracy": recall.mean(axis=2),
            "macro_f1": (2 * mix * recall / (mix + predicted)).mean(axis=2),
        }
        return {metric: each.mean(axis=1) for metric, each in found.items()}


WORLDS = {
    "quiet seeds": World(items=500, ratio=1.0, recalls=(0.75, 0.7, 0.8, 0.65), both=0.05, own=0.0),
    "imbalanced": World(items=1000, ratio=0.6, recalls=(0.9, 0.85, 0.8, 0.75, 0.7, 0.65), both=0.15),
    "near ceiling": World(items=1000, ratio=0.75, recalls=(0.99, 0.99, 0.985, 0.98, 0.97, 0.97, 0.96, 0.95, 0.95, 0.94)),
    "loud seeds": World(
        items=1000, ratio=0.7, recalls=(0.8, 0.8, 0.75, 0.7), item=0.7, both=0.3, own=0.3, shared=0.3
    ),
}  # fmt: skip
"""In the quiet one arms differ by noise alone, where the variance over seeds is hardest to tell from that of the items."""

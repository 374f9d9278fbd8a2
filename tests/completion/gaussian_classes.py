"""Gaussian classes whose probe is known in closed form: what a training set teaches costs nothing to measure."""

from dataclasses import dataclass

import numpy as np

from scar.completion.compositions import Compositions, draw_compositions
from scar.completion.forecast import Forecaster
from scar.probes.decisions import matched_shift


@dataclass
class GaussianClasses:
    """K classes N(μ_j, 1) in D dimensions, μ_j ~ N(0, apart²); a probe is the predictive density of its training samples."""

    classes: int
    seed: int
    dimension: int = 60
    apart: float = 0.35
    heldout: int = 60
    flipped: float = 0.0

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed)
        self.means = self.rng.standard_normal((self.classes, self.dimension)) * self.apart

    def sample(self, counts):
        labels = np.repeat(np.arange(self.classes), counts)
        return self.means[labels] + self.rng.standard_normal((len(labels), self.dimension)), labels

    def probe(self, x, labels):
        counts = np.bincount(labels, minlength=self.classes)
        sums = np.zeros_like(self.means)
        np.add.at(sums, labels, x)
        precision = counts + self.apart**-2
        means, spread = sums / precision[:, None], 1.0 + 1.0 / precision
        prior = np.log(np.maximum(counts, 1e-9)) - self.dimension / 2 * np.log(spread)

        def logits(z):
            far = np.sum(z**2, axis=1)[:, None] - 2 * z @ means.T + np.sum(means**2, axis=1)
            return prior - far / (2 * spread)

        return logits

    def forecaster(self, counts, *, compositions=90, **given):
        """A forecaster of training sets of these counts, which is kept for `real`."""
        self.x, self.y = self.sample(counts)
        flips = self.rng.random(len(self.y)) < self.flipped
        self.y = np.where(flips, (self.y + self.rng.integers(1, self.classes, len(self.y))) % self.classes, self.y)
        held, truth = self.sample(np.full(self.classes, self.heldout))
        rows = np.arange(len(self.y))
        drawn = draw_compositions(rows, self.y, count=compositions, largest=10**6, seed=self.seed)
        seen = np.concatenate([held, self.x])
        logits = []
        for each in drawn:
            values = self.probe(self.x[each], self.y[each])(seen)
            logits.append(values - values.max(axis=1, keepdims=True))
        made = Compositions(
            counts=np.bincount(self.y, minlength=self.classes),
            sizes=np.stack([np.bincount(self.y[each], minlength=self.classes) for each in drawn]),
            heldout=truth,
            own=self.y,
            inside=np.stack([np.isin(rows, each) for each in drawn]),
            logits=np.array(logits, np.float16),
        )
        even = np.full(self.classes, 1 / self.classes)
        tested = np.full(self.classes, 500)
        return Forecaster(**{"compositions": made, "deployment": even, "declared": False, "tested": tested} | given)

    def real(self, added, tested=500):
        """What the training set with these additions reaches, raw and matched to equal classes, and what it reached before."""
        test, truth = self.sample(np.full(self.classes, tested))
        extra, labels = self.sample(added)
        found = []
        for x, y in ((self.x, self.y), (np.concatenate([self.x, extra]), np.concatenate([self.y, labels]))):
            logits = self.probe(x, y)(test)
            shift = matched_shift(np.bincount(y, minlength=self.classes), np.ones(self.classes))
            found.append([np.mean(values.argmax(axis=1) == truth) for values in (logits, logits + shift)])
        return found[1], found[0]

"""What the probes of one training set showed: the typed input of every estimator."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Observations:
    """Measures and error counts of P probes (factor × part) for K step functions.

    A step function j has two kinds of error: a *miss* (a sample of class j not decided as j) and a *false
        alarm* (a
    sample of another class decided as j). Counts are of samples.

    Attributes:
        factors: [P] down-sampling factor r of each probe; its subset holds about N / r samples.
        parts: [P] which of the subsets of that factor.
        sizes: [P] samples n in the subset.
        class_sizes: [P, K] samples of each class in the subset.
        scale, coverage, authenticity, richness: [P, K] measures on the subset itself (§3.2); coverage is
            NaN where it is undefined.
        true_positives: [P, K] samples of the class that arg-max classifies rightly, with a positive logit:
            the sample size of the coverage.
        train_misses, train_false_alarms: [P, K] counts on the subset itself.
        heldout_misses, heldout_false_alarms: [P, K] counts on the held-out part, or None where nothing was
            held out.
        heldout_class_sizes: [K] samples of each class in the held-out part, or None.
        n_total: samples N of the whole training set that the factors refer to.
    """

    factors: Ints
    parts: Ints
    sizes: Ints
    class_sizes: Ints
    scale: Floats
    coverage: Floats
    authenticity: Floats
    richness: Floats
    true_positives: Ints
    train_misses: Ints
    train_false_alarms: Ints
    heldout_misses: Ints | None = None
    heldout_false_alarms: Ints | None = None
    heldout_class_sizes: Ints | None = None
    n_total: int

    @property
    def num_steps(self) -> int:
        """Number of step functions K."""
        return int(self.class_sizes.shape[1])

    @property
    def fractions(self) -> Floats:
        """[P] fraction 1/r of each probe's subset."""
        return 1.0 / self.factors

    def save(self, path: Path) -> None:
        """Write all arrays to one ``.npz`` file without pickling."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        np.savez(path, allow_pickle=False, **{k: np.asarray(v) for k, v in values.items() if v is not None})

    @classmethod
    def load(cls, path: Path) -> Observations:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as archive:
            values = dict(archive)
        return cls(n_total=int(values.pop("n_total")), **values)

"""What the probes of one training set showed: the typed input of every estimator."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats, Ints


@dataclass(frozen=True, eq=False, kw_only=True)
class Observations:
    """Measures and error counts of P probes (factor × part) for K step functions.

    A step function j has two kinds of error: a *miss* (a sample of class j not decided as j) and a *false alarm* (a
    sample of another class decided as j). Counts are of samples. Where a sample may carry several labels, the measures are
    those of decisions by the sign of each logit, and the errors are counted after decisions matched to equal frequencies of
    a label and its absence (`scar.probes.decisions`), to which the balanced error of a step belongs: without that a label
    of one sample in a hundred would hardly ever be decided for, in training as held out, and show no gap.

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
        heldout_samples: samples of the held-out part where each may carry several labels, or none; None where each is
            of one class.
        n_total: samples N of the whole training set that the factors refer to.
        converged: [P] whether the training of the probe ended by its own rule, not at ``probe.max_epochs``.
        constant_features, far_rows: [P] see `scar.probes.probe_set.ProbeSet`.
            All three are None where the probes are not known.
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
    heldout_samples: int | None = None
    n_total: int
    converged: NDArray[np.bool_] | None = None
    constant_features: Ints | None = None
    far_rows: Ints | None = None

    @property
    def num_steps(self) -> int:
        """Number of step functions K."""
        return int(self.class_sizes.shape[1])

    @property
    def several(self) -> bool:
        """Whether a sample may carry several labels, or none."""
        return self.heldout_samples is not None

    @property
    def heldout_size(self) -> int:
        """Samples of the held-out part; 0 where nothing was held out."""
        if self.heldout_samples is not None:
            return self.heldout_samples
        return 0 if self.heldout_class_sizes is None else int(self.heldout_class_sizes.sum())

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
        sizes: dict[str, Any] = {n: int(values.pop(n)) for n in ("n_total", "heldout_samples") if n in values}
        return cls(**sizes, **values)


def probe_warnings(seen: Observations) -> tuple[str, ...]:
    """Return what makes the probes behind observations doubtful, and what to do about it."""
    texts: list[str] = []
    if seen.converged is None or seen.far_rows is None or seen.constant_features is None:
        return ()
    if short := int(np.count_nonzero(~seen.converged)):
        texts.append(
            f"{short} of {len(seen.converged)} probes ended at probe.max_epochs before they were trained, so that what "
            "follows is too pessimistic; use probe=converged, or raise probe.max_epochs"
        )
    if far := int(seen.far_rows[0]):
        texts.append(
            f"{far} of {seen.sizes[0]} training rows lie more than ten times as far out as the median row and were shortened; "
            "look at them (norms of the embeddings), and remove what is broken"
        )
    if constant := int(seen.constant_features[0]):
        texts.append(f"{constant} features are the same in every training row and carry nothing")
    return tuple(texts)

"""The SCAR measures of a derived dataset, to be ranked beside the indicators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from scar.common.randomness import derive_seed
from scar.common.types import Floats32
from scar.foundation.estimates import estimate
from scar.foundation.settings import FoundationConfig
from scar.job.job import Job
from scar.measures.from_probes import observe
from scar.measures.steps import MEASURES
from scar.sampling.subsets import Subset, SubsetsConfig, draw_subsets
from scar.studies.indicators.heads import HeadTask, Logits

FOUNDATION_PLAN = SubsetsConfig(name="indicators", factors=(1, 2, 4), max_parts=1)
"""Subsets from which the Foundation Data Size of a derived dataset is estimated."""
UNMEASURED = dict.fromkeys(MEASURES, float("nan"))


def subset_tasks(task: HeadTask, plan: SubsetsConfig, *, seed: int) -> tuple[list[Subset], list[HeadTask]]:
    """Return the subsets of a training set, the first being all of it, and a task for each but the first."""
    labels = np.zeros(int(task.rows.max()) + 1, np.int64)
    labels[task.rows] = task.labels
    subsets = draw_subsets(task.rows, labels, plan, seed=seed)
    tasks = [
        replace(
            task,
            rows=subset.rows,
            labels=labels[subset.rows],
            seed=derive_seed(task.seed, "subset", subset.factor, subset.part),
        )
        for subset in subsets[1:]
    ]
    return subsets, tasks


def scar_measures(
    job: Job, features: Floats32, task: HeadTask, subsets: Sequence[Subset], heads: Sequence[Logits]
) -> dict[str, float]:
    """Return S, C, A and R of a training set whose classes are the dataset's own.

    C, A and R are the means over classes of the measures on the training set itself (§3.2); a class whose coverage is
    undefined does not count. S is N over the Foundation Data Size that the held-out estimator finds, at most 1 (§4.3);
    NaN where there is one subset only.
    """
    split = job.split
    heldout = split.heldout[np.isin(split.labels[split.heldout], task.classes)]
    labels = np.searchsorted(task.classes, split.labels)
    labels[~np.isin(split.labels, task.classes)] = 0
    seen = observe(
        cast(Any, _Together(heads)), subsets, features, labels, num_classes=len(task.classes), heldout=heldout
    )
    answers = {name: _mean(getattr(seen, name)[0]) for name in MEASURES[1:]}
    scale = float("nan")
    if len(subsets) > 1:
        size = estimate(seen, FoundationConfig(estimators=("heldout",)))["heldout"].foundation_size
        scale = size if np.isnan(size) else min(1.0, len(task.rows) / size) if size else 1.0
    return {"scale": scale, **answers}


@dataclass(frozen=True, eq=False)
class _Together:
    """Heads that answer by their place, as a set of probes does; how their training ended is not known."""

    heads: Sequence[Logits]
    converged: None = None
    constant_features: None = None
    far_rows: None = None

    def logits(self, place: int, x: Floats32) -> Floats32:
        return self.heads[place](x)


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")

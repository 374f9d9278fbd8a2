"""Measures and estimates of every part beside those of its whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from experiments.scale_invariance.parts import observations_key, observe_scales
from scar.common.types import Floats
from scar.foundation.estimators import make_estimators
from scar.foundation.heldout import HeldoutEstimator
from scar.foundation.settings import FoundationConfig
from scar.job.job import Job
from scar.measures.debias import coverage_deficit
from scar.measures.observations import Observations
from scar.store.keys import make_key

ESTIMATORS = ("reference", "paper", "heldout", "learning_curve")
"""Of the sizes; the recommended one was not part of the study."""


def measures_of(seen: Observations) -> dict[str, Floats]:
    """Return each measure [K] at full size (r = 1); NaN where it is undefined.

    ``debiased_coverage`` is 1 less the coverage deficit beyond what chance takes from a normal sample of that size.
    ``wrong_decisions`` is 1 - A: near A = 1 a ratio of A hides what becomes of the errors.
    """
    coverage, count = seen.coverage[:1], seen.true_positives[:1]
    deficit, _ = coverage_deficit(coverage, count)
    return {
        "scale": seen.scale[0],
        "coverage": coverage[0],
        "debiased_coverage": 1.0 - deficit[0],
        "authenticity": seen.authenticity[0],
        "richness": seen.richness[0],
        "wrong_decisions": 1.0 - seen.authenticity[0],
    }


def paired_means(part: Floats, whole: Floats) -> tuple[float, float, int]:
    """Return the means over the classes that both define, and their number; NaN if there is none."""
    both = np.isfinite(part) & np.isfinite(whole)
    if not both.any():
        return float("nan"), float("nan"), 0
    return float(part[both].mean()), float(whole[both].mean()), int(both.sum())


def sizes_of(seen: Observations, config: FoundationConfig) -> dict[str, float]:
    """Return the Foundation Data Size of the set by every estimator.

    0 where met, except that `heldout` also tells sizes within the data.
    """
    sizes = {}
    for name, estimator in make_estimators(config).items():
        fitted = estimator.fit(seen)
        inside = isinstance(fitted, HeldoutEstimator)
        sizes[name] = fitted.crossings(config.epsilon).set_size if inside else fitted.foundation_size_
    return sizes


def characterize_scales(job: Job, dataset: str, epsilon: float) -> pd.DataFrame:
    """Return one row per (scale, part, quantity) of one seed: value and n of the part and of its whole."""

    def make(folder: Path) -> None:
        observed = observe_scales(job)
        whole = observed.pop((1, 0))
        whole_measures, whole_sizes = measures_of(whole), sizes_of(whole, config)
        records = []
        for (scale, part), seen in observed.items():
            about = {"dataset": dataset, "seed": job.config.seed, "scale": scale, "part": part}
            about |= {"n": seen.n_total, "n_whole": whole.n_total}
            for name, values in measures_of(seen).items():
                value, reference, classes = paired_means(values, whole_measures[name])
                columns = {"kind": "measure", "quantity": name, "value": value, "value_whole": reference}
                records.append(about | columns | {"classes": classes})
            for name, size in sizes_of(seen, config).items():
                columns = {"kind": "size", "quantity": name, "value": size, "value_whole": whole_sizes[name]}
                records.append(about | columns | {"classes": seen.num_steps})
        pd.DataFrame.from_records(records).to_parquet(folder / "values.parquet", index=False)

    config = FoundationConfig(epsilon=epsilon, estimators=ESTIMATORS)
    key = make_key(
        "scale_invariance_values",
        config={"dataset": dataset, "foundation": config},
        upstream=[observations_key(job)],
        code=[characterize_scales],
    )
    return pd.read_parquet(job.store.obtain(key, make) / "values.parquet")

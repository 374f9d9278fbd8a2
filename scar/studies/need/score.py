"""The rules by which predictions are scored; they were fixed before any result was seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from scar.common.types import Floats

WORST = 3.0
"""|log2| of an answer that is not one (undefined, out of reach), and the cap of every other."""
FARTHEST = 5.0
"""Bounds of intervals lie within 0..5 on the log2 scale of what one has."""
BANDS = ((0.0, 1.0, "<1"), (1.0, 2.0, "1-2"), (2.0, 4.0 + 1e-9, "2-4"))
SCORED = ("1-2", "2-4")
WITH_INTERVAL = ("heldout", "paper", "learning_curve")


def band(ratio: float) -> str:
    """Name the band of real size over what one has; beyond everything there is no real size."""
    return next((name for low, high, name in BANDS if low <= ratio < high), ">4")


def log_error(predicted: ArrayLike, real: ArrayLike, have: ArrayLike) -> Floats:
    """Return the signed log2(predicted / real), capped at ±3; 3 where there is no answer.

    An answer at or below what one has says that this is enough: it is read as what one has.
    """
    said, true = np.asarray(predicted, dtype=np.float64), np.asarray(real, dtype=np.float64)
    answered = np.isfinite(said)
    least = np.maximum(np.where(answered, said, 1.0), have)
    return np.where(answered, np.clip(np.log2(least / true), -WORST, WORST), WORST)


def interval_scores(
    low: ArrayLike, high: ArrayLike, real: ArrayLike, have: ArrayLike, *, level: float = 0.95
) -> tuple[NDArray[np.bool_], Floats, Floats]:
    """Return whether the interval holds the real size, its width and its score (Gneiting and Raftery 2007) on log2.

    The score is the width plus ``2 / (1 - level)`` times the distance to the real size: small is good. Bounds below
    what one has are read as what one has; an undefined interval is the widest and holds nothing.
    """
    bounds = np.stack([np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)])
    defined = ~np.isnan(bounds).any(axis=0)
    with np.errstate(divide="ignore"):
        logs = np.clip(np.log2(bounds / np.asarray(have)), 0.0, FARTHEST)
    bottom, top = np.where(defined, logs, np.array([0.0, FARTHEST])[:, None])
    truth = np.log2(np.asarray(real, dtype=np.float64) / np.asarray(have))
    missed = np.maximum(bottom - truth, 0.0) + np.maximum(truth - top, 0.0)
    return defined & (missed <= 1e-12), top - bottom, top - bottom + 2.0 / (1.0 - level) * missed


def with_other_seed(cases: pd.DataFrame) -> pd.DataFrame:
    """Add as ``other_seed`` what another seed measured for the same class and target: how far the truth itself varies.

    A size that the other seed did not reach is taken as everything it had. A single seed adds nothing.
    """
    keys = ["dataset", "plan", "question", "target", "class_id"]
    one = cases[cases["estimator"] == "twice"].sort_values([*keys, "seed"])
    if one["seed"].nunique() < 2:
        return cases
    following = one.groupby(keys)["real"].transform(lambda real: np.roll(real.to_numpy(), 1))
    oracle = one.assign(
        estimator="other_seed", predicted=np.minimum(following, one["everything"]), low=np.nan, high=np.nan
    )
    return pd.concat([cases, oracle], ignore_index=True)


def score_cases(cases: pd.DataFrame) -> pd.DataFrame:
    """Add band, error, covered, width and interval_score to rows with predicted, low, high, real, have."""
    scored = cases.copy()
    scored["band"] = [band(ratio) for ratio in scored["real"] / scored["have"]]
    inside = scored["band"].isin(SCORED)
    rows = scored[inside]
    scored.loc[inside, "error"] = log_error(rows["predicted"], rows["real"], rows["have"])
    covered, width, score = interval_scores(rows["low"], rows["high"], rows["real"], rows["have"])
    silent = ~rows["estimator"].isin(WITH_INTERVAL)
    scored.loc[inside, "covered"] = np.where(silent, np.nan, covered)
    scored.loc[inside, "width"] = np.where(silent, np.nan, width)
    scored.loc[inside, "interval_score"] = np.where(silent, np.nan, score)
    return scored


def summarize(scored: pd.DataFrame, *, draws: int = 2000) -> pd.DataFrame:
    """Return the table: one row per subject (class or set), dataset, plan and estimator.

    The interval of the median is a bootstrap over (dataset, seed): cases of one seed are not independent.
    """
    inside = scored[scored["band"].isin(SCORED)].copy()
    inside["subject"] = np.where(inside["class_id"] < 0, "set", "class")
    records = []
    for subject in ("class", "set"):
        for dataset in ("all", *sorted(inside["dataset"].unique())):
            chosen = inside[(inside["subject"] == subject) & ((dataset == "all") | (inside["dataset"] == dataset))]
            for names, rows in chosen.groupby(["plan", "question", "estimator"], sort=False):
                about = {"subject": subject, "dataset": dataset}
                about |= dict(zip(("plan", "question", "estimator"), names, strict=True))
                records.append(about | _summary(rows, draws))
    return pd.DataFrame.from_records(records)


def _summary(rows: pd.DataFrame, draws: int) -> dict[str, float]:
    size = rows["error"].abs()
    low, high = _clustered_median(rows.assign(size=size), draws)
    near, far = (size[rows["band"] == name] for name in SCORED)
    return {
        "cases": len(rows),
        "median": size.median(),
        "median_low": low,
        "median_high": high,
        "median_1_2": near.median(),
        "median_2_4": far.median(),
        "bias": rows["error"].median(),
        "within_25_percent": float((size <= np.log2(1.25)).mean()),
        "no_answer": float((~np.isfinite(rows["predicted"])).mean()),
        "said_enough": float((rows["predicted"] <= rows["have"]).mean()),
        "coverage": rows["covered"].astype(float).mean(),
        "width": rows["width"].median(),
        "interval_score": rows["interval_score"].mean(),
    }


def _clustered_median(rows: pd.DataFrame, draws: int) -> tuple[float, float]:
    clusters = [group["size"].to_numpy() for _, group in rows.groupby(["dataset", "seed"])]
    rng = np.random.default_rng(0)
    medians = [
        np.median(np.concatenate([clusters[i] for i in rng.integers(len(clusters), size=len(clusters))]))
        for _ in range(draws)
    ]
    return float(np.quantile(medians, 0.025)), float(np.quantile(medians, 0.975))


def decisions(scored: pd.DataFrame) -> pd.DataFrame:
    """Return how each estimator does on all cases, classes and set together, also where the real size is out of range.

    ``right_enough``: says "enough" where what one has is; ``right_beyond``: says "more than everything" where all there
    is is not enough; ``clipped_error``: the mean |log2(predicted / real)| of all cases, both read as the nearest size
    between what one has and everything, 2 without an answer. A constant answer does badly here.
    """
    records = []
    scored = scored[scored["estimator"] != "other_seed"]  # it has no answer beyond everything
    for (plan, question, estimator), rows in scored.groupby(["plan", "question", "estimator"], sort=False):
        answered = rows["predicted"].notna()
        enough, beyond = rows["band"] == "<1", rows["band"] == ">4"
        sizes = rows[["predicted", "real"]].clip(rows["have"], rows["everything"], axis=0)
        error = np.log2(sizes["predicted"] / sizes["real"]).abs().where(answered, 2.0)
        records.append(
            {
                "plan": plan,
                "question": question,
                "estimator": estimator,
                "cases": len(rows),
                "clipped_error": error.mean(),
                "cases_enough": int(enough.sum()),
                "right_enough": (rows["predicted"] <= rows["have"])[enough].mean(),
                "cases_beyond": int(beyond.sum()),
                "right_beyond": (rows["predicted"] > rows["everything"])[beyond].mean(),
            }
        )
    return pd.DataFrame.from_records(records)

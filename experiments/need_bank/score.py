"""Every estimator against the bank: sizes at which a gap is reached, and accuracies at multiples of the data.

The truth of a case is the mean curve of the *other* seeds, whose held-out parts and training draws are others: it is what
fresh data show, and what an estimator saw is no part of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from experiments.need_bank.bank import Source, cases
from experiments.need_bank.rivals import m4_error, power_law_error
from scar.common.types import Floats
from scar.foundation.gaps import measure_error
from scar.foundation.heldout import HeldoutEstimator
from scar.foundation.paper_text import PaperEstimator
from scar.foundation.published import ReferenceEstimator
from scar.foundation.recommended import RecommendedEstimator
from scar.measures.observations import Observations
from scar.studies.need.predict import power_law
from scar.studies.need.reality import falling_crossing, gap_curve
from scar.studies.need.score import interval_scores, log_error

LEVEL = 0.9
TARGETS = tuple(0.005 * 2 ** (i / 2) for i in range(11))
"""Gaps ε, the same for every dataset."""
FARTHEST = 4.0
"""Multiples of what one has within which a real size is scored."""
MIN_HELDOUT = 100
"""Held-out samples that a class needs to be a case."""
MULTIPLES = np.array([1.5, 2.0, 4.0])
WITH_INTERVAL = ("recommended", "heldout")
DRAWS = 500


def size_cases(
    have: Observations, recommended: RecommendedEstimator, curve: tuple[Floats, Floats]
) -> Iterator[dict[str, float | str]]:
    """Yield what every estimator says of every target, class (-1: the set) and its real size within reach.

    Args:
        have: what one has.
        recommended: fitted to it.
        curve: sizes [R] and real gaps [R, K + 1], the set last.
    """
    total, count = have.n_total, have.num_steps
    fitted = {"recommended": recommended, "heldout": HeldoutEstimator(level=LEVEL).fit(have)}
    sizes, gaps = gap_curve(have)
    laws = {"power_fitted": power_law(sizes, gaps), "power_last_two": power_law(sizes[-2:], gaps[-2:])}
    held = np.append(have.heldout_class_sizes, have.heldout_class_sizes.sum())  # type: ignore[union-attr]
    none = np.full((count + 1, 2), np.nan)
    for target in TARGETS:
        real = np.array([falling_crossing(curve[0], each, target) for each in curve[1].T])
        scored = np.flatnonzero((real >= total) & (real <= FARTHEST * total * (1 + 1e-9)) & (held >= MIN_HELDOUT))
        if not scored.size:
            continue
        said = {}
        for name, estimator in fitted.items():
            found = estimator.crossings(target)
            said[name] = (
                np.append(found.step_sizes, found.set_size),
                np.vstack([found.step_intervals, found.set_interval]),
            )
        said |= {name: (law(target), none) for name, law in laws.items()}
        said["twice"] = np.full(count + 1, 2.0 * total), none
        for name, kind in (("paper", PaperEstimator), ("reference", ReferenceEstimator)):
            other = kind(epsilon=target).fit(have)
            said[name] = np.append(other.step_sizes_, other.foundation_size_), none
        for name, (size, interval) in said.items():
            for k in scored:
                yield {
                    "question": "size", "estimator": name, "target": target, "class_id": -1 if k == count else int(k),
                    "have": total, "real": real[k], "said": size[k], "low": interval[k, 0], "high": interval[k, 1],
                }  # fmt: skip


def accuracy_cases(
    have: Observations, recommended: RecommendedEstimator, curve: tuple[Floats, Floats]
) -> Iterator[dict[str, float | str]]:
    """Yield the accuracy that each estimator expects at `MULTIPLES`, and the real one; `curve` holds real errors [R]."""
    seen = measure_error(have)
    at, chance = MULTIPLES * have.n_total, 1.0 - 1.0 / have.num_steps
    ahead = recommended.prospect_
    assert ahead is not None
    chosen = [int(np.flatnonzero(ahead.multiples == multiple)[0]) for multiple in MULTIPLES]
    errors = seen.gap[:, 0]
    nothing = np.full((MULTIPLES.size, 2), np.nan)
    said = {
        "recommended": (ahead.accuracy[chosen, 0], ahead.accuracy[chosen, 1:]),
        "power_law": (1.0 - power_law_error(seen.sizes, errors, at), nothing),
        "m4": (1.0 - m4_error(seen.sizes, errors, at, chance=chance), nothing),
        "as_now": (np.full(MULTIPLES.size, 1.0 - errors[-1]), nothing),
    }
    real = 1.0 - np.interp(np.log(at), np.log(curve[0]), curve[1])
    for name, (value, interval) in said.items():
        for i, multiple in enumerate(MULTIPLES):
            yield {
                "question": "accuracy", "estimator": name, "target": float(multiple), "class_id": -1,
                "have": have.n_total, "real": real[i], "said": value[i], "low": interval[i, 0], "high": interval[i, 1],
            }  # fmt: skip


def score_bank(bank: pd.DataFrame) -> pd.DataFrame:
    """Return one row per case and estimator, with error, covered, width and interval score.

    Errors and widths of sizes are in log2, of accuracies in points.
    """
    frames = []
    for source, have, real in cases(bank):
        gaps, errors = ({s: curve(o) for s, o in real.items()} for curve in (gap_curve, _error_curve))
        for seed, seen in have.items():
            others = [s for s in real if s != seed]
            if not others:
                continue
            fitted = RecommendedEstimator(level=LEVEL).fit(seen)
            gap, error = ((curve[seed][0], np.mean([curve[s][1] for s in others], axis=0)) for curve in (gaps, errors))
            found = [*size_cases(seen, fitted, gap), *accuracy_cases(seen, fitted, error)]
            frames.append(pd.DataFrame(found).assign(**_about(source), seed=seed))
    return _scored(pd.concat(frames, ignore_index=True))


def _about(source: Source) -> dict[str, str]:
    return {"dataset": source.dataset, "encoder": source.encoder, "split": "tuning" if source.tuning else "scored"}


def _error_curve(seen: Observations) -> tuple[Floats, Floats]:
    error = measure_error(seen)
    return error.sizes, error.gap[:, 0]


def _scored(found: pd.DataFrame) -> pd.DataFrame:
    found["subject"] = np.where(found.class_id < 0, "set", "class")
    size = found.question == "size"
    rows = found[size]
    found.loc[size, "error"] = log_error(rows.said, rows.real, rows.have)
    covered, width, score = interval_scores(rows.low, rows.high, rows.real, rows.have, level=LEVEL)
    found.loc[size, ["covered", "width", "interval_score"]] = np.column_stack([covered, width, score])
    rest = found[~size]
    found.loc[~size, "error"] = 100 * (rest.said - rest.real)
    missed = np.maximum(rest.low - rest.real, 0) + np.maximum(rest.real - rest.high, 0)
    wide = rest.high - rest.low
    values = np.column_stack([missed <= 0, 100 * wide, 100 * (wide + 2 / (1 - LEVEL) * missed)])
    found.loc[~size, ["covered", "width", "interval_score"]] = values
    silent = ~found.estimator.isin(WITH_INTERVAL)
    found.loc[silent, ["covered", "width", "interval_score"]] = np.nan
    case = ["dataset", "encoder", "seed", "question", "target", "class_id"]
    rival = found[found.estimator == "heldout"].set_index(case).interval_score
    other = found.set_index(case).index.map(rival.to_dict()).to_numpy(np.float64)
    found["over_heldout"] = np.where(found.estimator == "recommended", found.interval_score - other, np.nan)
    return found


def summarize(scored: pd.DataFrame) -> pd.DataFrame:
    """Return one row per split, dataset, question, subject and estimator; intervals of 95 % by dataset × encoder × seed.

    ``over_heldout`` is the interval score of `recommended` less that of `heldout` on the same cases.
    """
    table = []
    for split, within in scored.groupby("split"):
        for dataset, own in (("all", within), *within.groupby("dataset")):
            for (question, subject, estimator), rows in own.groupby(["question", "subject", "estimator"]):
                about = {"split": split, "dataset": dataset, "question": question, "subject": subject}
                table.append({**about, "estimator": estimator, **_summary(rows)})
    return pd.DataFrame(table)


def _summary(rows: pd.DataFrame) -> dict[str, float]:
    clusters = [own for _, own in rows.groupby(["dataset", "encoder", "seed"])]
    rng = np.random.default_rng(0)
    values = [own[["error", "covered", "interval_score", "over_heldout"]].to_numpy(np.float64) for own in clusters]
    drawn = [
        _statistics(np.concatenate([values[i] for i in rng.integers(len(values), size=len(values))]))
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0) if len(clusters) > 1 else np.full((2, 5), np.nan)
    names = ("median_error", "bias", "coverage", "interval_score", "over_heldout")
    record: dict[str, float] = {"cases": len(rows), "clusters": len(clusters), "width": float(rows.width.median())}
    for i, (name, value) in enumerate(zip(names, _statistics(np.concatenate(values)), strict=True)):
        record |= {name: value, f"{name}_low": low[i], f"{name}_high": high[i]}
    return record


def _statistics(values: Floats) -> tuple[float, ...]:
    """Return median absolute error, median error, coverage, mean interval score and its mean difference of rows."""
    error, covered, score, over = values.T
    return float(np.median(np.abs(error))), float(np.median(error)), *(float(x.mean()) for x in (covered, score, over))

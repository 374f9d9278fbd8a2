"""What the agreement of encoders means, in words: three claims, and what would agree with the encoders anyway."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special

from scar.common.types import Floats
from scar.job.metrics import Metric
from scar.reporting.text import name_of

FACTOR = 1.5
"""Largest ratio of two Foundation Data Sizes that count as the same."""
ROUNDING = 1e-12
"""A standard error that is no larger is that of rounding."""
CLAIMS: dict[str, str] = {
    Metric.COVERAGE: "Coverage by class",
    Metric.STEP_SIZE: "Which classes need more",
    Metric.ADDED: "The plan by class",
}
WORDS = {
    "confirmed": "confirmed",
    "refuted": "refuted",
    "undecided": "undecided",
    "noise": "not testable, two seeds of one encoder hardly agree",
    "undefined": "undefined",
}


def size_sentence(sizes: pd.DataFrame, *, level: float = 0.95) -> str:
    """Say whether the encoders ask for the same amount of data.

    Ratios are paired by seed; the interval of each is Student's on the logarithm, at a level that holds for all pairs. Named is
    the pair that refutes the claim, where one does, and the pair of the largest ratio otherwise.

    Args:
        sizes: [seeds, encoders] Foundation Data Sizes.
        level: that the intervals of all pairs hold at once.
    """
    usable = sizes.where(np.isfinite(sizes) & (sizes > 0)).dropna(axis="columns", how="all").dropna()
    if len(usable) < 2 or len(usable.columns) < 2:
        return "How much data is enough, model-agnostic: undefined; too few encoders and seeds with a finite size."
    ratio, low, high = log_ratios(usable.to_numpy(dtype=float), level=level)
    bound = np.log(FACTOR)
    inside, beyond = (-bound <= low) & (high <= bound), (low > bound) | (high < -bound)
    verdict = "confirmed" if inside.all() else "refuted" if beyond.any() else "undecided"
    named = int(np.where(beyond == beyond.any(), np.abs(ratio), -1.0).argmax())
    first, second = (usable.columns[each[named]] for each in np.triu_indices(len(usable.columns), 1))
    ends = f"[{np.exp(low[named]):.2f}, {np.exp(high[named]):.2f}]"
    return (
        f"How much data is enough, model-agnostic (within a factor of {FACTOR:g}): {verdict}. {name_of(first)} asks for "
        f"{_count(usable[first].median())} samples, {name_of(second)} for {_count(usable[second].median())}, medians over "
        f"seeds; the ratio is {np.exp(ratio[named]):.2f} {ends}."
    )


def log_ratios(sizes: Floats, *, level: float) -> tuple[Floats, Floats, Floats]:
    """Mean logarithmic ratios of all pairs of columns, with Student's intervals over seeds that hold for all pairs (Bonferroni).

    `scar.evaluation.intervals.corrected_interval` of each pair, all at once: there are as many as the square of the encoders.

    Args:
        sizes: [S, E], above 0.
        level: that all intervals hold at once.

    Returns:
        Means and ends of the intervals, each [E (E − 1) / 2], in the order of ``np.triu_indices(E, 1)``; an end is NaN where the
        ratio varies by rounding alone.
    """
    first, second = np.triu_indices(sizes.shape[1], 1)
    logs = np.log(sizes.T[first] / sizes.T[second])
    middle, error = logs.mean(axis=1), np.sqrt(logs.var(axis=1, ddof=1) / len(sizes))
    single = 1 - (1 - level) / len(first)
    half = special.stdtrit(len(sizes) - 1, (1 + single) / 2) * error
    half[(error > 0) & ~(error > ROUNDING)] = np.nan
    return middle, middle - half, middle + half


def order_sentences(order: pd.DataFrame) -> list[str]:
    """Say of each claim whether the order of the classes survives another encoder as it survives another seed."""
    sentences = []
    for row in order[order.quantity.isin(CLAIMS)].itertuples():
        numbers = (
            f" Rank correlation {row.between:.2f} between encoders, {row.within:.2f} between seeds of one encoder; "
            f"loss {row.loss:+.2f} [{row.low:+.2f}, {row.high:+.2f}]."
        ).replace("-", "−")
        tail = numbers if np.isfinite(row.within) else ""
        sentences.append(f"{CLAIMS[str(row.quantity)]}, model-agnostic: {WORDS[str(row.verdict)]}.{tail}")
    return sentences


def worth_sentences(order: pd.DataFrame) -> list[str]:
    """Say how well what knows nothing agrees with the encoders: the class sizes alone, and the control."""
    sentences = []
    for row in order[order.quantity.isin((Metric.STEP_SIZE, Metric.ADDED))].itertuples():
        known = {"the class sizes alone": row.class_size, "the control": row.control}
        parts = [f"{name} {value:.2f}".replace("-", "−") for name, value in known.items() if np.isfinite(value)]
        if parts:
            claim = CLAIMS[str(row.quantity)]
            sentences.append(f"{claim}, what knows nothing correlates with the encoders as well: {', '.join(parts)}.")
    return sentences


def selected_sentences(pairs: pd.DataFrame, *, among: str = "encoders") -> list[str]:
    """Say how many sample ids two plans share; of which encoders, in words."""
    own = pairs[pairs.quantity == "selected"]
    if "overlap" not in own or own.overlap.isna().all():
        return []
    return [
        f"Two {among} share {100 * own.overlap.mean():.0f} % of the sample ids in their plans; random plans of these "
        f"sizes share {100 * own.by_chance.mean():.0f} %. Within a class all plans of a seed draw in one order."
    ]


def _count(value: float) -> str:
    return f"{value:,.0f}".replace(",", "\u202f")

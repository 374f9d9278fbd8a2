"""What the agreement of encoders means, in words: three claims, and what would agree with the encoders anyway."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from scar.evaluation.intervals import MeanEstimate, corrected_interval
from scar.job.metrics import Metric
from scar.reporting.text import name_of

FACTOR = 1.5
"""Largest ratio of two Foundation Data Sizes that count as the same."""
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
    pairs = list(combinations(usable.columns, 2))
    if len(usable) < 2 or not pairs:
        return "How much data is enough, model-agnostic: undefined; too few encoders and seeds with a finite size."
    own = 1 - (1 - level) / len(pairs)
    ratios = {}
    for first, second in pairs:
        logs = np.log(usable[first] / usable[second]).to_numpy()
        ratios[first, second] = corrected_interval(logs, test_share=0.0, level=own)
    bound = np.log(FACTOR)
    inside = all(-bound <= each.low and each.high <= bound for each in ratios.values())
    verdict = "confirmed" if inside else "refuted" if any(map(_beyond, ratios.values())) else "undecided"
    (first, second), shown = max(ratios.items(), key=lambda item: (_beyond(item[1]), abs(item[1].value)))
    ends = f"[{np.exp(shown.low):.2f}, {np.exp(shown.high):.2f}]"
    return (
        f"How much data is enough, model-agnostic (within a factor of {FACTOR:g}): {verdict}. {name_of(first)} asks for "
        f"{_count(usable[first].median())} samples, {name_of(second)} for {_count(usable[second].median())}, medians over "
        f"seeds; the ratio is {np.exp(shown.value):.2f} {ends}."
    )


def _beyond(ratio: MeanEstimate) -> bool:
    """Tell whether a logarithmic ratio surely exceeds `FACTOR`, in either direction."""
    return bool(ratio.low > np.log(FACTOR) or ratio.high < -np.log(FACTOR))


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

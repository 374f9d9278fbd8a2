"""The four answers in plain words: how good, is it enough, what to add, did it help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scar.reporting.characteristics import foundation_of
from scar.reporting.comparison import STRATEGIES, Comparison
from scar.reporting.indicators_table import indicator_sentence
from scar.reporting.plan_table import plan_by_class
from scar.reporting.study import Study
from scar.reporting.text import (
    count,
    decimal,
    group_label,
    known,
    listing,
    name_of,
    percent,
    percent_interval,
    points,
    points_interval,
    share,
    size_interval,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Sentences about one group; each question has one or more."""

    label: str
    quality: tuple[str, ...]
    sufficiency: tuple[str, ...]
    additions: tuple[str, ...]
    benefit: tuple[str, ...]

    def items(self) -> list[tuple[str, tuple[str, ...]]]:
        """Questions with their sentences."""
        return [
            ("How good is it?", self.quality), ("Is it enough?", self.sufficiency),
            ("What should be added?", self.additions), ("Did adding it help?", self.benefit),
        ]  # fmt: skip


def answer(study: Study, comparison: Comparison, group: Mapping[str, Any]) -> Answers:
    """Say what the rows of one group show; what they do not show is said as such."""
    rows = study.of(group)
    seed = int(rows.seed.min())
    return Answers(
        label=group_label(group),
        quality=_quality(rows, comparison, group, study.driver),
        sufficiency=tuple(_sufficiency(rows, study.driver)),
        additions=tuple(_additions(rows, seed, study.driver)),
        benefit=tuple(_benefit(comparison, group)),
    )


def _quality(rows: pd.DataFrame, comparison: Comparison, group: Mapping[str, Any], driver: str) -> tuple[str, ...]:
    own = rows[(rows.stage == "dataset") & (rows.estimator == driver)]
    mean = {m: own.loc[own.metric == m, "value"].mean() for m in ("scale", "coverage", "authenticity", "richness")}
    values = ", ".join(f"{m.capitalize()} {decimal(v)}" for m, v in mean.items() if known(v))
    sentences = [f"{values} (of 1; estimator: {name_of(driver)})." if values else "The set-level measures are missing."]
    for subject, phrase in (("primary", "the primary set"), ("total", "all training data")):
        arm = _pick(comparison.arms, group, subject=subject, metric="accuracy")
        if len(arm):
            one = arm.iloc[0]
            sentences.append(
                f"A probe on {phrase} is right on {percent(one.value)} % {percent_interval(one.low, one.high)} of the test items."
            )
    sentences += [sentence] if (sentence := indicator_sentence(rows)) else []
    steps = rows[(rows.stage == "measures") & (rows.subject == "primary") & (rows.metric == "coverage")]
    steps = steps[steps.factor == steps.factor.min()]
    worst = steps.groupby("class_name").value.mean().dropna().sort_values()
    if len(worst) > 1:
        low, high = worst.index[0], worst.index[-1]
        sentences.append(
            f"Coverage is lowest for {low} ({decimal(worst.iloc[0])}) and highest for {high} ({decimal(worst.iloc[-1])})."
        )
    return tuple(sentences)


def _sufficiency(rows: pd.DataFrame, driver: str) -> list[str]:
    sizes = rows[(rows.metric == "foundation_size") & (rows.subject == "primary")]
    have = rows.loc[rows.metric == "n_primary", "value"].mean()
    sentences = []
    for estimator in sorted(sizes.estimator.unique(), key=lambda e: (e != driver, e)):
        found = foundation_of(sizes[sizes.estimator == estimator])
        sentences.append(_enough(name_of(estimator), found, have, driver == estimator))
    needs = rows[(rows.metric == "need") & (rows.subject == "primary") & (rows.estimator == driver)]
    if len(needs):
        met = needs[needs.value == 0].groupby("seed").size().reindex(needs.seed.unique(), fill_value=0).mean()
        undefined = needs[needs.value.isna()].groupby("seed").size().reindex(needs.seed.unique(), fill_value=0).mean()
        per_seed = len(needs) / needs.seed.nunique()
        tail = f"; for {undefined:.1f} it is undefined" if undefined else ""
        sentences.append(f"On average over seeds the need is met for {met:.1f} of {per_seed:.0f} classes{tail}.")
    return sentences or ["No estimate of the Foundation Data Size is in the rows."]


def _enough(name: str, found: Mapping[str, Any], have: float, driver: bool) -> str:
    label = f"{name[0].upper()}{name[1:]} estimate{' (drives the plan)' if driver else ''}"
    found_size = found["foundation"]
    if found_size == 0:
        return f"{label}: enough; the generalisation gap is already within the tolerance."
    if not known(found_size):
        reason = "no size would be enough" if found_size == np.inf else "undefined"
        return f"{label}: {reason}."
    ends = f" {size_interval(found['foundation_low'], found['foundation_high'])}".rstrip()
    verdict = "enough" if found_size <= have else f"not enough, {count(found_size - have)} short"
    return f"{label}: {count(found_size)} samples{ends} are needed, the primary set holds {count(have)}: {verdict}."


def _additions(rows: pd.DataFrame, seed: int, driver: str) -> list[str]:
    plan = plan_by_class(rows, seed=seed, estimator=driver)
    total = plan.added.sum()
    if plan.added.isna().all():
        return ["No SCAR plan is in the rows."]
    if not total:
        return ["Nothing: every need is met, so the plan is empty."]
    largest = plan[plan.added > 0].sort_values("added", ascending=False)
    names = [f"{row.class_name} +{count(row.added)}" for row in largest.itertuples()]
    none = plan[plan.added == 0].class_name.tolist()
    sentences = [
        f"With a budget of {share(plan.fraction.iloc[0])} of the reserve (seed {seed}), {count(total)} samples: {listing(names)}."
    ]
    if none:
        sentences.append(f"Nothing for {listing(none)}.")
    return sentences


def _benefit(comparison: Comparison, group: Mapping[str, Any]) -> list[str]:
    rows = _pick(comparison.differences, group, metric="accuracy")
    sentences = []
    for row in rows[rows.second == "primary"].itertuples():
        one = f"Adding {share(row.fraction)} of the reserve by SCAR moved accuracy by {points(row.value)} points"
        moved = f"{one} {points_interval(row.low, row.high)}".rstrip()
        sentences.append(f"{moved}, against the primary set.")
    sentences = sentences[-1:]
    for row in rows[rows.second != "primary"].itertuples():
        sentences.append(f"At {share(row.fraction)}, SCAR against {name_of(row.second)}: {verdict(row)}.")
    lacking = [name_of(s) for s in STRATEGIES if s not in {*rows["first"], *rows.second}]
    if lacking:
        sentences.append(f"Missing: {listing(lacking)}.")
    return sentences


def verdict(row: Any) -> str:
    """What a paired difference shows, null results included.

    Args:
        row: of `Comparison.differences`, as a named tuple.
    """
    text = f"{points(row.value)} points {points_interval(row.low, row.high)}".strip()
    if row.flag == "identical":
        return "no difference: both are right on the same test items"
    if not known(row.low):
        return f"{text}; one seed, so nothing can be said about chance"
    if row.low <= 0 <= row.high:
        return f"no difference shown: {text}"
    direction = "better" if row.value > 0 else "worse"
    if known(row.p_holm) and row.p_holm >= 0.05:
        return f"{text}; {direction} by its own interval, not after correction for the number of comparisons"
    return f"{direction}: {text}"


def _pick(frame: pd.DataFrame, group: Mapping[str, Any], **where: str) -> pd.DataFrame:
    for column, value in {**group, **where}.items():
        frame = frame[frame[column] == value]
    return frame if "p_value" in frame else frame[np.isnan(frame.fraction)]

"""What unfolds a decision: how good, is it enough, what to add, did it help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scar.evaluation.scores import LEADING
from scar.job.metrics import Metric
from scar.measures.steps import MEASURES
from scar.reporting.axes import by_seed, compensated_mean, equal, grouped, mean, numbers, pick, seeds_of
from scar.reporting.comparison import Comparison
from scar.reporting.decision import Decision, Purchase, decide
from scar.reporting.decision_facts import gather_facts
from scar.reporting.study_folder import Study
from scar.reporting.tables.caveats import disagreement
from scar.reporting.tables.characteristics import MISSING, foundations
from scar.reporting.tables.estimators_table import leading_estimator, prospect_sentences
from scar.reporting.tables.indicators_table import indicator_sentence
from scar.reporting.tables.labels_table import has_several
from scar.reporting.tables.leaderboard import Board
from scar.reporting.tables.plan_table import plan_of
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
    points_of,
    share,
    size,
    size_interval,
)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The decision about one group, and the sentences that unfold it; each question has one or more.

    `proposed` is the planner whose plan the decision is about; None where there is none.
    """

    label: str
    proposed: str | None
    decision: Decision
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


def answer(study: Study, comparison: Comparison, group: Mapping[str, Any], boards: Sequence[Board] = ()) -> Answers:
    """Say what the rows of one group show; what they do not show is said as such.

    Args:
        study: that the group belongs to.
        comparison: of its arms.
        group: values of the axes.
        boards: of the encoders that the study compares.
    """
    rows = study.of(group)
    seed = seeds_of(rows)[0]
    facts = gather_facts(study, comparison, group, boards)
    comparison = comparison.of(group)
    return Answers(
        label=group_label(group),
        proposed=facts.purchase.planner if isinstance(facts.purchase, Purchase) else None,
        decision=decide(facts),
        quality=_quality(rows, comparison, study.driver),
        sufficiency=tuple(_sufficiency(rows, study.driver)),
        additions=tuple(_additions(rows, plan_of(study, group, seed=seed), seed, study.driver, study.budget_base)),
        benefit=tuple(_benefit(comparison, study.budget_base)),
    )


def _quality(rows: pd.DataFrame, comparison: Comparison, driver: str) -> tuple[str, ...]:
    means = {m: mean(numbers(rows, stage="dataset", estimator=driver, metric=m)) for m in MEASURES}
    values = ", ".join(f"{m.capitalize()} {decimal(v)}" for m, v in means.items() if known(v))
    sentences = [f"{values} (of 1; estimator: {name_of(driver)})." if values else "The set-level measures are missing."]
    for subject, phrase in (("primary", "the primary set"), ("total", "all training data")):
        arm = _pick(comparison.arms, subject=subject, metric=Metric.MATCHED_ACCURACY)
        if len(arm):
            one = arm.iloc[0]
            sentences.append(
                f"A probe on {phrase} is right on {percent(one.value)} % {percent_interval(one.low, one.high)} of the test items."
            )
        arm = _pick(comparison.arms, subject=subject, metric=LEADING)
        if len(arm) and has_several(rows):
            one = arm.iloc[0]
            sentences.append(
                f"A probe on {phrase} decides {percent(one.value)} % {percent_interval(one.low, one.high)} of the presences and "
                "absences of a label rightly, each counting half, averaged over the labels."
            )
    sentences += [sentence] if (sentence := indicator_sentence(rows)) else []
    where = {"stage": "measures", "subject": "primary", "metric": Metric.COVERAGE}
    steps = pick(rows, ["class_name", "factor", "value"], **where)
    steps = steps[steps.factor == steps.factor.min()]
    by_class = grouped(steps.class_name.tolist(), steps.value.tolist())
    means = {name: compensated_mean(values) for name, values in sorted(by_class.items())}
    worst = [(value, name) for name, value in means.items() if known(value)]
    if len(worst) > 1:
        ends = (worst[place] for place in np.argsort([value for value, _ in worst])[[0, -1]])
        low, high = (f"{name} ({decimal(value)})" for value, name in ends)
        sentences.append(f"Coverage is lowest for {low} and highest for {high}.")
    return tuple(sentences)


def _sufficiency(rows: pd.DataFrame, driver: str) -> list[str]:
    sizes, have = foundations(rows, "primary"), mean(numbers(rows, metric=Metric.N_PRIMARY))
    sentences = []
    if len(sizes):
        first = leading_estimator(sizes, driver)
        found = sizes.get(first, MISSING)
        sentences.append(_enough(name_of(first), found, have, driver == first))
        sentences += prospect_sentences(rows)
        short = [f"{name_of(name)} {size(each['foundation'])}" for name, each in sizes.items() if name != first]
        sentences += [f"Other estimates, which differ in what they call enough: {listing(short)}."] if short else []
    needs = by_seed(rows, metric=Metric.NEED, subject="primary", estimator=driver)
    if needs:
        own = np.array([need for each in needs.values() for need in each])
        met, undefined, per_seed = (
            (own == 0).sum() / len(needs),
            np.isnan(own).sum() / len(needs),
            len(own) / len(needs),
        )
        tail = f"; for {undefined:.1f} it is undefined" if undefined else ""
        sentences.append(f"On average over seeds the need is met for {met:.1f} of {per_seed:.0f} classes{tail}.")
    return sentences or ["No estimate of the Foundation Data Size is in the rows."]


def _enough(name: str, found: Mapping[str, Any], have: float, driver: bool) -> str:
    label = f"{name[0].upper()}{name[1:]} estimate{' (drives the plan)' if driver else ''}"
    found_size = found["foundation"]
    if "cannot_tell" in found["foundation_flag"].split(";") and not known(found_size):
        return f"{label}: the data cannot tell; neither enough nor four times as much is ruled out."
    if found_size == 0:
        return f"{label}: enough; the generalisation gap is already within the tolerance."
    if not known(found_size):
        reason = "no size would be enough" if found_size == np.inf else "undefined"
        return f"{label}: {reason}."
    ends = f" {size_interval(found['foundation_low'], found['foundation_high'])}".rstrip()
    verdict = "enough" if found_size <= have else f"not enough, {count(found_size - have)} short"
    return f"{label}: {count(found_size)} samples{ends} are needed, the primary set holds {count(have)}: {verdict}."


def _additions(rows: pd.DataFrame, plan: pd.DataFrame, seed: int, driver: str, base: str) -> list[str]:
    total = plan.added.sum()
    if plan.added.isna().all():
        return ["No SCAR plan is in the rows."]
    if not total:
        return [disagreement(rows, driver, seed=seed) or "Nothing: every need is met, so the plan is empty."]
    largest = plan[plan.added > 0].sort_values("added", ascending=False)
    names = [f"{row.class_name} +{count(row.added)}" for row in largest.itertuples()]
    none = plan[plan.added == 0].class_name.tolist()
    sentences = [
        f"With a budget of {share(plan.fraction.iloc[0])} of {base} (seed {seed}), {count(total)} samples: {listing(names)}."
    ]
    if none:
        sentences.append(f"Nothing for {listing(none)}.")
    if untold := plan[plan.need.isna()].class_name.tolist():
        sentences.append(f"Too little is known of {listing(untold)} to tell a need; they count as the most needy.")
    return sentences


def _benefit(comparison: Comparison, base: str) -> list[str]:
    rows = _pick(comparison.differences, metric=LEADING)
    sentences = []
    gains = []
    for row in rows[rows.second == "primary"].itertuples():
        one = f"Adding {share(row.fraction)} of {base} by SCAR moved it by {points(row.value)} points"
        moved = f"{one} {points_interval(row.low, row.high)}".rstrip()
        gains.append(f"{moved} beyond that.")
    sentences += gains[-1:]
    sentences += verdict_sentences(rows[rows.second != "primary"], comparison.margin)
    return sentences


def verdict_sentences(rows: pd.DataFrame, margin: float) -> Iterator[str]:
    """Say how SCAR compares with every other strategy: one line per verdict, with the range over strategies and budgets.

    Args:
        rows: of `Comparison.differences`.
        margin: largest difference that counts as none.
    """
    found: dict[str, list[Any]] = {}
    for row in rows.itertuples():
        found.setdefault(_kind(row, margin), []).append(row)
    for kind, own in found.items():
        others = listing(list(dict.fromkeys(name_of(row.second) for row in own)))
        budgets = listing([share(each) for each in sorted({float(row.fraction) for row in own})])
        if len(own) == 1:
            yield f"At {budgets}, SCAR against {others}: {verdict(own[0], margin)}."
            continue
        values, ends = [row.value for row in own], [end for row in own for end in (row.low, row.high) if known(end)]
        span = f"{points(min(values))} to {points(max(values))} points"
        within = f", all intervals within {points_interval(min(ends), max(ends))}" if ends else ""
        yield f"SCAR against {others}, {len(own)} comparisons at {budgets}: {kind}: {span}{within}."


def _kind(row: Any, margin: float) -> str:
    """What several differences have in common."""
    if row.flag == "identical":
        return "no difference, both are right on the same test items"
    if not known(row.low):
        return "one seed, so nothing can be said about chance"
    if row.verdict == "equivalent":
        return f"no difference larger than {points_of(margin)}"
    return str(row.verdict)


def verdict(row: Any, margin: float) -> str:
    """What a paired difference shows, null results included.

    Args:
        row: of `Comparison.differences`, as a named tuple.
        margin: largest difference that counts as none.
    """
    text = f"{points(row.value)} points {points_interval(row.low, row.high)}".strip()
    if row.flag == "identical":
        return "no difference: both are right on the same test items"
    if not known(row.low):
        return f"{text}; one seed, so nothing can be said about chance"
    if row.verdict == "equivalent":
        return f"no difference larger than {points_of(margin)}: {text}"
    if row.verdict == "cannot tell" and not row.low <= 0 <= row.high:
        direction = "better" if row.value > 0 else "worse"
        return f"{text}; {direction} by its own interval, not after correction for the number of comparisons"
    return f"{row.verdict}: {text}"


def _pick(frame: pd.DataFrame, **where: str) -> pd.DataFrame:
    wanted = equal(frame, **where)
    return frame[wanted if "p_value" in frame else wanted & np.isnan(frame["fraction"].to_numpy(dtype=float))]

"""What the scores of the derived datasets say: rank agreement, paired differences, and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scar.evaluation.agreement import COEFFICIENTS, rank_agreement
from scar.evaluation.intervals import MeanEstimate, corrected_interval, crossed_interval
from scar.evaluation.weighted_metrics import weighted_scores
from scar.measures.steps import MEASURES
from scar.studies.indicators.derived_datasets import CLASS_SIZES, LABEL_SETS
from scar.studies.indicators.evaluate import SeedResult
from scar.studies.indicators.heads import LINEAR
from scar.studies.indicators.indicator_settings import IndicatorStudy
from scar.studies.indicators.questions import FINDINGS, Question, questions

OUTCOMES = ("accuracy", "robustness")
GROUPS = ("class sizes", "class sizes, equal budgets", "label sets")
"""Datasets that are ranked together: one label set with different class sizes; those at one budget; H- and V-scaling."""
COMPARED = "equal budgets"


def indicator_columns(study: IndicatorStudy) -> list[str]:
    """Columns that are ranked: what follows from the labels, then the SCAR measures."""
    tails = [f"long_tail@{k}" for k in study.tails]
    labels = ["samples", "label_set_size", "smallest_class", "left_skew@5%", *tails]
    return [*labels, "imbalance_ratio", "normalised_entropy", "gini", *MEASURES]


def _group(table: pd.DataFrame, group: str) -> pd.DataFrame:
    if group == "label sets":
        return table[table.family == LABEL_SETS]
    own = table[table.family == CLASS_SIZES]
    return own[own.matched] if group.endswith(COMPARED) else own


def agreements(datasets: pd.DataFrame, study: IndicatorStudy, *, resamples: int = 2000) -> pd.DataFrame:
    """Rank agreement of every indicator with both outcomes, within each group; scores are means over seeds.

    Only the linear heads are ranked: an MLP is trained where a question needs it. Columns: group, outcome, indicator, datasets, and value, low and high of each coefficient. An indicator that
    is constant in a group has no agreement and is left out.
    """
    records = []
    linear, columns = datasets[datasets["head"] == LINEAR], indicator_columns(study)
    for group in GROUPS:
        mean = _group(linear, group).groupby("name", sort=False)[[*columns, *OUTCOMES]].mean()
        for outcome in OUTCOMES:
            for indicator in columns:
                known = mean[indicator].notna()
                if known.sum() < 3 or mean.loc[known, indicator].nunique() < 2:
                    continue
                found = rank_agreement(mean[indicator], mean[outcome], resamples=resamples)
                record: dict[str, object] = {"group": group, "outcome": outcome, "indicator": indicator}
                record["datasets"] = found[COEFFICIENTS[0]].datasets
                for name, each in found.items():
                    record |= {name: each.value, f"{name}_low": each.low, f"{name}_high": each.high}
                records.append(record)
    return pd.DataFrame(records)


@dataclass(frozen=True, eq=False)
class _Scored:
    """One head's scores of one outcome.

    Attributes:
        tables: per seed, rows by name of the derived dataset.
        items: per seed, name → [n] scores by item; negative for items that are not of a target class.
        labels: [n] classes of the items.
    """

    tables: list[pd.DataFrame]
    items: list[dict[str, NDArray[np.float32]]]
    labels: NDArray[np.int64]

    def has(self, question: Question) -> bool:
        return all({question.first, question.second} <= set(table.index) for table in self.tables)

    def differences(self, question: Question) -> NDArray[np.float32]:
        """[S, n] differences by item."""
        return np.stack([item[question.first] - item[question.second] for item in self.items])


def comparisons(
    results: Sequence[SeedResult],
    study: IndicatorStudy,
    *,
    truth: NDArray[np.int64],
    shift_truth: NDArray[np.int64],
    by_item: bool = True,
) -> pd.DataFrame:
    """Differences in balanced accuracy and robustness, with 95 % intervals.

    Where the target classes are the same for every seed, the interval is over seeds × test items;
    where each seed draws its own (label sets), Student's over the seeds.

    Args:
        results: of every seed.
        study: of the results.
        truth: [n_test] classes of the test items.
        shift_truth: [s] classes of the shift items.
        by_item: False where other datasets count in the robustness, whose items are others; its intervals are then
            Student's.
    """
    records = []
    for head in dict.fromkeys(str(head) for result in results for head in result.table["head"]):
        for outcome, items, labels in (("accuracy", "correct", truth), ("robustness", "shifted", shift_truth)):
            scored = _scored(results, head, items, labels)
            asked = [question for question in questions(study) if scored.has(question)]
            for question, found in zip(
                asked, _estimates(scored, asked, outcome, by_item=by_item or outcome == "accuracy"), strict=True
            ):
                records.append({"head": head, "outcome": outcome, **_line(scored, question, outcome, found)})
    return pd.DataFrame(records)


def _scored(results: Sequence[SeedResult], head: str, items: str, labels: NDArray[np.int64]) -> _Scored:
    tables, by_name = [], []
    for result in results:
        rows = np.flatnonzero((result.table["head"] == head).to_numpy())
        if len(rows):
            table = result.table.iloc[rows].set_index("name")
            scores = getattr(result, items)
            tables.append(table)
            by_name.append({name: scores[row].astype(np.float32) for name, row in zip(table.index, rows, strict=True)})
    return _Scored(tables, by_name, labels)


def _estimates(scored: _Scored, asked: Sequence[Question], outcome: str, *, by_item: bool) -> list[MeanEstimate]:
    """Estimate every difference."""
    found = []
    for question in asked:
        family = str(scored.tables[0].loc[question.first, "family"])
        if family == LABEL_SETS or not by_item:
            means = [t.loc[question.first, outcome] - t.loc[question.second, outcome] for t in scored.tables]
            found.append(corrected_interval(means, test_share=0.0))
            continue
        inside = scored.items[0][question.first] >= 0
        differences = scored.differences(question)[:, inside]
        found.append(crossed_interval(weighted_scores(differences, scored.labels[inside], "balanced_accuracy")))
    return found


def _line(scored: _Scored, question: Question, outcome: str, found: MeanEstimate) -> dict[str, object]:
    first, second = (
        float(np.mean([table.loc[name, outcome] for table in scored.tables]))
        for name in (question.first, question.second)
    )
    return {
        "topic": question.topic,
        "first": question.first,
        "second": question.second,
        "first_score": first,
        "second_score": second,
        "difference": found.value,
        "low": found.low,
        "high": found.high,
        "seeds": found.seeds,
    }


def findings(agreement: pd.DataFrame, comparison: pd.DataFrame) -> tuple[str, ...]:
    """Say in words which indicator predicts best and what became of the two findings of the paper."""
    sentences = []
    for group in GROUPS:
        for outcome in OUTCOMES:
            own = agreement[(agreement.group == group) & (agreement.outcome == outcome)]
            from_labels, trained = own[~own.indicator.isin(MEASURES)], own[own.indicator.isin(MEASURES)]
            said = [_best(from_labels, "of what the labels tell")]
            said += [_best(trained, "of the SCAR measures")] if trained.kendall.notna().any() else []
            sentences.append(f"{group}, {outcome}: {'; '.join(said)}.")
    for topic in FINDINGS:
        own = comparison[(comparison.topic == topic) & (comparison.outcome == "accuracy")]
        for head, rows in own.groupby("head", sort=False):
            up, down = int((rows.low > 0).sum()), int((rows.high < 0).sum())
            ends = [f"{100 * end:+.1f}" for end in (rows.difference.min(), rows.difference.max())]
            spread = ends[0] if len(rows) == 1 else " to ".join(ends)
            sentences.append(
                f"{topic} ({head}): {spread} points of accuracy; the interval is above 0 in {up} and below 0 in {down} "
                f"of {len(rows)}."
            )
    return tuple(sentences)


def _best(rows: pd.DataFrame, phrase: str) -> str:
    """Name the indicator with the largest |τ-b|, with all coefficients; one that few datasets define cannot be best."""
    rows = rows[rows.datasets > rows.datasets.max() / 2]
    best = rows.loc[rows.kendall.abs().idxmax()]
    said = ", ".join(
        f"{symbol} {best[name]:+.2f} [{best[f'{name}_low']:+.2f}, {best[f'{name}_high']:+.2f}]"
        for symbol, name in (("τ-b", "kendall"), ("ρ", "spearman"), ("γ", "gamma"))
    )
    return f"{phrase}, {best.indicator} agrees best over {best.datasets} datasets: {said}"

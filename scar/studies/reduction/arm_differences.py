"""Paired differences between the arms of a study, with intervals, and what they say in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scar.evaluation.hypotheses import decide, equivalence, holm
from scar.evaluation.intervals import MeanEstimate, corrected_interval, crossed_interval
from scar.reporting.reduction.reduction_arms import NAMES
from scar.studies.reduction.arms import BUDGETS, COMPARED, RECOMMENDED
from scar.studies.reduction.judge import PairResult

TESTED = ("recall",)
"""The metric by test item that is tested, the mean of recall at 1 and 10 both ways after all steps; p-values are
corrected over all of `COMPARED`."""
SHOWN = ("tr_at_1", "tr_at_10", "ir_at_1", "ir_at_10", "zero_shot", "linear_probe")
"""By test item as well, with intervals but without a test."""
PER_SEED = ("wall_seconds", "cpu_seconds")
"""One number per seed: intervals count the spread over seeds alone."""
MARGIN = 0.02
"""Difference of recall that counts as none, for the test of equivalence."""


def differences(results: Mapping[str, list[PairResult]]) -> pd.DataFrame:
    """Return one row per pair of arms, budget and metric: first minus second, paired by seed and test item.

    Args:
        results: arm → one result per seed, in the same order of seeds for every arm.
    """
    records = []
    for first, second in COMPARED:
        if not {first, second} <= set(results):
            continue
        for budget in BUDGETS:
            for metric in (*TESTED, *SHOWN):
                a, b = (items_of(results[name], metric, budget) for name in (first, second))
                if a is None or b is None or (metric == "linear_probe" and budget < 1):
                    continue
                records.append(_record(first, second, metric, budget, crossed_interval(a - b)))
        for metric in PER_SEED:
            pairs = zip(results[first], results[second], strict=True)
            each = [one.values()[metric] - two.values()[metric] for one, two in pairs]
            records.append(_record(first, second, metric, 1.0, corrected_interval(each, test_share=0.0)))
    frame = pd.DataFrame.from_records(records)
    tested = frame.metric.isin(TESTED) & (frame.budget == 1)
    frame["p_holm"] = np.nan
    frame.loc[tested, "p_holm"] = holm(frame.loc[tested, "p_value"].to_numpy())
    return frame


def items_of(results: list[PairResult], metric: str, budget: float) -> NDArray[np.float64] | None:
    """Return [S, n] scores by item, or None where a result has none."""
    rows = [each.items(metric, budget) for each in results]
    return None if any(row is None for row in rows) else np.stack([row for row in rows if row is not None])


def _record(first: str, second: str, metric: str, budget: float, estimate: MeanEstimate) -> dict[str, object]:
    kept = ("value", "low", "high", "p_value", "seeds", "flag")
    about = {"first": first, "second": second, "metric": metric, "budget": budget}
    same = equivalence(estimate, MARGIN) if metric in TESTED else np.nan
    return about | {name: getattr(estimate, name) for name in kept} | {"p_equivalence": same}


def verdict(row: Mapping[str, float]) -> str:
    """Return ``"better"``, ``"worse"``, ``"equivalent"`` or ``"cannot tell"``; see `scar.evaluation.hypotheses.decide`."""
    return decide(row["value"], row["p_holm"], row["p_equivalence"])


def conclude(table: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
    """Say in words where the reduction helped, where it hurt and where nothing could be shown, from the rows alone.

    Args:
        table: of `differences`.
        rows: of `scar.studies.reduction.reduction_measures.measure`.
    """
    tested = table[table.metric.isin(TESTED) & (table.budget == 1)]
    said = [
        f"{NAMES[row['first']]} against {NAMES[row['second']]}: {SAID[verdict(row)]} in mean recall, "
        f"{100 * row['value']:+.1f} points [{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]."
        for row in tested.to_dict("records")
    ]
    return [*said, *_costs(rows), *_planted(rows), *_selectors(rows)]


SAID = {
    "better": "better",
    "worse": "worse",
    "equivalent": "equivalent (within 2 points)",
    "cannot tell": "no difference shown",
}


def means(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return the mean over seeds: one line per table and case, one column per metric."""
    own = rows[rows.kind == kind]
    found: pd.DataFrame = own.pivot_table(index=["table", "case"], columns="metric", values="value", sort=False)
    return found


def _costs(rows: pd.DataFrame) -> list[str]:
    arms = means(rows, "arm").loc["arms"]
    full, reduced = arms.loc["full"], arms.loc["reduced"]
    return [
        f"In equal steps training takes {full.cpu_seconds:.0f} s of CPU time for {full.pairs:.0f} pairs and "
        f"{reduced.cpu_seconds:.0f} s for {reduced.pairs:.0f}: what saves time is fewer steps."
    ]


def _planted(rows: pd.DataFrame) -> list[str]:
    arms, said = means(rows, "arm").loc["arms"], []
    for metric, what in (("mismatches_kept", "planted mismatches"), ("duplicates_kept", "near-duplicates")):
        if metric in arms:
            kept = {name: arms[metric][name] for name in ("random", "reduced", RECOMMENDED)}
            said.append(
                f"Of the {what} {NAMES[RECOMMENDED]} keep {kept[RECOMMENDED]:.1%}, the reduced set {kept['reduced']:.1%}, "
                f"a random one {kept['random']:.1%}."
            )
    study = rows[(rows.kind == "study") & (rows.metric == "auroc")]
    for row in study.to_dict("records"):
        said.append(f"{row['case']} separates planted mismatches with an AUROC of {row['value']:.3f}.")
    return said


def _selectors(rows: pd.DataFrame) -> list[str]:
    """Say which rule and which feature did best by the probes, and whether the default beats random there."""
    found, said = means(rows, "case"), []
    for metric in ("probe_image", "probe_text"):
        judged = set(found.index.get_level_values("table")) if metric in found else set()
        for table, what in (("2b", "rule"), ("2d", "feature")):
            if table not in judged:
                continue
            best = found.loc[table][metric].idxmax()
            said.append(
                f"{metric.replace('_', ' on ')}s: best {what} is {best} ({found.loc[table, metric][best]:.1%})."
            )
        if "2b" not in judged:
            continue
        own = rows[(rows.kind == "case") & (rows.table == "2b") & (rows.metric == metric)].set_index("case")
        gain = (
            own.loc[["uniform"]].sort_values("seed").value.to_numpy()
            - own.loc[["random"]].sort_values("seed").value.to_numpy()
        )
        each = corrected_interval(gain, test_share=0.0)
        sure = "better than" if each.low > 0 else "worse than" if each.high < 0 else "not shown to differ from"
        said.append(
            f"{metric.replace('_', ' on ')}s: clusters of codes with uniform draws are {sure} random draws "
            f"({100 * each.value:+.2f} points [{100 * each.low:+.2f}, {100 * each.high:+.2f}])."
        )
    return said

"""Paired differences between the arms of a study, with intervals, and what they say in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scar.evaluation.hypotheses import holm, is_significant
from scar.evaluation.intervals import MeanEstimate, corrected_interval, crossed_interval
from scar.studies.reduction.arms import COMPARED
from scar.studies.reduction.judge import PairResult

TESTED = ("tr_at_1", "tr_at_10", "ir_at_1", "ir_at_10", "zero_shot", "linear_probe")
"""Metrics by test item, higher is better; p-values are corrected over all of them and all of `COMPARED`."""
SHOWN = ("tr_at_5", "ir_at_5")
"""By test item as well, but not tested: they lie between two that are."""
PER_SEED = ("tr_median_rank", "ir_median_rank", "wall_seconds", "cpu_seconds")
"""One number per seed: intervals count the spread over seeds alone."""
NAMES = {
    "full": "everything", "full_short": "everything in as many steps", "random": "random", "reduced": "reduced",
    "random_refined": "random with refined captions", "reduced_refined": "reduced with refined captions",
    "tr_at_1": "TR@1", "tr_at_10": "TR@10", "ir_at_1": "IR@1", "ir_at_10": "IR@10", "zero_shot": "zero-shot accuracy",
    "linear_probe": "linear probe",
}  # fmt: skip


def differences(results: Mapping[str, list[PairResult]]) -> pd.DataFrame:
    """Return one row per pair of arms and metric: first minus second, paired by seed and test item.

    Args:
        results: arm → one result per seed, in the same order of seeds for every arm.
    """
    records = []
    for first, second in COMPARED:
        for metric in (*TESTED, *SHOWN):
            a, b = (_items(results[name], metric) for name in (first, second))
            if a is None or b is None:
                continue
            estimate = crossed_interval(a - b)
            records.append(_record(first, second, metric, estimate))
        for metric in PER_SEED:
            pairs = zip(results[first], results[second], strict=True)
            each = [one.values()[metric] - two.values()[metric] for one, two in pairs]
            records.append(_record(first, second, metric, corrected_interval(each, test_share=0.0)))
    frame = pd.DataFrame.from_records(records)
    tested = frame.metric.isin(TESTED)
    frame["p_holm"] = np.nan
    frame.loc[tested, "p_holm"] = holm(frame.loc[tested, "p_value"].to_numpy())
    return frame


def _items(results: list[PairResult], metric: str) -> NDArray[np.float64] | None:
    """Return [S, n] scores by item, or None where a result has none."""
    rows = [each.items(metric) for each in results]
    return None if any(row is None for row in rows) else np.stack([row for row in rows if row is not None])


def _record(first: str, second: str, metric: str, estimate: MeanEstimate) -> dict[str, object]:
    kept = ("value", "low", "high", "p_value", "seeds", "flag")
    return {"first": first, "second": second, "metric": metric, **{name: getattr(estimate, name) for name in kept}}


def verdict(row: Mapping[str, float]) -> str:
    """Return ``"better"``, ``"worse"`` or ``"undecided"`` by the corrected p-value of a difference."""
    if not is_significant(row["p_holm"]):
        return "undecided"
    return "better" if row["value"] > 0 else "worse"


def conclude(table: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
    """Say in words where the reduction helped, where it hurt and where nothing could be shown, from the rows alone.

    Args:
        table: of `differences`.
        rows: of `scar.studies.reduction.reduction_measures.measure`.
    """
    said = []
    for first, second in COMPARED:
        own = table[(table["first"] == first) & (table["second"] == second) & table.metric.isin(TESTED)]
        if len(own):
            said.append(f"{NAMES[first]} against {NAMES[second]}: {_compared(own)}.")
    return [*said, *_costs(rows), *_planted(rows), *_selectors(rows)]


def _compared(own: pd.DataFrame) -> str:
    parts: dict[str, list[str]] = {"better": [], "worse": [], "undecided": []}
    for row in own.to_dict("records"):
        interval = f" [{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]" if row["low"] == row["low"] else ""
        parts[verdict(row)].append(f"{NAMES[row['metric']]} {100 * row['value']:+.1f}{interval}")
    heads = {"better": "better in", "worse": "worse in", "undecided": "no difference shown in"}
    return "; ".join(f"{heads[kind]} {', '.join(listed)}" for kind, listed in parts.items() if listed)


def means(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return the mean over seeds: one line per table and case, one column per metric."""
    own = rows[rows.kind == kind]
    found: pd.DataFrame = own.pivot_table(index=["table", "case"], columns="metric", values="value", sort=False)
    return found


def _costs(rows: pd.DataFrame) -> list[str]:
    arms = means(rows, "arm").loc["arms"]
    full, reduced = arms.loc["full"], arms.loc["reduced_refined"]
    return [
        f"Training on everything takes {full.wall_seconds:.0f} s ({full.cpu_seconds:.0f} s of CPU time) for "
        f"{full.pairs:.0f} pairs, on the reduced set {reduced.wall_seconds:.0f} s ({reduced.cpu_seconds:.0f} s) for "
        f"{reduced.pairs:.0f}: {full.cpu_seconds / max(reduced.cpu_seconds, 1e-9):.1f} times less, without the captioner."
    ]


def _planted(rows: pd.DataFrame) -> list[str]:
    arms, said = means(rows, "arm").loc["arms"], []
    for metric, what in (("mismatches_kept", "planted mismatches"), ("duplicates_kept", "near-duplicates")):
        if metric in arms:
            kept = {name: arms[metric][name] for name in ("random", "reduced")}
            said.append(
                f"Of the {what} the reduced set keeps {kept['reduced']:.1%}, a random one {kept['random']:.1%}."
            )
    study = rows[(rows.kind == "study") & (rows.metric == "auroc")]
    if len(study):
        said.append(f"The pair score separates planted mismatches with an AUROC of {study.value.mean():.3f}.")
    return said


def _selectors(rows: pd.DataFrame) -> list[str]:
    """Say which rule and which feature did best by the probes, and whether the default beats random there."""
    found, said = means(rows, "case"), []
    for metric in ("probe_image", "probe_text"):
        if metric not in found:
            continue
        for table, what in (("2b", "rule"), ("2d", "feature")):
            best = found.loc[table][metric].idxmax()
            said.append(
                f"{metric.replace('_', ' on ')}s: best {what} is {best} ({found.loc[table, metric][best]:.1%})."
            )
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

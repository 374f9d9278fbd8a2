"""Table 2: what the data is like, what completion gained, and both in the published format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from scar.job.metrics import Metric
from scar.measures.steps import MEASURES
from scar.reporting.axes import GROUP, require_named_axes
from scar.reporting.comparison import PLAIN, Comparison, primary_arms, score_title, without_measured
from scar.reporting.formats.table import Table
from scar.reporting.group_scores import strategy_order
from scar.reporting.paper.published_rows import defect_of, in_published_format, mean_and_range, published_rows_for
from scar.reporting.study_folder import Study
from scar.reporting.tables.characteristics import characteristics
from scar.reporting.tables.runs import published_columns
from scar.reporting.text import (
    MISSING,
    count,
    decimal,
    group_label,
    legend_of_marks,
    name_of,
    notes_on,
    percent,
    percent_interval,
    share,
    size,
    size_interval,
    tested_points,
)

METHODS = {
    "crossed": "over seeds × test items, differences paired by both",
    "seeds": "over seeds alone where no predictions were kept: for this test part, not for others",
}
REWEIGHTED_NOTE = (
    "Re-weighted: the probe of the primary set with its decisions matched to the mix of the score, which costs nothing. "
    "Matched scores decide so for every arm; raw ones, as published, count the change of class frequencies as a gain."
)
MAJORITY_NOTE = "† some seeds answer one class only, or are no better than the most frequent class: read with care."


def characteristics_table(study: Study, estimator: str | None = None) -> Table:
    """Table 2a: S, C, A, R (§4.3) and the sizes, one row per group, by one estimator (default: the driver)."""
    values = characteristics(study, estimator)
    cells = []
    for row in values.to_dict("records"):
        line = _heads(study.axes, row)
        line |= {m: decimal(row[k]) for m, k in zip("SCAR", MEASURES, strict=True)}
        line |= {
            "Total": count(row["n_total"]), "Primary": count(row["n_primary"]), "Extended": count(row["extended"]),
            "Foundation": _foundation(row),
        }  # fmt: skip
        cells.append(line)
    name = name_of(estimator or study.driver)
    return Table(
        name="table2a",
        caption=f"Table 2a. Scale, Coverage, Authenticity, Richness and sizes in samples (estimator: {name})",
        cells=pd.DataFrame(cells),
        values=values,
        sort_by={"S": "scale", "C": "coverage", "A": "authenticity", "R": "richness", "Total": "n_total",
                 "Primary": "n_primary", "Extended": "extended", "Foundation": "foundation"},
        notes=(
            "S = min(1, N / FDS) and R = min(1, FDS / N): one of them is always 1. C is the share of the reserve that "
            "the plan takes up at the published fill, A the test accuracy of a probe trained on everything.",
            "Extended: primary plus the SCAR plan at its largest budget. Foundation: the estimate from all training "
            "data with its interval; met: the gap is already within ε.",
        ),
    )  # fmt: skip


def _foundation(row: Mapping[str, Any]) -> str:
    if row["foundation_flag"] == MISSING:
        return MISSING
    return f"{size(row['foundation'])} {size_interval(row['foundation_low'], row['foundation_high'])}".strip()


def completion_table(
    comparison: Comparison, *, metric: str = Metric.ACCURACY, by: Sequence[str] = (*GROUP, "fraction")
) -> Table:
    """Table 2b: score of primary and of each strategy at equal added size, and SCAR's difference to each.

    ``Primary`` is scored raw and ``Re-weighted`` is the same probe with matched decisions, which cost nothing, whatever the
    metric of the strategies.

    Args:
        comparison: of `compare`.
        metric: which score.
        by: what one line stands for; everything that varies must be named here.

    Raises:
        ValueError: the scores vary in an axis that `by` does not name.
    """
    arms, plain_arms = comparison.arms[comparison.arms.metric == metric], primary_arms(comparison, metric)
    budgeted = arms[arms.fraction.notna()]
    require_named_axes(without_measured(budgeted, keep=["fraction"]), by)
    axes = [axis for axis in by if axis != "fraction"]
    strategies = sorted(budgeted.subject.unique(), key=strategy_order)
    others = [subject for subject in strategies if subject != "scar"] if "scar" in strategies else []
    plain = _indexed(plain_arms, [*axes, "subject"])
    scored = _indexed(budgeted, [*by, "subject"])
    differences = comparison.differences[comparison.differences.metric == metric]
    compared = _indexed(differences, [*by, "second"])
    cells, values = [], []
    for key, first in _indexed(budgeted, by).items():
        group = dict(zip(by, key, strict=True))
        place = tuple(group[axis] for axis in axes)
        line = {**_heads(axes, group), "Budget": share(group["fraction"]), "Added": count(first["added"])}
        value: dict[str, Any] = {**group, "added": first["added"]}
        for subject in (*PLAIN, *strategies):
            row = plain.get((*place, subject)) if subject in PLAIN else scored.get((*key, subject))
            line[_title(subject)] = _score(row)
            value |= _numbers(row, subject)
        for subject in others:
            row = compared.get((*key, subject))
            line[f"SCAR − {name_of(subject)}"] = _difference(row)
            value |= _numbers(
                row, f"scar_minus_{subject}", ("value", "low", "high", "p_value", "p_holm", "p_equivalence")
            )
            value[f"scar_minus_{subject}_verdict"] = (row or {}).get("verdict", "")
        cells.append(line)
        values.append(value)
    titles = {_title(s): s for s in (*PLAIN, *strategies)} | {f"SCAR − {name_of(s)}": f"scar_minus_{s}" for s in others}
    return Table(
        name="table2b" if metric == Metric.ACCURACY else f"table2b_{metric}",
        caption=f"Table 2b. Test {score_title(metric)} in percent at equal added size, and SCAR's differences in points",
        cells=pd.DataFrame(cells),
        values=pd.DataFrame(values),
        sort_by={"Budget": "fraction", "Added": "added"} | titles if cells else {},
        notes=_notes(comparison, metric, arms),
    )


def _notes(comparison: Comparison, metric: str, arms: pd.DataFrame) -> tuple[str, ...]:
    family = comparison.differences
    family = family[(family.metric == metric) & (family.second != "primary") & family.p_value.notna()]
    methods = [METHODS[method] for method in METHODS if method in set(family.method)]
    notes = [one_seed_note(comparison)] if has_one_seed(comparison) else []
    if methods:
        notes += [
            f"Intervals are {100 * comparison.level:.0f} %, {', or '.join(methods)}.",
            f"{legend_of_marks(comparison.margin, len(family), looks=comparison.looks)}.",
        ]
    elif not notes:
        notes = ["Nothing to compare with: no test of a difference."]
    notes += [REWEIGHTED_NOTE, *notes_on(metric)]
    if (arms.majority > 0).any():
        notes.append(MAJORITY_NOTE)
    return tuple(notes)


def has_one_seed(comparison: Comparison) -> bool:
    """Whether some arm was scored for one seed alone."""
    return bool((comparison.arms.seeds == 1).any())


def one_seed_note(comparison: Comparison) -> str:
    """Return what the intervals of a single seed count."""
    return (
        f"One seed: {100 * comparison.level:.0f} % intervals of scores count the test items alone, for this draw of the samples; "
        "differences are not tested (seed=range(5) tests them)."
    )


def _indexed(frame: pd.DataFrame, by: Sequence[str]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """First row of each combination of the given columns."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in frame.to_dict("records"):
        found.setdefault(tuple(row[column] for column in by), {str(k): v for k, v in row.items()})
    return found


def _numbers(
    row: Mapping[str, Any] | None, name: str, columns: Sequence[str] = ("value", "low", "high", "spread", "seeds")
) -> dict[str, Any]:
    own = row or {}
    return {name if c == "value" else f"{name}_{c}": float(own.get(c, "nan")) for c in columns}


def _score(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return MISSING
    mark = "†" if row["majority"] else ""
    return f"{percent(row['value'])}{mark} {percent_interval(row['low'], row['high'])}".strip()


def _difference(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return MISSING
    return tested_points(row["value"], row["low"], row["high"], row["verdict"])


def _title(subject: str) -> str:
    return name_of(subject)[0].upper() + name_of(subject)[1:]


def _heads(axes: Sequence[str], group: Mapping[str, Any]) -> dict[str, str]:
    heads = {"Dataset": group_label({k: group[k] for k in axes if k in ("dataset", "modality")})}
    heads |= {axis.capitalize(): name_of(group[axis]) for axis in ("encoder", "regime") if axis in axes}
    heads |= {"Pool": group["mix"]} if "mix" in axes else {}
    return heads | {axis: str(group[axis]) for axis in axes if axis not in GROUP}


def published_format_table(study: Study) -> Table:
    """Our accuracies at the largest budget as the paper prints them, with the published rows beside them."""
    ours = published_columns(study)
    lines, values = [], []
    if len(ours):
        by = tuple(study.axes)
        for row in mean_and_range(ours, by).to_dict("records"):
            lines.append({**_heads(by, row), "Source": "ours", **in_published_format(row), "Note": ""})
            values.append({**row, "source": "ours"})
    for row in mean_and_range(published_rows_for(study.groups())).to_dict("records"):
        heads = _heads(GROUP[:3], row) | {"Regime": name_of("natural"), "Pool": "natural"}
        note = defect_of(row["dataset"], row["encoder"])
        lines.append({**heads, "Source": "published", **in_published_format(row), "Note": note})
        values.append({**row, "source": "published"})
    return Table(
        name="table2_published_format",
        caption="Table 2 in the published format: test accuracy in percent, mean ± (max − min) over runs",
        cells=pd.DataFrame(lines),
        values=pd.DataFrame(values),
        notes=("Max − min grows with the number of runs, so the ± of ten seeds is wider than that of three.",),
    )

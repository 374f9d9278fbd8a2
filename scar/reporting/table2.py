"""Table 2: what the data is like, what completion gained, and both in the published format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scar.reporting.axes import GROUP, require_named_axes
from scar.reporting.characteristics import characteristics
from scar.reporting.comparison import STRATEGIES, Comparison, strategy_order
from scar.reporting.published import ARMS, defect_of, in_published_format, mean_and_range, published_rows_for
from scar.reporting.runs import published_columns
from scar.reporting.study import Study
from scar.reporting.table import Table
from scar.reporting.text import (
    MISSING,
    count,
    decimal,
    group_label,
    name_of,
    percent,
    percent_interval,
    points,
    points_interval,
    share,
    size,
    size_interval,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

METHODS = {
    "bootstrap": "by a bootstrap over seeds × test items, differences paired by both",
    "nadeau-bengio": "over seeds, by Nadeau and Bengio",
}
MAJORITY_NOTE = "† some seeds answer one class only, or are no better than the most frequent class: read with care."


def characteristics_table(study: Study, estimator: str | None = None) -> Table:
    """Table 2a: S, C, A, R (§4.3) and the sizes, one row per group, by one estimator (default: the driver)."""
    import pandas as pd

    values = characteristics(study, estimator)
    cells = []
    for row in values.to_dict("records"):
        line = _heads(study.axes, row)
        line |= {
            m: decimal(row[k]) for m, k in zip("SCAR", ("scale", "coverage", "authenticity", "richness"), strict=True)
        }
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
    comparison: Comparison, *, metric: str = "accuracy", by: Sequence[str] = (*GROUP, "fraction")
) -> Table:
    """Table 2b: score of primary and of each strategy at equal added size, and SCAR's difference to each.

    Args:
        comparison: of `compare`.
        metric: which score.
        by: what one line stands for; everything that varies must be named here.

    Raises:
        ValueError: the scores vary in an axis that `by` does not name.
    """
    import pandas as pd

    arms = comparison.arms[comparison.arms.metric == metric]
    budgeted = arms[arms.fraction.notna()]
    _require_axes(budgeted, by)
    axes = [axis for axis in by if axis != "fraction"]
    strategies = sorted({*STRATEGIES, *budgeted.subject}, key=strategy_order)
    plain = _indexed(arms[arms.fraction.isna()], [*axes, "subject"])
    scored = _indexed(budgeted, [*by, "subject"])
    differences = comparison.differences[comparison.differences.metric == metric]
    compared = _indexed(differences, [*by, "second"])
    cells, values = [], []
    for key, first in _indexed(budgeted, by).items():
        group = dict(zip(by, key, strict=True))
        place = tuple(group[axis] for axis in axes)
        line = {**_heads(axes, group), "Budget": share(group["fraction"]), "Added": count(first["added"])}
        value: dict[str, Any] = {**group, "added": first["added"]}
        for subject in ("primary", *strategies):
            row = plain.get((*place, subject)) if subject == "primary" else scored.get((*key, subject))
            line[_title(subject)] = _score(row)
            value |= _numbers(row, subject)
        for subject in strategies[1:]:
            row = compared.get((*key, subject))
            line[f"SCAR − {name_of(subject)}"] = _difference(row)
            value |= _numbers(row, f"scar_minus_{subject}", ("value", "low", "high", "p_value", "p_holm"))
        cells.append(line)
        values.append(value)
    titles = {_title(s): s for s in ("primary", *strategies)} | {
        f"SCAR − {name_of(s)}": f"scar_minus_{s}" for s in strategies[1:]
    }
    return Table(
        name="table2b" if metric == "accuracy" else f"table2b_{metric}",
        caption=f"Table 2b. Test {name_of(metric)} in percent at equal added size, and SCAR's differences in points",
        cells=pd.DataFrame(cells),
        values=pd.DataFrame(values),
        sort_by={"Budget": "fraction", "Added": "added"} | titles if cells else {},
        notes=_notes(comparison, metric, arms),
    )


def _require_axes(arms: pd.DataFrame, by: Sequence[str]) -> None:
    measured = [*("subject", "metric", "value", "low", "high", "spread", "seeds", "added", "majority")]
    require_named_axes(arms.drop(columns=[c for c in measured if c in arms]), by)


def _notes(comparison: Comparison, metric: str, arms: pd.DataFrame) -> tuple[str, ...]:
    family = comparison.differences
    family = family[(family.metric == metric) & (family.second != "primary") & family.p_value.notna()]
    methods = [METHODS[method] for method in METHODS if method in set(family.method)]
    notes = ["One seed, or nothing to compare with: no interval and no test of a difference."]
    if methods:
        notes = [
            f"Intervals are {100 * comparison.level:.0f} %, {' or '.join(methods)}. A * marks p < 0.05 after Holm's "
            f"correction over the {len(family)} strategy comparisons."
        ]
    if (arms.majority > 0).any():
        notes.append(MAJORITY_NOTE)
    return tuple(notes)


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
    mark = "*" if row["p_holm"] < 0.05 else ""
    return f"{points(row['value'])}{mark} {points_interval(row['low'], row['high'])}".strip()


def _title(subject: str) -> str:
    return name_of(subject)[0].upper() + name_of(subject)[1:]


def _heads(axes: Sequence[str], group: Mapping[str, Any]) -> dict[str, str]:
    heads = {"Dataset": group_label({k: group[k] for k in axes if k in ("dataset", "modality")})}
    heads |= {axis.capitalize(): name_of(group[axis]) for axis in ("encoder", "regime") if axis in axes}
    return heads | {axis: str(group[axis]) for axis in axes if axis not in GROUP}


def published_format_table(study: Study, fraction: float | None = None) -> Table:
    """Our accuracies as the paper prints them (mean ± (max − min) over seeds), with the published rows beside them.

    Args:
        study: whose rows to print.
        fraction: the budget; the largest if None.
    """
    import pandas as pd

    ours = published_columns(study, fraction)
    lines, values = [], []
    if len(ours):
        by = tuple(study.axes)
        for row in mean_and_range(ours, by).to_dict("records"):
            lines.append({**_heads(by, row), "Source": "ours", **_published_cells(row), "Note": ""})
            values.append({**row, "source": "ours"})
    for row in mean_and_range(published_rows_for(study.groups())).to_dict("records"):
        heads = _heads(GROUP[:3], row) | {"Regime": name_of("natural")}
        note = defect_of(row["dataset"], row["encoder"])
        lines.append({**heads, "Source": "published", **_published_cells(row), "Note": note})
        values.append({**row, "source": "published"})
    return Table(
        name="table2_published_format",
        caption="Table 2 in the published format: test accuracy in percent, mean ± (max − min) over runs",
        cells=pd.DataFrame(lines),
        values=pd.DataFrame(values),
        notes=("Max − min grows with the number of runs, so the ± of ten seeds is wider than that of three.",),
    )


def _published_cells(row: Mapping[str, Any]) -> dict[str, str]:
    return {t: in_published_format(row[f"{a}_mean"], row[f"{a}_range"]) for a, t in ARMS.items()}

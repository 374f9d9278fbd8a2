"""The plan, class by class: what there is, what is enough, what to add."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from scar.job.metrics import Metric
from scar.reporting.axes import as_texts, pick
from scar.reporting.formats.table import Table
from scar.reporting.study_folder import Study
from scar.reporting.tables.labels_table import COUNTING_NOTE
from scar.reporting.text import count, group_label, known, share, size, size_interval

COLUMNS = [
    *("stage", "subject", "fraction", "estimator", "class_id", "class_name", "metric", "value", "low", "high", "flag")
]
"""Of rows, what a plan is made of."""


def plan_by_class(
    rows: pd.DataFrame, *, seed: int, estimator: str, strategy: str = "scar", fraction: float | None = None
) -> pd.DataFrame:
    """One row per class for one seed of one group; the tail of a regime differs from seed to seed, so seeds stay apart.

    Args:
        rows: of one group.
        seed: which seed.
        estimator: whose needs the plan answers.
        strategy: whose plan.
        fraction: budget as a share of the reserve; the largest if None.

    Returns:
        Columns class_id, class_name, primary, reserve, need, need_low, need_high, need_flag, added, fraction; where samples
        may carry several labels also ``brings``, the samples added that carry each.
        ``need`` is the class size [samples] that is enough at the primary's class mix; 0 where met, NaN where
        undefined, which a plan counts as the most needy.

    Raises:
        ValueError: the seed has no rows.
    """
    own = pick(rows, COLUMNS, seed=seed)
    if own.empty:
        raise ValueError(f"seed={seed}: no rows; seeds are {sorted(int(s) for s in rows.seed.unique())}")
    primary = pick(own, ["class_id", "class_name", "value"], metric=Metric.CLASS_SIZE, subject="primary")
    frame = as_texts(primary).rename(columns={"value": "primary"})
    reserve = pick(own, ["class_id", "value"], metric=Metric.CLASS_SIZE, subject="reserve")
    reserve = reserve.rename(columns={"value": "reserve"})
    columns = {"value": "need", "low": "need_low", "high": "need_high", "flag": "need_flag"}
    needs = pick(own, ["class_id", *columns], metric=Metric.NEED, subject="primary", estimator=estimator)
    needs = as_texts(needs).rename(columns=columns)
    added = pick(own, ["class_id", "fraction", "value"], metric=Metric.ADDED, subject=strategy)
    budget = added.fraction.max() if fraction is None else fraction
    added = added[added.fraction == budget][["class_id", "value"]].rename(columns={"value": "added"})
    parts = [reserve, needs, added]
    if (own.stage == "labels").any():
        brings = own[(own.metric == Metric.OBTAINED) & (own.subject == strategy) & (own.fraction == budget)]
        parts.append(brings[["class_id", "value"]].rename(columns={"value": "brings"}))
    for other in parts:
        frame = _with(frame, other)
    return frame.assign(fraction=budget).sort_values("class_id", ignore_index=True)


def plan_of(study: Study, group: Mapping[str, Any], *, seed: int, strategy: str = "scar") -> pd.DataFrame:
    """`plan_by_class` of one group of a study by the estimator that drives its plans, at the largest budget."""
    how: dict[str, Any] = {"seed": seed, "estimator": study.driver, "strategy": strategy}
    what = ("plan", *group.items(), seed, strategy)
    return study.once(what, lambda: plan_by_class(study.of(group), **how)).copy()


def _with(frame: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with the columns of another one, by class; one with a row per class is looked up, which takes less."""
    if not other.class_id.is_unique:
        return frame.merge(other, on="class_id", how="left")
    found = other.set_index("class_id").reindex(frame.class_id)
    return frame.assign(**{str(name): found[name].array for name in found})


def plan_table(
    plan: pd.DataFrame, *, group: Mapping[str, Any], seed: int, estimator: str, base: str = "the reserve"
) -> Table:
    """`plan_by_class` as a table, largest addition first."""
    frame = plan.sort_values(["added", "class_id"], ascending=[False, True], ignore_index=True)
    cells = [
        {
            "Class": row["class_name"],
            "In primary": count(row["primary"]),
            "Enough": need_text(row),
            "In reserve": count(row["reserve"]),
            "Add": count(row["added"]),
            **({"Brings": count(row["brings"])} if "brings" in row else {}),
        }
        for row in frame.to_dict("records")
    ]
    budget = frame["fraction"].iloc[0] if len(frame) else float("nan")
    label = share(budget) if known(budget) else "missing"
    return Table(
        name="plan",
        caption=f"Plan for {group_label(group)}, seed {seed}, budget {label} of {base} (needs: {estimator})",
        cells=pd.DataFrame(cells),
        values=frame,
        sort_by={"In primary": "primary", "Enough": "need", "In reserve": "reserve", "Add": "added"},
        notes=(
            "Samples. Enough: the class size at which the generalisation gap is within ε, at the primary's class mix; met: "
            "it already is; undefined: too little is known to tell, and a plan by need counts the class as the most needy.",
            *((COUNTING_NOTE,) if "brings" in frame else ()),
        ),
    )


def need_text(row: Mapping[str, Any]) -> str:
    """``met``, ``undefined``, ``unreachable``, or the class size that is enough, with its interval."""
    return f"{size(row['need'])} {size_interval(row['need_low'], row['need_high'])}".strip()

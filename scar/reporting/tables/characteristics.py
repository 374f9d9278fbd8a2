"""What a data set is like: sizes, set-level S, C, A, R (§4.3) and Foundation Data Sizes, one row per group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scar.job.metrics import Metric
from scar.measures.steps import MEASURES
from scar.reporting.axes import as_texts, grouped, mean, numbers, pick, require_named_axes, seeds_of
from scar.reporting.study_folder import Study

SIZES = Metric.of_table("table1")


def summarize(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Mean over seeds of `value`, with ``spread_low``, ``spread_high`` (min, max over seeds) and ``seeds``.

    ``low`` and ``high`` are the means of the estimates' own interval ends; ``flag`` joins all flags.

    Raises:
        ValueError: the rows vary in an axis that is neither in `by` nor the seed.
    """
    require_named_axes(frame, by)
    groups = frame.assign(missing=frame.value.isna()).groupby(list(by), dropna=False, sort=False)
    out = groups.agg(
        value=("value", "mean"), low=("low", "mean"), high=("high", "mean"),
        spread_low=("value", "min"), spread_high=("value", "max"), seeds=("seed", "nunique"),
        undefined=("missing", "sum"),
    )  # fmt: skip
    number, flags = groups.ngroup(), dict[int, list[str]]()  # most rows have no flag
    for group, flag in zip(number[frame.flag != ""], frame.flag[frame.flag != ""], strict=True):
        flags.setdefault(int(group), []).append(flag)
    out["flag"] = [_join_flags(flags.get(group, ())) for group in range(len(out))]
    return as_texts(out.reset_index())


def _join_flags(flags: Iterable[str]) -> str:
    return ";".join(sorted({part for flag in flags for part in str(flag).split(";") if part}))


def characteristics(study: Study, estimator: str | None = None) -> pd.DataFrame:
    """Sizes, S, C, A, R and the Foundation Data Size of each group by one estimator (default: the driver).

    Columns: the axes, estimator, `SIZES`, `MEASURES`, extended (primary plus what the SCAR plan adds at the largest
    budget), foundation, foundation_low, foundation_high, foundation_primary, foundation_flag, seeds.
    """
    estimator = estimator or study.driver
    return study.once(f"characteristics by {estimator}", lambda: _characteristics(study, estimator)).copy()


def _characteristics(study: Study, estimator: str) -> pd.DataFrame:
    records: list[dict[str, Any]] = []
    for group in study.groups():
        rows = study.of(group)
        record: dict[str, Any] = {**group, "estimator": estimator, "seeds": len(seeds_of(rows))}
        record |= {metric: _mean(rows, metric, stage="dataset") for metric in SIZES}
        record |= {metric: _mean(rows, metric, stage="dataset", estimator=estimator) for metric in MEASURES}
        record["extended"] = extension(rows)
        record |= foundation_of(sizes_of(rows, subject="total", estimator=estimator))
        record["foundation_primary"] = _mean(rows, Metric.FOUNDATION_SIZE, subject="primary", estimator=estimator)
        records.append(record)
    return pd.DataFrame(records)


def sizes_of(rows: pd.DataFrame, **where: str) -> pd.DataFrame:
    """Foundation Data Sizes, their intervals, flags and estimators in the rows with the given subject, estimator or both."""
    columns = ["seed", "subject", "estimator", "class_id", "value", "low", "high", "flag"]
    return pick(rows, columns, metric=Metric.FOUNDATION_SIZE, **where)


def foundations(rows: pd.DataFrame, subject: str) -> dict[str, dict[str, Any]]:
    """`foundation_of` each estimator that says anything of a set, in the order of the rows."""
    sizes = sizes_of(rows, subject=subject)
    columns = {name: sizes[name].tolist() for name in ("value", "low", "high", "flag")}
    places = grouped(sizes["estimator"].tolist(), range(len(sizes)))
    return {
        estimator: _foundation(*([column[place] for place in own] for column in columns.values()))
        for estimator, own in places.items()
    }


def foundation_of(sizes: pd.DataFrame) -> dict[str, Any]:
    """Mean over seeds of a Foundation Data Size, its interval and flags."""
    return _foundation(*(sizes[name].tolist() for name in ("value", "low", "high", "flag")))


def _foundation(
    values: Sequence[float], lows: Sequence[float], highs: Sequence[float], flags: Sequence[str]
) -> dict[str, Any]:
    each = {"foundation": values, "foundation_low": lows, "foundation_high": highs}
    means = {name: mean(np.array(own, dtype=float)) for name, own in each.items()}
    return means | {"foundation_flag": _join_flags({*flags}) if flags else "missing"}


MISSING = _foundation((), (), (), ())
"""`foundation_of` no rows."""


def extension(rows: pd.DataFrame) -> float:
    """Samples in primary plus the plan of SCAR at its largest budget; mean over seeds."""
    own = pick(rows, ["fraction", "value"], metric=Metric.EXTENSION_SIZE, subject="scar")
    return mean(own.value[own.fraction == own.fraction.max()].to_numpy(dtype=float))


def _mean(rows: pd.DataFrame, metric: str, **where: str) -> float:
    return mean(numbers(rows, metric=metric, **where))


def sizes_by_estimator(study: Study) -> pd.DataFrame:
    """Foundation Data Size from all training data of each group × estimator; columns as of `summarize`."""
    rows = study.rows
    sizes = rows[(rows.metric == Metric.FOUNDATION_SIZE) & (rows.subject == "total")]
    return summarize(sizes, [*study.axes, "estimator"])

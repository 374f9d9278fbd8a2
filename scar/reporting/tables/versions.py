"""Two versions of a dataset: what was added, how measures, gaps and needs moved, and what of the last plan was delivered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scar.evaluation.intervals import corrected_interval, paired_difference
from scar.evaluation.weighted_metrics import METRICS, weighted_scores
from scar.job.data_versions import Version, load_versions
from scar.job.metrics import Metric
from scar.measures.steps import MEASURES
from scar.reporting.axes import as_texts
from scar.reporting.study_folder import RANKED, Study


@dataclass(frozen=True, kw_only=True)
class SampleChanges:
    """How the samples of two versions differ, by id.

    Attributes:
        added: class → training samples that are new.
        removed: class → training samples that are gone.
        relabelled: (old class, new class) → samples of equal content whose label changed.
        replaced: samples whose content changed under the same id.
        moved: samples that went from one split to the other.
        tests: test samples that are new or gone.
    """

    added: Mapping[str, int]
    removed: Mapping[str, int]
    relabelled: Mapping[tuple[str, str], int]
    replaced: int
    moved: int
    tests: int

    @property
    def none(self) -> bool:
        """Whether the versions are equal."""
        counts = (self.added, self.removed, self.relabelled)
        return not (any(counts) or self.replaced or self.moved or self.tests)


def sample_changes(old: Version, new: Version) -> SampleChanges:
    """Compare two versions sample by sample."""
    before = {name: row for row, name in enumerate(old.ids.tolist())}
    after = {name: row for row, name in enumerate(new.ids.tolist())}
    gone = np.array([row for name, row in before.items() if name not in after], np.int64)
    come = np.array([row for name, row in after.items() if name not in before], np.int64)
    both = [(before[name], row) for name, row in after.items() if name in before]
    a, b = np.array(both, np.int64).reshape(-1, 2).T
    same = old.contents[a] == new.contents[b]
    renamed = same & (old.classes[a] != new.classes[b])
    return SampleChanges(
        added=_by_class(new, come),
        removed=_by_class(old, gone),
        relabelled=Counter(zip(old.classes[a][renamed].tolist(), new.classes[b][renamed].tolist(), strict=True)),
        replaced=int((~same).sum()),
        moved=int((old.splits[a] != new.splits[b]).sum()),
        tests=int((new.splits[come] == "test").sum() + (old.splits[gone] == "test").sum()),
    )


def _by_class(version: Version, rows: np.ndarray) -> dict[str, int]:
    train = rows[version.splits[rows] == "train"]
    return dict(Counter(version.classes[train].tolist()))


@dataclass(frozen=True, kw_only=True, eq=False)
class VersionComparison:
    """Two versions of one dataset through one encoder.

    Attributes:
        group: value of every axis, of the newer version.
        changes: of the samples; None where a job kept no record of its data.
        classes: one row per class: class_name, before, after (training samples), added, removed, need_before, need_after
            (with _low and _high), gap_before, gap_after, asked (by the last shopping list), delivered, missing.
        measures: one row per quantity: metric, before, after, difference, low, high, method.
        equal: whether the data are equal and so is every number.
    """

    group: Mapping[str, Any]
    changes: SampleChanges | None
    classes: pd.DataFrame
    measures: pd.DataFrame
    equal: bool

    @property
    def delivered(self) -> tuple[float, float]:
        """Samples that the last plan asked for, and how many of them came."""
        return float(self.classes.asked.sum()), float(self.classes.delivered.sum())


def compare_versions(new: Study, old: Study, *, level: float = 0.95) -> list[VersionComparison]:
    """Compare every group of a study with the same group of an older one.

    Groups are the same if their axes are; where each study has one dataset, its name may differ.

    Raises:
        ValueError: no group is in both.
    """
    found = []
    for group in new.groups():
        other = _counterpart(group, new, old)
        if other is not None:
            found.append(_compare(new, old, group, other, level=level))
    if not found:
        raise ValueError(f"{new.name} and {old.name} have no dataset, encoder, modality and regime in common")
    return found


def _counterpart(group: Mapping[str, Any], new: Study, old: Study) -> dict[str, Any] | None:
    renamed = new.rows.dataset.nunique() == old.rows.dataset.nunique() == 1
    for other in old.groups():
        shared = [axis for axis in group if axis in other and not (renamed and axis == "dataset")]
        if all(group[axis] == other[axis] for axis in shared):
            return other
    return None


def _compare(
    new: Study, old: Study, group: Mapping[str, Any], other: Mapping[str, Any], *, level: float
) -> VersionComparison:
    sides = {"after": (new, group), "before": (old, other)}
    states = {name: _version(*side) for name, side in sides.items()}
    known = states["before"] is not None and states["after"] is not None
    changes = sample_changes(states["before"], states["after"]) if known else None  # type: ignore[arg-type]
    classes = _classes(new.of(group), old.of(other), new.driver, changes)
    measures = _measures(sides, states, level=level)
    moved = measures.difference.fillna(0).abs().max() > 0 or not classes.gap_before.equals(classes.gap_after)
    equal = changes is not None and changes.none and not moved
    return VersionComparison(group=group, changes=changes, classes=classes, measures=measures, equal=bool(equal))


def _version(study: Study, group: Mapping[str, Any]) -> Version | None:
    """Return the state of the data that the jobs of a group saw; None if it was not kept."""
    for job in study.finished(group):
        digest = job.status.get("version")
        if digest:
            try:
                return load_versions(job.folder.parent.parent, [str(digest)])[0]
            except FileNotFoundError:
                continue
    return None


def _classes(new: pd.DataFrame, old: pd.DataFrame, driver: str, changes: SampleChanges | None) -> pd.DataFrame:
    """Class by class: sizes, needs, gaps, and what of the last shopping list was delivered; means over seeds."""
    sides = {}
    for name, rows in (("before", old), ("after", new)):
        have = _mean_by_class(rows[(rows.metric == Metric.CLASS_SIZE) & (rows.subject == "total")])
        need = rows[(rows.metric == Metric.NEED) & (rows.subject == "total") & (rows.estimator == driver)]
        columns = {f"need_{name}": _mean_by_class(need)}
        columns |= {f"need_{name}_{end}": _mean_by_class(need, end) for end in ("low", "high")}
        columns |= {f"held_{name}": have}
        sides[name] = pd.DataFrame(columns)
    frame = sides["before"].join(sides["after"], how="outer")
    for name in ("before", "after"):
        whole = frame[f"held_{name}"]
        frame[name] = whole
        frame[f"gap_{name}"] = (frame[f"need_{name}"] - whole).clip(lower=0)
    asked = old[(old.metric == Metric.TO_COLLECT) & (old.stage == "collect")]
    strategy = "scar" if "scar" in set(asked.subject) else next(iter(sorted(asked.subject.unique())), "")
    frame["asked"] = _mean_by_class(asked[asked.subject == strategy]).reindex(frame.index).fillna(0)
    grown = (frame.after.fillna(0) - frame.before.fillna(0)).clip(lower=0)
    frame["added"] = grown if changes is None else pd.Series(changes.added).reindex(frame.index).fillna(0)
    shrunk = (frame.before.fillna(0) - frame.after.fillna(0)).clip(lower=0)
    frame["removed"] = shrunk if changes is None else pd.Series(changes.removed).reindex(frame.index).fillna(0)
    frame["delivered"] = frame[["added", "asked"]].min(axis=1)
    frame["missing"] = frame.asked - frame.delivered
    frame = frame.drop(columns=["held_before", "held_after"])
    return (
        frame.rename_axis("class_name")
        .reset_index()
        .astype(dict.fromkeys(("added", "removed", "asked", "delivered", "missing"), float))
    )


def _mean_by_class(rows: pd.DataFrame, column: str = "value") -> pd.Series[float]:
    return as_texts(rows).groupby("class_name", sort=False)[column].mean()


def _measures(
    sides: Mapping[str, tuple[Study, Mapping[str, Any]]], states: Mapping[str, Version | None], *, level: float
) -> pd.DataFrame:
    outcomes = {name: study.outcomes(group) for name, (study, group) in sides.items()}
    rows = {name: study.of(group) for name, (study, group) in sides.items()}
    driver = sides["after"][0].driver
    after, before = outcomes["after"], outcomes["before"]
    seeds = sorted(set(after.seeds(RANKED)) & set(before.seeds(RANKED)))
    records = []
    share = _test_share(rows["after"])
    for metric in METRICS if seeds and not (after.several or before.several) else ():
        right = {name: each.matrix(RANKED, None, seeds) for name, each in outcomes.items()}
        values = {name: weighted_scores(right[name], outcomes[name].labels, metric).mean(axis=1) for name in right}
        if _same_test(states, before.labels, after.labels):
            each = paired_difference(right["after"], right["before"], after.labels, metric=metric, level=level)
            method = "same test items, paired"
        else:
            each = corrected_interval(values["after"] - values["before"], test_share=share, level=level)
            method = "other test items, over seeds"
        records.append(_record(metric, values["before"], values["after"], each, method))
    for metric in (*MEASURES, Metric.FOUNDATION_SIZE):
        pair = [_by_seed(rows[name], metric, driver) for name in ("before", "after")]
        both = pd.concat(pair, axis=1, keys=["before", "after"]).replace([np.inf, -np.inf], np.nan).dropna()
        if len(both):
            each = corrected_interval((both.after - both.before).to_numpy(), test_share=share, level=level)
            records.append(_record(metric, both.before.to_numpy(), both.after.to_numpy(), each, "over seeds"))
    columns = ["metric", "before", "after", "difference", "low", "high", "method"]
    return pd.DataFrame(records, columns=columns)


def _record(metric: str, before: np.ndarray, after: np.ndarray, each: Any, method: str) -> dict[str, Any]:
    ends = {"difference": each.value, "low": each.low, "high": each.high, "method": method}
    return {"metric": metric, "before": float(before.mean()), "after": float(after.mean()), **ends}


def _by_seed(rows: pd.DataFrame, metric: str, driver: str) -> pd.Series[float]:
    own = rows[(rows.metric == metric) & (rows.subject == RANKED) & (rows.estimator == driver)]
    own = own[own.stage == ("foundation" if metric == Metric.FOUNDATION_SIZE else "dataset")]
    return own.groupby("seed").value.first()


def _test_share(rows: pd.DataFrame) -> float:
    sizes = [
        rows.loc[(rows.stage == "dataset") & (rows.metric == m), "value"].mean()
        for m in (Metric.N_TEST, Metric.N_TOTAL)
    ]
    return float(sizes[0] / sizes[1]) if np.isfinite(sizes).all() and sizes[1] else 0.0


def _same_test(states: Mapping[str, Version | None], before: np.ndarray, after: np.ndarray) -> bool:
    """Tell whether both versions were tested on the same items in the same order."""
    old, new = states["before"], states["after"]
    if old is None or new is None or not np.array_equal(before, after):
        return False
    ids = [version.ids[version.splits == "test"] for version in (old, new)]
    return bool(np.array_equal(*ids))

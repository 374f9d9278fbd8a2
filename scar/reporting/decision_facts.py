"""What the rows of one group of a study say about the decision that it leads to."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from scar.common.spreadsheets import read_frame
from scar.completion.class_prospects import NOT_MENDED
from scar.completion.forecast import REFUSALS
from scar.evaluation.scores import LEADING, raw_and_matched
from scar.foundation.gaps import NEGATIVE
from scar.inspection.kinds import CORRECTED, DUPLICATE, LABEL, NEAR, REMOVED
from scar.job.metrics import Metric
from scar.reporting.axes import has_rows, mean, numbers, pick, seeds_of, select
from scar.reporting.comparison import Comparison
from scar.reporting.decision import Correction, Facts, Interval, Purchase, ToLabel
from scar.reporting.study_folder import Study
from scar.reporting.study_job import StudyJob
from scar.reporting.tables.caveats import disagreement
from scar.reporting.tables.characteristics import foundation_of, sizes_of
from scar.reporting.tables.estimators_table import leading_estimator, prospect_values
from scar.reporting.tables.inspection_table import EFFECTS, FOUND
from scar.reporting.tables.labels_table import has_several
from scar.reporting.tables.leaderboard import Board
from scar.reporting.tables.plan_table import plan_of
from scar.reporting.text import count, known, listing, name_of, points, points_interval, share

ORACLE = "oracle"
"""Sees what no planner may see: shown, never proposed."""
PREFERRED = ("tempered", "scar")
"""Proposed where none is shown to be better than random draws; the first was worse than no other in the study `pools`."""
ABOUT_DATA = ("dataset", "encoder", "modality", "labels", "split", "paths", "store")
"""Keys of a command that say which data are meant, how they are seen, and where results lie."""
SEEN = ("dataset", "encoder")
"""Groups of settings that an inspection shares with the jobs of its data."""


def gather_facts(study: Study, comparison: Comparison, group: Mapping[str, Any], boards: Sequence[Board] = ()) -> Facts:
    """Collect what the decision about one group rests on.

    Args:
        study: that the group belongs to.
        comparison: of its arms.
        group: values of the axes.
        boards: of the encoders that the study compares.
    """
    rows, comparison = study.of(group), comparison.of(group)
    planner, why = _planner_to_use(comparison, study.budget_base)
    several = has_several(rows)
    raw, _ = raw_and_matched(LEADING)
    plain = numbers(comparison.arms, subject="primary", metric=raw)
    return Facts(
        what="the primary set",
        samples=_mean(rows, Metric.N_PRIMARY),
        classes=len({*numbers(rows, "class_id", metric=Metric.CLASS_SIZE).tolist()}),
        score=_arm(comparison, "primary"),
        tested=_mean(rows, Metric.N_TEST),
        everything=_everything(rows, comparison),
        **_size(rows, study.driver),
        purchase=_purchase(study, comparison, group, planner),
        raw=float(plain[0]) if len(plain) else math.nan,
        **_corrections(study, group),
        how_to_look="" if several else _inspection_of(study, group),
        several=several,
        planner=why,
        encoder=_encoder_to_use(study, group, boards),
        unmended=_unmended(rows),
        absent=_classes_without(rows, "primary"),
        untested=_classes_without(rows, "test"),
        to_label=_to_label(rows, planner),
    )


def _inspection_of(study: Study, group: Mapping[str, Any]) -> str:
    """Return the command that inspects the data of a group, as its jobs were told to read them."""
    job = next(iter(study.finished(group)), None)
    overrides = [] if job is None else [str(each) for each in job.status.get("overrides", [])]
    keys = {each: each.lstrip("+~").partition("=")[0] for each in overrides}
    kept = [each for each in overrides if re.split("[.@]", keys[each])[0] in ABOUT_DATA]
    named = [f"{axis}={group[axis]}" for axis in SEEN if axis not in keys.values()]
    read = {} if job is None else _settings(job, "dataset")
    sizes = [
        f"dataset.{part}={read[part]}"
        for part in ("train_size", "test_size")
        if read.get(part) is not None and f"dataset.{part}" not in keys.values()
    ]
    return shlex.join(["scar", "experiment=inspect", *named, *kept, *sizes, f"study={study.folders[0].name}"])


def _classes_without(rows: pd.DataFrame, part: str) -> list[str]:
    """Names of the classes of which no seed has a sample in a part."""
    own = pick(rows, ["class_id", "class_name", "value"], metric=Metric.CLASS_SIZE, subject=part)
    held: dict[int, tuple[str, float]] = {}
    for index, name, value in zip(*(own[column].tolist() for column in own), strict=True):
        held[index] = name, max(value, held.get(index, (name, value))[1])
    return [str(name) for _, (name, most) in sorted(held.items()) if most == 0]


def _to_label(rows: pd.DataFrame, planner: str | None) -> ToLabel | None:
    """What the planner would have labelled of a pool without labels, at the largest budget of the first seed."""
    if not has_rows(rows, stage="labelling"):
        return None
    own = rows[(rows.stage == "labelling") & (rows.seed == rows.seed.min())]
    size = own.loc[own.metric == Metric.N_POOL, "value"]
    own = own[(own.metric == Metric.TO_LABEL) & (own.subject == planner)]
    if size.empty or own.empty:
        return None
    own = own[own.fraction == own.fraction.max()]
    by_class = own[own.class_id.notna()]
    return ToLabel(
        pool=float(size.iloc[0]),
        samples=float(own.loc[own.class_id.isna(), "value"].iloc[0]),
        expected=[(str(name), float(value)) for name, value in zip(by_class.class_name, by_class.value, strict=True)],
        file=f"to-label-{planner}-{100 * own.fraction.iloc[0]:g}pct.csv",
    )


def _mean(rows: pd.DataFrame, metric: str) -> float:
    return mean(numbers(rows, metric=metric))


def _interval(row: Any) -> Interval:
    return Interval(value=float(row.value), low=float(row.low), high=float(row.high))


def _arm(comparison: Comparison, subject: str) -> Interval | None:
    own = pick(comparison.arms, ["value", "low", "high", "fraction"], subject=subject, metric=LEADING)
    own = own[own.fraction.isna()]
    return _interval(own.iloc[0]) if len(own) else None


def _everything(rows: pd.DataFrame, comparison: Comparison) -> tuple[float, Interval] | None:
    score = _arm(comparison, "total")
    return None if score is None else (_mean(rows, Metric.N_TOTAL), score)


def _size(rows: pd.DataFrame, driver: str) -> dict[str, Any]:
    """How much is enough, by the estimator that is shown first, and with which chance."""
    sizes = sizes_of(rows, subject="primary")
    first = leading_estimator(sizes.estimator.tolist(), driver)
    found = foundation_of(sizes[sizes.estimator == first])
    needed = Interval(value=found["foundation"], low=found["foundation_low"], high=found["foundation_high"])
    ahead = prospect_values(rows)
    reach = ahead[ahead.metric == Metric.REACH].set_index("multiple").value
    own = sizes[(sizes.estimator == first) & sizes.class_id.isna()]
    about: dict[str, Any] = {"estimator": name_of(first), "needed": needed}
    about["worse_labels"] = bool(len(own)) and own.flag.str.contains(NEGATIVE, regex=False).all()
    if 1.0 not in reach.index:
        return about
    return about | {"chance": float(reach[1.0]), "ahead": (float(reach.index[-1]), float(reach.iloc[-1]))}


def _unmended(rows: pd.DataFrame) -> list[tuple[str, float]]:
    """Classes that more data do not mend, by the first seed that is forecast, with their recall ahead."""
    if not has_rows(rows, metric=Metric.RECALL_AHEAD):
        return []
    ahead = rows[rows.metric == Metric.RECALL_AHEAD].drop_duplicates(["seed", "class_id"])
    first = ahead[(ahead.seed == ahead.seed.min()) & (ahead.flag == NOT_MENDED)].sort_values("value")
    return [(str(name), float(value)) for name, value in zip(first.class_name, first.value, strict=True)]


def _planner_to_use(comparison: Comparison, base: str) -> tuple[str | None, str]:
    """Return the planner to use on these data and the reason: the best at the largest budget, if it beats random draws."""
    arms = select(comparison.arms, {"metric": LEADING})
    arms = arms[arms.fraction.notna() & (arms.subject != ORACLE)]
    if arms.empty:
        return None, "none can be named, no plan was retrained"
    largest = arms[arms.fraction == arms.fraction.max()].sort_values("value", ascending=False, kind="stable")
    tried, where = set(largest.subject), f"at {share(largest.fraction.iloc[0])} of {base}"
    default = next((name for name in PREFERRED if name in tried), str(sorted(tried)[0]))
    if len(tried) < 2:
        return default, f"{name_of(default)}, the only one tried; completion={default},random compares"
    if "random" not in tried:
        return (
            default,
            f"{name_of(default)}; whether any beats random draws is unknown, completion=random was not tried",
        )
    against = select(comparison.planners, {"metric": LEADING, "second": "random"})
    against = against[against.fraction == largest.fraction.iloc[0]].set_index("first")
    better = [name for name in largest.subject if name in against.index and against.verdict[name] == "better"]
    if not better:
        gains = list(dict.fromkeys(map(points, (against.value.min(), against.value.max()))))
        span, others = f"{' to '.join(gains)} points", len(tried) - 1
        if others == 1 and default != "random":
            return (
                default,
                f"{name_of(default)}, the only one tried beside random draws, and not shown to be better {where} ({span})",
            )
        return default, (
            f"none of {others} was shown to be better than random draws {where} ({span}), so that {name_of(default)} "
            "stands for all"
        )
    best = against.loc[better[0]]
    together = (best.low_simultaneous, best.high_simultaneous)
    ends = together if all(map(known, together)) else (best.low, best.high)
    return str(better[0]), (
        f"{name_of(better[0])}, {points(best.value)} points {points_interval(*ends)} over random draws {where}, the most of "
        f"{len(tried)} tried"
    )


def _encoder_to_use(study: Study, group: Mapping[str, Any], boards: Sequence[Board]) -> str:
    for board in boards:
        if all(group.get(axis) == value for axis, value in board.group.items()):
            return board.sentences[0].rstrip(".")
    others = [axis for axis in study.axes if axis != "encoder" and not axis.startswith("encoder.")]
    tried = {str(each["encoder"]) for each in study.groups() if all(each[axis] == group[axis] for axis in others)}
    if len(tried) > 1:
        names = listing(sorted(map(name_of, tried)))
        return f"{names} cannot be compared, because they share no seed and test part or differ in their own settings"
    return f"{name_of(group['encoder'])}, the only one tried; encoder={group['encoder']},… compares"


def _purchase(study: Study, comparison: Comparison, group: Mapping[str, Any], planner: str | None) -> Purchase | str:
    rows, seed = study.of(group), seeds_of(study.of(group))[0]
    if planner is None:
        return "What to buy cannot be said: no plan was retrained with."
    plan = plan_of(study, group, seed=seed, strategy=planner)
    if not plan.added.sum():
        although = ", although the set as a whole needs more" if disagreement(rows, study.driver, seed=seed) else ""
        return (
            f"Nothing by the needs, which every class meets by itself{although}; a budget is capped by them, unless "
            "another budgets.driver names other needs."
        )
    fraction = float(plan.fraction.iloc[0])
    gains = select(comparison.gains, {"first": planner, "fraction": fraction})
    forecast, why = _forecast(rows, planner, fraction)
    return Purchase(
        planner=planner,
        added=[(str(name), float(number)) for name, number in zip(plan.class_name, plan.added, strict=True)],
        budget=_budget(rows, planner, fraction, seed, study.budget_base, plan.added.sum()),
        measured=_interval(gains.iloc[0]) if len(gains) else None,
        seeds=int(gains.seeds.iloc[0]) if len(gains) else 0,
        forecast=forecast,
        why_no_forecast=why,
    )


def _budget(rows: pd.DataFrame, planner: str, fraction: float, seed: int, base: str, added: float) -> str:
    cost = numbers(rows, stage="plan", subject=planner, fraction=fraction, seed=seed, metric=Metric.COST)
    price = f", cost {count(cost[0])}" if len(cost) and cost[0] != added else ""
    return f"{share(fraction)} of {base}{price}, seed {seed}"


def _forecast(rows: pd.DataFrame, planner: str, fraction: float) -> tuple[Interval | None, str]:
    """What the plan of the first seed was forecast to gain, or why it was not forecast."""
    where = {"stage": "plan", "subject": planner, "fraction": fraction}
    columns = ["seed", "value", "low", "high", "flag"]
    own = pick(rows, columns, metric=Metric.EXPECTED_MATCHED_BALANCED_GAIN, **where).sort_values("seed")
    if own.empty:
        return None, ""
    first = own.iloc[0]
    if known(first.value):
        return _interval(first), ""
    return None, REFUSALS.get(str(first["flag"]).rpartition("refused_")[2], "the score is not among forecast.scores")


def _corrections(study: Study, group: Mapping[str, Any]) -> dict[str, Any]:
    """What an inspection of the same data by the same encoder found, and what acting on it changes."""
    sources = [_source(job) for job in study.finished(group)]
    inspections = study.once("inspections", lambda: list(filter(_is_inspection, study.jobs)))
    job = next((job for job in inspections if _inspects(job, group, sources)), None)
    if job is None:
        return {"looked": False}
    found = read_frame(job.folder / FOUND)
    kinds = found.kind.value_counts() if len(found) else pd.Series(dtype=int)
    numbers = {CORRECTED: kinds.get(LABEL, 0), REMOVED: kinds.get(DUPLICATE, 0) + kinds.get(NEAR, 0)}
    effects = read_frame(job.folder / EFFECTS) if (job.folder / EFFECTS).exists() else None
    return {
        "looked": True,
        "relabel": _correction(numbers[CORRECTED], effects, CORRECTED),
        "remove": _correction(numbers[REMOVED], effects, REMOVED),
    }


def _is_inspection(job: StudyJob) -> bool:
    return job.done and (job.folder / FOUND).exists()


def _inspects(job: StudyJob, group: Mapping[str, Any], sources: Sequence[tuple[Any, ...]]) -> bool:
    """Tell whether a job inspected the data of a group: by their names, or read from where its jobs read, however called."""
    return _source(job) in sources or all(group[part] == _settings(job, part).get("name") for part in SEEN)


def _source(job: StudyJob) -> tuple[Any, ...]:
    """Where a job reads its data, and what sees them."""
    data, encoder = (_settings(job, part) for part in SEEN)
    return (*map(data.get, ("name", "root", "file")), *map(encoder.get, ("name", "model")))


def _settings(job: StudyJob, part: str) -> dict[str, Any]:
    return job.config.get(part) or {}


def _correction(number: float, effects: pd.DataFrame | None, variant: str) -> Correction | None:
    if effects is not None and len(effects):
        own = effects[(effects.variant == variant) & (effects.metric == Metric.ACCURACY)]
        if len(own):
            one = own.iloc[0]
            gain = Interval(value=float(one.difference), low=float(one.low), high=float(one.high))
            return Correction(samples=float(one.changed), gain=gain)
    return Correction(samples=float(number)) if number else None

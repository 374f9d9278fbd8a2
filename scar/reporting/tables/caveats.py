"""What a reader should know before trusting a number: flags, undefined measures, missing and failed jobs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from scar.completion.flags import say_disagreement
from scar.job.metrics import Metric
from scar.reporting.axes import by_seed, pick, seeds_of
from scar.reporting.study_folder import Study
from scar.reporting.tables.estimators_table import leading_estimator
from scar.reporting.tables.flags import AGAIN, DOUBT, LOOK, MORE, NOTHING, flag_lines
from scar.reporting.tables.missing import missing_arms
from scar.reporting.text import decimal, group_label, known, listing, name_of

SINGLE = 20
"""Classes too small for their coverage that are named one by one; of more, those alike are one line."""


@dataclass(frozen=True, kw_only=True)
class Caveat:
    """One thing to know: of which group, what, and what to do about it."""

    where: str
    what: str
    todo: str


def collect_caveats(study: Study) -> list[Caveat]:
    """All caveats of a study, group by group."""
    found: list[Caveat] = []
    for group in study.groups():
        rows, label = study.of(group), group_label(group)
        sizes = pick(rows, ["estimator"], metric=Metric.FOUNDATION_SIZE, subject="primary")
        decisive = {study.driver, leading_estimator(sizes.estimator.tolist(), study.driver)}
        disagreed, lost = disagreement(rows, study.driver), undefined_coverage(rows)
        texts = [(DOUBT, disagreed)] if disagreed else []
        texts += [(MORE, lost[0] if len(lost) == 1 else _lost_together(rows))] if lost else []
        texts += flag_lines(rows, decisive)
        texts += [(NOTHING, text) for text in lost] if len(lost) > 1 else []
        found += [Caveat(where=label, what=what, todo=todo) for todo, what in texts]
    return found


def by_what_to_do(caveats: Iterable[Caveat]) -> dict[str, list[Caveat]]:
    """Return caveats by what a reader should do, in the order of that; of those without a caveat nothing."""
    found: dict[str, list[Caveat]] = {todo: [] for todo in (LOOK, MORE, AGAIN, DOUBT, NOTHING)}
    for caveat in caveats:
        found[caveat.todo].append(caveat)
    return {todo: own for todo, own in found.items() if own}


def _lost_together(rows: pd.DataFrame) -> str:
    """Say in one line for which classes coverage is undefined somewhere."""
    own = pick(rows, ["class_name", "value"], stage="measures", subject="primary", metric=Metric.COVERAGE)
    lost = own[own.value.isna()]
    names = listing([str(name) for name in lost.class_name.unique()])
    return (
        f"Coverage is undefined at some sizes for {lost.class_name.nunique()} of {own.class_name.nunique()} classes, which "
        f"are too small there: {names}."
    )


def disagreement(rows: pd.DataFrame, driver: str, *, seed: int | None = None) -> str:
    """Say where the set is said to need more and no class is; of a seed, or of how many seeds; "" where nowhere.

    Args:
        rows: of one group.
        driver: estimator whose needs the plans answer.
        seed: of which seed; None: of all.
    """
    estimated = {"subject": "primary", "estimator": driver}
    have = by_seed(rows, metric=Metric.N_PRIMARY)
    sizes, needs = (by_seed(rows, metric=metric, **estimated) for metric in (Metric.FOUNDATION_SIZE, Metric.NEED))
    found = [
        say_disagreement(
            size=sizes[each][0],
            have=next((number for number in have[each] if known(number)), math.nan),
            lacking=float(sum(need != 0 for need in needs[each])),
            name=name_of(driver),
        )
        for each in sorted(needs)
        if each in sizes and each in have and seed in (None, each)
    ]
    said = [text for text in found if text]
    if not said or seed is not None:
        return "".join(said)
    return f"{said[0]} ({len(said)} of {len(found)} seeds)"


def undefined_coverage(rows: pd.DataFrame, min_count: int = 30) -> list[str]:
    """Which class was too small for its coverage at which factors, and how many samples it had."""
    coverage, hits = (
        pick(rows, ["class_name", "factor", "seed", "value"], stage="measures", subject="primary", metric=metric)
        for metric in (Metric.COVERAGE, Metric.TRUE_POSITIVES)
    )
    undefined = coverage[coverage.value.isna()]
    if undefined.empty:
        return []
    had = {(name, factor, seed): count for name, factor, seed, count in _records(hits)}
    seeds = len(seeds_of(pick(rows, ["seed"], stage="measures", subject="primary")))
    lost: dict[str, tuple[set[int], set[int], list[float]]] = {}
    for name, factor, seed, _ in _records(undefined):
        factors, of_seeds, counts = lost.setdefault(str(name), (set(), set(), []))
        factors.add(int(factor))
        of_seeds.add(int(seed))
        count = had.get((name, factor, seed), math.nan)
        counts += [count] if known(count) else []
    lines = []
    for name, (factors, of_seeds, counts) in lost.items():
        has = f" and has {_between(min(counts), max(counts))} there" if counts else ""
        at = listing([f"1/{factor}" for factor in sorted(factors)], limit=9)
        said = (
            f"coverage undefined at {at} of the data in {len(of_seeds)} of {seeds} seeds: "
            f"it needs {min_count} rightly classified samples with a positive logit{has}."
        )
        lines.append((name, said))
    if len(lines) <= SINGLE:
        return [f"{name}: {said}" for name, said in lines]
    alike: dict[str, list[str]] = {}
    for name, said in lines:
        alike.setdefault(said, []).append(name)
    return [f"{listing(names)}: {said}" for said, names in alike.items()]


def _records(frame: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    return zip(*(frame[name].tolist() for name in frame), strict=True)


def _between(low: float, high: float) -> str:
    ends = (decimal(low, 0), decimal(high, 0))
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def failed_jobs(study: Study) -> list[tuple[str, str, str]]:
    """Jobs that did not finish: folder name, state with the error, and the command that repeats it."""
    lines = []
    for job in study.jobs:
        if not job.done:
            state = str(job.status.get("status", "unfinished"))
            error = str(job.status.get("error", "")).splitlines()
            overrides = " ".join(str(o) for o in job.status.get("overrides", []))
            command = f"scar {overrides}" if overrides else ""
            lines.append((job.folder.name, f"{state}: {error[0]}" if error else state, command))
    return lines


def missing_cells(study: Study) -> list[tuple[str, str]]:
    """What is missing from the completion table, and the command that fills it; one line per strategy and group."""
    frame = missing_arms(study)
    lines: dict[str, str] = {}
    for row in frame.to_dict("records"):
        label = group_label({axis: row[axis] for axis in study.axes})
        seeds = listing([str(s) for s in row["seeds"]], limit=12)
        word = "seeds" if len(row["seeds"]) > 1 else "seed"
        lines.setdefault(row["command"], f"{label}: {name_of(row['subject'])}, {word} {seeds}")
    return [(what, command) for command, what in lines.items()]

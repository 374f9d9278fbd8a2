"""What the flags of the rows mean, one line per kind of flag."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scar.completion.flags import PLAN_FLAGS
from scar.completion.forecast import REFUSALS
from scar.job.metrics import Metric
from scar.job.rows import MIX_STAGE, ROUND_STAGE
from scar.reporting.axes import coded, seeds_of
from scar.reporting.text import listing, name_of, share

EXPLANATIONS = PLAN_FLAGS | {
    "met": "the generalisation gap is already within the tolerance, so no more samples are needed",
    "truncated": "share of the texts that are longer than the encoder reads, so that it does not see their ends",
    "unconverged": "ended at probe.max_epochs before it was trained; use probe=converged, or raise probe.max_epochs",
    "far_rows": "training rows more than ten times as far out as the median row were shortened; look at them",
    "majority_rate": "answers one class only, or is no better than the most frequent class",
    "cannot_tell": "the data do not tell whether there is enough: neither that nor four times as much is ruled out",
    "few_samples": "too few samples, in training or held out, to tell a need; a plan counts it as the most needy",
    "undefined_steps": "some classes are undefined and left out",
    "coverage_undefined": "coverage is undefined at too many sizes to fit its growth",
    "some_parts": "undefined on some of the parts of a size, so that the others give the mean",
    "partly_undefined": "coverage is undefined at some sizes",
    "extrapolated": "lies beyond the largest subset by this factor, so the number is a direction, not a measurement",
    "no_interval": "this estimator has no interval",
    "zero_training_error": "no training error at full size, so the published factor F is 0/0",
    "floored": "coverage is no worse than chance explains; such points are raised to the tolerance for the fit",
    "at_prior": "the growth rate rests on its prior",
    "at_edge": "the growth rate lies on the edge of its range",
    "unidentified": "the data do not identify the growth rate",
    "bound_decreasing": "the bound falls with size, which contradicts the growth model",
    "gap_rising": "the gap rises with size",
    "gap_negative": "what is held out is decided better than what the probes are trained on, as where the training labels are worse, so that no size follows",
    "few_sizes": "two subset sizes only, so the curve could not be backtested",
    "too_few_sizes": "too few subset sizes for a curve",
    "absent_from_primary": "absent from the primary set",
    "absent_from_reserve": "absent from the reserve",
    "absent_from_test": "absent from the test part",
    "absent_from_total": "absent from the training data",
}
EXPLANATIONS |= {f"refused_{reason}": text for reason, text in REFUSALS.items()}
"""Flags in words; one that is not listed is shown as it is."""


MORE, LOOK, AGAIN, DOUBT, NOTHING = (
    "Collect, or hold out, more of these classes",
    "Look at the data",
    "Change a setting and run again",
    "Do not lean on these numbers",
    "Nothing to do",
)
"""What a reader should do about a caveat, in the order in which that is said; the last one changes no decision."""
TO_DO = {
    **dict.fromkeys(
        ("few_samples", "undefined", "unseen", "not_held_out", "no_curve", "absent_from_primary", "absent_from_reserve"), MORE
    ),
    **dict.fromkeys(("absent_from_test", "absent_from_total", "coverage_undefined"), MORE),
    **dict.fromkeys(
        ("truncated", "unconverged", "few_sizes", "too_few_sizes", "refused_not_at_optimum", "refused_nothing_held_out", "refused_too_costly"),
        AGAIN
    ),
    **dict.fromkeys(("majority_rate", "extrapolated", "at_prior", "at_edge", "unidentified", "bound_decreasing"), DOUBT),
    **dict.fromkeys(("gap_rising", "cannot_tell", "unreachable", "no_interval", "zero_training_error"), DOUBT),
    **dict.fromkeys(("not_mended", "budget_above_need", "refused_too_large"), DOUBT),
    **dict.fromkeys(("met", "some_parts", "floored", "partly_undefined", "undefined_steps", "learnt", "not_deployed", "tau"), NOTHING),
    **dict.fromkeys(("beyond_class_mix", "beyond_even", "beyond_consensus"), NOTHING),
}  # fmt: skip
"""Flag → what to do; of flags that are not named, such as those of a dataset, one looks at the data."""

_FLAG = re.compile(r"^(?P<kind>[^:=]+)(?::(?P<index>\d+))?(?:=(?P<number>[-\d.]+))?$")
ALIKE = ("stage", "subject", "estimator", "class_name", "metric")
"""Texts of rows that are said of a flag."""


def flag_lines(rows: pd.DataFrame, decisive: Collection[str]) -> list[tuple[str, str]]:
    """Every flag of the rows but those of undefined coverage: what to do about it, and what it means for which numbers.

    One line stands for all numbers, classes, budgets and seeds with a flag. Flags of estimators that decide nothing ask for
    nothing. What the tables show class by class (a met need) is left out, and so is that nobody asked for a forecast.

    Args:
        rows: of one group.
        decisive: estimators that lead the report or drive the plans.
    """
    names: Mapping[str, str] = {}
    lines: dict[tuple[bool, str], _Line] = {}
    for row, seeds in _alike(rows):
        for flag, number, index in map(_parts, row["flag"].split(";")):
            if flag == "refused_not_asked" or (flag == "met" and row["of_class"]):
                continue
            line = lines.setdefault((row["estimator"] in ("", *decisive), flag), _Line(row["stage"]))
            line.metrics["forecast" if flag.startswith("refused_") else row["metric"]] = None
            line.estimators[row["estimator"]] = None
            line.subjects[row["subject"]] = None
            line.numbers += [] if math.isnan(number) else [number]
            names = _class_names(rows) if index and not names else names
            line.classes[names.get(index, "") if index else row["class_name"]] = None
            line.budgets |= set() if math.isnan(row["fraction"]) else {row["fraction"]}
            line.seeds = line.seeds | seeds
    every = len(seeds_of(rows))
    return [
        (TO_DO.get(flag, LOOK) if decides else NOTHING, line.said(flag, every))
        for (decides, flag), line in lines.items()
    ]


@dataclass
class _Line:
    """What one line is about, in the order in which the rows name it."""

    stage: str
    metrics: dict[str, None] = field(default_factory=dict)
    estimators: dict[str, None] = field(default_factory=dict)
    subjects: dict[str, None] = field(default_factory=dict)
    classes: dict[str, None] = field(default_factory=dict)
    numbers: list[float] = field(default_factory=list)
    budgets: set[float] = field(default_factory=set)
    seeds: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(1, dtype=bool))

    def said(self, flag: str, seeds: int) -> str:
        """The line of a flag; `seeds` is how many the group has."""
        return f"{self._about()}: {self._meaning(flag)} ({self._where(seeds)})."

    def _about(self) -> str:
        """Which numbers: metrics, estimators and subjects."""
        metrics = listing([metric.replace("_", " ") for metric in self.metrics])
        estimators = listing([name_of(name) for name in self.estimators if name])
        text = f"{metrics} by {estimators}" if estimators else metrics
        subjects = listing([name_of(subject) for subject in self.subjects if subject] or [self.stage])
        return f"{text[0].upper()}{text[1:]} ({subjects})"

    def _meaning(self, flag: str) -> str:
        text = EXPLANATIONS.get(flag, flag.replace("_", " "))
        if not self.numbers:
            return text
        low, high = f"{min(self.numbers):.3g}", f"{max(self.numbers):.3g}"
        return f"{text}, {low} to {high}" if low != high else f"{text}, {low}"

    def _where(self, seeds: int) -> str:
        classes = [name for name in self.classes if name]
        budgets = [share(budget) for budget in sorted(self.budgets)]
        parts = [listing(classes)] if classes else []
        parts += [f"at {listing(budgets)}"] if budgets else []
        return ", ".join([*parts, f"{self.seeds.sum()} of {seeds} seeds"])


def _alike(rows: pd.DataFrame) -> Iterator[tuple[dict[str, Any], NDArray[np.bool_]]]:
    """Yield each kind of flagged row once, in the order of the first ones, and which of the seeds have it: rows are alike in all but the seed."""
    codes = {name: coded(rows[name]) for name in ("flag", *ALIKE)}

    def among(name: str, texts: Collection[str]) -> NDArray[np.bool_]:
        own, known = codes[name]
        found: NDArray[np.bool_] = np.asarray(known.isin(list(texts)))[own]
        return found

    wanted = ~among("flag", ["", "refused_not_asked"])
    wanted &= ~(among("stage", ["measures"]) & among("metric", [Metric.COVERAGE]))
    wanted &= ~among("metric", [Metric.STEP_SIZE, Metric.COST])  # the one is told of needs, the other names a selection
    wanted &= ~among("stage", [MIX_STAGE, ROUND_STAGE])  # told of plans
    places = np.flatnonzero(wanted)
    if not len(places):
        return
    fractions = rows["fraction"].to_numpy(dtype=float)[places]
    _, budget = np.unique(fractions, return_inverse=True)
    of_class = rows["class_id"].notna().to_numpy()[places]
    key = budget * 2 + of_class
    for own, known in codes.values():
        key = key * (len(known) + 1) + own[places]
    _, first, kind = np.unique(key, return_index=True, return_inverse=True)
    seeds, seed = np.unique(rows["seed"].to_numpy(dtype=np.int64)[places], return_inverse=True)
    seen = np.zeros((len(first), len(seeds)), dtype=bool)
    seen[kind, seed] = True
    for each in np.argsort(first).tolist():
        place = places[first[each]]
        texts = {name: str(known[own[place]]) for name, (own, known) in codes.items()}
        about = {"fraction": float(fractions[first[each]]), "of_class": bool(of_class[first[each]])}
        yield {**texts, **about}, seen[each]


@lru_cache(4096)
def _parts(flag: str) -> tuple[str, float, str]:
    """Split ``extrapolated=7.8`` into flag and number, ``unseen:3``, set on a whole plan, into flag and index of the class."""
    found = _FLAG.search(re.sub(r"^mean over \d+ of \d+ parts$", "some_parts", flag))
    if found is None:
        return flag, math.nan, ""
    return found["kind"], float(found["number"] or "nan"), str(int(found["index"])) if found["index"] else ""


def _class_names(rows: pd.DataFrame) -> dict[str, str]:
    """Names of the classes by their index, as the first row of each says."""
    index = rows["class_id"].to_numpy(dtype=np.int64, na_value=-1)
    classes, first = np.unique(index, return_index=True)
    own, known = coded(rows["class_name"])
    return {str(k): str(known[own[place]]) for k, place in zip(classes.tolist(), first.tolist(), strict=True) if k >= 0}

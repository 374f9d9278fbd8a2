"""What the flags of the rows mean, one line per kind of flag."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from typing import Any

import pandas as pd

from scar.completion.flags import PLAN_FLAGS
from scar.completion.forecast import REFUSALS
from scar.job.metrics import Metric
from scar.job.rows import MIX_STAGE, ROUND_STAGE
from scar.reporting.axes import as_texts
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
COLUMNS = ["stage", "subject", "fraction", "seed", "estimator", "class_id", "class_name", "metric", "flag"]
"""Of rows, what is said of flags."""


def flag_lines(rows: pd.DataFrame, decisive: Collection[str]) -> list[tuple[str, str]]:
    """Every flag of the rows but those of undefined coverage: what to do about it, and what it means for which numbers.

    One line stands for all numbers, classes, budgets and seeds with a flag. Flags of estimators that decide nothing ask for
    nothing. What the tables show class by class (a met need) is left out, and so is that nobody asked for a forecast.

    Args:
        rows: of one group.
        decisive: estimators that lead the report or drive the plans.
    """
    wanted = (
        (rows.flag != "")
        & ~((rows.stage == "measures") & (rows.metric == Metric.COVERAGE))
        & (rows.metric != Metric.STEP_SIZE)  # told of needs
        & ~rows.stage.isin([MIX_STAGE, ROUND_STAGE])  # told of plans
    )
    flagged = rows.loc[wanted, COLUMNS]
    if flagged.empty:
        return []
    flagged = as_texts(flagged)
    flagged = flagged.assign(flag=_mapped(flagged.flag, lambda flag: flag.split(";"))).explode("flag")
    flagged = flagged.assign(
        flag=_mapped(flagged.flag, lambda flag: re.sub(r"^mean over \d+ of \d+ parts$", "some_parts", flag))
    )
    flagged = _name_classes(flagged, rows)
    flagged = flagged[(flagged.flag != "met") | flagged.class_id.isna()]
    flagged = flagged[
        (flagged.flag != "refused_not_asked") & (flagged.metric != Metric.COST)
    ]  # the latter names a selection
    flagged = flagged.assign(metric=flagged.metric.where(~flagged.flag.str.startswith("refused_"), "forecast"))
    flagged = flagged.assign(decides=flagged.estimator.isin(["", *decisive]))
    seeds = rows.seed.nunique()
    lines = []
    for (decides, flag), own in flagged.groupby(["decides", "flag"], sort=False):
        todo = TO_DO.get(str(flag), LOOK) if decides else NOTHING
        lines.append((todo, f"{_about(own)}: {_meaning(str(flag), own)} ({_where(own, seeds)})."))
    return lines


def _about(own: pd.DataFrame) -> str:
    """Which numbers: metrics, estimators and subjects."""
    metrics = listing([metric.replace("_", " ") for metric in own.metric.unique()])
    estimators = listing([name_of(name) for name in own.estimator.unique() if name])
    text = f"{metrics} by {estimators}" if estimators else metrics
    return f"{text[0].upper()}{text[1:]} ({_subjects(own)})"


def _subjects(own: pd.DataFrame) -> str:
    return listing([name_of(subject) for subject in own.subject.unique() if subject] or [str(own.stage.iloc[0])])


def _meaning(flag: str, own: pd.DataFrame) -> str:
    text = EXPLANATIONS.get(flag, flag.replace("_", " "))
    numbers = own.number.dropna()
    if not len(numbers):
        return text
    low, high = f"{numbers.min():.3g}", f"{numbers.max():.3g}"
    return f"{text}, {low} to {high}" if low != high else f"{text}, {low}"


def _where(own: pd.DataFrame, seeds: int) -> str:
    classes = [str(name) for name in own.class_name.unique() if name]
    budgets = [share(b) for b in sorted(own.fraction.dropna().unique())]
    parts = [listing(classes)] if classes else []
    parts += [f"at {listing(budgets)}"] if budgets else []
    return ", ".join([*parts, f"{own.seed.nunique()} of {seeds} seeds"])


def _name_classes(flagged: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Split ``unseen:3``, set on a whole plan, into flag and name of class 3; ``extrapolated=7.8`` into flag and number."""
    names = (
        as_texts(rows.loc[rows.class_id.notna(), ["class_id", "class_name"]].drop_duplicates("class_id"))
        .set_index("class_id")
        .class_name
    )
    name_of_class = {str(index): name for index, name in names.items()}
    parts = {flag: _FLAG.search(flag) for flag in flagged.flag.unique()}
    kinds = {flag: flag if found is None else found["kind"] for flag, found in parts.items()}
    numbers = {flag: float(found["number"] or "nan") if found else math.nan for flag, found in parts.items()}
    own = {
        flag: name_of_class.get(str(int(found["index"])), "")
        for flag, found in parts.items()
        if found and found["index"]
    }
    named = flagged.class_name.tolist()
    return flagged.assign(
        flag=flagged.flag.map(kinds),
        number=flagged.flag.map(numbers).astype(float),
        class_name=[own.get(flag, name) for flag, name in zip(flagged.flag, named, strict=True)],
    )


def _mapped(flags: pd.Series[Any], change: Callable[[str], Any]) -> pd.Series[Any]:
    """Return what a function makes of each of many flags, of which few differ."""
    return flags.map({flag: change(flag) for flag in flags.unique()})

"""What the flags of the rows mean, one line per kind of flag."""

from __future__ import annotations

import pandas as pd

from scar.completion.flags import PLAN_FLAGS
from scar.completion.forecast import REFUSALS
from scar.job.metrics import Metric
from scar.reporting.text import listing, name_of, share

EXPLANATIONS = PLAN_FLAGS | {
    "met": "the generalisation gap is already within the tolerance, so no more samples are needed",
    "unconverged": "ended at probe.max_epochs before it was trained; use probe=converged, or raise probe.max_epochs",
    "far_rows": "training rows more than ten times as far out as the median row were shortened; look at them",
    "majority_rate": "answers one class only, or is no better than the most frequent class",
    "cannot_tell": "the data do not tell whether there is enough: neither that nor four times as much is ruled out",
    "few_samples": "too few samples, in training or held out, to tell a need; a plan counts it as the most needy",
    "undefined_steps": "some classes are undefined and left out",
    "coverage_undefined": "coverage is undefined at too many sizes to fit its growth",
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
    "few_sizes": "two subset sizes only, so the curve could not be backtested",
    "too_few_sizes": "too few subset sizes for a curve",
    "absent_from_primary": "absent from the primary set",
    "absent_from_reserve": "absent from the reserve",
    "absent_from_test": "absent from the test part",
    "absent_from_total": "absent from the training data",
}
EXPLANATIONS |= {f"refused_{reason}": text for reason, text in REFUSALS.items()}
"""Flags in words; one that is not listed is shown as it is."""


def flag_lines(rows: pd.DataFrame) -> list[str]:
    """Every flag of the rows but those of undefined coverage: what it means, for which number, classes and seeds.

    What the tables show class by class (a met need) is left out, and so is that nobody asked for a forecast. Flags that carry a number, as ``extrapolated=7.8``,
    come as one line with the range of the numbers.
    """
    flagged = rows[(rows.flag != "") & ~((rows.stage == "measures") & (rows.metric == Metric.COVERAGE))]
    flagged = flagged[flagged.metric != Metric.STEP_SIZE]  # the same flags stand on the need
    if flagged.empty:
        return []
    flagged = flagged.assign(flag=flagged.flag.str.split(";")).explode("flag")
    flagged = _name_classes(flagged, rows)
    flagged = flagged[(flagged.flag != "met") | flagged.class_id.isna()]
    flagged = flagged[flagged.flag != "refused_not_asked"]
    flagged = flagged.assign(metric=flagged.metric.where(~flagged.flag.str.startswith("refused_"), "forecast"))
    seeds = rows.seed.nunique()
    lines = []
    for key, own in flagged.groupby(["estimator", "flag", "metric"], sort=False):
        estimator, flag, metric = (str(part) for part in key)
        about = f"{name_of(estimator)} {metric}" if estimator else metric
        lines.append(f"{about.replace('_', ' ')} ({_subjects(own)}): {_meaning(flag, own)} ({_where(own, seeds)}).")
    return lines


def _subjects(own: pd.DataFrame) -> str:
    return listing([name_of(subject) for subject in own.subject.unique() if subject] or [str(own.stage.iloc[0])])


def _meaning(flag: str, own: pd.DataFrame) -> str:
    text = EXPLANATIONS.get(flag, flag.replace("_", " "))
    numbers = own.number.dropna()
    return f"{text}, {numbers.min():g} to {numbers.max():g}" if len(numbers) else text


def _where(own: pd.DataFrame, seeds: int) -> str:
    classes = [str(name) for name in own.class_name.unique() if name]
    budgets = [share(b) for b in sorted(own.fraction.dropna().unique())]
    parts = [listing(classes)] if classes else []
    parts += [f"at {listing(budgets)}"] if budgets else []
    return ", ".join([*parts, f"{own.seed.nunique()} of {seeds} seeds"])


def _name_classes(flagged: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Split ``unseen:3``, set on a whole plan, into flag and name of class 3; ``extrapolated=7.8`` into flag and number."""
    names = rows[rows.class_id.notna()].drop_duplicates("class_id").set_index("class_id").class_name
    parts = flagged.flag.str.extract(r"^(?P<kind>[^:=]+)(?::(?P<index>\d+))?(?:=(?P<number>[-\d.]+))?$")
    of_class = parts["index"].notna()
    named = parts["index"].where(of_class, "-1").astype(int).map(names).fillna("")
    return flagged.assign(
        flag=parts["kind"].fillna(flagged.flag),
        number=parts["number"].astype(float),
        class_name=flagged.class_name.where(~of_class, named),
    )

"""What a reader should know before trusting a number: flags, undefined measures, missing and failed jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scar.reporting.comparison import missing_arms
from scar.reporting.study import Study
from scar.reporting.text import decimal, group_label, listing, name_of, share

if TYPE_CHECKING:
    import pandas as pd

EXPLANATIONS = {
    "met": "the generalisation gap is already within the tolerance, so no more samples are needed",
    "majority_rate": "the arm answers one class only, or is no better than the most frequent class",
    "one_seed": "one seed only: no interval",
    "budget_above_need": "the budget is larger than what is needed",
    "unseen": "the class is absent from the primary set; it takes the largest defined need",
    "undefined": "the need is undefined, so nothing is allocated to the class",
    "unreachable": "no size would be enough by this estimate",
}
"""Flags whose names do not say enough; the others are shown as they are."""


@dataclass(frozen=True, kw_only=True)
class Caveat:
    """One thing to know: where, what, and how often."""

    where: str
    what: str


def collect_caveats(study: Study) -> list[Caveat]:
    """All caveats of a study, group by group."""
    found: list[Caveat] = []
    for group in study.groups():
        rows, label = study.of(group), group_label(group)
        found += [Caveat(where=label, what=text) for text in (*undefined_coverage(rows), *flag_lines(rows))]
    return found


def undefined_coverage(rows: pd.DataFrame, min_count: int = 30) -> list[str]:
    """Which class was too small for its coverage at which factors, and how many samples it had."""
    own = rows[(rows.stage == "measures") & (rows.subject == "primary")]
    index = ["class_name", "factor", "seed"]
    coverage = own[(own.metric == "coverage") & own.value.isna()]
    hits = own[own.metric == "true_positives"].set_index(index).value
    lines = []
    for name, lost in coverage.groupby("class_name", sort=False):
        factors = sorted(int(f) for f in lost.factor.unique())
        counts = hits.reindex(lost.set_index(index).index).dropna()
        had = f" and has {_between(counts.min(), counts.max())} there" if len(counts) else ""
        at = listing([f"1/{factor}" for factor in factors], limit=9)
        lines.append(
            f"{name}: coverage undefined at {at} of the data in {lost.seed.nunique()} of {own.seed.nunique()} seeds: "
            f"it needs {min_count} rightly classified samples with a positive logit{had}."
        )
    return lines


def _between(low: float, high: float) -> str:
    ends = (decimal(low, 0), decimal(high, 0))
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def flag_lines(rows: pd.DataFrame) -> list[str]:
    """Every other flag of the rows: what it means, for which metric, classes and seeds."""
    flagged = rows[(rows.flag != "") & ~((rows.stage == "measures") & (rows.metric == "coverage"))]
    flagged = flagged[~flagged.metric.isin(("step_size",))]  # the same flags stand on its need
    flagged = flagged.assign(flag=flagged.flag.str.split(";")).explode("flag")
    flagged = flagged[(flagged.flag != "met") | flagged.class_id.isna()]  # the tables show it class by class
    flagged = _name_classes(flagged, rows)
    lines = []
    for key, own in flagged.groupby(["stage", "metric", "subject", "estimator", "flag"], sort=False):
        stage, metric, subject, estimator, flag = (str(part) for part in key)
        about = " ".join(p for p in (name_of(estimator) if estimator else "", metric.replace("_", " ")) if p)
        classes = [str(name) for name in own.class_name.unique() if name]
        who = f" for {listing(classes)}" if classes else ""
        budgets = sorted(own.fraction.dropna().unique())
        at = f" at {listing([share(b) for b in budgets])}" if budgets else ""
        meaning, seeds = EXPLANATIONS.get(flag, flag.replace("_", " ")), own.seed.nunique()
        of = f" ({name_of(subject)})" if subject else ""
        lines.append(f"{about}{of}{who}{at}: {meaning} ({seeds} seed{'s' * (seeds > 1)}).")
    return lines


def _name_classes(flagged: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Turn flags such as ``unseen:3``, set on a whole plan, into the flag and the name of class 3."""
    names = rows[rows.class_id.notna()].drop_duplicates("class_id").set_index("class_id").class_name
    parts = flagged.flag.str.extract(r"^(?P<kind>[^:]+):(?P<index>\d+)$")
    of_class = parts["index"].notna()
    named = parts["index"].where(of_class, "-1").astype(int).map(names).fillna("")
    return flagged.assign(
        flag=flagged.flag.where(~of_class, parts["kind"]),
        class_name=flagged.class_name.where(~of_class, named),
    )


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

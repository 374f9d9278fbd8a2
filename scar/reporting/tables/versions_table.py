"""Two versions of a dataset as tables and in words."""

from __future__ import annotations

import pandas as pd

from scar.job.metrics import Metric
from scar.reporting.formats.table import Table
from scar.reporting.study_folder import Study
from scar.reporting.tables.versions import VersionComparison, compare_versions
from scar.reporting.text import count, group_label, known, listing, percent, shown, shown_change, size, size_interval


def version_tables(new: Study, old: Study, *, level: float = 0.95) -> list[Table]:
    """Return, for every group in both studies, a table of what moved and one of the classes."""
    found = compare_versions(new, old, level=level)
    tables = []
    for place, each in enumerate(found):
        stem = "" if len(found) == 1 else f"_{place + 1}"
        tables += [_moved(each, old.name, stem, level), _classes(each, old.name, stem)]
    return tables


def sentences(found: VersionComparison) -> list[str]:
    """Say what changed, the equal case first."""
    if found.equal:
        return ["The two versions are equal: the same samples, labels and splits, and the same numbers."]
    said = [_samples(found)]
    accuracy = found.measures[found.measures.metric == Metric.ACCURACY]
    if len(accuracy):
        row = accuracy.iloc[0]
        ends = (
            f" [{shown_change(Metric.ACCURACY, row.low)}, {shown_change(Metric.ACCURACY, row.high)}]"
            if known(row.low)
            else ""
        )
        told = "no change shown: " if known(row.low) and row.low <= 0 <= row.high else ""
        said.append(f"Accuracy: {told}{shown_change(Metric.ACCURACY, row.difference)} points{ends}.")
    asked, delivered = found.delivered
    if asked:
        lacking = found.classes.sort_values("missing", ascending=False)
        names = [f"{row.class_name} {count(row.missing)}" for row in lacking.itertuples() if row.missing >= 0.5]
        rest = f"; still missing: {listing(names)}" if names else "; nothing of it is missing"
        said.append(
            f"Of the {count(asked)} samples on the last shopping list {count(delivered)} came ({percent(delivered / asked, 0)} %){rest}."
        )
    return said


def _samples(found: VersionComparison) -> str:
    changes = found.changes
    if changes is None:
        return "What was added is told from the class sizes: one of the versions kept no list of its samples."
    if changes.none:
        return "The data are equal; what moved comes from settings or code."
    parts = []
    if changes.added:
        names = [f"{name} +{number}" for name, number in sorted(changes.added.items(), key=lambda item: -item[1])]
        parts.append(f"{sum(changes.added.values())} training samples added ({listing(names)})")
    if changes.removed:
        parts.append(f"{sum(changes.removed.values())} training samples removed")
    if changes.relabelled:
        pairs = sorted(changes.relabelled.items(), key=lambda item: -item[1])
        names = [f"{old} → {new}: {number}" for (old, new), number in pairs]
        parts.append(f"{sum(changes.relabelled.values())} labels changed ({listing(names)})")
    for number, what in (
        (changes.replaced, "contents changed"), (changes.moved, "samples changed the split"),
        (changes.tests, "test samples added or removed"),
    ):  # fmt: skip
        parts += [f"{number} {what}"] if number else []
    return f"{'; '.join(parts)}."


def _moved(found: VersionComparison, old: str, stem: str, level: float) -> Table:
    lines = []
    for row in found.measures.to_dict("records"):
        metric = Metric.of(row["metric"])
        difference, low, high = (shown_change(metric, row[name]) for name in ("difference", "low", "high"))
        ends = f" [{low}, {high}]" if known(row["low"]) and known(row["high"]) else ""
        line = {"Quantity": metric.header, "Before": shown(metric, row["before"]), "After": shown(metric, row["after"])}
        lines.append({**line, "Change": f"{difference}{ends}", "How": row["method"]})
    return Table(
        name=f"versions{stem}",
        caption=f"{group_label(found.group)} against {old}: what moved",
        cells=pd.DataFrame(lines),
        values=found.measures,
        sort_by={"Before": "before", "After": "after", "Change": "difference"},
        notes=(*sentences(found), f"Intervals at {100 * level:g} %. Accuracies are of a probe on all training data."),
    )


def _classes(found: VersionComparison, old: str, stem: str) -> Table:
    frame = found.classes.sort_values(["missing", "gap_after"], ascending=False, ignore_index=True)
    lines = []
    for row in frame.to_dict("records"):
        line = {"Class": row["class_name"], "Before": count(row["before"]), "After": count(row["after"])}
        line |= {"Added": count(row["added"]), "Removed": count(row["removed"])}
        for name in ("before", "after"):
            ends = size_interval(row[f"need_{name}_low"], row[f"need_{name}_high"])
            line[f"Need {name}"] = f"{size(row[f'need_{name}'])} {ends}".strip()
        line |= {"Gap before": size(row["gap_before"]), "Gap after": size(row["gap_after"])}
        line |= {"Asked": count(row["asked"]), "Delivered": count(row["delivered"]), "Missing": count(row["missing"])}
        lines.append(line)
    heads = {head: head.lower().replace(" ", "_") for head in lines[0] if head != "Class"} if lines else {}
    return Table(
        name=f"versions_by_class{stem}",
        caption=f"{group_label(found.group)} against {old}, class by class",
        cells=pd.DataFrame(lines),
        values=frame,
        sort_by=heads,
        notes=(
            "Training samples, means over seeds. Need: samples of the class that are enough, by the driver, with its interval; "
            "gap: what is lacking of it. Asked, delivered, missing: of the last shopping list.",
        ),
    )

"""Ours against the published values: both, their difference, and whether it is within the stated tolerance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from scar.measures.steps import MEASURES
from scar.reporting.axes import GROUP as AXES
from scar.reporting.formats.table import Table
from scar.reporting.paper.published_rows import (
    ARMS,
    GROUP,
    config_of,
    defect_of,
    in_published_format,
    is_cell,
    mean_and_range,
    published_cells,
    published_ranges,
)
from scar.reporting.settings import Tolerances
from scar.reporting.study_folder import Study
from scar.reporting.tables.characteristics import characteristics
from scar.reporting.tables.runs import published_columns
from scar.reporting.text import (
    MISSING,
    circumstances,
    count,
    decimal,
    group_label,
    known,
    name_of,
    percent,
    points,
    signed,
)

ESTIMATOR = "reference"
"""The estimator that repeats the published one."""
SETTINGS = "budgets=reference foundation=reference split=reference probe=reference"
"""Overrides that repeat the published procedure."""
ALWAYS = {
    "scale": "S and R are one number",
    "richness": "S and R are one number",
    "foundation": "the published fit ends at the lower bound of its grid",
}
"""What is wrong with a quantity in every published row."""


def against_published(
    study: Study | None, tolerances: Tolerances | None = None, *, every: bool = False
) -> pd.DataFrame:
    """One row per published cell, group of ours and quantity.

    Args:
        study: ours, or None.
        tolerances: of the verdicts.
        every: also the cells that the study lacks.

    Returns:
        Columns of `GROUP` (published names), regime, mix, quantity, published, ours, difference, tolerance, verdict
        (``"pass"``, ``"miss"``, ``"missing"``), note, command (empty unless missing). Differences of sizes are
        relative to the published one.
    """
    tolerances = tolerances or Tolerances()
    ours = _ours(study) if study is not None else []
    records: list[dict[str, Any]] = []
    for cell in published_cells().to_dict("records"):
        named = {str(k): v for k, v in cell.items()}
        found: list[Mapping[str, Any]] = [row for row in ours if is_cell(row, named)]
        if every and not found:
            found = [{}]
        records += [_compare(named, row, quantity, tolerances) for row in found for quantity in _quantities()]
    columns = [*GROUP, "regime", "mix", "further", "quantity", "published", "ours", "difference", "tolerance"]
    return pd.DataFrame(records, columns=[*columns, "verdict", "note", "command"])


def _quantities() -> tuple[str, ...]:
    return (*MEASURES, "foundation", *(f"{arm}_mean" for arm in ARMS))


def _ours(study: Study) -> list[dict[str, Any]]:
    """Characteristics by the published estimator and accuracies at the largest budget, one mapping per group."""
    measured = characteristics(study, ESTIMATOR)
    runs = published_columns(study)
    if len(runs):
        measured = measured.merge(mean_and_range(runs, tuple(study.axes)), on=list(study.axes), how="left")
    rows = [{str(k): v for k, v in row.items()} for row in measured.to_dict("records")]
    return [row | {"further": ", ".join(f"{a}={row[a]}" for a in study.axes if a not in AXES)} for row in rows]


def _compare(cell: Mapping[str, Any], ours: Mapping[str, Any], quantity: str, tolerances: Tolerances) -> dict[str, Any]:
    published, value = float(cell[quantity]), float(ours.get(quantity, math.nan))
    is_size = quantity == "foundation"
    tolerance = tolerances.size if is_size else tolerances.measure if quantity in MEASURES else tolerances.accuracy
    difference = (value - published) / (published if is_size else 1.0)
    verdict = "pass" if abs(difference) <= tolerance else "miss"
    notes = (defect_of(cell["dataset"], cell["encoder"]), ALWAYS.get(quantity, ""))
    return {
        **{key: cell[key] for key in GROUP},
        "regime": ours.get("regime", "natural"),
        "mix": ours.get("mix", "natural"),
        "further": ours.get("further", ""),
        "quantity": quantity,
        "published": published,
        "ours": value,
        "difference": difference,
        "tolerance": tolerance,
        "verdict": verdict if known(difference) else MISSING,
        "note": "; ".join(filter(None, notes)),
        "command": "" if known(difference) else command_for(cell),
    }


def command_for(cell: Mapping[str, Any]) -> str:
    """Return the command that fills the cells of a published row."""
    dataset, encoder = config_of(cell["dataset"]), config_of(cell["encoder"])
    pair = f"labels=cross_modal modality={cell['modality']} " if dataset in PAIRS else ""
    sweep = "completion=scar,random,class_average seed=0,1,2"
    return f"scar -m study=published dataset={dataset} encoder={encoder} {pair}{sweep} {SETTINGS}"


PAIRS = ("flickr30k", "coco_captions", "msr_vtt", "audiocaps")
"""Data without given labels."""


def against_table(frame: pd.DataFrame, tolerances: Tolerances | None = None) -> Table:
    """`against_published` as a table."""
    tolerances = tolerances or Tolerances()
    cells = [_cells({str(k): v for k, v in row.items()}) for row in frame.to_dict("records")]
    return Table(
        name="table2_against_published",
        caption="Table 2, ours against the published values",
        cells=pd.DataFrame(cells),
        values=frame,
        sort_by={"Published": "published", "Ours": "ours", "Δ": "difference"} if cells else {},
        notes=(
            f"Pass: within {100 * tolerances.accuracy:g} points of accuracy, {tolerances.measure:g} of S, C, A and R, "
            f"{100 * tolerances.size:g} % of the Foundation Data Size (estimator: {ESTIMATOR}). Accuracies by "
            "strategy are those at the largest budget.",
            "Note: what is known to be wrong with the published number.",
        ),
    )


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    quantity = row["quantity"]
    return {
        "Dataset": group_label({k: row[k] for k in ("dataset", "modality")}),
        "Encoder": name_of(row["encoder"]),
        "Regime": _circumstances(row),
        "Quantity": QUANTITIES[quantity],
        "Published": _shown(quantity, row["published"]),
        "Ours": _shown(quantity, row["ours"]),
        "Δ": _difference(row["difference"], quantity),
        "Verdict": row["verdict"],
        "Note": row["note"],
    }


def other_encoders(study: Study) -> pd.DataFrame:
    """Return what was measured on the paper's datasets with encoders that the paper does not have.

    Returns:
        One row per group: its axes, the measures and the size of the published estimator, ``<arm>_mean`` and
        ``<arm>_range`` of `ARMS`, and ``<quantity>_low``, ``<quantity>_high`` of the published encoders of that dataset.
    """
    cells, found = published_cells().to_dict("records"), []
    for row in _ours(study):
        ranges = published_ranges(str(row["dataset"]), str(row["modality"]))
        if ranges and not any(is_cell(row, {str(k): v for k, v in cell.items()}) for cell in cells):
            ends = {
                f"{q}_{end}": value
                for q, each in ranges.items()
                for end, value in zip(("low", "high"), each, strict=True)
            }
            found.append({**row, **ends})
    return pd.DataFrame(found)


def other_encoders_table(frame: pd.DataFrame) -> Table:
    """`other_encoders` as a table: our rows of each dataset, and below them what its published encoders span."""
    lines = []
    for _, rows in frame.groupby(["dataset", "modality"], sort=False):
        ours = [{str(k): v for k, v in row.items()} for row in rows.to_dict("records")]
        lines += [_line(row, {q: _shown(q, row[q]) for q in _sizes()} | in_published_format(row)) for row in ours]
        ends = {q: f"{_shown(q, ours[0][f'{q}_low'])} to {_shown(q, ours[0][f'{q}_high'])}" for q in _quantities()}
        lines.append(
            _line(
                ours[0] | {"encoder": "published"}, {ARMS.get(q.removesuffix("_mean"), q): v for q, v in ends.items()}
            )
        )
    return Table(
        name="table2_other_encoders",
        caption="Table 2, other encoders on the datasets of the paper",
        cells=pd.DataFrame(lines),
        values=frame,
        notes=(
            f"Estimator: {ESTIMATOR}. Accuracies in percent at the largest budget, mean ± (max − min) over runs. Published: from the "
            "smallest to the largest mean over the encoders that the paper reports on the dataset.",
        ),
    )


def _sizes() -> tuple[str, ...]:
    return (*MEASURES, "foundation")


def _line(row: Mapping[str, Any], shown: Mapping[str, str]) -> dict[str, str]:
    """Return a line: what it is about, and what is shown of each quantity under its title."""
    own = row["encoder"] != "published"
    heads = {
        "Dataset": group_label({k: row[k] for k in ("dataset", "modality")}),
        "Encoder": name_of(row["encoder"]) if own else "published",
        "Regime": _circumstances(row) if own else "",
    }
    return heads | {QUANTITIES.get(name, name): text for name, text in shown.items()}


def _shown(quantity: str, value: float) -> str:
    show = count if quantity == "foundation" else decimal if quantity in MEASURES else _percent
    return show(value)


def _circumstances(row: Mapping[str, Any]) -> str:
    return " · ".join(filter(None, (circumstances(row), row["further"])))


QUANTITIES = {
    **dict(zip(MEASURES, "SCAR", strict=True)),
    "foundation": "Foundation",
    **{f"{arm}_mean": f"{title} [%]" for arm, title in ARMS.items()},
}


def _percent(value: float) -> str:
    return percent(value, 2)


def _difference(value: float, quantity: str) -> str:
    if quantity == "foundation":
        return f"{points(value, 1)} %" if known(value) else MISSING
    return signed(value) if quantity in MEASURES else points(value)


def commands_to_fill(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Published rows that ours lack, each with the command that fills it, once."""
    lacking = frame[frame.verdict == MISSING].drop_duplicates("command")
    return [(group_label({key: row[key] for key in GROUP}), str(row["command"])) for row in lacking.to_dict("records")]

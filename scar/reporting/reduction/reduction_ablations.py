"""Table 2 of the TL;DR paper: components, rules, codebook initialisation, features, ratio and number of clusters."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from scar.reporting.formats.table import Table
from scar.reporting.reduction.job_results import base_rows
from scar.reporting.reduction.reduction_rows import NONE, SOURCE, Cell, cell, published, published_value
from scar.reporting.text import known, points, points_interval

TITLES = {
    "2a": "component ablation", "2b": "sample-selection strategy", "2c": "codebook initialisation",
    "2d": "clustering feature", "2e": "sampling ratio", "2f": "number of clusters",
}  # fmt: skip
COMPONENTS = {
    "random": "random",
    "sampling": "reduced",
    "random and refining": "random_refined",
    "sampling and refining": "reduced_refined",
}
"""Published row of Table 2a → arm."""
DIFFERENCE = "Recall, to the study's own"
OURS = {"tr_at_1": "TR@1 ours", "ir_at_1": "IR@1 ours", "recall": "Mean recall"}
"""Of pair models."""
JUDGED = {
    "probe_image": "Probe, images", "probe_text": "Probe, captions", "mismatches_kept": "Mismatches kept",
    "duplicates_kept": "Duplicates kept", "redundant": "Redundant", "purity": "Purity",
}  # fmt: skip
NEEDS = {
    (
        "2c",
        "object tags",
    ): "reduction.captioner.codebook_init=object_tags and a list in reduction.captioner.object_tags",
    ("2d", "BLIP Image Embedding"): "BLIP's weights; “Pretrained Image Embedding” is that of the study's encoder",
    ("2e", "full-scale baseline"): "",
}
"""What a published row needs that no override of the study gives."""


def ablation_tables(rows: pd.DataFrame, effects: pd.DataFrame | None = None) -> list[Table]:
    """Return Tables 2a to 2f, one set per dataset: published rows, ours, and what a missing cell needs.

    Args:
        rows: of the study.
        effects: differences in recall to the study's own reduction, by table and case.
    """
    tables = []
    for dataset in rows.dataset.unique():
        own = rows[rows.dataset == dataset]
        tables += [_components(own, dataset), *(_cases(own, dataset, table, effects) for table in list(TITLES)[1:])]
    return tables


def _components(rows: pd.DataFrame, dataset: str) -> Table:
    base = base_rows(rows)
    lines = [
        _line("2a", name, name, {m: cell(base, kind="arm", case=arm, metric=m) for m in OURS}, {})
        for name, arm in COMPONENTS.items()
    ]
    return _table("2a", dataset, lines, [])


def _cases(rows: pd.DataFrame, dataset: str, table: str, effects: pd.DataFrame | None) -> Table:
    printed = list(dict.fromkeys(published(table).case))
    base = base_rows(rows)
    ours = base[(base.kind == "case") & (base.table == table)]
    names = list(dict.fromkeys([*printed, *ours.case]))
    foreign = [name for name in printed if name not in set(ours.case) and (table, name) not in NEEDS]
    lines, needs = [], []
    for name in names:
        own = ours[ours.case == name]
        judged = {m: cell(own, metric=m) for m in JUDGED}
        trained, need = _trained(rows, own, table, name)
        if (table == "2d" and name == "BLIP Image Embedding") or not len(own):
            judged = {}
        lines.append(_line(table, name, name, trained, judged) | {"effect": _effect(effects, table, name)})
        if need:
            needs.append(f"{name}: {need}")
    if foreign and len(ours):
        needs.append(f"{', '.join(foreign)}: of the published size; ours follow the number of pairs")
    elif foreign:
        needs.append(f"ours need reduction.tables=[{table}] in the command of the study")
    return _table(table, dataset, lines, needs)


def _trained(rows: pd.DataFrame, own: pd.DataFrame, table: str, name: str) -> tuple[dict[str, Cell], str]:
    """Return recall of a case, from whatever job has trained it, and what is needed where none has."""
    metrics = ("tr_at_1", "ir_at_1", "recall")
    if (table, name) == ("2e", "full-scale baseline"):
        return {m: cell(base_rows(rows), kind="arm", case="full", metric=m) for m in metrics}, ""
    trained = rows[(rows.kind == "ablation") | ((rows.kind == "arm") & (rows.case == "reduced_refined"))]
    arms = trained[trained.setting.isin(set(own.setting))]
    found = {m: cell(arms, metric=m) for m in metrics}
    if len(arms):
        return found, ""
    override = own.override.iloc[0] if len(own) else ""
    if (table, name) in NEEDS:
        return found, f"needs {NEEDS[table, name]}"
    if override:
        return found, f"TR@1 and IR@1 need scar experiment=reduction {override}, then scar-report study=reduction"
    if len(own):
        return found, f"TR@1 and IR@1 need scar experiment=reduction reduction.tables=[{table}]"
    return found, ""


def _effect(effects: pd.DataFrame | None, table: str, name: str) -> dict[str, Any]:
    """Return the row of a case among the differences, empty where it has none."""
    if effects is None:
        return {}
    own = effects[(effects.table == table) & (effects["case"] == name)]
    return {} if own.empty else {str(key): value for key, value in own.iloc[0].items()}


def _line(table: str, case: str, shown: str, trained: dict[str, Cell], judged: dict[str, Cell]) -> dict[str, Any]:
    printed = {m: published_value(table, "", case, m) for m in ("tr_at_1", "ir_at_1")}
    return {"case": shown, "published": printed, "trained": trained, "judged": judged}


def _table(table: str, dataset: str, lines: list[dict[str, Any]], needs: list[str]) -> Table:
    headers = {
        m: h for m, h in JUDGED.items() if any(known(line["judged"].get(m, Cell(math.nan)).value) for line in lines)
    }
    cells, values = [], []
    for line in lines:
        printed = {f"{m[:2].upper()}@1 published": _printed(v) for m, v in line["published"].items()}
        ours = {OURS[m]: c.percent() for m, c in line["trained"].items()}
        judged = {h: line["judged"].get(m, Cell(math.nan)).percent() for m, h in headers.items()}
        effect = line.get("effect", {})
        if any(each.get("effect") for each in lines):
            ours |= {DIFFERENCE: NONE, "p (Holm)": NONE, "p (equivalent)": NONE}
        if effect:
            interval = points_interval(effect["low"], effect["high"])
            ours |= {DIFFERENCE: f"{points(effect['value'])} {interval}", "p (Holm)": f"{effect['p_holm']:.2g}"}
            ours |= {"p (equivalent)": f"{effect['p_equivalence']:.2g}"}
        cells.append({"Case": line["case"], **printed, **ours, **judged})
        numbers = {f"{m}_published": v for m, v in line["published"].items()}
        for m, c in (line["trained"] | line["judged"]).items():
            numbers |= {m: c.value, f"{m}_low": c.low, f"{m}_high": c.high}
        values.append({"dataset": dataset, "case": line["case"], **numbers})
    notes = [
        f"Published: {SOURCE}, Table {table}: BLIP on CC3M, COCO retrieval. Ours: {dataset}, a small pair model on the kept pairs with refined captions."
    ]
    if headers:
        notes.append(
            "Probes name the class of clean test pairs after training on the kept images, or on their original captions. "
            "Mismatches and duplicates: share of the planted ones that is kept; redundant: share of the kept that repeat "
            "another; purity: of the clusters of all pairs."
        )
    if any(line.get("effect") for line in lines):
        notes.append(
            "Differences are paired by the seeds of a case; the study's own reduction is shown over all of its seeds."
        )
    return Table(
        name=f"reduction_table{table}_{dataset}",
        caption=f"Table {table} of the TL;DR paper, {TITLES[table]}, in percent",
        cells=pd.DataFrame(cells),
        values=pd.DataFrame(values),
        notes=(*notes, *needs),
    )


def _printed(value: float) -> str:
    return f"{value:.1f}" if known(value) else NONE

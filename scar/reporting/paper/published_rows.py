"""The figures of the paper's main table, and what is known about their defects."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from scar.measures.dataset import dataset_measures
from scar.measures.steps import MEASURES
from scar.reporting.formats.table import Table
from scar.reporting.text import MISSING, group_label, minus, name_of

SOURCE = "SCAR: A Characterization Scheme for Multi-Modal Dataset, arXiv 2508.19659, main table"
GROUP = ("dataset", "modality", "encoder")
PRIMARY_SHARE = 0.6
"""§5.1: a class-aware split with 60 % primary."""
ARMS = {"primary_acc": "Pri. Acc.", "scar_acc": "SCAR", "random_acc": "rand.", "average_acc": "avg."}
CONFIGS = {
    "imagenet1k": "imagenet",
    "agnews": "ag_news",
    "coco": "coco_captions",
    "msrvtt": "msr_vtt",
    "resnet": "resnet50",
    "vit": "vit_b16",
    "dino": "dinov2",
    "videoclip": "videoclip_xl",
}
"""Published dataset or encoder → the configuration that stands for it; the others have the same name."""
DEFECTS = {
    ("cifar100",): "the test set of the published run contained the training set",
    ("audiocaps",): "clusters were fitted separately on train and test",
    ("msrvtt",): "two empty classes were kept; constant rows at the majority rate",
    ("wikipedia", "roberta"): "constant rows at the majority rate",
    ("agnews", "roberta"): "swapped with GPT-2 between log and table",
    ("agnews", "gpt2"): "swapped with RoBERTa between log and table",
}


@cache
def _read() -> pd.DataFrame:
    with (files("scar.reporting.paper") / "published_table2.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, comment="#")


def published_runs() -> pd.DataFrame:
    """One row per run: 38 dataset × modality × encoder cells × 3 runs."""
    return _read().copy()


def published_characteristics() -> pd.DataFrame:
    """S, C, A, R of §4.3 and the sizes of the 38 published rows, means of three runs.

    Columns: dataset, modality, encoder, n_total, extended, foundation, scale, coverage, authenticity, richness.
    """
    return _characteristics().copy()


@cache
def _characteristics() -> pd.DataFrame:
    runs = published_runs()
    per_run = [
        dataset_measures(
            n_total=int(run.n_total),
            n_primary=round(PRIMARY_SHARE * run.n_total),
            n_extended=int(run.extend_size),
            foundation_size=float(run.foundation_size),
            accuracy=float(run.total_acc),
        )
        for run in runs.itertuples()
    ]
    for measure in MEASURES:
        runs[measure] = [getattr(measures, measure) for measures in per_run]
    runs = runs.rename(columns={"extend_size": "extended", "foundation_size": "foundation"})
    columns = ["n_total", "extended", "foundation", *MEASURES]
    return runs.groupby(list(GROUP), sort=False)[columns].mean().reset_index()


def mean_and_range(runs: pd.DataFrame, by: tuple[str, ...] = GROUP) -> pd.DataFrame:
    """Mean and max − min over runs of every accuracy column: ``<arm>_mean``, ``<arm>_range`` (fractions)."""
    grouped = runs.groupby(list(by), sort=False, dropna=False)[list(ARMS)]
    mean, spread = grouped.mean(), grouped.max() - grouped.min()
    return mean.add_suffix("_mean").join(spread.add_suffix("_range")).reset_index()


def published_table() -> Table:
    """Table 2 in the published format: percent, mean ± (max − min) over runs."""
    summary = mean_and_range(published_runs())
    cells = [
        {
            "Dataset": group_label({axis: row[axis] for axis in ("dataset", "modality")}),
            "Encoder": name_of(row["encoder"]),
            **in_published_format(row),
        }
        for row in summary.to_dict("records")
    ]
    return Table(
        name="table2_published_format",
        caption="Table 2 in the published format: test accuracy in percent, mean ± (max − min) over runs",
        cells=pd.DataFrame(cells),
        values=summary,
        sort_by={header: f"{arm}_mean" for arm, header in ARMS.items()},
        notes=(f"Source of the published rows: {SOURCE}.",),
    )


def in_published_format(row: Mapping[Any, Any]) -> dict[str, str]:
    """Header → ``91.06 ± 0.05``, percent, for the arms of a row of `mean_and_range`."""
    return {header: _mean_and_spread(row[f"{arm}_mean"], row[f"{arm}_range"]) for arm, header in ARMS.items()}


def _mean_and_spread(mean: float, spread: float) -> str:
    return MISSING if mean != mean else minus(f"{100 * mean:.2f} ± {100 * spread:.2f}")


def defect_of(dataset: str, encoder: str) -> str:
    """What is wrong with a published row; empty if nothing is known."""
    notes = [note for key, note in DEFECTS.items() if key in ((dataset,), (dataset, encoder))]
    return "; ".join(notes)


def config_of(published: str) -> str:
    """Name of the configuration that stands for a published dataset or encoder."""
    return CONFIGS.get(published, published)


def published_cells() -> pd.DataFrame:
    """The 38 published cells with every value that can be compared with ours, means of three runs.

    Columns: those of `GROUP`, scale, coverage, authenticity, richness, foundation, and ``<arm>_mean`` of `ARMS`.
    """
    return _cells().copy()


@cache
def _cells() -> pd.DataFrame:
    measured = published_characteristics().drop(columns=["n_total", "extended"])
    return measured.merge(mean_and_range(published_runs()), on=list(GROUP))


def published_ranges(dataset: str, modality: str) -> dict[str, tuple[float, float]]:
    """Return the smallest and the largest value over the published encoders of a dataset; nothing where it is not the paper's.

    Args:
        dataset: its configuration or its published name.
        modality: of the published rows.
    """
    cells = published_cells()
    same = np.array([dataset in (each, config_of(each)) for each in cells.dataset])
    values = cells[same & (cells.modality == modality)].drop(columns=list(GROUP))
    return {str(name): (float(values[name].min()), float(values[name].max())) for name in values} if len(values) else {}


def published_rows_for(groups: list[dict[str, object]]) -> pd.DataFrame:
    """Published runs whose dataset, encoder and modality one of the groups shares."""
    runs = published_runs()
    return runs[[any(is_cell(group, row) for group in groups) for row in runs.to_dict("records")]]


def is_cell(group: Mapping[str, object], cell: Mapping[str, object]) -> bool:
    """Whether a group is the one that a published row is about, whatever its regime."""
    same = all(group.get(k) in (cell[k], config_of(str(cell[k]))) for k in ("dataset", "encoder"))
    return same and group.get("modality") == cell["modality"]

"""Tables 3, 5, 6 and 8 of the TL;DR paper, its rows and then ours; cells without a number say what they need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from scar.reporting.formats.table import Table
from scar.reporting.reduction.job_results import base_rows
from scar.reporting.reduction.reduction_rows import NONE, RETRIEVAL, SOURCE, cell, published
from scar.reporting.text import MISSING, name_of

ARMS = {
    "random": "Rand", "full": "all pairs", "reduced": "TL;DR, original captions",
    "reduced_refined": "TL;DR",
}  # fmt: skip
"""Arm → its name in the tables of the paper."""
IMAGENET = {"imagenet": "ImNet", "imagenet_a": "ImNet-A", "imagenet_r": "ImNet-R"}
DOWNSTREAM = {
    "vqa": "VQA", "nlvr2": "NLVR²", "refcoco": "RefCOCO", "nocaps_b4": "Nocaps B@4", "cider": "CIDEr",
    "flickr_tr_at_1": "Flickr TR@1", "flickr_ir_at_1": "Flickr IR@1", "imagenet": "ImageNet",
}  # fmt: skip
SCALE = "pair models of the paper's size (reduction=tldr on dataset=cc3m)"


def transfer_tables(rows: pd.DataFrame) -> list[Table]:
    """Return the four tables, each with the rows of every dataset that was studied."""
    bases = [(str(name), base_rows(rows[rows.dataset == name])) for name in rows.dataset.unique()]
    own = [(name, base[base.kind == "arm"]) for name, base in bases]
    return [_retrieval(own), _video(own), _zero_shot(own), _sources(own)]


def _retrieval(own: Sequence[tuple[str, pd.DataFrame]]) -> Table:
    head = ("Test set", "Model", "Setting")
    lines = [
        {
            **dict(zip(head, group.split("; "), strict=True)),
            "Dataset": case,
            "#Samples": samples,
            **_printed(part, RETRIEVAL),
        }
        for (group, case, samples), part in published("3").groupby(["group", "case", "samples"], sort=False)
    ]
    missing = dict.fromkeys(RETRIEVAL.values(), MISSING)
    for test in ("MSCOCO", "Flickr30K"):
        about = {"Test set": test, "Model": "ours", "Setting": "zero-shot", "Dataset": "TL;DR", "#Samples": MISSING}
        lines.append(about | missing)
    for name, arms in own:
        about = {"Test set": name_of(name), "Model": "ours", "Setting": "trained on these pairs alone"}
        lines += [about | line | _measured(arms, arm, RETRIEVAL) for arm, line in _heads(arms)]
    return _table(
        "3", "image-text retrieval", lines, own, [*head, "Dataset", "#Samples"],
        f"Ours on MSCOCO and Flickr30K need copies of coco_captions and flickr30k, whose licences forbid passing them on, and {SCALE}.",
    )  # fmt: skip


def _video(own: Sequence[tuple[str, pd.DataFrame]]) -> Table:
    metrics = {"ir_at_1": "R@1", "ir_at_5": "R@5", "ir_at_10": "R@10"}
    head = ("Test set", "Model")
    lines = [
        {**dict(zip(head, group.split("; "), strict=True)), "Dataset": case}
        | _printed(part, metrics | {"ir_median_rank": "MdR"})
        for (group, case), part in published("5").groupby(["group", "case"], sort=False)
    ]
    missing = dict.fromkeys([*metrics.values(), "MdR"], MISSING)
    lines.append({"Test set": "MSRVTT-1K", "Model": "ours", "Dataset": "TL;DR"} | missing)
    for name, arms in own:
        about = {"Test set": f"{name_of(name)}, text to image", "Model": "ours"}
        for arm, line in _heads(arms):
            rank = cell(arms, case=arm, metric="ir_median_rank").plain()
            shown = {"Dataset": line["Dataset"]} | _measured(arms, arm, metrics) | {"MdR": rank}
            lines.append(about | shown)
    return _table(
        "5", "zero-shot text-to-video retrieval", lines, own, [*head, "Dataset"],
        f"Ours on MSRVTT-1K need a copy of its videos (dataset=msr_vtt) and {SCALE}; ours here are text to image.",
    )  # fmt: skip


def _zero_shot(own: Sequence[tuple[str, pd.DataFrame]]) -> Table:
    extra = {"zero_shot": "Own classes, zero-shot", "linear_probe": "Own classes, linear probe"}
    lines = [
        {"Model": group, "Dataset": case, "#Samples": samples}
        | _printed(part, IMAGENET) | dict.fromkeys(extra.values(), NONE)
        for (group, case, samples), part in published("6").groupby(["group", "case", "samples"], sort=False)
    ]  # fmt: skip
    for name, arms in own:
        about = {"Model": f"ours, {name_of(name)}"} | dict.fromkeys(IMAGENET.values(), MISSING)
        lines += [about | line | _measured(arms, arm, extra) for arm, line in _heads(arms)]
    return _table(
        "6", "zero-shot classification", lines, own, ["Model", "Dataset", "#Samples"],
        f"Ours on ImageNet, -A and -R need copies of them (dataset=imagenet, imagenet_a, imagenet_r) and {SCALE}.",
    )  # fmt: skip


def _sources(own: Sequence[tuple[str, pd.DataFrame]]) -> Table:
    extra = {"tr_at_1": "Own TR@1", "ir_at_1": "Own IR@1", "linear_probe": "Own classes, linear probe"}
    lines = [
        {"Source": group, "Dataset": case, "#Samples": samples, "Time": f"{part[part.metric == 'hours'].value.iloc[0]:.0f} h"}
        | _printed(part, DOWNSTREAM) | dict.fromkeys(extra.values(), NONE)
        for (group, case, samples), part in published("8").groupby(["group", "case", "samples"], sort=False)
    ]  # fmt: skip
    for name, arms in own:
        about = {"Source": name_of(name)} | dict.fromkeys(DOWNSTREAM.values(), MISSING)
        for arm, line in _heads(arms):
            seconds = cell(arms, case=arm, metric="wall_seconds")
            time = {"Time": f"{seconds.value:.0f} s" if seconds.seeds else MISSING}
            lines.append(about | line | time | _measured(arms, arm, extra))
    return _table(
        "8", "sources of data and downstream tasks", lines, own, ["Source", "Dataset", "#Samples", "Time"],
        "Ours on VQA, NLVR², RefCOCO and Nocaps need those data and a model with a fusion encoder or a decoder, which the pair "
        f"model is not; on Flickr30K and ImageNet copies of them and {SCALE}.",
        "Time: of pre-training; published on 2 nodes of 16 GPUs, ours wall time on the machine of the study.",
    )  # fmt: skip


def _heads(arms: pd.DataFrame) -> list[tuple[str, dict[str, str]]]:
    """Return the arms that a study has, with their name and size."""
    return [
        (arm, {"Dataset": shown, "#Samples": cell(arms, case=arm, metric="pairs").count()})
        for arm, shown in ARMS.items()
        if arm in set(arms.case)
    ]


def _printed(part: pd.DataFrame, metrics: dict[str, str]) -> dict[str, str]:
    values = dict(zip(part.metric, part.value, strict=True))
    return {header: f"{values[metric]:.1f}" if metric in values else NONE for metric, header in metrics.items()}


def _measured(arms: pd.DataFrame, arm: str, metrics: dict[str, str]) -> dict[str, str]:
    return {header: cell(arms, case=arm, metric=metric).percent() for metric, header in metrics.items()}


def _table(
    number: str,
    title: str,
    lines: list[dict[str, Any]],
    own: Sequence[tuple[str, pd.DataFrame]],
    head: list[str],
    *notes: str,
) -> Table:
    cells = pd.DataFrame(lines)
    cells = cells[[*head, *(column for column in cells.columns if column not in head)]]
    names = ", ".join(name_of(name) for name, _ in own)
    return Table(
        name=f"reduction_table{number}",
        caption=f"Table {number} of the TL;DR paper, {title}, in percent",
        cells=cells,
        values=cells,
        notes=(f"Published rows: {SOURCE}. Ours: {names}; means over seeds with 95 % intervals over them.", *notes),
    )

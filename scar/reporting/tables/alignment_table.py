"""Pairs: the clusters that supervise, how stable they are, and how well the two modalities agree."""

from __future__ import annotations

from typing import Any

import pandas as pd

from scar.job.metrics import Metric
from scar.pairs.retrieval import DEPTHS
from scar.reporting.axes import as_texts
from scar.reporting.formats.table import Table
from scar.reporting.study_folder import Study
from scar.reporting.text import count, decimal, known, name_of, percent

BEFORE = ("dataset", "encoder")


def alignment_tables(study: Study) -> list[Table]:
    """Return the table of the pairs, one line per dataset, encoder and clustered modality; none without pairs.

    What is shown is computed before any split of the training part, so it is the same for every seed and strategy.
    """
    rows = as_texts(study.rows[study.rows.stage == "labels"])
    if rows.empty:
        return []
    axes = [*BEFORE, *(axis for axis in study.axes if axis.startswith(("labels.", "dataset.", "encoder.")))]
    lines, values = [], []
    for group, own in rows.groupby(axes, sort=False):
        key = dict(zip(axes, group if isinstance(group, tuple) else (group,), strict=True))
        modalities = sorted(own[own.metric == Metric.CLUSTERS].subject.unique())
        for modality in modalities:
            other = next((each for each in modalities if each != modality), modality)
            value = _line(own, modality, other)
            values.append({**key, "modality": modality, **value})
            heads = {axis.capitalize(): name_of(key[axis]) for axis in BEFORE}
            heads |= {axis: str(key[axis]) for axis in axes if axis not in BEFORE}
            lines.append({**heads, **_cells(modality, value)})
    table = Table(
        name="alignment",
        caption="Pairs: clusters of each modality, their stability, and how well the two modalities agree",
        cells=pd.DataFrame(lines),
        values=pd.DataFrame(values),
        sort_by={
            "Clusters": "clusters",
            "NMI": "nmi",
            "ARI": "ari",
            "R@1 / 5 / 10": "recall_at_10",
            "Median rank": "median_rank",
        },
        notes=(
            "Stability: mean adjusted Rand index against fits with other seeds / to bootstrap samples. Ties, agreement: "
            "items whose captions are divided equally, share of an item's captions in its cluster. NMI, ARI: of the "
            "two clusterings on the test part.",
            "R@k and median rank: of the partner of an item among the test items of the other modality, by cosine in "
            "the joint space, or (‡) through a linear map fitted on the training pairs. Repeats: test items whose "
            "embedding is that of a training item.",
        ),
    )
    return [table]


def _line(rows: pd.DataFrame, modality: str, other: str) -> dict[str, Any]:
    """Numbers of one modality."""
    direction = f"{modality}_to_{other}"
    mapped = not len(rows[rows.metric == Metric.MEDIAN_RANK])
    prefix = "mapped_" if mapped else ""
    sizes = rows[(rows.metric == Metric.CLUSTER_SIZE) & (rows.subject == modality)].value
    return {
        "clusters": _value(rows, Metric.CLUSTERS, modality),
        "smallest": float(sizes.min()) if len(sizes) else float("nan"),
        "largest": float(sizes.max()) if len(sizes) else float("nan"),
        "stability_seeds": _value(rows, Metric.STABILITY_SEEDS, modality),
        "stability_bootstrap": _value(rows, Metric.STABILITY_BOOTSTRAP, modality),
        "tie_share": _value(rows, Metric.TIE_SHARE, modality),
        "agreement": _value(rows, Metric.CAPTION_AGREEMENT, modality),
        "captions": _value(rows, Metric.CAPTIONS, modality),
        "nmi": _value(rows, Metric.CLUSTER_NMI, "test"),
        "ari": _value(rows, Metric.CLUSTER_ARI, "test"),
        **{f"recall_at_{depth}": _value(rows, f"{prefix}recall_at_{depth}", direction) for depth in DEPTHS},
        "median_rank": _value(rows, f"{prefix}{Metric.MEDIAN_RANK}", direction),
        "mapped": mapped,
        "repeats": _value(rows, Metric.TEST_REPEATS_TRAIN, modality),
    }


def _cells(modality: str, value: dict[str, Any]) -> dict[str, str]:
    several = known(value["captions"]) and value["captions"] > 1
    mark = "‡" if value["mapped"] else ""
    recall = " / ".join(percent(value[f"recall_at_{depth}"]) for depth in DEPTHS)
    return {
        "Labels from": modality,
        "Clusters": count(value["clusters"]),
        "Sizes": f"{count(value['smallest'])} … {count(value['largest'])}",
        "Stability": f"{decimal(value['stability_seeds'])} / {decimal(value['stability_bootstrap'])}",
        "Ties": percent(value["tie_share"]) if several else "–",
        "Agreement": percent(value["agreement"]) if several else "–",
        "NMI": decimal(value["nmi"]),
        "ARI": decimal(value["ari"]),
        "R@1 / 5 / 10": f"{recall}{mark}",
        "Median rank": count(value["median_rank"]),
        "Repeats": percent(value["repeats"]),
    }


def _value(rows: pd.DataFrame, metric: str, subject: str) -> float:
    found = rows[(rows.metric == metric) & (rows.subject == subject)].value
    return float(found.iloc[0]) if len(found) else float("nan")

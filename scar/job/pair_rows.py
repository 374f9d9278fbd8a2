"""What is known of the pairs before any probe is trained, as rows."""

from __future__ import annotations

from scar.job.metrics import Metric
from scar.job.rows import Rows
from scar.pairs.alignment import Alignment
from scar.pairs.supervision import Supervision


def add_pair_rows(
    rows: Rows, supervision: Supervision, alignment: Alignment, *, labels_key: str, alignment_key: str
) -> None:
    """Add the clusters of both modalities, their stability, and how well the two agree.

    The ``subject`` is the modality, the direction of a retrieval (``"image_to_text"``) or the part of the data.
    """
    for modality, each in supervision.clusters.items():
        common = {"stage": "labels", "subject": modality, "key": labels_key}
        rows.add(Metric.CLUSTERS, len(each.sizes), **common)
        rows.add_classes(Metric.CLUSTER_SIZE, each.sizes, each.names, **common)
        rows.add(Metric.INERTIA, each.inertia, **common)
        for kind in ("seeds", "bootstrap"):
            values = getattr(each, kind)
            rows.add(f"stability_{kind}", values.mean(), low=values.min(), high=values.max(), **common)
        rows.add(Metric.CAPTIONS, each.captions, **common)
        rows.add(Metric.TIE_SHARE, each.tie_share, **common)
        rows.add(Metric.CAPTION_AGREEMENT, each.agreement, **common)
        for k, score in each.scores.items():
            rows.add(Metric.CLUSTER_SCORE, score, factor=k, **common)
    common = {"stage": "labels", "key": alignment_key}
    for part, measures in alignment.agreement.items():
        for name, value in measures.items():
            rows.add(f"cluster_{name}", value, subject=part, **common)
    prefix = "" if alignment.joint else "mapped_"
    for direction, found in alignment.retrieval.items():
        for depth, share in found.recall.items():
            rows.add(f"{prefix}recall_at_{depth}", share, subject=direction, n=found.queries, **common)
        rows.add(f"{prefix}median_rank", found.median_rank, subject=direction, n=found.candidates, **common)
    for kind, quantiles in alignment.pair_scores.items():
        for quantile, value in quantiles.items():
            rows.add(Metric.PAIR_SCORE, value, subject=kind, fraction=quantile, **common)
    for modality, share in alignment.repeated.items():
        rows.add(Metric.TEST_REPEATS_TRAIN, share, subject=modality, **common)

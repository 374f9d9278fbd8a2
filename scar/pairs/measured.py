"""What is known of the pairs before any probe is trained, as rows."""

from __future__ import annotations

from scar.pairs.alignment import Alignment
from scar.pairs.supervision import Supervision
from scar.results import Rows


def add_pair_rows(
    rows: Rows, supervision: Supervision, alignment: Alignment, *, labels_key: str, alignment_key: str
) -> None:
    """Add the clusters of both modalities, their stability, and how well the two agree.

    The ``subject`` is the modality, the direction of a retrieval (``"image_to_text"``) or the part of the data.
    """
    for modality, each in supervision.clusters.items():
        common = {"stage": "labels", "subject": modality, "key": labels_key}
        rows.add("clusters", len(each.sizes), **common)
        rows.add_classes("cluster_size", each.sizes, each.names, **common)
        rows.add("inertia", each.inertia, **common)
        for kind in ("seeds", "bootstrap"):
            values = getattr(each, kind)
            rows.add(f"stability_{kind}", values.mean(), low=values.min(), high=values.max(), **common)
        rows.add("captions", each.captions, **common)
        rows.add("tie_share", each.tie_share, **common)
        rows.add("caption_agreement", each.agreement, **common)
        for k, score in each.scores.items():
            rows.add("cluster_score", score, factor=k, **common)
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
            rows.add("pair_score", value, subject=kind, fraction=quantile, **common)
    for modality, share in alignment.repeated.items():
        rows.add("test_repeats_train", share, subject=modality, **common)

"""Kinds of findings, and what acting on them is called; light, so that a report imports nothing that inspects."""

from __future__ import annotations

LABEL, BLANK, DUPLICATE, NEAR, OUTLIER, BORDER, MISMATCH = (
    "label error", "blank", "duplicate", "near duplicate", "outlier", "near the boundary", "mismatched pair",
)  # fmt: skip
KINDS = {
    LABEL: "1 − support for the given label, by probes and neighbours that have not seen it.",
    BLANK: "1: a sound that is silent or constant, or a picture of one colour.",
    DUPLICATE: "The content of another sample; across splits it leaks, with two labels one of them is wrong.",
    NEAR: "Cosine similarity of the centred embeddings to another sample.",
    OUTLIER: "1 − mean cosine similarity to the nearest samples: far from everything else.",
    BORDER: "1 − difference of the two largest class probabilities: the probes cannot tell.",
    MISMATCH: "1 − agreement of the two sides of the pair.",
}
"""Kinds of findings, in the order in which they are shown, and what their score is; the highest are looked at first."""
RANKED = (OUTLIER, BORDER)
"""Kinds that order samples without calling any of them a finding."""
CORRECTED, REMOVED, BOTH = "labels corrected", "duplicates removed", "both"
"""What is done about findings, for the table of effects."""

"""Caption refining (§3.2): captions that a captioner wrote, joined to the original ones; how much they repeat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from scar.reduction.settings import REFINEMENTS


@dataclass(frozen=True)
class Collapse:
    """How much captions repeat each other (§3.2, "captioning collapse").

    Attributes:
        distinct_ratio: distinct captions / captions; 1 when none repeats.
        most_common_share: share of the captions that are the most frequent one.
        mean_length: words per caption.
        vocabulary: distinct words.
        entropy: of the captions, in nats: ln N when none repeats, 0 when all are the same.
    """

    distinct_ratio: float
    most_common_share: float
    mean_length: float
    vocabulary: int
    entropy: float


def refine(original: Sequence[str], generated: Sequence[str], mode: str = "concatenated") -> list[str]:
    """Return the captions to train on: T_o, T_g, or T = T_o + T_g.

    Args:
        original: [N] captions.
        generated: [N] captions of the same images.
        mode: ``"original"``, ``"generated"`` or ``"concatenated"``, the original first, with a space between.

    Raises:
        ValueError: the mode is unknown, or the lengths differ.
    """
    if mode not in REFINEMENTS:
        raise ValueError(f"mode={mode!r} is unknown; use one of {', '.join(REFINEMENTS)}")
    if len(original) != len(generated):
        raise ValueError(f"{len(original)} original and {len(generated)} generated captions; there must be as many")
    if mode == "concatenated":
        return [f"{first.strip()} {second.strip()}".strip() for first, second in zip(original, generated, strict=True)]
    return list(original if mode == "original" else generated)


def collapse(captions: Sequence[str]) -> Collapse:
    """Return how much captions repeat each other.

    Raises:
        ValueError: there is none.
    """
    if not captions:
        raise ValueError("captions is empty: nothing can repeat")
    counts, total = Counter(captions), len(captions)
    words = [caption.split() for caption in captions]
    return Collapse(
        distinct_ratio=len(counts) / total,
        most_common_share=max(counts.values()) / total,
        mean_length=sum(map(len, words)) / total,
        vocabulary=len({word for each in words for word in each}),
        entropy=log(total) - sum(count * log(count) for count in counts.values()) / total,
    )

"""How good captions are: how far they repeat each other, and which of the facts that they state are so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scar.data.sources.scene_facts import FACTS, right_facts
from scar.reduction.refine import collapse
from scar.studies.reduction.refining import RefiningStages


def caption_rows(stages: RefiningStages) -> list[tuple[str, dict[str, float]]]:
    """Return measurements of the captions of the training pairs, by kind.

    ``distinct_ratio`` and the rest of `Collapse`; where it is known what images show, ``right`` (of the facts stated),
    ``stated`` (facts per caption) and ``right_<fact>``; of the written ones also of those ``accepted`` alone.
    """
    taken = stages.accepted
    kinds: dict[str, tuple[Sequence[str], NDArray[np.bool_]]] = {
        name: (texts, np.ones(len(texts), bool))
        for name, texts in (
            ("original", stages.original),
            ("beam search", stages.candidates(collapsed=True)[0]),
            ("first candidate", stages.candidates()[0]),
            ("best candidate", stages.generated),
        )
    }
    kinds["accepted"] = (stages.generated, taken)
    kinds["original of the accepted"] = (stages.original, taken)
    records = []
    for name, (texts, kept) in kinds.items():
        rows = np.flatnonzero(kept)
        if not len(rows):
            continue
        own = [texts[int(row)] for row in rows]
        found = {key: float(value) for key, value in vars(collapse(own)).items()} | {"share": float(kept.mean())}
        if stages.pairs.scene is not None:
            shown = stages.pairs.scene[stages.pairs.train[rows]]
            right = right_facts(own, [str(each) for each in shown])
            found |= {"right": float(np.nanmean(right)), "stated": float((~np.isnan(right)).sum(axis=1).mean())}
            for place, fact in enumerate(FACTS):
                seen = right[:, place][~np.isnan(right[:, place])]
                found |= {f"right_{fact}": float(seen.mean())} if len(seen) else {}
        records.append((name, found))
    return records

"""Findings: which samples to look at, why, and in which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scar.common.types import Floats, Ints
from scar.data.catalogue import Catalogue
from scar.inspection.kinds import BLANK, BORDER, DUPLICATE, LABEL, MISMATCH, NEAR, OUTLIER
from scar.inspection.label_errors import LabelCheck
from scar.inspection.near_duplicates import Pairs
from scar.inspection.neighbours import Neighbours

COLUMNS = (
    *("kind", "rank", "score", "id", "split", "class_name", "suggested", "other_id", "other_split", "other_class"),
    *("across_splits", "modality", "planned", "row", "other_row"),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Labelled:
    """What findings are described by.

    Attributes:
        catalogue: ids and splits.
        labels: [N] class of every sample.
        names: [K] classes.
        planned: class → samples that the plan adds of it; empty where there is no plan.
    """

    catalogue: Catalogue
    labels: Ints
    names: tuple[str, ...]
    planned: Mapping[str, int]

    def table(self, kind: str, rows: Ints, scores: Floats, *, most: int, **columns: Any) -> pd.DataFrame:
        """Return the findings of a kind, the highest score first, equal scores in the order of the samples."""
        order = np.lexsort((rows, -scores))[:most]
        rows = rows[order]
        own = {name: np.asarray(values)[order] for name, values in columns.items()}
        names = np.array(self.names, dtype=object)[self.labels[rows]]
        frame = pd.DataFrame(
            {
                "kind": kind,
                "rank": np.arange(1, len(rows) + 1),
                "score": scores[order],
                "id": self.catalogue.ids[rows],
                "split": self.catalogue.splits[rows],
                "class_name": names,
                "planned": [self.planned.get(name, 0) for name in names],
                "row": rows,
                **own,
            }
        )
        if "other_row" in frame and len(frame):
            others = frame["other_row"].to_numpy()
            frame["other_id"], frame["other_split"] = self.catalogue.ids[others], self.catalogue.splits[others]
            frame["other_class"] = np.array(self.names, dtype=object)[self.labels[others]]
            frame["across_splits"] = frame["split"] != frame["other_split"]
        return frame.reindex(columns=list(COLUMNS))


def label_findings(check: LabelCheck, about: Labelled, *, most: int) -> pd.DataFrame:
    """Suspected labels by their quality, the worst first."""
    rows = np.flatnonzero(check.suspected & (check.suggested != about.labels))
    suggested = np.array(about.names, dtype=object)[check.suggested[rows]]
    return about.table(LABEL, rows, 1 - check.quality[rows], most=most, suggested=suggested)


def duplicate_findings(pairs: Pairs, about: Labelled, *, modality: str, most: int) -> pd.DataFrame:
    """Repeated contents, those across splits first, and near duplicates by similarity."""
    splits = about.catalogue.splits
    across = splits[pairs.first] != splits[pairs.second]
    # what leaks into the test part comes first
    second = np.where(across & (splits[pairs.first] == "test"), pairs.first, pairs.second)
    other = pairs.first + pairs.second - second
    frames = []
    for kind, which in ((DUPLICATE, pairs.exact), (NEAR, ~pairs.exact)):
        order = np.flatnonzero(which)
        order = order[np.lexsort((-pairs.score[order], ~across[order]))] if kind == DUPLICATE else order
        frames.append(
            about.table(
                kind, second[order], pairs.score[order], most=max(most, len(order)) if kind == DUPLICATE else most,
                other_row=other[order], modality=np.full(len(order), modality),
            )
        )  # fmt: skip
    return pd.concat([frame for frame in frames if len(frame)] or frames, ignore_index=True)


def blank_findings(rows: Ints, about: Labelled, *, modality: str, most: int) -> pd.DataFrame:
    """Samples that hold nothing; all of them are counted, as many as are asked for are listed."""
    return about.table(
        BLANK, rows, np.ones(len(rows)), most=max(most, len(rows)), modality=np.full(len(rows), modality)
    )


def outlier_findings(neighbours: Neighbours, about: Labelled, *, far: int, most: int) -> pd.DataFrame:
    """Samples whose neighbours are far, with the nearest class among them."""
    score = 1 - neighbours.similarity[:, :far].mean(axis=1).astype(np.float64)
    rows = np.argsort(-score, kind="stable")[:most]
    nearest = neighbours.index[rows, 0].astype(np.int64)
    return about.table(OUTLIER, rows, score[rows], most=most, other_row=nearest)


def border_findings(probabilities: Floats, about: Labelled, *, most: int) -> pd.DataFrame:
    """Samples whose two most probable classes are nearly as probable, with the other of the two."""
    top = np.argsort(-probabilities, axis=1)[:, :2]
    best = np.take_along_axis(probabilities, top, axis=1)
    score = 1 - (best[:, 0] - best[:, 1])
    rows = np.argsort(-score, kind="stable")[:most]
    other = np.where(top[rows, 0] == about.labels[rows], top[rows, 1], top[rows, 0])
    return about.table(BORDER, rows, score[rows], most=most, suggested=np.array(about.names, dtype=object)[other])


def mismatch_findings(agreement: Floats, about: Labelled, *, most: int) -> pd.DataFrame:
    """Pairs whose sides agree least."""
    rows = np.argsort(agreement, kind="stable")[:most]
    return about.table(MISMATCH, rows, 1 - agreement[rows], most=most)

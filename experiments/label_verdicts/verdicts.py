"""Rank the test images of CIFAR-10 that people judged by how suspect our inspection finds their labels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scar.common.randomness import generator
from scar.inspection.inspection import nearest_samples, out_of_sample_probabilities
from scar.inspection.label_errors import check_labels, neighbour_votes
from scar.inspection.options import InspectionSettings
from scar.job.job import Job

MAJORITY = 3
"""Of five people, whose votes for the given label make it right."""
READINGS: Mapping[str, tuple[str, ...]] = {"given": ("given",), "given_or_both": ("given", "both")}
"""What counts as a vote for the given label: the label alone, or also "both this and the other one"."""


def read_verdicts(path: Path) -> pd.DataFrame:
    """Return the verdicts of five people on each judged image.

    Args:
        path: JSON of the public verdicts on label errors of CIFAR-10 (Northcutt et al., 2021).

    Returns:
        One row per image: row (of the test batch), label (index as given), and per reading of `READINGS` whether fewer than
        three people stand by it.

    Raises:
        ValueError: the file is none, or names an image twice.
    """
    try:
        found = [
            {
                "row": int(each["id"]),
                "label": int(each["given_original_label"]),
                **{name: sum(each["mturk"][v] for v in votes) < MAJORITY for name, votes in READINGS.items()},
            }
            for each in json.loads(path.read_text(encoding="utf-8"))
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no verdicts on CIFAR-10: {error!r}") from error
    frame = pd.DataFrame(found)
    if frame.row.duplicated().any():
        raise ValueError(f"{path} judges image {frame.row[frame.row.duplicated()].iloc[0]} twice")
    return frame


def doubts(job: Job, verdicts: pd.DataFrame, settings: InspectionSettings) -> dict[str, NDArray[np.float64]]:
    """Return how suspect the label of each judged image is, by each witness alone and by both together.

    Raises:
        ValueError: a judged image has another label here, so that the test part is another one.
    """
    ids = {each: row for row, each in enumerate(job.catalogue.ids)}
    rows = np.array([ids[f"test-{row:05d}"] for row in verdicts.row])
    labels = job.steps.labels
    if (wrong := np.flatnonzero(labels[rows] != verdicts.label.to_numpy())).size:
        raise ValueError(f"image {verdicts.row[wrong[0]]} of the test part has another label than the verdicts say")
    probabilities = out_of_sample_probabilities(job, settings)
    near = nearest_samples(job, settings, job.config.probed)
    votes = neighbour_votes(near, labels, job.num_classes)
    check = check_labels(probabilities, near, labels)
    return {
        "probes": 1 - probabilities[rows, labels[rows]],
        "neighbours": 1 - votes[rows, labels[rows]],
        "both": 1 - check.quality[rows],
    }


def score(
    verdicts: pd.DataFrame, found: Mapping[str, NDArray[np.float64]], *, resamples: int = 10_000, level: float = 0.95
) -> pd.DataFrame:
    """Return the average precision of each ranking within the judged images.

    Returns:
        One row per reading and witness: images, wrong (of them), value, low, high (bootstrap over images), chance (the share of
        wrong ones, which a random order reaches), above (share of resamples in which the ranking beats that share).
    """
    rows = []
    for reading in READINGS:
        wrong = verdicts[reading].to_numpy()
        draws = generator(0, "verdicts", len(wrong)).integers(len(wrong), size=(resamples, len(wrong)))
        draws = draws[wrong[draws].any(axis=1)]
        for witness, doubt in found.items():
            values = average_precision(wrong[draws], doubt[draws])
            low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
            rows.append({
                "reading": reading, "witness": witness, "images": len(wrong), "wrong": int(wrong.sum()),
                "value": float(average_precision(wrong[None], doubt[None])[0]), "low": low, "high": high,
                "chance": wrong.mean(), "above": float((values > wrong[draws].mean(axis=1)).mean()),
            })  # fmt: skip
    return pd.DataFrame(rows)


def average_precision(wrong: NDArray[np.bool_], doubt: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return [B] the mean of the precision at each wrong item; [B, n] items of each ranking, of equal ones the first first."""
    order = np.argsort(-doubt, axis=1, kind="stable")
    hits = np.take_along_axis(wrong, order, axis=1)
    precision = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
    found: NDArray[np.float64] = (precision * hits).sum(axis=1) / hits.sum(axis=1)
    return found

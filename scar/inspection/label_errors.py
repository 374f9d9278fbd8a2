"""Likely label errors: what the probes and the neighbours of a sample say about its label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats, Ints
from scar.inspection.neighbours import Neighbours

POWER = 1
"""Of the similarity, by which a neighbour's vote is weighted."""
FLOOR = 0.02
"""Added to a share of votes: no vote among some tens of neighbours does not exclude a class."""
_LEAST = 1e-9


@dataclass(frozen=True, eq=False)
class LabelCheck:
    """What speaks for the labels.

    Attributes:
        quality: [N] geometric mean of the out-of-sample probability of the given label and of its share of the
            neighbours' votes; the lowest are to be looked at first.
        suspected: [N] as many of the worst labels as confident learning counts errors (Northcutt et al., 2021), among
            those for which another class has more support.
        suggested: [N] the class that has most support.
    """

    quality: Floats
    suspected: NDArray[np.bool_]
    suggested: Ints


def check_labels(probabilities: Floats, neighbours: Neighbours, labels: Ints) -> LabelCheck:
    """Judge every label by two witnesses that have not seen it: cross-fitted probes and the labels of the neighbours.

    A probe alone takes a sample that is hard for one that is mislabelled; its neighbours tell them apart.

    Args:
        probabilities: [N, K] of `cross_fit`.
        neighbours: of all samples.
        labels: [N] as given.

    Raises:
        ImportError: cleanlab is not installed.
    """
    votes = neighbour_votes(neighbours, labels, probabilities.shape[1])
    support = np.sqrt((probabilities + _LEAST) * (votes + FLOOR))
    combined = support / support.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    quality, suggested = support[rows, labels], combined.argmax(axis=1)
    order = np.argsort(np.where(suggested != labels, quality, np.inf), kind="stable")
    suspected = np.zeros(len(labels), bool)
    suspected[order[: min(_count_errors(combined, labels), int((suggested != labels).sum()))]] = True
    return LabelCheck(quality, suspected, suggested)


def neighbour_votes(neighbours: Neighbours, labels: Ints, num_classes: int) -> Floats:
    """Return [N, K] the share of each class among the neighbours, weighted by similarity; zero without neighbours."""
    weights = np.where(neighbours.index >= 0, np.maximum(neighbours.similarity, 0.0), 0.0) ** POWER
    votes = np.zeros((len(labels), num_classes))
    rows = np.arange(len(labels))
    for column in range(weights.shape[1]):
        np.add.at(votes, (rows, labels[neighbours.index[:, column]]), weights[:, column])
    total = votes.sum(axis=1, keepdims=True)
    shares: Floats = np.divide(votes, total, out=np.zeros_like(votes), where=total > 0)
    return shares


def _count_errors(probabilities: Floats, labels: Ints) -> int:
    """Return how many labels are wrong by the confident joint of given and true labels."""
    try:
        from cleanlab.count import num_label_issues
    except ImportError as error:
        raise ImportError("confident learning needs cleanlab: pip install 'scar-data[inspection]'") from error
    present = np.unique(labels)  # confident learning knows the classes that occur
    if len(present) < 2:
        return 0
    kept = probabilities[:, present] / probabilities[:, present].sum(axis=1, keepdims=True)
    return int(num_label_issues(np.searchsorted(present, labels), kept))

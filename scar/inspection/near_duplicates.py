"""Exact and near duplicates: within a split, across splits, and in one modality of pairs alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Ints
from scar.data.duplicates import joint_hash
from scar.inspection.neighbours import Neighbours


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of samples that are the same, or nearly so.

    Attributes:
        first: [P] the earlier sample.
        second: [P] the later one.
        score: [P] 1 for equal content, else the cosine similarity.
        exact: [P] whether the contents are equal.
    """

    first: Ints
    second: Ints
    score: NDArray[np.float64]
    exact: NDArray[np.bool_]


def content_groups(contents: Mapping[str, NDArray[np.uint8]], modality: str | None = None) -> Ints:
    """Return [N] a number per sample that equal contents share: of one modality, or of all of them."""
    _, group = np.unique(joint_hash(contents, modality), return_inverse=True)
    return np.asarray(group, np.int64).ravel()


def find_pairs(groups: Ints, neighbours: Neighbours, threshold: float, is_test: NDArray[np.bool_]) -> Pairs:
    """Return every repetition of a content and every near duplicate among the neighbours, each pair once.

    Of equal contents each sample is paired with the first one, and each test sample also with the first one of the
    training part, so that what leaks is seen. Near duplicates of equal contents are not listed again.

    Args:
        groups: [N] of `content_groups`.
        neighbours: of the same samples.
        threshold: cosine similarity from which two samples are near duplicates.
        is_test: [N] whether a sample belongs to the test part.
    """
    exact = _exact_pairs(groups, is_test)
    near, similarity = _near_pairs(groups, neighbours, threshold)
    first, second = np.concatenate([exact, near]).T
    score = np.concatenate([np.ones(len(exact)), similarity])
    return Pairs(first, second, score, np.arange(len(score)) < len(exact))


def _exact_pairs(groups: Ints, is_test: NDArray[np.bool_]) -> Ints:
    """Return [P, 2] pairs of equal contents."""
    found = []
    first = _first_of(groups, np.arange(len(groups)))
    rows = np.flatnonzero(first != np.arange(len(groups)))
    found.append(np.stack([first[rows], rows], axis=1))
    train = _first_of(groups, np.flatnonzero(~is_test))
    leaked = np.flatnonzero(is_test & (train >= 0) & (train != first))
    found.append(np.stack([np.minimum(train[leaked], leaked), np.maximum(train[leaked], leaked)], axis=1))
    return np.unique(np.concatenate(found), axis=0)


def _first_of(groups: Ints, among: Ints) -> Ints:
    """Return [N] the first of some samples that has the content of each sample; -1 for none."""
    first = np.full(groups.max(initial=-1) + 1, len(groups), np.int64)
    np.minimum.at(first, groups[among], among)
    return np.where(first[groups] < len(groups), first[groups], -1)


def _near_pairs(groups: Ints, neighbours: Neighbours, threshold: float) -> tuple[Ints, NDArray[np.float64]]:
    near = (neighbours.similarity >= threshold) & (neighbours.index >= 0)
    rows, places = np.nonzero(near)
    others = neighbours.index[rows, places].astype(np.int64)
    new = groups[rows] != groups[others]
    pairs = np.sort(np.stack([rows[new], others[new]], axis=1), axis=1)
    unique, place = np.unique(pairs, axis=0, return_index=True)
    return unique, neighbours.similarity[rows[new], places[new]][place].astype(np.float64)

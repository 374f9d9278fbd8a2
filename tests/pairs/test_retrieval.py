"""Retrieval both ways on cases made by hand, and beside an independent implementation."""

import numpy as np
import pytest

from scar.common.vectors import unit_rows
from scar.pairs.retrieval import rank_partners, rank_relevant, retrieve

ITEMS = np.arange(4)


def rows(*angles: float) -> np.ndarray:
    return np.array([[np.cos(a), np.sin(a)] for a in angles], np.float32)


def test_a_perfect_diagonal_is_found_at_rank_one():
    found = retrieve(np.eye(4, dtype=np.float32), ITEMS, np.eye(4, dtype=np.float32), ITEMS)
    assert found.recall == {1: 1.0, 5: 1.0, 10: 1.0}
    assert found.median_rank == 1.0
    assert (found.queries, found.candidates) == (4, 4)


def test_a_partner_behind_two_strangers_has_rank_three():
    placed = rank_partners(rows(0.0), np.array([0]), rows(0.3, 0.1, 0.2, 0.9), np.array([0, 1, 2, 3]))
    assert placed.ranks().tolist() == [3.0]
    assert [placed.found(depth).tolist() for depth in (1, 2, 3)] == [[0.0], [0.0], [1.0]]


def test_ties_count_by_their_expectation_or_against_the_query():
    queries, targets = rows(0.0), rows(0.5, 0.5, 0.5, 1.0)
    placed = rank_partners(queries, np.array([0]), targets, ITEMS)
    assert (placed.above.tolist(), placed.ties.tolist()) == ([0], [2])
    assert placed.found(1).tolist() == pytest.approx([1 / 3])
    assert placed.found(2).tolist() == pytest.approx([2 / 3])
    assert placed.ranks().tolist() == [2.0]
    assert [placed.found(depth, ties="pessimistic").tolist() for depth in (1, 2, 3)] == [[0.0], [0.0], [1.0]]
    assert placed.ranks(ties="pessimistic").tolist() == [3.0]
    assert retrieve(queries, np.array([0]), targets, ITEMS, ties="pessimistic").median_rank == 3.0
    with pytest.raises(ValueError, match=r"ties='hopeful' is unknown; use one of expected, pessimistic"):
        placed.ranks(ties="hopeful")


def test_a_constant_embedding_is_as_good_as_chance_and_no_better():
    same = np.ones((20, 1), np.float32)
    found = retrieve(same, np.arange(20), same, np.arange(20))
    assert found.recall == pytest.approx({1: 1 / 20, 5: 5 / 20, 10: 10 / 20})
    assert found.median_rank == 10.5
    worst = retrieve(same, np.arange(20), same, np.arange(20), ties="pessimistic")
    assert worst.recall == {1: 0.0, 5: 0.0, 10: 0.0}
    assert worst.median_rank == 20.0


def test_of_several_captions_the_best_counts_and_the_others_are_no_strangers():
    images, captions = rows(0.0, 1.5), rows(0.2, 0.1, 0.15, 1.4)
    owners = np.array([0, 0, 1, 1])
    to_text = rank_partners(images, np.array([0, 1]), captions, owners)
    assert to_text.ranks().tolist() == [1.0, 1.0]
    to_image = rank_partners(captions, owners, images, np.array([0, 1]))
    assert to_image.ranks().tolist() == [1.0, 1.0, 2.0, 1.0]


def test_partners_may_be_many_to_many():
    pictures, texts = rows(0.0, 0.1, 1.5), rows(0.12, 1.4, 0.9)
    held = np.array([[True, False, False], [True, False, True], [False, True, True]])
    assert rank_relevant(pictures, texts, held).ranks().tolist() == [1.0, 1.0, 1.0]
    assert rank_relevant(texts, pictures, held.T).ranks().tolist() == [1.0, 1.0, 1.0]
    alone = np.eye(3, dtype=bool)
    assert rank_relevant(texts, pictures, alone).ranks().tolist() == [2.0, 2.0, 1.0]
    with pytest.raises(ValueError, match=r"relevant\[1\] marks no partner"):
        rank_relevant(pictures, texts, alone & (np.arange(3) != 1))


def test_recall_equals_that_of_an_independent_implementation():
    from torch import from_numpy
    from torchmetrics.functional.retrieval import retrieval_hit_rate

    rng = np.random.default_rng(0)
    targets = unit_rows(rng.normal(size=(60, 5)).astype(np.float32))
    owners = rng.integers(0, 20, size=60)
    owners[:20] = np.arange(20)
    queries = unit_rows((targets[:20] + rng.normal(scale=0.5, size=(20, 5))).astype(np.float32))
    placed = rank_partners(queries, np.arange(20), targets, owners)
    for depth in (1, 5, 10):
        theirs = [
            float(retrieval_hit_rate(from_numpy(targets @ query), from_numpy(owners == i), top_k=depth))
            for i, query in enumerate(queries)
        ]
        assert placed.found(depth).tolist() == theirs
        assert 0 < sum(theirs) <= 20

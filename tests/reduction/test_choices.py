"""Choices beside the paper's: near-duplicates, shares by need, repeats, and scores by which pairs are left out."""

import numpy as np
import pytest

from scar.reduction.choices import (
    best_of_groups,
    closeness_to_centres,
    draw_with_repeats,
    near_duplicates,
    rank_within,
    share_by_need,
    thumbnails,
)
from scar.reduction.contrastive_scores import negative_clip_loss, norm_similarity
from scar.reduction.pair_score import mismatch_auroc


def test_rows_that_are_joined_by_a_chain_are_one_group():
    groups = near_duplicates(np.array([[0.0], [0.9], [1.8], [5.0], [5.1]], np.float32), 1.0)
    assert groups[0] == groups[1] == groups[2] != groups[3] == groups[4]
    with pytest.raises(ValueError, match="radius=-1 must not be negative"):
        near_duplicates(np.zeros((2, 1), np.float32), -1)


def test_originals_lie_in_the_middle_of_their_copies():
    rng = np.random.default_rng(0)
    originals = 100 * rng.normal(size=(50, 20))
    copies = np.repeat(originals, 3, axis=0) + rng.normal(size=(150, 20))
    rows, groups = (
        np.concatenate([copies, originals]).astype(np.float32),
        np.r_[np.repeat(np.arange(50), 3), np.arange(50)],
    )
    every = np.ones(200, bool)
    kept = best_of_groups(groups, closeness_to_centres(rows, groups, every))
    assert kept[150:].mean() > 0.95
    counted = np.arange(200) < 150  # without the originals, copies are left
    closeness = closeness_to_centres(rows, groups, counted)
    assert np.isfinite(closeness).all()
    nothing = closeness_to_centres(rows, groups, groups != 7)
    assert np.isneginf(nothing[groups == 7]).all()
    pair = closeness_to_centres(np.array([[0.0], [1.0]], np.float32), np.zeros(2, np.int64), np.ones(2, bool))
    assert pair[0] == pair[1] == -0.5


def test_the_distance_of_thumbnails_is_in_levels():
    images = np.zeros((2, 16, 16, 3), np.uint8)
    images[1] = 10
    small = thumbnails(images)
    assert small.shape == (2, 192)
    assert np.linalg.norm(small[1] - small[0]) == pytest.approx(10)
    with pytest.raises(ValueError, match="side=8 must divide"):
        thumbnails(np.zeros((1, 12, 12, 3), np.uint8))


def test_of_a_group_the_best_stays_and_what_is_left_out_never_does():
    groups, scores = np.array([0, 0, 1, 1, 2]), [0.1, 0.5, 0.7, 0.7, -np.inf]
    assert best_of_groups(groups, scores).tolist() == [False, True, True, False, False]


def test_a_budget_goes_where_it_is_needed_and_no_cluster_gives_more_than_it_has():
    assert share_by_need([30, 10, 0], [100, 100, 100], 40).tolist() == [30, 10, 0]
    assert share_by_need([30, 10, 0], [100, 100, 100], 20).tolist() == [15, 5, 0]
    assert share_by_need([90, 10, 0], [20, 100, 100], 60).tolist() == [20, 40, 0]
    assert share_by_need([np.inf, np.nan, 10], [40, 40, 40], 45).tolist() == [20, 20, 5]
    assert share_by_need([0, 0], [3, 5], 4).tolist() == [2, 2]
    rng = np.random.default_rng(0)
    for _ in range(50):
        have, needs = rng.integers(0, 30, 8), rng.random(8) * 50
        counts = share_by_need(needs, have, budget := int(rng.integers(have.sum() + 1)))
        assert counts.sum() == budget
        assert (counts <= have).all()
    with pytest.raises(ValueError, match=r"budget=9 must lie in 0\.\.8"):
        share_by_need([1, 1], [3, 5], 9)


def test_repeats_are_drawn_of_what_scores_best_but_not_without_end():
    scores = np.r_[np.full(20, 3.0), np.zeros(80), np.full(20, -np.inf)]
    rows = draw_with_repeats(scores, 100, penalty=1.0, seed=0)
    times = np.bincount(rows, minlength=120)
    assert len(rows) == 100
    assert times[:20].mean() > 2 * times[20:100].mean() > 0
    assert times[100:].sum() == 0
    assert times.max() <= 20
    assert len(np.unique(draw_with_repeats(np.zeros(200), 100, penalty=50.0, seed=0))) == 100
    with pytest.raises(ValueError, match="a round draws 5 of 2 pairs"):
        draw_with_repeats([0, 0, -np.inf], 100, penalty=1.0, seed=0)


def test_ranks_are_within_a_group():
    assert rank_within([1, 2, 10, 30], np.array([0, 0, 1, 1])).tolist() == [0.25, 0.75, 0.25, 0.75]


def joint(count: int = 400, wrong: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images and captions near ten concepts in a joint space, the first captions of another concept."""
    rng = np.random.default_rng(1)
    concepts = rng.normal(size=(10, 16))
    own = rng.integers(10, size=count)
    said = np.where(np.arange(count) < wrong, (own + 1 + rng.integers(9, size=count)) % 10, own)
    image, text = (concepts[each] + 0.3 * rng.normal(size=(count, 16)) for each in (own, said))
    return image.astype(np.float32), text.astype(np.float32), np.arange(count) < wrong


def test_the_negative_clip_loss_is_that_of_its_equation_and_tells_mismatches():
    image, text, wrong = joint()
    scores = negative_clip_loss(image, text, temperature=0.1, batch_size=64, seed=0)
    assert mismatch_auroc(scores, wrong) > 0.95
    one = negative_clip_loss(image[:1], text[:1], temperature=0.1, batch_size=64, seed=0)
    assert one == pytest.approx([0.0], abs=1e-6)
    two = negative_clip_loss(
        np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), temperature=0.5, batch_size=2, seed=0
    )
    assert two == pytest.approx(1 - 0.5 * np.log(np.exp(2) + 1))
    with pytest.raises(ValueError, match="temperature=0 must be above 0"):
        negative_clip_loss(image, text, temperature=0, batch_size=64, seed=0)


def test_the_norm_similarity_is_highest_near_the_target():
    image, target = np.eye(3, dtype=np.float32), np.array([[1, 0, 0], [1, 1, 0]], np.float32)
    assert norm_similarity(image, target) == pytest.approx([1, np.sqrt(0.5), 0])
    assert norm_similarity(image, target, order=2) == pytest.approx([np.sqrt(1.5), np.sqrt(0.5), 0])
    with pytest.raises(ValueError, match="it needs a row and 3 columns"):
        norm_similarity(image, np.zeros((0, 3), np.float32))

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scar.data.stratify import draw_per_class, draw_test_part, keep_sizes, share_out, within_class_rank

SIZES = st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(sum)


@given(SIZES, st.data())
def test_shares_sum_up_and_stay_within_one_of_proportional(sizes: list[int], data: st.DataObject) -> None:
    total = sum(sizes)
    size = data.draw(st.integers(0, total))
    shares = share_out(np.array(sizes), size, np.random.default_rng(0))
    assert shares.sum() == size
    assert np.all(shares <= sizes)
    assert np.all(np.abs(shares - np.array(sizes) * size / total) < 1)


@given(SIZES, st.data())
def test_a_draw_is_exact_sorted_and_without_repeats(sizes: list[int], data: st.DataObject) -> None:
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    size = data.draw(st.integers(0, len(labels)))
    rows = draw_per_class(labels, size, np.random.default_rng(2))
    assert len(rows) == size
    assert np.all(np.diff(rows) > 0)
    expected = share_out(np.bincount(labels), size, np.random.default_rng(2))
    np.testing.assert_array_equal(np.bincount(labels[rows], minlength=len(expected)), expected)


def test_every_sample_of_a_class_is_equally_likely() -> None:
    labels = np.repeat([0, 1], [10, 30])
    rng = np.random.default_rng(0)
    counts = sum(np.bincount(draw_per_class(labels, 20, rng), minlength=40) for _ in range(2000))
    assert np.all(np.abs(np.asarray(counts) / 2000 - 0.5) < 0.06)


def test_ties_favour_no_class() -> None:
    rng = np.random.default_rng(0)
    extra = sum(share_out(np.full(10, 100), 15, rng) - 1 for _ in range(2000)) / 2000
    assert np.all(np.abs(extra - 0.5) < 0.06)


@pytest.mark.parametrize("size", [-1, 5])
def test_a_size_that_is_not_there_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=rf"size={size} must lie in 0\.\.4"):
        draw_per_class(np.array([0, 0, 1, 1]), size, np.random.default_rng(0))


def test_the_test_part_belongs_to_the_seed() -> None:
    labels = np.repeat([0, 1], [80, 20])
    splits = draw_test_part(labels, 0.25, 3)
    assert np.bincount(labels[splits == "test"]).tolist() == [20, 5]
    np.testing.assert_array_equal(splits, draw_test_part(labels, 0.25, 3))
    assert (splits != draw_test_part(labels, 0.25, 4)).any()


def test_the_training_sample_does_not_depend_on_the_size_of_the_test_sample() -> None:
    labels = np.arange(100) % 4
    splits = np.repeat(["train", "test"], [60, 40])
    first, second = (keep_sizes(labels, splits, train_size=20, test_size=n, seed=0) for n in (None, 8))
    assert (first < 60).sum() == 20
    assert (second >= 60).sum() == 8
    np.testing.assert_array_equal(first[first < 60], second[second < 60])


def test_the_rank_counts_earlier_samples_of_the_class() -> None:
    assert within_class_rank(np.array([1, 0, 1, 1, 0])).tolist() == [0, 0, 1, 2, 1]

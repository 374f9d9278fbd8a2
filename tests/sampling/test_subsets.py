import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scar.sampling.subsets import SubsetsConfig, draw_subsets, stratified_order

LABELS = np.repeat([0, 1, 2], [600, 250, 30])
ROWS = np.arange(10, 10 + len(LABELS))
ALL = np.concatenate([np.zeros(10, np.int64), LABELS])


def subsets(seed=0, **settings):
    return draw_subsets(ROWS, ALL, SubsetsConfig(**settings), seed=seed)


def test_every_factor_has_all_its_parts_and_they_partition_the_rows():
    drawn = subsets()
    for factor in SubsetsConfig().factors:
        parts = [s.rows for s in drawn if s.factor == factor]
        assert len(parts) == factor
        assert np.array_equal(np.sort(np.concatenate(parts)), ROWS)


def test_parts_keep_the_class_mix_to_within_one_sample():
    for subset in subsets():
        expected = np.array([600, 250, 30]) / subset.factor
        assert np.all(np.abs(np.bincount(ALL[subset.rows], minlength=3) - expected) <= 1 + 1e-9)


def test_a_class_smaller_than_the_factor_is_spread_not_dropped():
    labels = np.repeat([0, 1], [100, 3])
    drawn = draw_subsets(np.arange(103), labels, SubsetsConfig(factors=(1, 10)), seed=0)
    held = [np.count_nonzero(labels[s.rows] == 1) for s in drawn if s.factor == 10]
    assert sum(held) == 3
    assert max(held) == 1


def test_independent_draws_differ_and_overlap():
    first, second = (s.rows for s in subsets(draw="independent", factors=(1, 2)) if s.factor == 2)
    assert 0 < len(np.intersect1d(first, second)) < len(first)


def test_a_draw_depends_on_the_seed_and_on_its_factor_alone():
    few, many = subsets(factors=(1, 5)), subsets(factors=(1, 2, 5, 10))
    pick = lambda drawn: [s.rows.tolist() for s in drawn if s.factor == 5]  # noqa: E731
    assert pick(few) == pick(many)
    assert pick(few) != pick(subsets(factors=(1, 5), seed=1))


def test_max_parts_limits_the_parts():
    assert [s.factor for s in subsets(factors=(1, 2, 10), max_parts=3)] == [1, 2, 2, 10, 10, 10]


def test_a_factor_above_the_sample_count_is_left_out():
    drawn = draw_subsets(np.arange(4), np.array([0, 0, 1, 1]), SubsetsConfig(factors=(1, 2, 30)), seed=0)
    assert {s.factor for s in drawn} == {1, 2}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"factors": (2, 5)}, "factors"),
        ({"factors": (1, 0)}, "factors"),
        ({"factors": (1, 1)}, "factors"),
        ({"max_parts": 0}, "max_parts=0"),
        ({"draw": "both"}, "'both'.*partition"),
    ],
)
def test_a_bad_plan_is_refused_by_name(settings, message):
    with pytest.raises(ValueError, match=message):
        SubsetsConfig(**settings)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=200), st.integers(0, 2**32))
def test_the_stratified_order_is_a_permutation(labels, seed):
    order = stratified_order(np.array(labels), np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(labels)))

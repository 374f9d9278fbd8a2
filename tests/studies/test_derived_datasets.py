"""Class-size profiles, cells and the datasets derived from them: sizes, budgets, nesting, what is refused."""

import numpy as np
import pytest

from scar.sampling.indicators import left_skew, long_tail
from scar.studies.indicators import profiles
from scar.studies.indicators.cells import OTHER, OWN, SECOND, SYNTHETIC, build_cells
from scar.studies.indicators.derived_datasets import BLENDS, CLASS_SIZES, LABEL_SETS, derive, size_profiles
from scar.studies.indicators.indicator_settings import IndicatorStudy
from scar.studies.indicators.questions import needed_for_findings, questions

STUDY = IndicatorStudy().scaled(0.1)


def cells(*, classes=10, size=480, second=True, seed=0):
    labels = np.repeat(np.arange(classes), size)
    count = len(labels)
    parts = [(OWN, np.arange(count), labels)]
    if second:
        shown = np.flatnonzero(np.arange(count) % size < STUDY.second_size)
        parts.append((SECOND, count + np.arange(len(shown)), labels[shown]))
    parts.append((OTHER, 10_000 + np.arange(200), classes + np.arange(200) % 10))
    parts.append((SYNTHETIC, 20_000 + np.arange(800), classes + 10 + np.arange(800) % 20))
    last = np.zeros(30_000, bool)
    last[np.flatnonzero(np.arange(count) % size < STUDY.second_size)] = True
    return build_cells(parts, seed=seed, last=last)


def test_profiles_hold_their_budget_and_do_what_they_are_named_after():
    assert profiles.even(10, 4).tolist() == [3, 3, 2, 2]
    assert profiles.skewed(8000, 10, heads=1, floor=500).tolist() == [3500] + [500] * 9
    assert profiles.tailed(8000, 10, share=0.4, size=50).tolist() == [1300] * 6 + [50] * 4
    both = profiles.skewed_and_tailed(8000, 10, heads=1, head=3500, share=0.4, size=50)
    assert both.tolist() == [3500] + [860] * 5 + [50] * 4
    for ratio in (5, 100):
        sizes = profiles.exponential(8000, 10, ratio=ratio)
        assert sizes.sum() == 8000
        assert sizes[0] / sizes[-1] == pytest.approx(ratio, rel=0.05)
    zipf = profiles.zipf(8000, 10, exponent=1.0)
    assert zipf[0] / zipf[4] == pytest.approx(5, rel=0.01)
    assert profiles.truncate_head(zipf, 1000).max() == 1000
    assert profiles.rebalance_tail(np.array([900, 300, 40]), 500).tolist() == [900, 500, 500]
    assert profiles.rebalance_tail(np.array([900, 300, 40]), 500, spare=100).tolist() == [900, 500, 40]


@pytest.mark.parametrize("ratio", [0.0, 0.25, 1.0])
def test_a_blend_holds_its_ratio_in_every_class(ratio):
    first, second = profiles.blend(4000, 8, ratio=ratio)
    assert (first + second).tolist() == [500] * 8
    assert first.tolist() == [round(500 * ratio)] * 8


def test_sizes_go_to_classes_that_have_them_in_one_order():
    available, order = np.array([100, 5000, 600, 600]), np.array([0, 2, 1, 3])
    assert profiles.assign_classes(np.array([50, 50, 50, 50]), available, order).tolist() == [50] * 4
    dealt = profiles.assign_classes(np.array([4000, 500, 500, 100]), available, order)
    assert dealt.tolist() == [100, 4000, 500, 500]
    with pytest.raises(ValueError, match="no class is left with 500"):
        profiles.assign_classes(np.array([500, 500, 500, 500]), available, order)


def test_a_larger_size_of_a_cell_holds_the_smaller_one_and_the_rest_is_the_reserve():
    made = cells()
    small, large = (made.take(np.where(made.sources == OWN, n, 0)) for n in (5, 50))
    assert set(small[0]) < set(large[0])
    assert np.bincount(large[1]).tolist() == [50] * 10
    assert (large[0] // 480 == large[1]).all()
    with pytest.raises(ValueError, match=r"class 0 of the same dataset has 480"):
        made.take(np.where(made.sources == OWN, 481, 0))


def test_samples_that_the_second_source_shows_are_taken_last():
    made = cells()
    own, _ = made.take(np.where(made.sources == OWN, 480 - STUDY.second_size, 0))
    assert (own % 480 >= STUDY.second_size).all()


def test_more_than_thirty_datasets_of_different_skew_and_tail_are_derived():
    made = cells()
    derived = derive(made, STUDY, seed=3)
    names = [each.name for each in derived]
    assert len(set(names)) == len(names)
    own = [each for each in derived if each.family == CLASS_SIZES]
    assert len(own) >= 30
    seen = {(left_skew(made.take(d.sizes)[1]), long_tail(made.take(d.sizes)[1], fewer_than=50)) for d in own}
    assert len(seen) >= 15
    matched = [each for each in own if each.matched]
    assert len(matched) >= 15
    assert {int(each.sizes.sum()) for each in matched} == {STUDY.budget * 10}
    assert len({tuple(np.sort(d.sizes)) for d in own}) == len(own)


def test_every_question_but_those_on_missing_classes_compares_derived_datasets():
    names = {each.name for each in derive(cells(), STUDY, seed=0)}
    missing = {name for q in questions(STUDY) for name in (q.first, q.second)} - names
    assert len(needed_for_findings(STUDY) & names) < 20
    assert missing == {
        f"base {size}, H x{m}, {source}"
        for size, m, source in ((10, 4, OWN), (40, 4, OWN), (10, 4, OTHER), (40, 2, OTHER), (40, 4, OTHER))
    }


def test_horizontal_and_vertical_scaling_have_one_budget_and_one_test_label_set():
    made = cells()
    derived = {each.name: each for each in derive(made, STUDY, seed=1) if each.family == LABEL_SETS}
    base = derived["base 10"]
    vertical = derived["base 10, V x2"]
    for source in (OWN, OTHER, SYNTHETIC):
        horizontal = derived[f"base 10, H x2, {source}"]
        assert horizontal.sizes.sum() == vertical.sizes.sum() == 2 * base.sizes.sum()
        assert (horizontal.sizes[base.sizes > 0] == 10).all()
        added = np.flatnonzero((horizontal.sizes > 0) & (base.sizes == 0))
        assert set(made.sources[added]) == {source}
        assert not set(made.classes[added]) & set(base.targets)
        assert (horizontal.targets == base.targets).all()
    assert any(
        (each.targets != base.targets).any() for each in derive(cells(seed=2), STUDY, seed=2) if each.name == "base 10"
    )


def test_blends_replace_samples_of_one_source_by_those_of_another():
    made = cells()
    blends = [each for each in derive(made, STUDY, seed=0) if each.family == BLENDS]
    shares = [each.sizes[made.sources == SECOND].sum() / each.sizes.sum() for each in blends]
    np.testing.assert_allclose(shares, STUDY.ratios_of_blend, atol=0.02)
    assert {int(each.sizes.sum()) for each in blends} == {STUDY.blend_size * 10}
    assert not [each for each in derive(cells(second=False), STUDY, seed=0) if each.family == BLENDS]


def test_a_study_is_scaled_down_with_its_thresholds_until_the_dataset_is_large_enough():
    assert IndicatorStudy().fitted(np.full(10, 4800)) == IndicatorStudy()
    small = IndicatorStudy().fitted(np.full(10, 480))
    assert (small.tails, small.budget) == ((50, 10), 80)
    assert small.tail_shares == IndicatorStudy().tail_shares
    for _, _, profile in size_profiles(10, small):
        assert profile.max() <= 480
    with pytest.raises(ValueError, match="dataset=tiny has class sizes"):
        IndicatorStudy().fitted(np.full(10, 9), name="tiny")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 0}, "seeds=0"),
        ({"mlp_seeds": 9}, r"mlp_seeds=9 must lie in 0\.\.5"),
        ({"masking": "drop"}, "masking='drop'"),
        ({"target_classes": 1}, "target_classes=1"),
        ({"min_pool": 100}, "min_pool=100"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        IndicatorStudy(**options)

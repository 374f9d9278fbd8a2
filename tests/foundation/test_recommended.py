import math

import numpy as np
import pytest
from planted import gap_observations, only_factors, permuted, power_law_observations, replaced

from scar.foundation.estimates import estimate, load_estimates, save_estimates
from scar.foundation.recommended import RecommendedEstimator
from scar.foundation.settings import FoundationConfig

EXPONENTS = (0.3, 0.5, 0.7, 1.0)
COUNTS, HELDOUT = np.full(5, 2400), np.full(5, 800)


def set_case(rng, exponent, ratio, *, level=0.9):
    """Fit exact power laws at the target that the set reaches at `ratio` times the data."""
    levels = 0.025 * np.exp(rng.normal(0, 0.3, COUNTS.size))
    seen = power_law_observations(rng, levels, exponent, counts=COUNTS, heldout=HELDOUT)
    return RecommendedEstimator(epsilon=levels.mean() * ratio**-exponent, level=level).fit(seen), seen.n_total


def rare_case(rng, *, ratio, heldout, counts=(1170, 30), epsilon=0.03, level=0.9):
    """Fit one class that is learnt and one that needs `ratio` times the data, both with exponent 1/2."""
    gaps = [epsilon / 3, epsilon * ratio**0.5]
    seen = power_law_observations(rng, gaps, 0.5, counts=counts, heldout=heldout, limit=0.05)
    return RecommendedEstimator(epsilon=epsilon, level=level).fit(seen)


def errors_and_coverage(rng, repeats):
    found = []
    for exponent in EXPONENTS:
        for _ in range(repeats):
            for ratio in (2.0, 4.0):
                fitted, total = set_case(rng, exponent, ratio)
                size = max(fitted.foundation_size_, total)
                low, high = fitted.interval_
                found.append(
                    (math.log2(size / (ratio * total)) if np.isfinite(size) else 3.0, low <= ratio * total <= high)
                )
    return np.array(found).T


def test_the_size_of_exact_power_laws_is_found():
    errors, inside = errors_and_coverage(np.random.default_rng(0), 1)
    assert abs(np.median(errors)) <= 0.3
    assert inside.mean() >= 0.75


@pytest.mark.slow
def test_sizes_of_exact_power_laws_are_unbiased_and_their_intervals_hold():
    errors, inside = errors_and_coverage(np.random.default_rng(1), 20)
    assert abs(np.median(errors)) <= 0.2
    assert 0.85 <= inside.mean() <= 0.95 + 2 * math.sqrt(0.95 * 0.05 / (inside.size / 2))  # two ratios share much


def test_a_rare_class_is_not_met_without_evidence():
    rng = np.random.default_rng(0)
    flags = [rare_case(rng, ratio=4.0, heldout=(3900, few)).flags_[1] for few in (4, 10) for _ in range(3)]
    assert not any("met" in each for each in flags)
    assert any("cannot_tell" in each for each in flags)


@pytest.mark.slow
@pytest.mark.parametrize("few", [4, 10, 100])
def test_rare_classes_are_hardly_ever_met_falsely(few):
    rng = np.random.default_rng(few)
    cases = [rare_case(rng, ratio=4.0, heldout=(39 * few, few)) for _ in range(40)]
    assert np.mean(["met" in each.flags_[1] for each in cases]) <= 0.05
    assert np.mean([each.step_intervals_[1, 0] <= 4800 <= each.step_intervals_[1, 1] for each in cases]) >= 0.8


@pytest.mark.slow
def test_a_class_with_twice_what_it_needs_is_met():
    rng = np.random.default_rng(5)
    cases = [rare_case(rng, ratio=0.5, heldout=(4000, 400), counts=(24_000, 2400)) for _ in range(40)]
    assert np.mean(["met" in each.flags_[1] for each in cases]) >= 0.8


def test_a_class_far_from_its_need_and_one_well_beyond_it_are_told_apart():
    rng = np.random.default_rng(2)
    gaps = np.array([0.005, 0.005, 0.06, 0.06])
    seen = power_law_observations(rng, gaps, 0.7, counts=np.full(4, 4000), heldout=np.full(4, 2000))
    fitted = RecommendedEstimator(epsilon=0.03).fit(seen)
    assert [fitted.flags_[j][:1] == ["met"] for j in range(4)] == [True, True, False, False]
    assert (fitted.step_sizes_[2:] > seen.n_total).all()
    low, high = fitted.step_intervals_[2:].T
    truth = seen.n_total * 2 ** (1 / 0.7)
    assert ((low < truth) & (truth < high)).all()


def test_what_cannot_be_told_has_no_size_but_an_interval():
    fitted = rare_case(np.random.default_rng(1), ratio=4.0, heldout=(3900, 4))
    assert fitted.flags_[1] == ["cannot_tell"]
    assert math.isnan(fitted.step_sizes_[1])
    assert fitted.step_intervals_[1, 0] == 0.0
    assert fitted.step_intervals_[1, 1] > 1200


def test_the_prospect_agrees_with_the_size():
    fitted, total = set_case(np.random.default_rng(3), 0.7, 2.0)
    ahead = fitted.prospect_
    assert ahead.chance(fitted.foundation_size_) == pytest.approx(0.5, abs=0.02)
    assert ahead.chance(fitted.interval_[1]) == pytest.approx(0.95, abs=0.02)
    assert (np.diff(ahead.probability) >= 0).all()
    assert (np.diff(ahead.class_probability, axis=0) >= 0).all()
    assert ahead.probability[2] == pytest.approx(ahead.chance(2 * total), abs=0.02)
    assert (ahead.gap[:, 1] <= ahead.gap[:, 0]).all()
    assert (ahead.gap[:, 0] <= ahead.gap[:, 2]).all()
    with pytest.raises(ValueError, match="must be positive"):
        ahead.chance(0)


def test_expected_gap_and_accuracy_hold_the_planted_ones():
    rng = np.random.default_rng(4)
    gaps = np.full(5, 0.03)
    seen = power_law_observations(rng, gaps, 0.5, counts=COUNTS, heldout=HELDOUT)
    ahead = RecommendedEstimator(level=0.99).fit(seen).prospect_
    truth = gaps[0] * ahead.multiples**-0.5
    assert ((ahead.gap[:, 1] < truth) & (truth < ahead.gap[:, 2])).all()
    right = 1.0 - (0.08 + 2 * truth)
    assert ((ahead.accuracy[:, 1] < right) & (right < ahead.accuracy[:, 2])).all()


def test_the_order_of_the_classes_does_not_matter():
    rng = np.random.default_rng(6)
    seen = power_law_observations(rng, [0.02, 0.03, 0.04], 0.6, counts=[900, 1500, 2400], heldout=[200, 400, 600])
    order = np.array([2, 0, 1])
    fitted, other = (RecommendedEstimator(epsilon=0.02).fit(each) for each in (seen, permuted(seen, order)))
    np.testing.assert_allclose(other.step_intervals_, fitted.step_intervals_[order], rtol=1e-6)
    assert other.foundation_size_ == pytest.approx(fitted.foundation_size_)


def test_one_size_and_unseen_classes_are_undefined():
    seen = gap_observations(lambda n: 0.02, steps=3, total=900, heldout=50, factors=(1, 2))
    alone = RecommendedEstimator().fit(only_factors(seen, (1,)))
    assert alone.prospect_ is None
    assert alone.flags_["set"] == ["too_few_sizes"]
    sizes = seen.heldout_class_sizes.copy()
    sizes[2] = 0
    fitted = RecommendedEstimator().fit(replaced(seen, heldout_class_sizes=sizes))
    assert fitted.flags_[2] == ["undefined"]
    assert "undefined_steps" in fitted.flags_["set"]
    assert np.isnan(fitted.prospect_.class_probability[:, 2]).all()


def test_estimates_are_read_as_they_were_written(tmp_path):
    seen = gap_observations(lambda n: 20.0 / n**0.9, steps=3, total=900, heldout=100, factors=(1, 2))
    written = estimate(seen, FoundationConfig(estimators=("recommended", "heldout")))
    save_estimates(written, tmp_path)
    read = load_estimates(tmp_path)
    assert read["heldout"].prospect is None
    for name, value in vars(written["recommended"].prospect).items():
        np.testing.assert_array_equal(getattr(read["recommended"].prospect, name), value)


@pytest.mark.parametrize("setting", [{"epsilon": 0.0}, {"level": 1.0}, {"error": "none"}, {"set_gap": "none"}])
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        RecommendedEstimator(**setting).fit(gap_observations(lambda n: 0.02, steps=2, factors=(1, 2)))

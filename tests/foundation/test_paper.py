import numpy as np
import pytest
from planted import growth_observations, only_factors, permuted, replaced

from scar.foundation.bound import step_foundation_size
from scar.foundation.paper_text import PaperEstimator
from scar.foundation.set_level import set_foundation_size

H = np.array([0.6, 0.3, 0.2, 0.5, 0.4])


@pytest.fixture(scope="module")
def observations():
    return growth_observations(H, 3.0)


def test_planted_concept_sizes_come_back(observations):
    fitted = PaperEstimator().fit(observations)
    np.testing.assert_allclose(fitted.growth_["h"], H, rtol=0.15)
    np.testing.assert_allclose(fitted.growth_["kappa"], 3.0, rtol=0.35)
    np.testing.assert_allclose(fitted.step_sizes_, step_foundation_size(fitted.concept_sizes_))
    assert fitted.foundation_size_ == pytest.approx(set_foundation_size(fitted.concept_sizes_))
    low, high = fitted.interval_
    assert low < set_foundation_size(H) < high
    assert low < fitted.foundation_size_ < high
    assert fitted.flags_["set"] == []


@pytest.mark.parametrize("kappa", [1.0, 3.0])
def test_intervals_hold_the_planted_sizes(kappa):
    steps, fits = 0, []
    for seed in range(40):
        observations = growth_observations(H, kappa, seed=seed)
        fits.append(PaperEstimator(prior=False).fit(observations))
        steps += H.size
    truth = step_foundation_size(H)
    inside = [(f.step_intervals_[:, 0] <= truth) & (truth <= f.step_intervals_[:, 1]) for f in fits]
    assert 0.88 <= np.mean(inside) <= 1.0
    whole = [f.interval_[0] <= set_foundation_size(H) <= f.interval_[1] for f in fits]
    assert np.mean(whole) >= 0.85


def test_normal_logits_are_met():
    random = np.random.default_rng(0)
    observations = growth_observations(np.full(5, 1e-12), 3.0, noise=0.0)
    jitter = 2.0 / observations.true_positives * random.standard_normal(observations.coverage.shape)
    observations = replaced(observations, coverage=np.clip(observations.coverage + jitter, 0, 1))
    fitted = PaperEstimator().fit(observations)
    assert (fitted.step_sizes_ == 0.0).all()
    assert fitted.foundation_size_ == 0.0
    assert "met" in fitted.flags_["set"]
    assert all("met" in fitted.flags_[j] for j in range(5))
    assert sum("floored" in fitted.flags_[j] for j in range(5)) >= 4
    assert (fitted.growth_["bound"] < 0).any(), "the reported bound is not floored"
    assert (fitted.step_intervals_[:, 0] == 0.0).all()


def test_undefined_coverage_is_left_out_by_name(observations):
    coverage = observations.coverage.copy()
    coverage[:, 1] = np.nan
    coverage[-30:, 2] = np.nan
    fitted = PaperEstimator().fit(replaced(observations, coverage=coverage))
    assert np.isnan(fitted.step_sizes_[1])
    assert np.isnan(fitted.step_intervals_[1]).all()
    assert fitted.flags_[1] == ["coverage_undefined"]
    assert "partly_undefined" in fitted.flags_[2]
    assert np.isfinite(fitted.step_sizes_[2])
    assert "undefined_steps" in fitted.flags_["set"]
    assert fitted.foundation_size_ == pytest.approx(set_foundation_size(np.delete(fitted.concept_sizes_, 1)))


def test_without_any_coverage_the_set_is_undefined(observations):
    fitted = PaperEstimator().fit(replaced(observations, coverage=np.full_like(observations.coverage, np.nan)))
    assert np.isnan(fitted.foundation_size_)
    assert np.isnan(fitted.interval_).all()
    assert {"undefined", "undefined_steps"} <= set(fitted.flags_["set"])


def test_one_factor_rests_on_the_prior(observations):
    one = only_factors(observations, [1])
    fitted = PaperEstimator().fit(one)
    assert all("at_prior" in fitted.flags_[j] for j in range(5))
    np.testing.assert_allclose(fitted.growth_["kappa"], np.log(20.0), rtol=1e-3)
    free = PaperEstimator(prior=False).fit(one)
    assert np.isnan(free.step_sizes_).all()
    assert "undefined" in free.flags_["set"]


def test_a_bound_that_falls_with_size_is_flagged(observations):
    falling = growth_observations(H, 3.0)
    coverage = 1.0 - 0.3 * (falling.sizes[:, None] / falling.n_total) ** -0.2 * np.ones_like(falling.coverage)
    fitted = PaperEstimator().fit(replaced(falling, coverage=np.clip(coverage, 0, 1)))
    assert all("bound_decreasing" in fitted.flags_[j] for j in range(5))
    assert "bound_decreasing" in fitted.flags_["set"]


def test_the_order_of_the_steps_does_not_matter(observations):
    order = np.array([3, 0, 4, 1, 2])
    one, other = PaperEstimator().fit(observations), PaperEstimator().fit(permuted(observations, order))
    np.testing.assert_allclose(other.step_sizes_, one.step_sizes_[order], rtol=1e-6)
    np.testing.assert_allclose(other.step_intervals_, one.step_intervals_[order], rtol=1e-5)
    assert other.foundation_size_ == pytest.approx(one.foundation_size_, rel=1e-6)
    assert [other.flags_[j] for j in range(5)] == [one.flags_[j] for j in order]


def test_parameters_matter(observations):
    default = PaperEstimator().fit(observations)
    looser = PaperEstimator(epsilon=0.02).fit(observations)
    assert looser.foundation_size_ == pytest.approx(default.foundation_size_ / 4, rel=1e-6)
    narrow = PaperEstimator(level=0.5).fit(observations)
    assert np.ptp(narrow.interval_) < np.ptp(default.interval_)
    assert PaperEstimator(delta=0.05).fit(observations).foundation_size_ < default.foundation_size_


def test_zero_training_error_is_no_difficulty():
    fitted = PaperEstimator().fit(growth_observations(H, 3.0, misses=0.0))
    assert np.isfinite(fitted.step_sizes_).all()


@pytest.mark.parametrize("field", ["order", "epsilon", "level"])
def test_invalid_parameters_are_named(observations, field):
    with pytest.raises(ValueError, match=field):
        PaperEstimator(**{field: 2}).fit(observations) if field != "epsilon" else PaperEstimator(epsilon=-1.0).fit(
            observations
        )

import numpy as np
import pytest

from scar.measures.coverage import step_coverage
from scar.measures.debias import DEVIATION, EXPECTED, SIZES, coverage_deficit, null_moments

DRAWS = 400


def deficits(samples):
    """[D] deficits of samples [D, n]."""
    draws, n = samples.shape
    coverage, defined = step_coverage(samples.ravel(), np.repeat(np.arange(draws), n), num_steps=draws)
    assert defined.all()
    return coverage_deficit(coverage, np.full(draws, n))


@pytest.mark.parametrize("n", [30, 44, 75, 100, 180, 300, 1000, 3000, 10_000, 50_000])
def test_normal_logits_have_no_deficit_at_any_size(n):
    random = np.random.default_rng(n)
    deficit, error = (
        np.concatenate(parts)
        for parts in zip(*(deficits(random.normal(20, 2, (40, n))) for _ in range(DRAWS // 40)), strict=True)
    )
    assert abs(deficit.mean()) <= 3 * deficit.std(ddof=1) / np.sqrt(DRAWS)
    assert deficit.std(ddof=1) == pytest.approx(error[0], rel=0.15)


@pytest.mark.parametrize("n", [30, 100, 1000, 20_000])
def test_two_modes_have_a_deficit_at_every_size(n):
    random = np.random.default_rng(n)
    modes = random.normal(20, 1, (20, n)) + np.where(np.arange(n) % 2, 4.0, -4.0)
    deficit, error = deficits(modes)
    assert deficit.mean() > 3 * error[0] / np.sqrt(20)


@pytest.mark.parametrize(("index", "draws"), [(0, 4000), (5, 4000), (10, 4000), (14, 2000), (20, 1000), (30, 200)])
def test_the_table_is_what_the_simulation_gives(index, draws):
    mean, deviation = null_moments(int(SIZES[index]), draws, seed=1)
    assert mean == pytest.approx(EXPECTED[index], abs=4 * DEVIATION[index] / np.sqrt(draws))
    assert deviation == pytest.approx(DEVIATION[index], rel=0.2)


def test_the_simulation_is_seeded():
    assert null_moments(25, 50) == null_moments(25, 50)
    assert null_moments(25, 50) != null_moments(25, 50, seed=1)


def test_the_table_covers_every_size():
    assert len(EXPECTED) == len(DEVIATION) == len(SIZES)
    n = np.arange(10, 200_000)
    deficit, error = coverage_deficit(np.full(len(n), 0.9), n)
    assert np.isfinite(deficit).all()
    expected = (0.1 - deficit) * n  # between the knots as between its neighbours
    assert expected.min() > 7.6
    assert expected.max() < 20.7
    assert np.abs(np.diff(expected)).max() < 0.7
    assert (error > 0).all()


def test_undefined_stays_undefined_and_nothing_is_floored():
    deficit, error = coverage_deficit([[1.0, np.nan], [0.5, 0.5]], [[100, 100], [9, 3_000_000]])
    assert deficit[0, 0] < 0
    np.testing.assert_array_equal(np.isnan(deficit), [[False, True], [True, False]])
    np.testing.assert_array_equal(np.isnan(error), np.isnan(deficit))


@pytest.mark.parametrize(
    ("coverage", "counts", "bins", "message"),
    [
        ([0.5], [10, 20], 100, "true_positives has shape"),
        ([], [], 100, "not empty"),
        ([1.5], [10], 100, "coverage spans"),
        ([0.5], [-1], 100, "true_positives holds"),
        ([0.5], [50], 1, "bins=1"),
    ],
)
def test_invalid_arguments_are_named(coverage, counts, bins, message):
    with pytest.raises(ValueError, match=message):
        coverage_deficit(coverage, counts, bins=bins)


@pytest.mark.slow
def test_other_bins_are_simulated_on_demand():
    random = np.random.default_rng(0)
    coverage, _ = step_coverage(random.normal(9, 1, 300 * 200), np.repeat(np.arange(200), 300), num_steps=200, bins=40)
    deficit, error = coverage_deficit(coverage, np.full(200, 300), bins=40)
    assert abs(deficit.mean()) < 3 * error[0] / np.sqrt(200)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_measures import naive_coverage

from scar.measures.coverage import step_coverage


def one(values, **options):
    coverage, defined = step_coverage(np.asarray(values), np.zeros(len(values), int), num_steps=1, **options)
    return coverage[0], defined[0]


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(0, 200), min_size=1, max_size=6),
    decimals=st.integers(0, 4),
    bins=st.integers(2, 120),
    seed=st.integers(0, 2**32),
)
def test_all_steps_at_once_equal_numpy_histograms_step_by_step(sizes, decimals, bins, seed):
    # Rounded values fall on bin edges, where the assignment has to be NumPy's.
    random = np.random.default_rng(seed)
    steps = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    values = np.round(random.gamma(2.0, size=len(steps)) + 0.1, decimals) + 0.5
    coverage, defined = step_coverage(values, steps, num_steps=len(sizes), bins=bins, min_count=5)
    for j in range(len(sizes)):
        own = values[steps == j]
        assert defined[j] == (len(own) >= 5 and np.ptp(own) > 0)
        if defined[j]:
            assert coverage[j] == pytest.approx(naive_coverage(own, bins), rel=1e-11)
        else:
            assert np.isnan(coverage[j])


def test_a_constant_sample_is_undefined():
    assert one(np.full(100, 3.0)) == (pytest.approx(np.nan, nan_ok=True), False)
    neighbour = np.full(100, 3.0)
    neighbour[:50] = np.nextafter(3.0, 4.0)
    assert one(neighbour) == (pytest.approx(np.nan, nan_ok=True), False)


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1e3])
def test_the_unit_of_the_logits_does_not_matter(unit):
    values = np.random.default_rng(0).normal(8.0, 1.0, 500)
    assert one(values * unit)[0] == pytest.approx(one(values)[0], abs=1e-7)


@pytest.mark.parametrize("unit", [1e-280, 1e280])
def test_extreme_units_give_neither_warning_nor_nan(unit):
    with np.errstate(all="raise", under="ignore"):
        coverage, defined = one(np.random.default_rng(0).normal(8.0, 1.0, 500) * unit)
    assert defined
    assert 0 <= coverage <= 1


def test_two_modes_cover_less_than_one():
    random = np.random.default_rng(0)
    for n in (100, 1000, 10_000):
        normal = random.normal(10, 1, n)
        modes = random.normal(10, 1, n) + np.where(np.arange(n) % 2, 4.0, -4.0)
        assert one(modes)[0] < one(normal)[0] - 0.05


def test_no_samples_at_all_leave_every_step_undefined():
    coverage, defined = step_coverage(np.zeros(0), np.zeros(0, int), num_steps=3)
    assert np.isnan(coverage).all()
    assert not defined.any()

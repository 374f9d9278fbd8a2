import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp

from scar.foundation.bound import step_foundation_size
from scar.foundation.set_level import elementary_symmetric, reference_set_foundation_size, set_foundation_size

EPSILON, DELTA = 0.01, 0.01
sizes = st.floats(-300, 300).map(lambda exponent: 10.0**exponent)
ordinary = st.floats(-4, 6).map(lambda exponent: 10.0**exponent)


def brute_symmetric(h, order):
    return [
        mp.fsum(mp.fprod(subset) for subset in itertools.combinations([mp.mpf(x) for x in h], q))
        for q in range(1, order + 1)
    ]


def exact_size(h, order, epsilon=EPSILON, delta=DELTA):
    """The largest root by all roots of the polynomial in 1 / u, with 60 digits."""
    with mp.workdps(60):
        e = brute_symmetric(h, order)
        coefficients = [mp.mpf(1)] + [
            (-1) ** (q + 1) * e[q] * e[0] ** -(q + 1) * mp.mpf(delta) ** q for q in range(order)
        ]
        while abs(coefficients[-1]) < mp.mpf(10) ** -45:
            coefficients.pop()
        roots = mp.polyroots(coefficients, maxsteps=2000, extraprec=2000)
        largest = [r.real for r in roots if abs(mp.im(r)) < mp.mpf(10) ** -30 and mp.re(r) > 0]
        n = [(mp.log(e[0] / mp.mpf(delta)) + mp.log(t)) / (2 * mp.mpf(epsilon) ** 2) for t in largest]
        return float(max([mp.mpf(0), *n]))


@settings(max_examples=60)
@given(h=st.lists(sizes | st.just(0.0), min_size=1, max_size=12), order=st.integers(1, 4))
def test_symmetric_polynomials_equal_brute_force(h, order):
    with np.errstate(divide="ignore"):
        logs = elementary_symmetric(np.log(h), order)
    with mp.workdps(50):
        for log, e in zip(logs, brute_symmetric(h, order), strict=True):
            if e == 0:
                assert log == -math.inf
            else:
                # Relative to e where its logarithm is small, and to the logarithm where that is large.
                assert log == pytest.approx(float(mp.log(e)), rel=1e-15 * 8, abs=1e-13)


def test_a_polynomial_of_higher_degree_than_there_are_steps_is_zero():
    np.testing.assert_allclose(
        elementary_symmetric(np.log([2.0, 3.0]), 4), [math.log(5), math.log(6), -np.inf, -np.inf]
    )


@pytest.mark.parametrize(
    ("h", "expected"),
    [
        ((100, 100), 49504.8906255426),
        ((100, 100, 1e-3), 49504.915500167575),
        ((0.005011, 0.005011), 0.0),
        ((0.0, 0.0), 0.0),
        ((0.01,), 0.0),
    ],
)
def test_the_largest_root_is_found(h, expected):
    assert set_foundation_size(h) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=80)
@given(h=st.lists(ordinary, min_size=1, max_size=8), delta=st.sampled_from([1e-6, 0.01, 0.3]))
def test_the_root_has_twelve_digits(h, delta):
    expected = exact_size(h, 3, delta=delta)
    assert set_foundation_size(h, delta=delta) == pytest.approx(expected, rel=1e-12, abs=1e-9)


@settings(max_examples=60)
@given(h=st.lists(sizes | st.just(0.0), min_size=1, max_size=12))
def test_extreme_sizes_have_a_finite_root_without_a_warning(h):
    with np.errstate(all="raise", under="ignore"):
        n = set_foundation_size(h)
    assert n == pytest.approx(exact_size(h, 3) if any(h) else 0.0, rel=1e-12, abs=1e-9)


@settings(max_examples=60)
@given(h=st.lists(ordinary, min_size=1, max_size=9), seed=st.integers(0, 100))
def test_properties_of_the_set_size(h, seed):
    union, third = set_foundation_size(h, order=1), set_foundation_size(h)
    steps = step_foundation_size(h)
    assert union >= third - 1e-6  # the union bound is the larger one
    assert union >= steps.max() - 1e-6  # a set needs what each of its steps needs
    assert union - third < 60  # and the orders differ by a negligible number of samples
    assert set_foundation_size(np.random.default_rng(seed).permutation(h)) == pytest.approx(third, rel=1e-12)
    assert set_foundation_size([*h, 0.0]) == pytest.approx(third, rel=1e-12)
    assert set_foundation_size(h, epsilon=2 * EPSILON) == pytest.approx(third / 4, rel=1e-12)
    assert set_foundation_size(h, order=1, delta=DELTA / 2) >= union
    assert set_foundation_size([2 * x for x in h], order=1) >= union


def test_one_step_alone_needs_its_own_size():
    assert set_foundation_size([37.0]) == pytest.approx(step_foundation_size([37.0])[0], rel=1e-13)


def test_ten_thousand_steps_of_any_size_have_a_root():
    h = 10.0 ** np.random.default_rng(0).uniform(-300, 300, 10_000)
    n = set_foundation_size(h)
    assert n == pytest.approx((math.log(h.sum()) - math.log(DELTA)) / (2 * EPSILON**2), rel=1e-4)


def test_the_published_size_is_the_set_size_times_the_logarithm_of_the_error_ratio():
    h = [50.0, 80.0, 20.0]
    assert reference_set_foundation_size(h, error_ratio=math.e) == pytest.approx(set_foundation_size(h), rel=1e-15)
    assert reference_set_foundation_size(h, error_ratio=1.0) == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: set_foundation_size([]), "concept_size has shape"),
        (lambda: set_foundation_size([1.0, -2.0]), "concept_size"),
        (lambda: set_foundation_size([1.0, np.nan]), r"concept_size is NaN for steps \[1\]"),
        (lambda: set_foundation_size([np.inf]), "concept_size"),
        (lambda: set_foundation_size([1.0], order=2), "order=2"),
        (lambda: set_foundation_size([1.0], epsilon=-1), "epsilon=-1"),
        (lambda: set_foundation_size([1.0], delta=0), "delta=0"),
        (lambda: elementary_symmetric([], 1), "log_h has shape"),
        (lambda: elementary_symmetric([[0.0]], 1), "log_h has shape"),
        (lambda: elementary_symmetric([0.0, np.nan], 1), "log_h holds NaN"),
        (lambda: elementary_symmetric([np.inf], 1), "log_h"),
        (lambda: elementary_symmetric([0.0], 0), "order=0"),
        (lambda: reference_set_foundation_size([1.0], error_ratio=0.5), "error_ratio=0.5"),
        (lambda: reference_set_foundation_size([1.0], error_ratio=np.nan), "error_ratio=nan"),
        (lambda: reference_set_foundation_size([-1.0], error_ratio=3.0), "concept_size"),
    ],
)
def test_invalid_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scar.foundation.bound import concept_bound, reference_concept_sizes, step_foundation_size

MEASURES = {
    "scale": np.full((2, 3), 0.5),
    "coverage": np.full((2, 3), 0.9),
    "authenticity": np.full((2, 3), 0.8),
    "richness": np.full((2, 3), 0.95),
}


def test_the_bound_is_equation_7():
    y = concept_bound(**MEASURES)
    assert y.shape == (2, 3)
    np.testing.assert_allclose(y, 0.1 * math.exp(2 * 0.5 * 0.15**2), rtol=1e-14)


def test_an_undefined_coverage_stays_undefined_where_it_is():
    coverage = MEASURES["coverage"].copy()
    coverage[0, 1] = np.nan
    np.testing.assert_array_equal(np.isnan(concept_bound(**{**MEASURES, "coverage": coverage})), np.isnan(coverage))


@pytest.mark.parametrize("name", MEASURES)
def test_measures_that_do_not_fit_are_named(name):
    for bad in (np.full((3, 2), 0.5), np.full(3, 0.5), np.full((2, 3), np.inf)):
        with pytest.raises(ValueError, match=name):
            concept_bound(**{**MEASURES, name: bad})
    if name != "coverage":
        for value in (-0.1, 1.1):
            with pytest.raises(ValueError, match=name):
                concept_bound(**{**MEASURES, name: np.full((2, 3), value)})
    with pytest.raises(ValueError, match="scale has shape"):
        concept_bound(**dict.fromkeys(MEASURES, np.zeros((0, 3))))


def test_the_reference_concept_size_is_the_lowest_curve_through_a_point():
    bound = np.array([[0.02, 0.2], [0.03, 0.05]])
    factors = np.array([1, 5])
    h = reference_concept_sizes(bound, factors)
    curves = h * -np.expm1(-1e-4 / factors[:, None])
    assert (curves <= bound * (1 + 1e-12)).all()
    np.testing.assert_allclose((curves / bound).max(axis=0), 1.0)
    np.testing.assert_allclose(h, 1e4 * np.array([0.02, 0.2]), rtol=1e-4)  # ≈ 10⁴ min_i r_i y_i


def test_undefined_points_are_left_out_and_a_step_without_points_is_undefined():
    bound = np.array([[np.nan, np.nan, 0.1], [0.3, np.nan, np.nan]])
    h = reference_concept_sizes(bound, [1, 2])
    expected = [0.3 / -math.expm1(-0.5e-4), np.nan, 0.1 / -math.expm1(-1e-4)]
    np.testing.assert_allclose(h, expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("bound", "factors", "rate", "message"),
    [
        (np.ones((2, 3)), [1, 0], 1e-4, "factors"),
        (np.ones((2, 3)), [1, -2], 1e-4, "factors"),
        (np.ones((2, 3)), [1, 0.5], 1e-4, "factors"),
        (np.ones((2, 3)), [1, np.nan], 1e-4, "factors"),
        (np.ones((2, 3)), [1, 2, 5], 1e-4, "factors has shape"),
        (np.ones((0, 3)), [], 1e-4, "bound has shape"),
        (np.ones(3), [1, 2, 5], 1e-4, "bound has shape"),
        (-np.ones((2, 3)), [1, 2], 1e-4, "bound holds a negative"),
        (np.full((2, 3), np.inf), [1, 2], 1e-4, "bound holds a negative or infinite"),
        (np.ones((2, 3)), [1, 2], 0.0, "rate=0.0"),
        (np.ones((2, 3)), [1, 2], np.nan, "rate=nan"),
        (np.full((2, 3), 1e308), [1, 2], 1e-4, "exceeds the range"),
    ],
)
def test_invalid_arguments_of_the_reference_sizes_are_named(bound, factors, rate, message):
    with pytest.raises(ValueError, match=message):
        reference_concept_sizes(bound, factors, rate=rate)


@given(h=st.floats(1e-300, 1e300), epsilon=st.floats(1e-3, 0.5), delta=st.floats(1e-9, 0.5))
def test_the_bound_of_a_step_falls_to_delta_at_its_foundation_size(h, epsilon, delta):
    (n,) = step_foundation_size([h], epsilon=epsilon, delta=delta)
    if h <= delta:
        assert n == 0
    else:
        assert math.log(h) - 2 * n * epsilon**2 == pytest.approx(math.log(delta), rel=1e-12, abs=1e-10)


def test_met_and_undefined_steps_are_told_apart():
    np.testing.assert_array_equal(step_foundation_size([0.0, 0.01, 0.005, np.nan])[:3], 0.0)
    assert np.isnan(step_foundation_size([np.nan])[0])


@pytest.mark.parametrize(
    ("h", "options", "message"),
    [
        ([], {}, "concept_size has shape"),
        ([[1.0]], {}, "concept_size has shape"),
        ([1.0, -1.0], {}, r"concept_size.*\[1\]"),
        ([np.inf], {}, "concept_size"),
        ([1.0], {"epsilon": 0.0}, "epsilon=0"),
        ([1.0], {"delta": np.nan}, "delta=nan"),
        ([1.0], {"delta": -1.0}, "delta=-1"),
    ],
)
def test_invalid_arguments_of_the_step_size_are_named(h, options, message):
    with pytest.raises(ValueError, match=message):
        step_foundation_size(h, **options)

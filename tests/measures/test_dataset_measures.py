import pytest
from hypothesis import given
from hypothesis import strategies as st

from scar.measures.dataset import dataset_measures

GOOD = {"n_total": 1000, "n_primary": 600, "n_extended": 700, "foundation_size": 4000.0, "accuracy": 0.8}


def test_the_measures_are_those_of_the_text():
    measures = dataset_measures(**GOOD)
    assert (measures.scale, measures.coverage, measures.authenticity, measures.richness) == (0.25, 0.25, 0.8, 1.0)
    smaller = dataset_measures(**{**GOOD, "foundation_size": 100.0})
    assert (smaller.scale, smaller.richness) == (1.0, 0.1)


@given(n_total=st.integers(2, 10**7), foundation_size=st.floats(0, 1e12))
def test_scale_or_richness_is_always_one(n_total, foundation_size):
    measures = dataset_measures(
        n_total=n_total, n_primary=1, n_extended=1, foundation_size=foundation_size, accuracy=0.5
    )
    assert 1.0 in (measures.scale, measures.richness)
    assert min(measures.scale, measures.richness) >= 0
    assert max(measures.scale, measures.richness) <= 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_total", 0),
        ("n_primary", 1000),
        ("n_primary", 0),
        ("n_extended", 599),
        ("n_extended", 1001),
        ("foundation_size", -1.0),
        ("foundation_size", float("nan")),
        ("foundation_size", float("inf")),
        ("accuracy", 1.1),
        ("accuracy", float("nan")),
    ],
)
def test_invalid_arguments_are_named(name, value):
    with pytest.raises(ValueError, match=f"{name}={value}"):
        dataset_measures(**{**GOOD, name: value})

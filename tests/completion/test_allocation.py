import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scar.completion.allocation import allocate, define_needs, share_equally
from scar.completion.sharing import Limits, share
from scar.foundation.bound import step_foundation_size

classes = st.integers(1, 12)


@st.composite
def cases(draw):
    size = draw(classes)
    numbers = lambda high: st.lists(st.integers(0, high), min_size=size, max_size=size)  # noqa: E731
    return (
        np.array(draw(numbers(2000)), float),
        np.array(draw(numbers(1000))),
        np.array(draw(numbers(1000))),
        draw(st.integers(0, 5000)),
    )


@given(cases())
def test_the_capped_rule_spends_what_the_caps_allow_and_no_more(case):
    needs, counts, reserve, budget = case
    result = allocate(needs=needs, counts=counts, reserve=reserve, budget=budget).counts
    wanted = needs.copy()
    if (counts > 0).any():
        wanted[counts == 0] = needs[counts > 0].max() or counts.max()
    caps = np.minimum(reserve, np.maximum(wanted - counts, 0))
    assert np.all(result >= 0)
    assert np.all(result <= caps)
    assert result.sum() == min(budget, caps.sum())


@given(cases())
def test_the_published_rule_stays_within_the_reserve_and_the_gaps(case):
    needs, counts, reserve, budget = case
    counts = np.maximum(counts, 1)
    result = allocate(needs=needs, counts=counts, reserve=reserve, budget=budget, rule="published").counts
    assert np.all(result <= reserve)
    assert np.all(result <= np.maximum(needs - counts, 0))
    assert result.sum() <= budget


@given(st.lists(st.integers(0, 50), min_size=1, max_size=10), st.integers(0, 300))
def test_equal_shares_differ_by_at_most_one_below_the_caps(caps, total):
    counts = share_equally(total, caps).counts
    assert counts.sum() == min(total, sum(caps))
    free = counts[counts < np.array(caps)]
    if len(free):
        assert counts.max() - free.min() <= 1


def test_shares_are_proportional_and_capped_classes_leave_theirs_to_the_others():
    weights = np.array([3.0, 2.0, 1.0])
    assert share(60, weights, Limits.of([100, 100, 100])).tolist() == [30, 20, 10]
    assert share(60, weights, Limits.of([6, 100, 100])).tolist() == [6, 36, 18]


def test_met_needs_are_not_filled_and_undefined_ones_take_the_largest():
    met = allocate(needs=[10, 5], counts=[20, 5], reserve=[9, 9], budget=5)
    assert met.counts.tolist() == [0, 0]
    assert met.flags == ("met",)
    undefined = allocate(needs=[np.nan, 30, 40], counts=[5, 5, 30], reserve=[99, 99, 99], budget=35)
    assert undefined.counts.tolist() == [18, 12, 5]  # gaps of 35, 25 and 10 share 35
    assert undefined.flags == ("undefined:0",)


def test_where_all_others_are_met_an_undefined_class_is_raised_to_the_largest():
    starved = allocate(needs=[0, 0, np.nan, 0], counts=[600, 500, 29, 0], reserve=[900] * 4)
    assert starved.counts.tolist() == [0, 0, 571, 600]
    assert starved.flags == ("unseen:3", "undefined:2")


def test_where_nothing_is_known_the_smaller_class_lacks_more():
    result = allocate(needs=[np.nan, np.nan], counts=[30, 10], reserve=[99, 99], budget=20)
    assert result.counts.tolist() == [5, 15]  # 40 samples of each would be the size of the set
    assert result.flags == ("undefined:0", "undefined:1")


@given(cases(), st.data())
def test_no_unknown_class_is_ever_met_and_none_is_needier(case, data):
    needs, counts, _, _ = case
    unknown = np.array(data.draw(st.lists(st.booleans(), min_size=len(needs), max_size=len(needs))))
    defined, flags = define_needs(np.where(unknown, np.nan, needs), counts)
    unknown |= counts == 0
    if (counts == 0).all():
        return  # nothing is there: what is asked for stands
    assert np.all(defined[unknown] > counts[unknown])
    assert np.array_equal(defined[~unknown], needs[~unknown])
    lacking = unknown & (counts < needs[~unknown].max(initial=0.0))
    assert np.all(defined[lacking] >= needs[~unknown].max(initial=0.0))
    assert len(flags) == unknown.sum()


def test_an_unreachable_need_is_as_large_as_the_largest_and_flagged():
    result = allocate(needs=[np.inf, 100], counts=[10, 10], reserve=[500, 500], budget=50)
    assert result.counts.tolist() == [25, 25]
    assert "unreachable:0" in result.flags


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"needs": [-1.0, 2.0]}, "needs"),
        ({"needs": []}, "needs"),
        ({"counts": [1]}, "counts has shape"),
        ({"reserve": [1, -2]}, "reserve"),
        ({"reserve": [1, 0.5]}, "reserve"),
        ({"budget": -1}, "budget=-1"),
        ({"rule": "fair"}, "'fair'"),
    ],
)
def test_invalid_arguments_are_named(changed, message):
    arguments = {"needs": [5.0, 5.0], "counts": [1, 1], "reserve": [9, 9], "budget": 3, "rule": "capped"} | changed
    with pytest.raises(ValueError, match=message):
        allocate(**arguments)


RECORDED = {
    # Primary concept sizes h of the last recorded run, samples per class in primary and reserve, recorded n_extend.
    "cifar10/resnet": (
        [
            74.02765324347001,
            81.20435045968883,
            85.7591411813893,
            136.50525036847273,
            80.78597843223348,
            85.78920422214348,
            76.46967201634418,
            89.09805270049955,
            67.41148822293563,
            97.05800633411044,
        ],
        3000,
        2000,
        48955,
    ),
    "agnews/gpt2": ([66.41822118364996, 30.8719485369136, 112.77002221373746, 57.94954976371438], 18000, 12000, 114783),
}


@pytest.mark.parametrize("run", RECORDED)
def test_the_published_rule_gives_the_recorded_extension(run):
    concept_sizes, primary, reserve, recorded = RECORDED[run]
    classes = len(concept_sizes)
    result = allocate(
        needs=step_foundation_size(np.array(concept_sizes)),
        counts=np.full(classes, primary),
        reserve=np.full(classes, reserve),
        rule="published",
    )
    assert classes * primary + result.counts.sum() == recorded

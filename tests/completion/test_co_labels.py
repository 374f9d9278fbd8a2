"""Plans for samples that carry several labels: what comes along is not bought again."""

import numpy as np
import pytest

from scar.completion.by_name import PLANNERS
from scar.completion.co_label_table import NO_LABEL, CoLabels, stand_under
from scar.completion.co_labels import buy
from scar.completion.problem import UNBOUNDED, CompletionProblem, resolve_budgets

LABELS = np.array([[1, 1, 0]] * 30 + [[1, 0, 0]] * 50 + [[0, 0, 1]] * 10 + [[1, 0, 1]] * 10 + [[0, 0, 0]] * 20)
PLANS = ("scar", "scar_class_mix", "class_average", "water_filling", "long_tail_first", "proportional", "random")


def problem(pool=None, **changes):
    together = CoLabels.of(LABELS, pool, unbounded=UNBOUNDED)
    about = {
        "counts": LABELS.sum(axis=0),
        "reserve": np.full(3, UNBOUNDED) if pool is None else pool.sum(axis=0),
        "step_sizes": np.array([150.0, 300.0, 600.0]),
        "class_names": ("often", "some", "rare"),
        "co_labels": together,
    }
    return CompletionProblem(**{**about, **changes})


def test_a_sample_stands_under_the_rarest_of_its_labels():
    counts = LABELS.sum(axis=0)
    assert stand_under(LABELS[[0, 30, 80, 90, 100]], counts).tolist() == [1, 0, 2, 2, NO_LABEL]
    together = CoLabels.of(LABELS, None, unbounded=UNBOUNDED)
    np.testing.assert_allclose(together.table, [[1, 0, 0], [1, 1, 0], [0.5, 0, 1]])
    assert together.standing.tolist() == [50, 30, 20]
    assert together.samples == 120


def test_the_fewest_samples_are_bought_that_bring_what_is_wanted():
    together = CoLabels.of(LABELS, None, unbounded=UNBOUNDED)
    assert together.cover(np.array([30, 20, 20])).tolist() == [0, 20, 20]  # 20 + 10 of the first come along
    assert together.cover(np.array([40, 20, 20])).tolist() == [10, 20, 20]
    np.testing.assert_allclose(together.brings(np.array([10, 20, 20])), [40, 20, 20])


def test_a_label_whose_own_samples_run_out_is_bought_with_rarer_ones():
    pool = np.array([[1, 0, 0]] * 3 + [[1, 1, 0]] * 40)
    together = CoLabels.of(LABELS, pool, unbounded=UNBOUNDED)
    assert together.cover(np.array([20, 5, 0])).tolist() == [3, 17, 0]
    assert together.cover(np.array([99, 0, 9])).tolist() == [3, 40, 0]


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("budget", [1, 17, 40])
def test_a_plan_spends_its_budget_in_samples_that_there_are(name, budget):
    pool = np.random.default_rng(0).permutation(np.concatenate([LABELS, LABELS]))
    order = stand_under(pool, LABELS.sum(axis=0))
    state = problem(pool)
    counts = buy(PLANNERS[name], state, budget, order[order != NO_LABEL]).counts
    assert counts.sum() == budget
    assert (counts <= state.co_labels.room).all()


def test_needs_are_shares_of_samples_and_budgets_are_paid_in_samples():
    pool = np.concatenate([LABELS, LABELS])
    state = problem(pool)
    np.testing.assert_allclose(state.needs, state.step_sizes * LABELS.sum(axis=0) / 120)
    assert state.samples == 120
    budgets = resolve_budgets((0.1, 1.0), state)
    assert budgets[0.1] == 20  # of the 200 samples that carry a label
    assert budgets[1.0] == state.samples_for(state.wanted).sum()


def test_equal_shares_of_labels_are_not_equal_shares_of_samples():
    counts = buy(PLANNERS["class_average"], problem(), 40, np.empty(0, np.int64)).counts
    brought = problem().co_labels.brings(counts)
    assert brought == pytest.approx(brought.mean(), rel=0.35)
    assert counts[0] < counts[1] == pytest.approx(counts[2], abs=2)


@pytest.mark.parametrize("name", ["tempered", "slice_tuner", "oracle", "scar_even"])
def test_strategies_of_exclusive_classes_are_refused_by_name(name):
    with pytest.raises(ValueError, match=f"completion={name} does not plan for samples that carry several labels"):
        buy(PLANNERS[name], problem(), 5, np.empty(0, np.int64))

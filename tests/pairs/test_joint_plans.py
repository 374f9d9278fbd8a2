"""Joint plans: the objective, its optimum, what one direction alone gives, and the same pairs in both jobs."""

import numpy as np
import pytest
from planted_pairs import planted_job

from scar.completion.allocation import allocate
from scar.completion.by_name import find_planner
from scar.completion.joint import Direction, JointPlanner, greedy_cells, plan_jointly
from scar.completion.problem import CompletionProblem
from scar.job.flow import artefacts


def covered(counts, cells, gaps):
    """F of the module, as its docstring reads."""
    total = 0.0
    for gap, steps in zip(gaps, cells, strict=True):
        share = np.minimum(np.bincount(steps, weights=counts, minlength=len(gap)) / np.maximum(gap, 1e-12), 1)
        total += float((gap / gap.sum() * (share - share**2 / 2)).sum())
    return total


def random_case(seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers(2, 8, size=2)
    room = rng.poisson(rng.gamma(0.5, 20, size=shape)).ravel()
    cells = np.stack(np.unravel_index(np.arange(room.size), shape))
    gaps = [rng.gamma(1, 100, size) + 1 for size in shape]
    return cells, room, gaps, max(1, int(rng.uniform(0.1, 0.6) * room.sum()))


@pytest.mark.parametrize("seed", range(6))
def test_the_greedy_plan_is_near_the_optimum_and_better_than_chance(seed):
    import cvxpy as cp

    cells, room, gaps, budget = random_case(seed)
    x, shares, objective, limits = cp.Variable(room.size), [], 0, []
    for gap, steps in zip(gaps, cells, strict=True):
        members = np.zeros((len(gap), room.size))
        members[steps, np.arange(room.size)] = 1
        shares.append(cp.Variable(len(gap)))
        objective += cp.sum(cp.multiply(gap / gap.sum(), shares[-1] - cp.square(shares[-1]) / 2))
        limits += [shares[-1] <= cp.multiply(1 / gap, members @ x), shares[-1] <= 1]
    best = cp.Problem(cp.Maximize(objective), [*limits, x >= 0, x <= room, cp.sum(x) <= budget]).solve(cp.CLARABEL)
    ours = greedy_cells(cells, room, gaps, [budget])[budget]
    assert (ours <= room).all()
    assert ours.sum() <= budget
    assert 0.995 * best <= covered(ours, cells, gaps) <= best * (1 + 1e-6)
    drawn = np.random.default_rng(seed).permutation(np.repeat(np.arange(room.size), room))[:budget]
    assert covered(np.bincount(drawn, minlength=room.size), cells, gaps) < covered(ours, cells, gaps)


def test_a_larger_budget_contains_the_smaller_one():
    cells, room, gaps, budget = random_case(1)
    found = greedy_cells(cells, room, gaps, [budget // 3, budget // 2, budget])
    assert found[budget // 3].sum() == budget // 3
    assert (found[budget // 3] <= found[budget // 2]).all()
    assert (found[budget // 2] <= found[budget]).all()


def test_one_direction_alone_is_the_capped_rule():
    """The other direction needs nothing, so the gaps of the first are covered to the same share."""
    gaps, reserve = np.array([300.0, 100.0, 50.0]), np.array([200, 200, 200])
    cells = np.stack([np.arange(3), np.zeros(3, np.int64)])
    for budget in (60, 150, 350):
        ours = greedy_cells(cells, reserve, [gaps, np.zeros(1)], [budget])[budget]
        theirs = allocate(needs=gaps, counts=np.zeros(3), reserve=reserve, budget=budget).counts
        assert np.abs(ours - theirs).max() <= 1


def test_pairs_that_serve_both_directions_come_first():
    cells = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
    gaps = [np.array([100.0, 0.0]), np.array([100.0, 0.0])]
    assert greedy_cells(cells, np.full(4, 50), gaps, [40])[40].tolist() == [40, 0, 0, 0]
    assert greedy_cells(cells, np.full(4, 50), gaps, [400])[400].tolist()[3] == 0  # serves nothing, is not added


def direction(labels, needs, reserve, primary=()):
    k = len(needs)
    problem = CompletionProblem(
        counts=np.zeros(k, np.int64) + 1,
        reserve=np.bincount(labels[reserve], minlength=k),
        step_sizes=np.asarray(needs, float) * k,
        class_names=tuple(map(str, range(k))),
    )
    return Direction(problem=problem, labels=labels, primary=np.array(primary), reserve=reserve)


def test_both_directions_see_the_same_pairs_whatever_their_order_and_unreachable_needs_do_not_hide_the_others():
    rng = np.random.default_rng(0)
    image, text = rng.integers(0, 3, 200), rng.integers(0, 4, 200)
    reserve = np.arange(50, 200)
    both = {"image": direction(image, [90, np.inf, np.nan], reserve), "text": direction(text, [80, 0, 40, 9], reserve)}
    seen = {}
    for order in (both, dict(reversed(both.items()))):
        for probed in both:
            plans = plan_jointly(JointPlanner(), order, probed=probed, fractions=[0.1, 0.4], seed=0)
            assert [len(plan.rows) for plan in plans] == [15, 60]
            assert set(plans[0].rows) <= set(plans[1].rows)
            assert plans[1].counts.sum() == 60
            assert np.array_equal(
                plans[1].counts, np.bincount(both[probed].labels[plans[1].rows], minlength=len(plans[1].counts))
            )
            seen.setdefault("rows", plans[1].rows)
            assert np.array_equal(seen["rows"], plans[1].rows)
    assert np.bincount(image[seen["rows"]], minlength=3)[:2].min() > 10
    assert "unreachable:1" in plan_jointly(JointPlanner(), both, probed="image", fractions=[0.1], seed=0)[0].flags


def test_directions_that_differ_in_what_there_is_are_refused():
    labels = np.zeros(40, np.int64)
    both = {
        "image": direction(labels, [50], np.arange(20), primary=[30]),
        "text": direction(labels, [50], np.arange(20), primary=[31]),
    }
    with pytest.raises(ValueError, match="use regime=natural"):
        plan_jointly(JointPlanner(), both, probed="image", fractions=[0.1], seed=0)
    with pytest.raises(ValueError, match="use labels=cross_modal"):
        find_planner(JointPlanner())


def test_the_jobs_of_both_directions_add_the_same_pairs_and_score_them(tmp_path):
    jobs = [planted_job(tmp_path, modality, planner=JointPlanner(), shuffled=True) for modality in ("image", "text")]
    for job in jobs:
        scored = {arm.subject: result.accuracy for arm, result in ((arm, arm.scores.value) for arm in job.arms)}
        assert set(scored) == {"primary", "total", "joint"}
    first, second = (job.plans for job in jobs)
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.rows, other.rows)
        assert len(one.rows) == one.budget == other.budget > 0
        assert not np.array_equal(one.counts, other.counts)
    assert {each.foundation.key for each in jobs[1].characterized.values()} & set(artefacts(jobs[0].final))

"""Looks while seeds are added: the error they share, by simulation with a known truth."""

import numpy as np
import pytest
from scipy import stats

from scar.evaluation.intervals import at_level, crossed_interval
from scar.evaluation.sequential import ONE_LOOK, Looks, verdict

LOOKS = Looks((5, 10, 15, 20))


def test_looks_are_fixed_before_the_first():
    assert Looks.between(5, 20, 5) == LOOKS
    assert Looks.between(4, 11, 3).seeds == (4, 7, 10, 11)
    assert Looks.between(5, 5, 5).seeds == (5,)
    for seeds in ((), (1, 2), (5, 5), (10, 5)):
        with pytest.raises(ValueError, match="must increase"):
            Looks(seeds)


def test_one_look_adjusts_nothing():
    assert ONE_LOOK.single_level(0.9) == 0.9
    assert ONE_LOOK.adjusted(0.03) == 0.03


def test_the_level_of_a_look_lies_between_one_look_and_bonferroni_near_pocock():
    for level in (0.9, 0.95, 0.99):
        single = LOOKS.single_level(level)
        assert level < single <= 1 - (1 - level) / 4 + 0.001
    assert Looks((1000, 2000, 3000, 4000)[:2]).single_level(0.95) == pytest.approx(
        1 - 0.0294, abs=0.001
    )  # Pocock, 2 looks


def test_an_adjusted_p_value_says_the_same_as_the_interval():
    single = 1 - LOOKS.single_level(0.95)
    assert LOOKS.adjusted(single) == pytest.approx(0.05, abs=0.001)
    assert LOOKS.adjusted(1e-6) == pytest.approx(4e-6)
    assert LOOKS.adjusted(0.0) == 0.0
    assert LOOKS.adjusted(1.0) == 1.0
    assert np.isnan(LOOKS.adjusted(float("nan")))
    values = [LOOKS.adjusted(p) for p in np.geomspace(1e-6, 1, 200)]
    assert values == sorted(values)


def simulate(effect, *, paths, margin, seed_sd=0.01, item_sd=0.1, items=400, draw=0):
    """End each path where its verdict does; returns the verdicts and how many seeds they took."""
    rng = np.random.default_rng(draw)
    found = []
    for _ in range(paths):
        by_item = rng.normal(scale=item_sd, size=items)
        scores = effect + rng.normal(scale=seed_sd, size=(20, 1)) + by_item + rng.normal(scale=0.3, size=(20, items))
        for n in LOOKS.seeds:
            said = verdict(crossed_interval(scores[:n]), LOOKS, margin=margin)
            if said != "open":
                break
        found.append((said, n))
    return found


@pytest.mark.parametrize(("effect", "wrong"), [(0.0, ("better", "worse")), (0.015, ("worse", "equivalent"))])
def test_a_comparison_seldom_ends_wrongly(effect, wrong):
    found = simulate(effect, paths=300, margin=0.015)
    errors = sum(said in wrong for said, _ in found)
    assert errors <= stats.binom.ppf(0.999, len(found), 0.05)


def test_a_large_difference_ends_at_the_first_look_and_a_small_one_later():
    large, small = (simulate(effect, paths=60, margin=0.002, draw=1) for effect in (0.06, 0.02))
    assert all(said == "better" for said, _ in large)
    assert np.mean([n for _, n in large]) < 8 < np.mean([n for _, n in small])


@pytest.mark.slow
def test_errors_and_seeds_against_a_fixed_number():
    """1 000 paths for each truth: errors of all looks together at most 5 %; prints how many were decided, by how many seeds."""
    for effect in (0.0, 0.015, 0.03):
        found = simulate(effect, paths=1000, margin=0.015, draw=2)
        wrong = ("better", "worse") if effect == 0 else ("worse", *(("equivalent",) if effect >= 0.015 else ()))
        rate = np.mean([said in wrong for said, _ in found])
        decided, seeds = np.mean([said != "open" for said, _ in found]), np.mean([n for _, n in found])
        print(f"effect {effect:.3f}: wrong {rate:.3f}, decided {decided:.3f}, seeds {seeds:.1f}")
        assert rate <= stats.binom.ppf(0.999, 1000, 0.05) / 1000


def test_identical_arms_are_equivalent_and_constant_ones_stay_open():
    assert verdict(crossed_interval(np.zeros((5, 10))), LOOKS, margin=0.01) == "equivalent"
    assert verdict(crossed_interval(np.ones((5, 10))), LOOKS, margin=0.01) == "open"


def test_without_a_margin_nothing_is_equivalent():
    scores = np.random.default_rng(0).normal(scale=1e-4, size=(5, 50))
    estimate = crossed_interval(scores)
    wide = at_level(estimate, LOOKS.single_level(0.95))
    assert wide.low < 0 < wide.high
    assert verdict(estimate, LOOKS, margin=0.0) == "open"
    assert verdict(estimate, LOOKS, margin=0.01) == "equivalent"

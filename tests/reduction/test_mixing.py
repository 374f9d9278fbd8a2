"""Learned mixing weights: mixtures keep to what there is, and the concept that helps gets more."""

import numpy as np
import pytest

from scar.reduction.mixing import draw_mixtures, learn_mixture

HAVE = np.array([300, 200, 0, 100, 50])


def test_mixtures_have_the_budget_and_no_concept_more_than_there_is():
    drawn = draw_mixtures(HAVE, 200, 40, seed=1)
    assert drawn.shape == (40, 5)
    assert (drawn.sum(axis=1) == 200).all()
    assert (drawn <= HAVE).all()
    assert drawn[:, 0].std() > 10
    np.testing.assert_array_equal(drawn, draw_mixtures(HAVE, 200, 40, seed=1))
    assert (draw_mixtures(HAVE, int(HAVE.sum()), 3, seed=1) == HAVE).all()


def test_the_concept_that_helps_gets_more_and_noise_says_that_it_is_noise():
    drawn = draw_mixtures(HAVE, 200, 60, seed=1)
    shares, rng = drawn / 200, np.random.default_rng(0)
    found = learn_mixture(drawn, 0.3 + 0.4 * shares[:, 3] - 0.4 * shares[:, 0], HAVE, 200, seed=2)
    assert found.counts.sum() == 200
    assert (found.counts <= HAVE).all()
    assert found.counts[3] > 60 > 200 * HAVE[3] / HAVE.sum()
    assert found.counts[0] < 40
    assert found.rank_correlation > 0.9
    assert found.effects.argmax() == 3
    noise = learn_mixture(drawn, rng.normal(size=60), HAVE, 200, seed=2)
    assert noise.rank_correlation < 0.4
    same = learn_mixture(drawn, np.full(60, 0.3), HAVE, 200, seed=2)
    assert same.rank_correlation == 0


@pytest.mark.parametrize("achieved", [np.zeros(7), np.full(9, np.nan)])
def test_too_few_mixtures_or_scores_that_are_no_numbers_are_refused(achieved):
    drawn = draw_mixtures(HAVE, 100, len(achieved), seed=0)
    with pytest.raises(ValueError, match="8 or more are needed"):
        learn_mixture(drawn, achieved, HAVE, 100, seed=0)

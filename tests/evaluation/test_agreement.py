"""Rank agreement: the published Table 3, scipy's values, ties, and intervals that cover."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from scar.evaluation.agreement import COEFFICIENTS, rank_agreement

TABLE3 = pd.read_csv(Path(__file__).parents[2] / "experiments" / "indicators" / "table3.csv")


@pytest.mark.parametrize(
    ("indicator", "spearman"),
    [("long_tail_500", -0.908), ("long_tail_100", -0.866), ("left_skew", -0.494), ("size", 0.285)],
)
def test_the_nine_published_rows_give_the_published_agreement(indicator, spearman):
    found = rank_agreement(TABLE3[indicator], TABLE3["accuracy"])
    assert found["spearman"].value == pytest.approx(spearman, abs=5e-4)
    assert found["spearman"].datasets == 9
    if indicator.startswith("long_tail"):
        gamma = found["gamma"]
        assert (gamma.value, gamma.low, gamma.high) == (-1.0, -1.0, -1.0)
    else:
        assert found["spearman"].low < 0 < found["spearman"].high  # nine rows cannot tell skew from nothing


@pytest.mark.parametrize("levels", [3, 10, 1000])
def test_values_are_those_of_scipy_with_and_without_ties(levels):
    rng = np.random.default_rng(levels)
    x = rng.integers(0, levels, 40)
    y = x + rng.integers(0, levels, 40)
    found = rank_agreement(x, y, resamples=100)
    assert found["spearman"].value == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found["kendall"].value == pytest.approx(stats.kendalltau(x, y).statistic)
    signs = np.sign(x[:, None] - x) * np.sign(y[:, None] - y)
    concordant, discordant = (signs > 0).sum(), (signs < 0).sum()
    assert found["gamma"].value == pytest.approx((concordant - discordant) / (concordant + discordant))


def test_a_resample_is_scored_as_if_its_datasets_were_written_out():
    rng = np.random.default_rng(5)
    x, y = rng.integers(0, 6, 15), rng.integers(0, 6, 15)
    from scar.evaluation.agreement import _pairwise, _spearman

    drawn = rng.integers(0, 15, size=(20, 15))
    weights = np.stack([np.bincount(each, minlength=15) for each in drawn]).astype(float)
    spearman, pairs = _spearman(x.astype(float), y.astype(float), weights), _pairwise(x * 1.0, y * 1.0, weights)
    for b, each in enumerate(drawn):
        assert spearman[b] == pytest.approx(stats.spearmanr(x[each], y[each]).statistic)
        assert pairs["kendall"][b] == pytest.approx(stats.kendalltau(x[each], y[each]).statistic)


def test_constant_columns_have_no_agreement_and_undefined_datasets_are_left_out():
    found = rank_agreement(np.ones(10), np.arange(10))
    assert all(np.isnan(found[name].value) and np.isnan(found[name].low) for name in COEFFICIENTS)
    x = np.array([1.0, np.nan, 2, 3, np.inf])
    found = rank_agreement(x, [1, 9, 2, np.nan, 4])
    assert found["kendall"].datasets == 3
    assert found["kendall"].value == 1.0  # infinity is the largest


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        ([1, 2, 3], [1, 2], {}, "one length"),
        ([1, 2, np.nan], [1, 2, 3], {}, "at least 3"),
        ([1, 2, 3], [1, 2, 3], {"level": 1.0}, "level=1.0"),
    ],
)
def test_what_cannot_be_ranked_is_refused(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        rank_agreement(x, y, **options)


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_intervals_cover_the_truth_about_as_often_as_they_say(correlation):
    truth = {
        "kendall": 2 / np.pi * np.arcsin(correlation),
        "gamma": 2 / np.pi * np.arcsin(correlation),
        "spearman": 6 / np.pi * np.arcsin(correlation / 2),
    }
    rng, hits, runs = np.random.default_rng(0), dict.fromkeys(truth, 0), 400
    for run in range(runs):
        x, y = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], size=35).T
        for name, each in rank_agreement(x, y, resamples=500, seed=run).items():
            hits[name] += each.low <= truth[name] <= each.high
    for name, count in hits.items():
        assert 0.90 <= count / runs <= 0.98, (name, count / runs)

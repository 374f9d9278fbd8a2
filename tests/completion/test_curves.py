"""Learning curves per class, on planted power laws."""

import numpy as np
import pytest

from scar.completion.class_curves import fit_curves
from scar.completion.state import miss_rates
from scar.measures.observations import Observations
from scar.measures.steps import MEASURES

FACTORS = np.array([1, 2, 4, 8, 16])


def observations(counts, recall, heldout, rng=None):
    """What probes would show whose recalls are `recall(t)` [K] at the share t of the data."""
    factors = np.repeat(FACTORS, np.minimum(FACTORS, 3))
    latent = None if rng is None else [np.sort(rng.random(n)) for n in heldout]  # a sample errs as long as u < miss
    misses = []
    for factor in factors:
        miss = 1 - recall(1 / factor)
        exact = np.rint(miss * heldout)
        noisy = exact if latent is None else [np.sum(u < m) for u, m in zip(latent, miss, strict=True)]
        misses.append(noisy)
    shape = (len(factors), len(counts))
    blank = {n: np.full(shape, np.nan) for n in MEASURES}
    zero = {n: np.zeros(shape, int) for n in ("true_positives", "train_misses", "train_false_alarms")}
    return Observations(
        factors=factors,
        parts=np.zeros(len(factors), int),
        sizes=np.array(counts).sum() // factors,
        class_sizes=np.array(counts)[None] // factors[:, None],
        heldout_misses=np.array(misses, int),
        heldout_false_alarms=np.zeros(shape, int),
        heldout_class_sizes=np.array(heldout),
        n_total=int(np.array(counts).sum()),
        **blank,
        **zero,
    )


LIMIT, DROP, EXPONENT = np.array([0.95, 0.8, 0.5]), np.array([0.2, 0.05, 0.0]), 0.5


def truth(t):
    return LIMIT - DROP * t**-EXPONENT


COUNTS = np.array([800, 400, 200])


def test_a_planted_curve_is_recovered_and_a_flat_one_stays_flat():
    found = fit_curves(observations(COUNTS, truth, [100_000] * 3), COUNTS)
    assert found.exponent[0] == pytest.approx(EXPONENT, abs=0.11)  # the next exponent of the grid
    assert found.recall(COUNTS)[0] == pytest.approx(truth(1.0), abs=0.03)
    assert found.recall(4 * COUNTS)[0] == pytest.approx(truth(4.0), abs=0.04)
    gain = (found.recall(4 * COUNTS) - found.recall(COUNTS))[0]
    assert gain[0] > 2 * gain[1] > 2 * gain[2]
    assert found.shares == pytest.approx(np.full(3, 1 / 3))


def test_a_class_that_is_not_held_out_has_no_curve_and_an_unseen_one_borrows():
    found = fit_curves(observations(COUNTS, truth, [500, 0, 500]), COUNTS)
    assert found.defined.tolist() == [True, False, True]
    unseen = fit_curves(observations(COUNTS, truth, [500] * 3), np.array([800, 400, 0]))
    assert unseen.defined.all()
    assert unseen.recall(np.array([800, 400, 0]))[0, 2] == 0
    lent = unseen.recall(np.full(3, 400))[0]
    assert min(lent[:2]) < lent[2] < max(lent[:2])


def test_a_starved_class_borrows_and_a_class_of_noise_does_not():
    """Both have flat series: five samples are never recognised, six hundred are a coin's toss."""
    counts = np.array([600, 600, 600, 600, 600, 5])

    def recall(t):
        learned = 0.95 - 0.1 * t**-0.5
        return np.array([learned, learned, learned, learned, 0.5, 0.0])

    found = fit_curves(observations(counts, recall, [200] * 6), counts)
    gain = found.recall(counts + 100)[0] - found.recall(counts)[0]
    assert gain[5] > 0.2
    assert gain[4] < 0.5 * gain[0]


def test_without_a_heldout_part_or_with_two_sizes_there_are_no_curves():
    from dataclasses import replace

    seen = observations(COUNTS, truth, [500] * 3)
    assert fit_curves(replace(seen, heldout_misses=None), COUNTS) is None
    few = seen.factors <= 2
    arrays = {n: v[few] for n, v in vars(seen).items() if isinstance(v, np.ndarray) and len(v) == len(few)}
    assert fit_curves(replace(seen, **arrays), COUNTS) is None


def test_miss_rates_are_those_of_the_probe_on_all_data():
    rates = miss_rates(observations(COUNTS, truth, [1000, 0, 1000]))
    assert rates[0] == pytest.approx(251 / 1002)
    assert np.isnan(rates[1])

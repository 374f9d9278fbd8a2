"""Classes with too few samples for an estimate of their own."""

from dataclasses import replace

import numpy as np
import pytest

from scar.foundation.estimates import estimate, too_few
from scar.foundation.settings import FoundationConfig
from scar.measures.observations import Observations
from scar.measures.steps import MEASURES

FACTORS = np.array([1, 2, 2, 4, 4, 4])


def observations(counts, heldout):
    """Probes without a gap: every class errs on a tenth, in training and held out."""
    sizes = np.maximum(np.array(counts)[None] // FACTORS[:, None], 0)
    blank = {name: np.full(sizes.shape, np.nan) for name in MEASURES}
    return Observations(
        factors=FACTORS,
        parts=np.array([0, 0, 1, 0, 1, 2]),
        sizes=sizes.sum(axis=1),
        class_sizes=sizes,
        true_positives=sizes - sizes // 10,
        train_misses=sizes // 10,
        train_false_alarms=np.zeros_like(sizes),
        heldout_misses=np.repeat((np.array(heldout) // 10)[None], len(FACTORS), axis=0),
        heldout_false_alarms=np.zeros_like(sizes),
        heldout_class_sizes=np.array(heldout),
        n_total=int(np.sum(counts)),
        **blank,
    )


@pytest.mark.parametrize(
    ("counts", "heldout", "expected"),
    [
        ([600, 600, 29], [75, 75, 75], [0, 0, 1]),  # in training
        ([600, 600, 90], [75, 75, 11], [0, 0, 1]),  # held out, and far fewer than the others
        ([60, 60, 60], [7, 7, 7], [0, 0, 0]),  # all are small: they are told together
        ([6000, 6000, 900], [750, 750, 110], [0, 0, 0]),  # enough by itself
        ([600, 600, 0], [75, 75, 75], [0, 0, 0]),  # absent is not few; it is undefined anyway
        ([600, 600, 600], [0, 0, 0], [0, 0, 0]),  # nothing is held out
    ],
)
def test_few_is_few_in_training_or_far_fewer_held_out_than_the_others(counts, heldout, expected):
    assert too_few(observations(counts, heldout), 30).tolist() == [bool(each) for each in expected]


def test_without_a_heldout_part_the_training_set_alone_decides():
    blind = replace(observations([600, 600, 20], [75, 75, 0]), heldout_misses=None, heldout_class_sizes=None)
    assert too_few(blind, 30).tolist() == [False, False, True]


def test_such_a_class_is_undefined_in_every_estimate_but_the_published_one():
    found = estimate(
        observations([600, 600, 20], [75, 75, 3]), FoundationConfig(estimators=("heldout", "learning_curve"))
    )
    for each in found.values():
        assert np.isnan(each.step_sizes[2])
        assert np.isnan(each.step_intervals[2]).all()
        assert each.step_flags[2] == ("few_samples",)
        assert "undefined_steps" in each.flags
    assert found["heldout"].step_sizes[:2].tolist() == [0, 0]
    seen = observations([600, 600, 20], [75, 75, 3])
    seen = replace(seen, **{name: np.full(seen.class_sizes.shape, 0.9) for name in MEASURES})
    published = estimate(seen, FoundationConfig(estimators=("reference",)))["reference"]
    assert np.isfinite(published.step_sizes).all()

"""The measures where a sample carries any number of labels, against loops over samples and labels."""

import numpy as np
import pytest

from scar.measures.coverage import step_coverage
from scar.measures.steps import StepStatistics, scar_measures


@pytest.fixture
def sample():
    rng = np.random.default_rng(1)
    labels = (rng.random((400, 5)) < [0.5, 0.3, 0.2, 0.1, 0.4]).astype(np.uint8)
    return rng.normal(size=(400, 5)) + 2.0 * labels - 0.7, labels


def test_the_measures_are_those_of_loops(sample):
    logits, labels = sample
    count, steps = labels.shape
    right = np.array([[(logits[i, j] > 0) == labels[i, j] for j in range(steps)] for i in range(count)])
    found = scar_measures(logits, labels, decision="threshold")
    np.testing.assert_allclose(found.scale, np.mean([any(row) for row in right]))
    for j in range(steps):
        wrong = [i for i in range(count) if not right[i, j]]
        others = sum(np.mean([right[i, k] for k in range(steps) if k != j]) for i in wrong)
        assert found.authenticity[j] == pytest.approx(right[:, j].mean())
        assert found.richness[j] == pytest.approx((right[:, j].sum() + others) / count)
        own = logits[(labels[:, j] == 1) & (logits[:, j] > 0), j]
        assert found.true_positives[j] == len(own)
        assert found.coverage[j] == pytest.approx(step_coverage(own, np.zeros(len(own), int), num_steps=1)[0][0])


def test_one_label_each_gives_what_thresholds_on_classes_give(sample):
    logits, _ = sample
    classes = np.random.default_rng(2).integers(5, size=len(logits))
    one, several = (StepStatistics(5, "threshold") for _ in range(2))
    one.update(logits, classes)
    several.update(logits, np.eye(5, dtype=np.uint8)[classes])
    for name in ("samples", "invalid", "class_sizes", "misses", "false_alarms", "others_right"):
        assert np.array_equal(getattr(one, name), getattr(several, name)), name


def test_arg_max_does_not_decide_several_labels(sample):
    with pytest.raises(ValueError, match="use decision='threshold'"):
        scar_measures(*sample)

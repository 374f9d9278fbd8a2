"""The measures where a sample carries any number of labels, against loops over samples and labels."""

import numpy as np
import pytest

from scar.foundation.gaps import measure_error, measure_gaps
from scar.measures.coverage import step_coverage
from scar.measures.from_probes import observe
from scar.measures.observations import Observations
from scar.measures.steps import StepStatistics, scar_measures
from scar.probes.probe_set import ProbeSet
from scar.sampling.subsets import Subset


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


def test_errors_are_counted_after_decisions_that_a_rare_label_can_win(tmp_path):
    rng = np.random.default_rng(3)
    labels = np.zeros((1000, 2), np.uint8)
    labels[:20, 0], labels[::2, 1] = 1, 1
    features = (3.0 * labels + rng.normal(size=(1000, 2)) - [6.0, 1.5]).astype(np.float32)  # log odds of the rare label
    none = np.zeros(1)
    probes = ProbeSet(
        weights=np.eye(2, dtype=np.float32)[None], biases=np.zeros((1, 2), np.float32), epochs=none, curve=none[None],
        validation_loss=none, converged=none == 0, degenerate=none > 0, penalty=none, constant_features=none, far_rows=none,
    )  # fmt: skip
    rows = np.arange(1000)
    seen = observe(probes, [Subset(1, 0, rows)], features, labels, num_classes=2, heldout=rows[::3])
    assert seen.train_misses[0, 0] < 5 < (features[:20, 0] < 0).sum()  # of 20; without matching nearly all are missed
    shifted = features[:, 0] > np.log(20 / 980)
    assert seen.train_misses[0, 0] == (~shifted[:20]).sum()
    assert seen.train_false_alarms[0, 0] == shifted[20:].sum()
    assert seen.true_positives[0, 0] == (features[:20, 0] > 0).sum()  # the measures follow the sign of the logit
    assert seen.heldout_samples == seen.heldout_size == 334
    assert seen.heldout_class_sizes.tolist() == labels[::3].sum(axis=0).tolist()
    seen.save(tmp_path / "seen.npz")
    again = Observations.load(tmp_path / "seen.npz")
    assert again.several
    assert again.heldout_samples == 334
    gaps = measure_gaps(again, error="balanced")
    expected = 0.5 * (seen.heldout_misses[0] / labels[::3].sum(axis=0))
    expected += 0.5 * seen.heldout_false_alarms[0] / (334 - labels[::3].sum(axis=0))
    assert gaps.heldout_error[0] == pytest.approx(expected[gaps.defined].mean())
    assert measure_error(again).gap[0, 0] == pytest.approx(expected.mean())

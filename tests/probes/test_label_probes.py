"""Probes on samples that carry any number of labels: every label is a logistic regression of its own."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from scar.probes.decisions import decide_labels, matched_label_shift, smoothed_shares
from scar.probes.probe_set import ProbeTask
from scar.probes.settings import ProbeConfig, TrainerConfig
from scar.probes.train import train_probes

MACHINE = TrainerConfig(accelerator="cpu", threads=1)
ONE_PENALTY = ProbeConfig(penalties=(0.01,), tolerance=1e-7, scaling="none")


@pytest.fixture(scope="module")
def simulated():
    """Features [900, 6] and labels [900, 4] of four independent logistic models, the last one rare."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(900, 6)).astype(np.float32)
    chances = 1 / (1 + np.exp(-(x @ rng.normal(size=(6, 4)) + np.array([0.0, -1.0, 1.0, -3.0]))))
    return x, (rng.random((900, 4)) < chances).astype(np.uint8)


def test_the_optimum_of_every_label_is_that_of_scikit_learn(simulated):
    x, y = simulated
    task = ProbeTask(train=np.arange(700), validation=np.arange(700, 900), seed=0)
    probes = train_probes(x, y, [task], num_classes=4, config=ONE_PENALTY, trainer=MACHINE)
    for label in range(4):
        peer = LogisticRegression(C=1 / (0.01 * 700), tol=1e-8, max_iter=1000).fit(x[:700], y[:700, label])
        np.testing.assert_allclose(probes.weights[0, :, label], peer.coef_[0], atol=2e-3)
        assert probes.biases[0, label] == pytest.approx(peer.intercept_[0], abs=2e-3)


def test_a_label_does_not_depend_on_the_other_labels(simulated):
    x, y = simulated
    task = ProbeTask(train=np.arange(700), validation=np.arange(700, 900), seed=0)
    both = train_probes(x, y, [task], num_classes=4, config=ONE_PENALTY, trainer=MACHINE)
    two = train_probes(x, y[:, :2], [task], num_classes=2, config=ONE_PENALTY, trainer=MACHINE)
    np.testing.assert_allclose(both.weights[0, :, :2], two.weights[0], atol=3e-3)


@pytest.mark.parametrize("batch_size", [100, None])
def test_adam_reaches_what_the_optimum_predicts(simulated, batch_size):
    x, y = simulated
    task = ProbeTask(train=np.arange(700), validation=np.arange(700, 900), seed=0)
    config = ProbeConfig.linear(batch_size=batch_size, max_epochs=400, learning_rate=0.03)
    probes = train_probes(x, y, [task], num_classes=4, config=config, trainer=MACHINE)
    best = train_probes(x, y, [task], num_classes=4, config=ONE_PENALTY, trainer=MACHINE)
    agree = (probes.logits(0, x[700:]) > 0) == (best.logits(0, x[700:]) > 0)
    assert agree.mean() > 0.95
    assert probes.validation_loss[0] == pytest.approx(best.validation_loss[0], rel=0.05)


def test_the_validation_part_chooses_a_penalty_and_a_constant_probe_is_degenerate(simulated):
    x, y = simulated
    rows = ProbeTask(train=np.arange(700), validation=np.arange(700, 900), seed=0)
    same = y.copy()
    same[:] = np.array([1, 0, 0, 0])
    chosen = train_probes(x, y, [rows], num_classes=4, trainer=MACHINE)
    assert chosen.penalty[0] < 1
    assert not chosen.degenerate[0]
    assert train_probes(x, same, [rows], num_classes=4, config=ONE_PENALTY, trainer=MACHINE).degenerate[0]


def test_what_does_not_fit_is_refused_by_name(simulated):
    x, y = simulated
    task = ProbeTask(train=np.arange(700), validation=np.arange(700, 900), seed=0)
    with pytest.raises(ValueError, match=r"must be \[900, 3\] of 0 and 1"):
        train_probes(x, y, [task], num_classes=3, trainer=MACHINE)
    config = ProbeConfig.linear(monitor="train_accuracy")
    with pytest.raises(ValueError, match=r"monitor=train_accuracy takes one class per row"):
        train_probes(x, y, [task], num_classes=4, config=config, trainer=MACHINE)


def test_matched_decisions_are_those_of_the_shares_where_a_probe_is_used():
    shift = matched_label_shift([10, 90, 0, 100, 20], 100, [0.5, 0.5, 0.5, 0.5, 0.0])
    np.testing.assert_allclose(shift[:2], [np.log(9), -np.log(9)])
    assert shift[2:].tolist() == [-np.inf, np.inf, -np.inf]
    assert decide_labels(np.zeros((1, 5)), shift)[0].tolist() == [True, False, False, True, False]
    np.testing.assert_allclose(smoothed_shares([3, 0], 9, [0.5, 0.1]), [0.35, 0.01])

import numpy as np
import pytest
import torch
from probe_problems import assert_same, gaussian_classes
from sklearn.linear_model import LogisticRegression

from scar.probes import decisions, lbfgs, losses
from scar.probes._shared_features import Features
from scar.probes.block import Block, BlockPlan
from scar.probes.losses import Sigmoids, Softmax
from scar.probes.module import ProbeBank
from scar.probes.probe_set import ProbeTask
from scar.probes.settings import ProbeConfig, TrainerConfig
from scar.probes.train import train_probes

CLASSES = 160
SEEN = 140
X, Y = gaussian_classes(1500, 24, SEEN, separation=1.0)
X = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32)
ROWS, VALIDATION = np.arange(900), np.arange(900, 1100)
CONFIG = ProbeConfig(penalties=(1e-3,), scaling="none", tolerance=1e-5)


def train(tasks, config=CONFIG, **settings):
    return train_probes(X, Y, tasks, num_classes=CLASSES, config=config, **settings)


def objective(weights, bias, penalty, rows=ROWS):
    logits = X[rows].astype(np.float64) @ weights + bias
    logits -= logits.max(axis=1, keepdims=True)
    loss = np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(rows)), Y[rows]])
    return loss + penalty / 2 * np.square(weights).sum()


@pytest.mark.parametrize("penalty", [1e-2, 1e-4])
def test_the_optimum_is_that_of_scikit_learn_though_classes_lack_rows(penalty):
    peer = LogisticRegression(C=1 / (penalty * len(ROWS)), tol=1e-9, max_iter=5000).fit(X[ROWS], Y[ROWS])
    best = objective(peer.coef_.T, peer.intercept_, penalty) if len(peer.classes_) == SEEN else None
    assert best is not None
    probe = train([ProbeTask(ROWS, VALIDATION, 0, penalty=penalty)])
    assert probe.converged[0]
    assert probe.penalty[0] == np.float32(penalty)
    ours = objective(probe.weights[0].astype(np.float64), probe.biases[0], penalty)
    assert -1e-6 < ours - best < 1e-4


def test_a_given_penalty_is_come_to_from_stronger_ones_in_fewer_evaluations(monkeypatch):
    x, y = gaussian_classes(3000, 32, SEEN, separation=2.0)
    task = [ProbeTask(np.arange(3000), np.arange(0), 0, penalty=1e-5)]
    ours = train_probes(x, y, task, num_classes=SEEN, config=ProbeConfig())
    monkeypatch.setattr(lbfgs, "MANY", SEEN)
    at_once = train_probes(x, y, task, num_classes=SEEN, config=ProbeConfig())
    assert ours.converged[0]
    assert at_once.converged[0]
    assert ours.epochs[0] < 0.8 * at_once.epochs[0]


@pytest.mark.parametrize("scale", [1e10, 1e19])
def test_features_that_nobody_scaled_are_trained_at_once(monkeypatch, scale):
    x = (X * scale).astype(np.float32)
    tasks, config = [ProbeTask(ROWS, VALIDATION, 0, penalty=1e-3)], ProbeConfig(scaling="none", max_epochs=60)
    ours = train_probes(x, Y, tasks, num_classes=CLASSES, config=config)
    monkeypatch.setattr(lbfgs.LBFGSRun, "_path", lambda run, p, variance: (run.block.tasks[p].penalty,))
    at_once = train_probes(x, Y, tasks, num_classes=CLASSES, config=config)
    assert_same(ours, at_once)
    assert np.isfinite(ours.weights).all()


def test_a_probe_depends_neither_on_the_others_nor_on_threads_nor_on_memory():
    parts = [np.arange(0, 900), np.arange(0, 450), np.arange(450, 900), np.arange(0, 900, 3)]
    tasks = [ProbeTask(rows, VALIDATION, 0, penalty=0.9 / len(rows)) for rows in parts]
    whole = train(tasks, trainer=TrainerConfig(accelerator="cpu", threads=2))
    for index, task in enumerate(tasks):
        assert_same(whole.select([index]), train([task], trainer=TrainerConfig(accelerator="cpu", threads=1)))
    streamed = train(tasks[:1], trainer=TrainerConfig(accelerator="cpu", memory_gib=1e-6))
    assert_same(whole.select([0]), streamed)


def test_too_few_evaluations_on_the_way_are_not_converged():
    config = ProbeConfig(penalties=(1e-5,), max_epochs=3)
    probe = train([ProbeTask(ROWS, VALIDATION, 0)], config)
    assert not probe.converged[0]
    assert probe.epochs[0] == 3
    assert probe.penalty[0] == np.float32(1e-5)


def test_stacked_probes_go_each_their_own_way():
    config = ProbeConfig(penalties=(1e-1, 1e-2), scaling="none", tolerance=1e-5)
    tasks = [ProbeTask(ROWS, VALIDATION, 0, penalty=given) for given in (1e-1, 1e-3, None)]
    bank = ProbeBank(Features(X, [np.arange(len(X))]), Y, tasks, num_classes=CLASSES, config=config)
    bank.start()
    held = torch.cat([torch.from_numpy(X[VALIDATION]), torch.ones(len(VALIDATION), 1)], dim=1)
    plan = BlockPlan((0, 1, 2), 3, len(ROWS))
    with torch.inference_mode():
        run = lbfgs.LBFGSRun(Block(plan, bank._source, Y, tasks, held, num_classes=CLASSES, config=config), config)
        while not bool(run.finished.all()):
            run.epoch()
    bank.close()
    alone = train(tasks, config)
    np.testing.assert_array_equal(run.penalty.numpy(), alone.penalty)
    assert bool(run.converged.all())
    for place, (kept, penalty) in enumerate(zip(run.kept.double().numpy(), alone.penalty, strict=True)):
        found = objective(kept[:, :-1].T, kept[:, -1], penalty)
        expected = objective(alone.weights[place].astype(np.float64), alone.biases[place], penalty)
        assert found == pytest.approx(expected, abs=3e-5)


@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_losses_of_many_classes_are_those_of_few(monkeypatch, scale):
    generator = torch.Generator().manual_seed(0)
    logits = scale * torch.randn(2, 300, 50, generator=generator)
    logits[:, 7] = -torch.inf
    y = torch.arange(8, 58).expand(2, 1, 50)
    share = torch.rand(2, 1, 50, generator=generator)
    logs, (value, error) = Softmax().log_likelihood(logits, y), Softmax().value_and_error(logits, y, share)
    monkeypatch.setattr(losses, "MANY", 300)
    expected, (least, derivative) = Softmax().log_likelihood(logits, y), Softmax().value_and_error(logits, y, share)
    assert bool(torch.isfinite(logs).all())
    torch.testing.assert_close(logs, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(value, least, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(error, derivative, rtol=1e-5, atol=1e-6)


def test_many_classes_without_rows_begin_far_below_the_others():
    y = torch.arange(SEEN).repeat(2)[None, None]
    biases, variance = Softmax().prior(y, torch.ones_like(y, dtype=torch.bool), CLASSES)
    shares = biases.exp()[0]
    assert float(shares[SEEN:].sum()) < 1e-6
    torch.testing.assert_close(shares[:SEEN], torch.full((SEEN,), 1 / SEEN))
    torch.testing.assert_close(variance, (shares * (1 - shares)).mean()[None])


def test_many_labels_are_each_a_logistic_regression():
    rng = np.random.default_rng(0)
    labels = (X @ rng.normal(size=(24, 130)) > 2.0).astype(np.uint8)
    task = [ProbeTask(ROWS, VALIDATION, 0, penalty=1e-3)]
    probe = train_probes(X, labels, task, num_classes=130, config=CONFIG)
    assert probe.converged[0]
    assert isinstance(losses.loss_of(labels), Sigmoids)
    for label in (0, 129):
        peer = LogisticRegression(C=1 / (1e-3 * len(ROWS)), tol=1e-8, max_iter=5000).fit(X[ROWS], labels[ROWS, label])
        theirs = peer.decision_function(X[VALIDATION])
        np.testing.assert_allclose(probe.logits(0, X[VALIDATION])[:, label], theirs, atol=0.1)


def test_samples_are_decided_part_by_part_as_all_at_once(monkeypatch):
    rng = np.random.default_rng(0)
    logits, shift = rng.normal(size=(50, 7)).astype(np.float32), rng.normal(size=7)
    monkeypatch.setattr(decisions, "CACHED", 30)
    np.testing.assert_array_equal(decisions.decide(logits, shift), (logits + shift).argmax(axis=1))
    assert len(decisions.decide(logits[:0], shift)) == 0

import numpy as np
import pytest
import torch

from scar.probes import lbfgs
from scar.probes.block import Block, plan_blocks
from scar.probes.curvature import RANK, StartingCurvature
from scar.probes.losses import Sigmoids, Softmax
from scar.probes.module import ProbeBank
from scar.probes.probe_set import ProbeTask
from scar.probes.settings import ProbeConfig, TrainerConfig
from scar.probes.train import train_probes

ONE_PENALTY = ProbeConfig(penalties=(1e-3,))


def spectrum_problem(n, dimension, classes, *, power=1.0, seed=0):
    """Correlated features whose k-th variance falls like ``k ** -power``, and labels that a linear rule gives."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(dimension, dimension)))[0]
    hidden = rng.normal(size=(n, dimension)) * np.arange(1, dimension + 1) ** (-power / 2)
    labels = (hidden @ rng.normal(size=(dimension, classes)) + 0.5 * rng.normal(size=(n, classes))).argmax(axis=1)
    return (hidden @ turn).astype(np.float32), labels


def dense_hessian(rows, variance, penalty):
    return variance * rows.T @ rows / len(rows) + penalty * torch.eye(rows.shape[1], dtype=rows.dtype)


def test_few_features_give_the_inverse_of_the_hessian():
    rows, penalties = torch.randn(2, 300, 20), torch.tensor([0.1, 0.001])
    variance, vectors = torch.tensor([0.09, 0.2]), torch.randn(2, 3, 20)
    found = StartingCurvature(rows, variance).solve(vectors, penalties)
    for probe in range(2):
        hessian = dense_hessian(rows[probe].double(), variance[probe], penalties[probe])
        expected = torch.linalg.solve(hessian, vectors[probe].double().T).T
        torch.testing.assert_close(found[probe].double(), expected, rtol=1e-3, atol=1e-3)


def test_of_many_features_no_step_is_twice_that_of_newton():
    x, _ = spectrum_problem(2000, 200, 2)
    rows, variance, penalty = torch.from_numpy(x)[None], torch.tensor([0.1]), torch.tensor([1e-4])
    inverse = StartingCurvature(rows, variance).solve(torch.eye(200)[None], penalty)[0].double()
    inverse = (inverse + inverse.T) / 2
    steps = torch.linalg.eigvals(inverse @ dense_hessian(rows[0].double(), 0.1, 1e-4)).real
    assert steps.min() > 0
    assert steps.max() < 2  # a longer one would climb
    assert (steps > 0.75).sum() >= RANK  # along the kept directions it is that of Newton


@pytest.mark.parametrize("scaling", ["standard", "none"])
def test_tiny_penalties_of_features_that_repeat_one_another_are_solved(scaling):
    x, y = spectrum_problem(2500, 8, 4)
    task = [ProbeTask(np.arange(2500), np.arange(0), 0)]
    config = ProbeConfig(penalties=(1e-8,), scaling=scaling, max_epochs=100)
    probe = train_probes(np.tile(x, (1, 3)), y, task, num_classes=4, config=config)
    assert probe.converged[0]


@pytest.mark.parametrize("scale", [1e-30, 1e19, 1e25])
def test_features_of_any_scale_are_taken_as_they_are(scale):
    x, y = spectrum_problem(2500, 8, 4)
    task = [ProbeTask(np.arange(2500), np.arange(0), 0)]
    config = ProbeConfig(penalties=(1e-3,), scaling="none", max_epochs=20)
    probe = train_probes((x * np.float32(scale)).astype(np.float32), y, task, num_classes=4, config=config)
    assert np.isfinite(probe.weights).all()


def test_what_is_stacked_with_a_probe_does_not_decide_whether_it_takes_the_curvature():
    x, y = spectrum_problem(2000, 6, 3)
    tasks = [ProbeTask(np.arange(n), np.arange(0), 0) for n in (2000, 1500)]
    plans = [plan_blocks(tasks[:1], ONE_PENALTY, stacked=True)[0], plan_blocks(tasks, ONE_PENALTY, stacked=True)[0]]
    with torch.inference_mode():
        alone, among = (run_of(x, y, ONE_PENALTY, 3, tasks, plan) for plan in plans)
    assert len(plans[1].probes) == 2
    assert (alone._curvature is None) == (among._curvature is None)


@pytest.mark.parametrize("rows", [500, 6000])
def test_it_saves_evaluations_and_leads_to_the_same_optimum(monkeypatch, rows):
    x, y = spectrum_problem(rows, 120, 8, power=2.0)
    task = [ProbeTask(np.arange(rows), np.arange(0), 0)]
    config = ProbeConfig(penalties=(1e-5,), scaling="none", tolerance=1e-6)

    def train():
        return train_probes(x, y, task, num_classes=8, config=config)

    ours = train()
    monkeypatch.setattr(lbfgs, "ROWS", rows + 1)
    plain = train()
    assert ours.converged[0]
    assert plain.converged[0]
    np.testing.assert_allclose(ours.weights[0], plain.weights[0], atol=0.05 * np.abs(plain.weights[0]).max())
    if rows < 2000:
        np.testing.assert_array_equal(ours.weights, plain.weights)
    else:
        assert ours.epochs[0] < 0.7 * plain.epochs[0]


def test_a_streamed_probe_is_the_same_to_the_last_bit():
    x, y = spectrum_problem(3000, 40, 5)
    task = [ProbeTask(np.random.default_rng(0).permutation(3000)[:2500], np.arange(100), 0)]
    held, streamed = (
        train_probes(x, y, task, num_classes=5, config=ONE_PENALTY, trainer=TrainerConfig(memory_gib=gib))
        for gib in (None, 1e-4)
    )
    np.testing.assert_array_equal(held.weights, streamed.weights)


def test_training_begins_at_the_frequencies_of_the_classes():
    labels = np.repeat([0, 1, 2], [800, 150, 50])
    x = np.zeros((1000, 4), np.float32)
    probe = train_probes(x, labels, [ProbeTask(np.arange(1000), np.arange(0), 0)], num_classes=4, config=ONE_PENALTY)
    shares = np.bincount(labels, minlength=4) / 1000
    entropy = -(shares[:3] * np.log(shares[:3])).sum()
    assert probe.curve[0, 0] == pytest.approx(entropy, abs=1e-3)
    assert np.exp(probe.biases[0]) / np.exp(probe.biases[0]).sum() == pytest.approx(shares, abs=1e-3)


@pytest.mark.parametrize("several", [False, True])
def test_the_prior_leaves_padding_out_and_is_finite_for_a_class_without_rows(several):
    y = torch.tensor([[[0, 0, 1, 0]], [[1, 1, 0, 0]]])
    real = torch.tensor([[[True, True, True, True]], [[True, True, False, False]]])
    loss = Softmax()
    if several:
        loss, y = Sigmoids(), torch.nn.functional.one_hot(y[:, 0], 3).mT.to(torch.uint8)
    biases, variance = loss.prior(y, real, 3)
    expected = np.array([[3, 1, 0], [0, 2, 0]]) + 0.5
    if several:
        expected = expected / np.array([[5], [3]])
        expected = np.log(expected / (1 - expected))
    else:
        expected = np.log(expected / expected.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(biases, expected, rtol=1e-5)
    assert bool((variance > 0).all())
    assert bool((variance <= 0.25).all())


def run_of(x, y, config, classes, tasks=None, plan=None):
    tasks = tasks or [ProbeTask(np.arange(len(x)), np.arange(0), 0, penalty=None)]
    bank = ProbeBank(x_features(x), y, tasks, num_classes=classes, config=config)
    bank.start()
    plan = plan or plan_blocks(tasks, config, stacked=False)[0]
    block = Block(plan, bank._source, y, tasks, torch.zeros(0, x.shape[1] + 1), num_classes=classes, config=config)
    bank.close()
    return lbfgs.LBFGSRun(block, config)


def x_features(x):
    from scar.probes._shared_features import Features

    return Features(x, [np.arange(len(x))])


def test_value_gradient_and_history_go_with_the_penalty():
    x, y = spectrum_problem(400, 30, 3)
    with torch.inference_mode():
        run = run_of(x, y, ONE_PENALTY, 3)
        for _ in range(6):
            run.epoch()
        before = run._changes.rows.clone()
        run._change_penalty(torch.tensor([0.5]))
        value, gradient = run._objective(run._point, torch.tensor([0.501]))
    torch.testing.assert_close(run._value, value, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(run._gradient, gradient, rtol=1e-4, atol=1e-5)
    added = (run._changes.rows - before).view(-1, 3, 31)
    steps = run._steps.rows.view(-1, 3, 31)
    torch.testing.assert_close(added[..., :30], 0.5 * steps[..., :30], rtol=1e-4, atol=1e-6)
    assert (added[..., 30] == 0).all()  # biases are not penalised


def test_a_path_takes_fewer_evaluations_than_its_penalties_one_by_one():
    x, y = spectrum_problem(1500, 60, 6)
    rows, held = np.arange(1000), np.arange(1000, 1500)
    penalties = (1.0, 0.3, 0.1, 0.03, 0.01)

    def spent(*own):
        config = ProbeConfig(penalties=own, patience=len(own))
        return int(train_probes(x, y, [ProbeTask(rows, held, 0)], num_classes=6, config=config).epochs[0])

    assert spent(*penalties) < 0.7 * sum(spent(each) for each in penalties)

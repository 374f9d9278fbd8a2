import numpy as np
import pytest
import torch
from probe_problems import gaussian_classes
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from scar.probes import lbfgs
from scar.probes.probe_set import ProbeTask
from scar.probes.settings import ProbeConfig
from scar.probes.train import train_probes

CLASSES = 6
X, Y = gaussian_classes(6000, 40, CLASSES, separation=0.25)
X[:, :20] += X[:, 20:] * 3  # strongly correlated features
VALIDATION, TEST = np.arange(2000, 2500), np.arange(3000, 6000)


def objective(x, y, weights, bias, penalty):
    logits = x @ weights + bias
    logits -= logits.max(axis=1, keepdims=True)
    loss = np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y])
    return loss + penalty / 2 * np.square(weights).sum()


@pytest.mark.parametrize("penalty", [1e-1, 1e-3, 1e-4])
@pytest.mark.parametrize("n", [60, 2000])
def test_the_optimum_is_that_of_scikit_learn(penalty, n):
    rows = np.arange(n)
    config = ProbeConfig(penalties=(penalty,), tolerance=1e-5)
    probe = train_probes(X, Y, [ProbeTask(rows, VALIDATION, 0)], num_classes=CLASSES, config=config)
    assert probe.converged[0]
    assert probe.penalty[0] == np.float32(penalty)
    scaler = StandardScaler().fit(X[rows].astype(np.float64))
    x = scaler.transform(X[rows].astype(np.float64))
    peer = LogisticRegression(C=1 / (penalty * n), tol=1e-10, max_iter=20_000).fit(x, Y[rows])
    best = objective(x, Y[rows], peer.coef_.T, peer.intercept_, penalty)
    weights = probe.weights[0].astype(np.float64)
    bias = probe.biases[0] + scaler.mean_ @ weights
    ours = objective(x, Y[rows], weights * scaler.scale_[:, None], bias, penalty)
    assert -1e-6 < ours - best < 1e-4
    theirs = np.mean(peer.predict(scaler.transform(X[TEST])) == Y[TEST])
    assert np.mean(probe.predict(0, X[TEST]) == Y[TEST]) == pytest.approx(theirs, abs=0.002)


def test_the_optimum_does_not_depend_on_the_seed():
    config = ProbeConfig(penalties=(1e-2,), tolerance=1e-5)
    tasks = [ProbeTask(np.arange(300), VALIDATION, seed) for seed in (0, 1)]
    probes = train_probes(X, Y, tasks, num_classes=CLASSES, config=config)
    np.testing.assert_array_equal(probes.weights[0], probes.weights[1])


def test_the_path_takes_the_penalty_with_the_least_validation_loss():
    penalties = (1.0, 0.1, 0.01, 1e-3, 1e-4)
    task = [ProbeTask(np.arange(200), VALIDATION, 0)]
    single = [
        train_probes(
            X, Y, task, num_classes=CLASSES, config=ProbeConfig(penalties=(penalty,), tolerance=1e-5)
        ).validation_loss[0]
        for penalty in penalties
    ]
    best = int(np.argmin(single))
    assert 0 < best < len(penalties) - 1
    path = train_probes(
        X, Y, task, num_classes=CLASSES, config=ProbeConfig(penalties=penalties[::-1], patience=1, tolerance=1e-5)
    )
    assert path.penalty[0] == np.float32(penalties[best])
    assert path.validation_loss[0] == pytest.approx(single[best], abs=2e-3)


def test_too_few_evaluations_are_not_converged():
    config = ProbeConfig(solver="lbfgs", penalties=(1e-4,), max_epochs=3)
    probe = train_probes(X, Y, [ProbeTask(np.arange(500), VALIDATION, 0)], num_classes=CLASSES, config=config)
    assert not probe.converged[0]
    assert probe.epochs[0] == 3


def test_a_long_history_is_kept_in_place_and_is_that_of_a_short_one(monkeypatch):
    rng = np.random.default_rng(0)
    vectors = torch.from_numpy(rng.standard_normal((40, 1, 3, 7), dtype=np.float32))
    useful = torch.from_numpy(rng.random(40) < 0.8)
    found = {}
    for limit in (0, 100):
        monkeypatch.setattr(lbfgs, "LARGE", limit)
        recent = lbfgs._Recent(vectors[0])
        found[limit] = []
        for index, each in enumerate(vectors):
            recent.append(each, useful[index, None])
            if index == 30:
                recent.forget(torch.tensor([True]))
            found[limit].append(recent.rows.clone())
    assert recent._in_place is False
    assert all(torch.equal(a, b) for a, b in zip(*found.values(), strict=True))
    kept = vectors[:30][useful[:30]].flatten(1)[-lbfgs.HISTORY :]
    assert torch.equal(found[0][29][0], kept)
    assert (found[0][30] == 0).all()

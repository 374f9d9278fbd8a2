import numpy as np
import pytest
from probe_problems import assert_same, gaussian_classes, tasks_of_sizes

from scar.probes.probe_set import ProbeSet, ProbeTask
from scar.probes.settings import ProbeConfig
from scar.probes.train import train_probes

CLASSES = 4
X, Y = gaussian_classes(1500, 12, CLASSES, separation=0.5)
VALIDATION, TEST = np.arange(1000, 1200), np.arange(1200, 1500)
TASK = ProbeTask(np.arange(300), VALIDATION, 7)
FAST = ProbeConfig.linear(batch_size=50, learning_rate=0.01)


def train(task=TASK, config=FAST, features=X, labels=Y, num_classes=CLASSES):
    return train_probes(features, labels, [task], num_classes=num_classes, config=config)


def cross_entropy(probe: ProbeSet, rows) -> float:
    logits = probe.logits(0, X[rows]).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(rows)), Y[rows]]))


def test_training_stops_after_patience_and_returns_the_best_epoch():
    probe = train()
    epochs = int(probe.epochs[0])
    losses = []
    for limit in range(1, epochs + 1):
        config = ProbeConfig.linear(
            batch_size=50, learning_rate=0.01, max_epochs=limit, patience=1000, restore_best=False
        )
        losses.append(float(train(config=config).validation_loss[0]))
    best = int(np.argmin(losses))
    assert probe.converged[0]
    assert epochs == best + 1 + 5
    assert probe.validation_loss[0] == losses[best]
    assert cross_entropy(probe, VALIDATION) == pytest.approx(losses[best], abs=1e-5)


def test_a_run_into_the_limit_of_epochs_is_not_converged():
    probe = train(config=ProbeConfig.linear(max_epochs=3))
    assert probe.epochs[0] == 3
    assert not probe.converged[0]


def test_the_scaling_is_folded_into_the_weights():
    scale, offset = np.geomspace(0.01, 100, X.shape[1]), np.linspace(-50, 50, X.shape[1])
    moved = (X * scale + offset).astype(np.float32)
    plain, other = train(), train(features=moved)
    np.testing.assert_allclose(other.logits(0, moved[TEST]), plain.logits(0, X[TEST]), atol=2e-2)
    assert np.mean(plain.predict(0, X[TEST]) == Y[TEST]) > 0.6


def test_a_feature_that_is_constant_in_training_has_no_weight():
    features = np.concatenate([X, np.full((len(X), 1), 3.7, np.float32)], axis=1)
    features[TEST, -1] = 1e6
    probe = train(features=features)
    assert not probe.weights[0, -1].any()
    assert np.mean(probe.predict(0, features[TEST]) == Y[TEST]) > 0.6


def test_each_probe_is_scaled_by_its_own_rows_only():
    poisoned = X.copy()
    poisoned[300:1000] = 1e6
    poisoned[TEST] = -1e6
    assert_same(train(), train(features=poisoned))


def test_the_reference_config_returns_the_last_weights_of_unit_norm_features():
    config = ProbeConfig.linear(
        scaling="unit_norm", batch_size=None, monitor="train_accuracy", restore_best=False, learning_rate=0.05
    )
    no_validation = ProbeTask(TASK.train, np.arange(0), 7)
    probe = train(no_validation, config)
    assert probe.unit_norm
    assert np.isnan(probe.validation_loss[0])
    scaled = X[TEST] * np.linspace(0.1, 10, len(TEST), dtype=np.float32)[:, None]
    np.testing.assert_allclose(probe.logits(0, scaled), probe.logits(0, X[TEST]), atol=1e-4)
    epochs = int(probe.epochs[0])
    accuracies = []
    for limit in range(epochs):
        settings = {"scaling": "unit_norm", "batch_size": None, "learning_rate": 0.05, "restore_best": False}
        if limit:
            before = train(config=ProbeConfig.linear(**settings, max_epochs=limit, patience=1000))
            accuracies.append(np.mean(before.predict(0, X[TASK.train]) == Y[TASK.train]))
    # The accuracy of an epoch is counted before its update: entry e - 2 belongs to epoch e.
    assert max(accuracies[-5:]) <= max(accuracies[:-5])
    last = train(config=ProbeConfig.linear(**settings, max_epochs=epochs, patience=1000))
    np.testing.assert_array_equal(probe.weights, last.weights)


def test_a_probe_of_one_class_or_one_prediction_is_returned_and_flagged():
    single = ProbeTask(np.flatnonzero(Y[:300] == 2), VALIDATION, 1)
    assert train(single).degenerate[0]
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(1500, 3)).astype(np.float32) * 1e-3
    rare = np.where(rng.random(1500) < 0.03, 1, 0)
    majority = train(features=noise, labels=rare, config=ProbeConfig.linear(scaling="none"), num_classes=2)
    assert set(majority.predict(0, noise[VALIDATION])) == {0}
    assert majority.degenerate[0]
    assert not train().degenerate[0]


def test_probes_survive_saving(tmp_path):
    probes = train_probes(
        X, Y, tasks_of_sizes([50, 80, 60], pool=900, validation=VALIDATION), num_classes=CLASSES,
        config=ProbeConfig.linear(max_epochs=2, scaling="unit_norm"),
    )  # fmt: skip
    probes.save(tmp_path)
    loaded = ProbeSet.load(tmp_path)
    assert_same(probes, loaded)
    assert loaded.unit_norm
    assert len(loaded) == 3
    assert loaded.select([2]).epochs[0] == probes.epochs[2]
    np.testing.assert_array_equal(loaded.predict(1, X[TEST]), probes.predict(1, X[TEST]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": np.where(np.arange(1500)[:, None] == 3, np.nan, X)}, r"features\[3, 0\] is nan"),
        ({"features": np.where(np.arange(1500)[:, None] == 3, np.inf, X)}, r"features\[3, 0\] is inf"),
        ({"features": X[:, 0]}, "need float32"),
        ({"labels": np.where(np.arange(1500) == 9, 4, Y)}, r"labels\[9\]=4 lies outside 0..3"),
        ({"labels": Y[:-1]}, "do not fit 1500 rows"),
        ({"num_classes": 1}, "num_classes=1"),
        ({"task": ProbeTask(np.arange(0), VALIDATION, 0)}, r"tasks\[0\].train is empty"),
        ({"task": ProbeTask(np.arange(9), np.arange(0), 0)}, r"tasks\[0\].validation is empty"),
        ({"task": ProbeTask(np.array([0, 1500]), VALIDATION, 0)}, r"tasks\[0\].train must be a list of rows"),
        (
            {"config": ProbeConfig.linear(learning_rate=1e38, scaling="none", restore_best=False, max_epochs=3)},
            "not finite",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_bad_input_is_named(change, message):
    if "features" in change:
        change = {"features": change["features"].astype(np.float32)}
    with pytest.raises(ValueError, match=message):
        train(**change)


def test_no_task_is_an_error():
    with pytest.raises(ValueError, match="tasks is empty"):
        train_probes(X, Y, [], num_classes=CLASSES)


def test_of_large_features_only_the_rows_that_are_read_are_checked(monkeypatch):
    from scar.probes import _shared_features

    array, read = np.zeros((50, 3), np.float32), [np.arange(20), np.arange(30, 40)]
    array[25] = np.nan
    with pytest.raises(ValueError, match=r"features\[25, 0\] is nan"):
        _shared_features.Features(array, read)
    monkeypatch.setattr(_shared_features, "CHECK_ALL", 100)
    assert len(_shared_features.Features(array, read)) == 50
    array[33, 2] = np.inf
    with pytest.raises(ValueError, match=r"features\[33, 2\] is inf"):
        _shared_features.Features(array, read)

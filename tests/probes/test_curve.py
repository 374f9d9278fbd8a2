"""What training watched, by epoch."""

import numpy as np
import pytest

from scar.probes.probe_set import ProbeSet, ProbeTask, load_curve
from scar.probes.settings import ProbeConfig
from scar.probes.train import train_probes


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 60)
    features = (rng.normal(size=(180, 4)) + 1.5 * np.eye(3, 4)[labels]).astype(np.float32)
    order = rng.permutation(180)
    tasks = [ProbeTask(train=order[: 60 * k], validation=order[120:], seed=k) for k in (1, 2)]
    return features, labels, tasks


def trained(data, **settings):
    features, labels, tasks = data
    make = ProbeConfig if "penalties" in settings else ProbeConfig.linear
    return train_probes(features, labels, tasks, num_classes=3, config=make(**settings))


def test_the_validation_loss_is_kept_for_every_epoch_and_no_more(data):
    probes = trained(data, max_epochs=40, patience=3, learning_rate=0.05)
    assert probes.curve.shape == (2, probes.epochs.max())
    assert np.isfinite(probes.curve).sum(axis=1).tolist() == probes.epochs.tolist()
    np.testing.assert_allclose(np.nanmin(probes.curve, axis=1), probes.validation_loss, rtol=1e-5)


def test_a_curve_is_the_same_alone_and_in_company_and_survives_saving(data, tmp_path):
    features, labels, tasks = data
    both = trained(data, max_epochs=20)
    alone = train_probes(features, labels, tasks[1:], num_classes=3, config=ProbeConfig.linear(max_epochs=20))
    np.testing.assert_array_equal(both.select([1]).curve[:, : alone.curve.shape[1]], alone.curve)
    both.save(tmp_path)
    np.testing.assert_array_equal(load_curve(tmp_path), both.curve)
    np.testing.assert_array_equal(ProbeSet.load(tmp_path).curve, both.curve)


def test_the_curve_is_the_share_of_right_answers_or_the_objective_where_that_is_watched(data):
    shares = trained(data, max_epochs=10, monitor="train_accuracy").curve
    assert np.nanmin(shares) >= 0
    assert np.nanmax(shares) <= 1
    solved = trained(data, penalties=(0.01,), max_epochs=200).curve
    falls = np.diff(solved[0][np.isfinite(solved[0])])
    assert (falls <= 1e-6).all()

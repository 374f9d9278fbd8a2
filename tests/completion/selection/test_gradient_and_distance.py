import numpy as np
import pytest
import torch

from scar.answers.characterization import Characterization
from scar.completion.plan import take_first
from scar.completion.selection.gradient import GradientSelection, gradient_norms, with_gradients
from scar.completion.selection.k_center import KCenterSelection
from scar.completion.selection.large_distance import LargeDistanceSelection
from scar.completion.selection.selection import Pool
from scar.probes.probe_set import ProbeSet


def probe(weights, biases, *, unit_norm=False):
    zeros = np.zeros(1, np.float32)
    return ProbeSet(
        weights=np.asarray(weights, np.float32)[None],
        biases=np.asarray(biases, np.float32)[None],
        epochs=np.ones(1, np.int64),
        validation_loss=zeros,
        converged=np.ones(1, bool),
        degenerate=np.zeros(1, bool),
        penalty=zeros,
        constant_features=np.zeros(1, np.int64),
        far_rows=np.zeros(1, np.int64),
        curve=zeros[None],
        unit_norm=unit_norm,
    )


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 5)).astype(np.float32)
    weights, biases = rng.normal(size=(5, 3)), rng.normal(size=3)
    return features, rng.integers(0, 3, 40), probe(weights, biases)


def autograd_norms(features, labels, model):
    weights = torch.tensor(model.weights[0], dtype=torch.float64, requires_grad=True)
    biases = torch.tensor(model.biases[0], dtype=torch.float64, requires_grad=True)
    norms = []
    for x, y in zip(torch.tensor(features, dtype=torch.float64), torch.tensor(labels), strict=True):
        loss = torch.nn.functional.cross_entropy((x @ weights + biases)[None], y[None])
        gradients = torch.autograd.grad(loss, (weights, biases))
        norms.append(float(torch.sqrt(sum((each**2).sum() for each in gradients))))
    return np.array(norms)


def test_the_closed_form_is_the_norm_of_the_gradient_that_autograd_finds(problem):
    features, labels, model = problem
    pool = with_gradients(GradientSelection(), Pool(features=features, classes=labels), model)
    expected = autograd_norms(features, labels, model)
    assert np.std(expected) > 0.1
    np.testing.assert_allclose(pool.gradients, expected, rtol=1e-5)


def test_a_probe_that_reads_directions_has_the_gradient_of_directions(problem):
    features, labels, model = problem
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    scaled = probe(model.weights[0], model.biases[0], unit_norm=True)
    pool = with_gradients(GradientSelection(), Pool(features=features, classes=labels), scaled)
    np.testing.assert_allclose(pool.gradients, autograd_norms(unit, labels, model), rtol=1e-5)


def test_a_sure_and_right_sample_has_no_gradient_and_a_sure_and_wrong_one_the_most():
    probabilities = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    norms = gradient_norms(probabilities, np.zeros(3, np.int64), np.zeros((3, 4)))
    np.testing.assert_allclose(norms, [0.0, np.sqrt(2), np.sqrt(0.5)])


def test_chunks_do_not_change_gradients(problem, monkeypatch):
    from scar.completion.selection import _memory_needs as memory

    features, labels, model = problem
    pool = Pool(features=features, classes=labels)
    whole = with_gradients(GradientSelection(), pool, model).gradients
    monkeypatch.setattr(memory, "CHUNK_BYTES", 4 * 70)
    np.testing.assert_allclose(with_gradients(GradientSelection(), pool, model).gradients, whole)


def test_gradient_takes_the_largest_of_each_class_first_or_last():
    pool = Pool(features=None, classes=np.array([0, 0, 0, 1]), gradients=np.array([0.5, 0.1, 0.9, 7.0]))
    assert GradientSelection().rank(pool, np.array([2, 0])).order[:2].tolist() == [2, 0]
    assert GradientSelection(largest_first=False).rank(pool, np.array([2, 0])).order[:2].tolist() == [1, 0]
    ranking = GradientSelection().rank(pool, np.array([2, 1]))
    assert ranking.order[2] == 3
    assert ranking.scores[[2, 0, 3]].tolist() == [0.9, 0.5, 7.0]


def test_only_the_gradient_selection_asks_for_gradients(problem):
    features, labels, model = problem
    pool = Pool(features=features, classes=labels)
    assert with_gradients(KCenterSelection(), pool, model) is pool
    with pytest.raises(ValueError, match="selection=gradient reads the gradients of a probe"):
        GradientSelection().rank(pool, np.array([1, 1, 1]))


def test_large_distance_takes_the_planted_outliers_of_each_class_and_leaves_the_middle():
    rng = np.random.default_rng(1)
    features, classes = [], []
    for step, centre in enumerate(np.eye(3, 8)):
        features += [centre + 0.05 * rng.normal(size=(20, 8)), centre + 0.9 * np.eye(8)[4 + np.arange(3)]]
        classes += [step] * 23
    shuffled = rng.permutation(69)
    outlier = (np.arange(69) % 23 >= 20)[shuffled]
    pool = Pool(features=np.concatenate(features).astype(np.float32)[shuffled], classes=np.array(classes)[shuffled])
    counts = np.array([3, 3, 3])
    ranking = LargeDistanceSelection().rank(pool, counts)
    taken = take_first(ranking.order, pool.classes[ranking.order], counts)
    assert sorted(taken) == np.flatnonzero(outlier).tolist()
    assert ranking.scores[outlier].min() > ranking.scores[~outlier].max()


def test_large_distance_does_not_look_at_the_length_of_an_embedding():
    features = np.array([[1, 0.0], [1, 0.1], [1, -0.1], [0.2, 1]], np.float32)
    scaled = features * np.array([[1], [50], [3], [0.1]], np.float32)
    classes = np.zeros(4, np.int64)
    orders = [
        LargeDistanceSelection().rank(Pool(features=f, classes=classes), np.array([4])).order
        for f in (features, scaled)
    ]
    assert orders[0].tolist() == orders[1].tolist()
    assert orders[0][0] == 3


def test_a_plan_in_python_can_choose_by_gradient():
    import scar

    rng = np.random.default_rng(0)
    labels = np.arange(240) % 3
    features = (rng.normal(size=(240, 6)) + 2 * np.eye(3, 6)[labels]).astype(np.float32)
    pool, pool_labels = features[120:], labels[120:]
    answer = scar.characterize(features[:120], labels[:120], pool_embeddings=pool, pool_labels=pool_labels)
    assert isinstance(answer, Characterization)
    plan = answer.plan(12, "random", selection="gradient")
    norms = with_gradients(GradientSelection(), Pool(features=pool, classes=pool_labels), answer.probe).gradients
    assert len(plan.rows) == 12
    taken = np.isin(np.arange(120), plan.rows)
    for step in range(3):
        assert norms[taken & (pool_labels == step)].min() >= norms[~taken & (pool_labels == step)].max()

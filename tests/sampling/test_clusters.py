"""K-means: planted clusters, repair, chunks, seeds, the choice of k, and scikit-learn's inertia."""

import numpy as np
import pytest

import scar.sampling.clusters
from scar.common.vectors import unit_rows
from scar.sampling.clusters import CRITERIA, KMeans, choose_k, fit_clusters, nearest, stability


def planted(k=6, n=900, dimension=16, spread=0.6, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % k
    centres = 3 * rng.normal(size=(k, dimension))
    return (centres[labels] + spread * rng.normal(size=(n, dimension))).astype(np.float32), labels


def same_partition(first, second):
    pairs = set(zip(first.tolist(), second.tolist(), strict=True))
    return len(pairs) == len(set(first.tolist())) == len(set(second.tolist()))


@pytest.mark.parametrize("cosine", [True, False])
def test_planted_clusters_are_found_and_numbered_by_size(cosine):
    x, labels = planted()
    x, labels = x[30:], labels[30:]
    x, labels = np.concatenate([x, x[labels == 2]]), np.concatenate([labels, labels[labels == 2]])
    found = fit_clusters(x, 6, seed=0, settings=KMeans(cosine=cosine))
    assert same_partition(found.labels, labels)
    assert (np.diff(found.sizes) <= 0).all()
    assert (found.labels[labels == 2] == 0).all()
    assert np.array_equal(found.assign(x), found.labels)


def test_the_same_seed_gives_the_same_clusters_whatever_the_memory_layout():
    x, _ = planted(spread=4.0)
    first, again = (fit_clusters(each, 5, seed=3) for each in (x, np.asfortranarray(x)))
    assert np.array_equal(first.labels, again.labels)
    assert np.array_equal(first.centroids, again.centroids)
    assert first.inertia == again.inertia


def test_cosine_looks_at_directions_only():
    x, _ = planted()
    lengths = np.random.default_rng(1).uniform(0.1, 10, size=(len(x), 1)).astype(np.float32)
    assert np.array_equal(fit_clusters(x, 6, seed=0).labels, fit_clusters(x * lengths, 6, seed=0).labels)
    assert np.allclose(np.linalg.norm(fit_clusters(x, 6, seed=0).centroids, axis=1), 1, atol=1e-5)


def test_rows_are_not_changed_and_unit_rows_are_not_copied(monkeypatch):
    x, _ = planted()
    before = x.copy()
    fit_clusters(x, 6, seed=0)
    assert np.array_equal(x, before)
    scaled = unit_rows(x)
    monkeypatch.setattr(scar.sampling.clusters, "unit_rows", lambda *_: pytest.fail("copied"))
    fit_clusters(scaled, 6, seed=0)


@pytest.mark.parametrize("spread", [0.5, 4.0])
def test_the_inertia_is_within_one_percent_of_scikit_learn(spread):
    from sklearn.cluster import KMeans as Other

    x, _ = planted(k=12, n=2000, spread=spread)
    ours = fit_clusters(x, 8, seed=0, settings=KMeans(cosine=False, restarts=10))
    theirs = Other(8, n_init=10, random_state=0).fit(x)
    assert ours.inertia <= 1.01 * theirs.inertia_
    distances = ((x[:, None] - ours.centroids) ** 2).sum(axis=-1)
    assert ours.inertia == pytest.approx(distances.min(axis=1).sum(), rel=1e-4)


def test_assignment_in_chunks_is_brute_force(monkeypatch):
    x, _ = planted(n=501)
    centroids = x[:7] + 0.1
    monkeypatch.setattr(scar.sampling.clusters.chunks, "__defaults__", (64,))
    labels, distances = nearest(x, centroids)
    brute = ((x[:, None] - centroids) ** 2).sum(axis=-1)
    assert np.array_equal(labels, brute.argmin(axis=1))
    assert np.allclose(distances, brute.min(axis=1), rtol=1e-3, atol=1e-3)


def test_empty_clusters_are_filled(monkeypatch):
    """The first fit returns centroids far away from everything; the repair gives each of them samples."""
    x, _ = planted()
    lloyd, calls = scar.sampling.clusters._lloyd, []

    def broken(points, k, *, start=None, **options):
        calls.append(start is not None)
        if start is None:
            return np.concatenate([points[:3], np.full((k - 3, points.shape[1]), 1e4, np.float32)])
        return lloyd(points, k, start=start, **options)

    monkeypatch.setattr(scar.sampling.clusters, "_lloyd", broken)
    found = fit_clusters(x, 6, seed=0, settings=KMeans(cosine=False))
    assert calls[:2] == [False, True]
    assert found.sizes.min() > 0
    assert found.inertia < nearest(x, x[:3])[1].sum()


def test_fewer_distinct_samples_than_clusters_is_an_error():
    x = np.repeat(planted()[0][:4], 50, axis=0)
    assert fit_clusters(x, 4, seed=0).sizes.tolist() == [50] * 4
    with pytest.raises(ValueError, match=r"lower labels\.k"):
        fit_clusters(x, 5, seed=0)
    with pytest.raises(ValueError, match=r"labels\.k=300 must lie in 2\.\.200"):
        fit_clusters(x, 300, seed=0)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_the_planted_number_of_clusters_is_chosen(criterion):
    x, _ = planted(k=7, spread=0.9)
    settings = KMeans(restarts=5)
    k, scores = choose_k(x, (3, 5, 7, 10, 14), criterion=criterion, repeats=4, seed=0, settings=settings)
    assert k == 7
    assert set(scores) == {3, 5, 7, 10, 14}
    with pytest.raises(ValueError, match=r"labels\.candidates=\[20\]"):
        choose_k(x[:30], (20,), criterion=criterion, repeats=2, seed=0, settings=settings)


def test_stability_tells_structure_from_noise():
    settings = KMeans(restarts=3)
    clear = stability(planted()[0], 6, repeats=4, seed=0, settings=settings)
    noise = np.random.default_rng(0).normal(size=(900, 16)).astype(np.float32)
    chance = stability(noise, 6, repeats=4, seed=0, settings=settings)
    assert clear.seeds.min() > 0.99
    assert clear.bootstrap.min() > 0.99
    assert len(chance.seeds) == len(chance.bootstrap) == 4
    assert chance.seeds.max() < 0.8
    assert chance.bootstrap.max() < 0.8


@pytest.mark.parametrize(("field", "value"), [("restarts", 0), ("iterations", 0), ("tolerance", 0.0)])
def test_settings_that_cannot_work_are_refused(field, value):
    with pytest.raises(ValueError, match=rf"labels\.{field}={value}"):
        KMeans(**{field: value})

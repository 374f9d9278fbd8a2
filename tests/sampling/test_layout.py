"""The map: seeded, class-aware, honest about what the primary set does not reach."""

import numpy as np
import pytest

from scar.common import extras
from scar.common.randomness import generator
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.sampling import layout as module
from scar.sampling.layout import PARTS, PCA, TSNE, MapConfig, MapLayout, lay_out, spread
from scar.sampling.splits import Split

SIZES = {"validation": 10, "heldout": 60, "primary": 300, "reserve": 300, "test": 240}


def problem(*, dimension=16, far=0, seed=0):
    """Four groups of samples as classes; `far` samples of the reserve lie where no other sample does."""
    rng = np.random.default_rng(seed)
    total = sum(SIZES.values())
    labels = np.arange(total) % 4
    rows = rng.normal(size=(total, dimension)) * 0.2
    rows[np.arange(total), labels % dimension] += 3
    ends = np.cumsum([0, *SIZES.values()])
    parts = {name: np.arange(ends[i], ends[i + 1]) for i, name in enumerate(SIZES)}
    strange = parts["reserve"][:far]
    rows[strange] = rng.normal(size=(far, dimension)) * 0.2 + 3 * (np.arange(dimension) == dimension - 1)
    ids = np.array([f"s{n:04d}" for n in range(total)])
    return EmbeddingSet(ids, (rows.astype(np.float32),)), Split(labels=labels, **parts), strange


def laid(embeddings, split, **changed):
    settings = {"points": 5000, "method": PCA, "slice_size": 30, "seed": 0, **changed}
    return lay_out(embeddings, split, split.labels, **settings)


def same(first, second):
    return all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(vars(first).values(), vars(second).values(), strict=True)
    )


@pytest.mark.parametrize("method", [TSNE, PCA])
def test_the_same_seed_lays_out_the_same_and_a_file_keeps_it(tmp_path, method):
    if method == TSNE:
        pytest.importorskip("openTSNE")
    embeddings, split, _ = problem()
    first = laid(embeddings, split, method=method)
    assert same(first, laid(embeddings, split, method=method))
    first.save(tmp_path / "layout.npz")
    assert same(first, MapLayout.load(tmp_path / "layout.npz"))
    assert len(first.rows) == sum(len(getattr(split, part)) for part in PARTS)
    assert first.place.shape == (len(first.rows), 2)
    centres = np.stack([first.place[split.labels[first.rows] == k].mean(axis=0) for k in range(4)])
    spreads = [first.place[split.labels[first.rows] == k].std() for k in range(4)]
    if method == TSNE:  # four groups stay apart
        apart = np.linalg.norm(centres[:, None] - centres[None], axis=2)[np.triu_indices(4, 1)]
        assert apart.min() > max(spreads)


def test_what_the_primary_set_does_not_reach_is_marked_and_little_else():
    embeddings, split, strange = problem(far=20)
    found = laid(embeddings, split)
    assert set(strange) <= set(found.rows[found.empty])
    others = (found.parts > 0) & ~np.isin(found.rows, strange)
    assert found.empty[others].mean() < 0.05
    assert not found.empty[found.parts == 0].any()
    own = found.distance[found.parts == 0]
    assert np.median(own) == pytest.approx(1)
    assert (own > found.reach).mean() == pytest.approx(0.01, abs=0.005)


def test_a_sub_sample_holds_every_part_and_every_class():
    labels = np.repeat([0, 1, 2], [900, 90, 10])
    drawn = spread(np.arange(1000), labels, 120, generator(0, "test"))
    assert np.bincount(labels[drawn]).tolist()[2] == 10
    assert len(drawn) == len(set(drawn)) == 120
    assert np.array_equal(spread(np.arange(50), labels[:50], 60, generator(0, "test")), np.arange(50))
    embeddings, split, _ = problem()
    small = laid(embeddings, split, points=100)
    assert len(small.rows) <= 100
    sizes = np.bincount(small.parts, minlength=4)
    assert (sizes >= 12).all()
    assert sizes[0] > sizes[2]  # in proportion beyond what each part gets


def test_clusters_of_test_items_ignore_their_labels_and_few_items_are_one():
    embeddings, split, _ = problem()
    clusters = laid(embeddings, split).clusters
    assert len(clusters) == len(split.test)
    assert set(clusters) == {0, 1, 2, 3}
    assert all(len(set(clusters[split.labels[split.test] == k])) == 1 for k in range(4))
    assert set(laid(embeddings, split, slice_size=100).clusters) == {0}


@pytest.mark.parametrize("dimension", [1, 2])
def test_embeddings_of_one_and_two_numbers_have_a_map(dimension):
    embeddings, split, _ = problem(dimension=dimension)
    for method in (PCA, TSNE):
        if method == TSNE:
            pytest.importorskip("openTSNE")
        assert np.isfinite(laid(embeddings, split, method=method).place).all()


def test_samples_that_are_all_alike_and_small_primary_sets_have_no_reach():
    embeddings, split, _ = problem()
    alike = EmbeddingSet(embeddings.ids, (np.ones_like(embeddings.shards[0]),))
    found = laid(alike, split)
    assert np.isfinite(found.place).all()
    assert np.isnan(found.reach)
    assert not found.empty.any()
    assert np.isnan(laid(embeddings, split.with_parts(primary=split.primary[:20])).reach)


def test_without_the_library_the_components_stand_in_and_say_why(monkeypatch):
    monkeypatch.setattr(module, "is_installed", lambda name: name != "openTSNE")
    assert MapConfig().possible_method == PCA
    assert "pip install 'scar-data[inspection]'" in MapConfig().why_not
    assert MapConfig(method=PCA).why_not == ""
    assert extras.EXTRAS["openTSNE"] == "inspection"


@pytest.mark.parametrize(("name", "value"), [("points", 5), ("slice_size", 1), ("pictures", -1), ("method", "umap")])
def test_bad_settings_name_the_field(name, value):
    with pytest.raises(ValueError, match=rf"map\.{name}="):
        MapConfig(**{name: value})

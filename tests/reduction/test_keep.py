from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from scar.completion.selection.semantic_dedup import SemanticDedupSelection
from scar.reduction.cluster_features import cluster_features
from scar.reduction.keep import FILTERED, clusters_for, find_rule, keep, probe_scores
from scar.reduction.settings import FEATURES, MOST_CLUSTERS, RULES

every_rule = pytest.mark.parametrize("rule", RULES)
every_feature = pytest.mark.parametrize("name", FEATURES)


def groups(sizes=(60, 30, 11), spread=0.15, seed=0):
    """Rows around orthogonal directions: their group is known, and no two are alike."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    return (np.eye(len(sizes), 8)[truth] + spread * rng.normal(size=(len(truth), 8))).astype(np.float32), truth


def codes_of(truth, *, tokens=16, codes=12, seed=0):
    """Codes of images whose group draws from four codes of its own, three times out of four."""
    rng = np.random.default_rng(seed)
    own = truth[:, None] * 4 + rng.integers(0, 4, (len(truth), tokens))
    indices = np.where(rng.random((len(truth), tokens)) < 0.75, own, rng.integers(0, codes, (len(truth), tokens)))
    table = rng.normal(size=(codes, 24))
    return SimpleNamespace(
        indices=indices.astype(np.int32),
        quantised_mean=table[indices].mean(axis=1).astype(np.float32),
        image_embeddings=rng.normal(size=(len(truth), 5)).astype(np.float32),
    )


@every_rule
@pytest.mark.parametrize("share", [0.1, 0.25, 1.0])
def test_the_budget_is_exact_overall_and_by_the_largest_remainder_in_each_cluster(rule, share):
    features, truth = groups()
    kept = keep(features, share=share, clusters=3, rule=rule, seed=0)
    assert len(kept.rows) == round(share * 101) == kept.mask.sum()
    assert np.array_equal(kept.rows, np.flatnonzero(kept.mask))
    if rule == "random":
        assert not kept.cluster.any()
        return
    assert adjusted_rand_score(truth, kept.cluster) == 1.0
    sizes, taken = np.bincount(kept.cluster), np.bincount(kept.cluster[kept.rows], minlength=3)
    exact = sizes * len(kept.rows) / 101
    assert np.all(np.abs(taken - exact) < 1)
    rest = exact - np.floor(exact)
    ups = taken > np.floor(exact)
    assert not ups.any() or ups.all() or rest[ups].min() >= rest[~ups].max() - 1e-9


@every_rule
def test_what_is_kept_does_not_depend_on_the_order_of_the_pairs(rule):
    features, _ = groups(spread=0.6)
    ids = np.array([f"pair-{row:03d}" for row in range(101)])
    first = keep(features, share=0.3, clusters=4, rule=rule, seed=3, ids=ids)
    shuffled = np.random.default_rng(1).permutation(101)
    again = keep(features[shuffled], share=0.3, clusters=4, rule=rule, seed=3, ids=ids[shuffled])
    assert set(ids[first.rows]) == set(ids[shuffled][again.rows])
    assert np.array_equal(first.cluster[shuffled], again.cluster)
    assert np.array_equal(first.reason[shuffled], again.reason)


@every_rule
def test_the_seed_decides(rule):
    features, _ = groups()
    first, again, other = (keep(features, share=0.3, clusters=3, rule=rule, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first.rows, again.rows)
    if rule in ("uniform", "random", "semantic_dedup"):
        assert not np.array_equal(first.rows, other.rows)


def test_every_pair_has_a_reason():
    features, _ = groups()
    allowed = np.arange(101) % 5 > 0
    kept = keep(features, share=0.4, clusters=3, rule="k_center", seed=0, allowed=allowed)
    assert len(kept.rows) == 40
    assert np.all(kept.reason[kept.rows] == "kept: k_center")
    assert np.all(kept.reason[~allowed] == FILTERED)
    assert np.all(kept.cluster[~allowed] == -1)
    assert np.all(kept.reason[allowed & ~kept.mask] == "left out: k_center")
    with pytest.raises(ValueError, match=r"reduction\.share=0\.9 of 101 pairs are 91, but a pair filter left 80"):
        keep(features, share=0.9, clusters=3, rule="uniform", seed=0, allowed=allowed)


def test_near_duplicates_are_dropped_first_by_semantic_dedup_and_less_by_chance():
    rng = np.random.default_rng(0)
    originals = rng.normal(size=(40, 16)).astype(np.float32)
    copies = originals[:20] + 0.01 * rng.normal(size=(20, 16)).astype(np.float32)
    features = np.concatenate([originals, copies])
    pairs = {rule: keep(features, share=2 / 3, clusters=1, rule=rule, seed=0) for rule in ("semantic_dedup", "uniform")}
    both = {rule: int(sum(kept.mask[row] and kept.mask[40 + row] for row in range(20))) for rule, kept in pairs.items()}
    assert both["semantic_dedup"] == 0
    assert both["uniform"] > 0


def test_hard_and_gradient_take_the_members_between_two_targets():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, 4)).astype(np.float32)
    targets = (features[:, 0] > 0).astype(np.int64)
    for rule in ("hard", "gradient"):
        kept = keep(features, share=0.1, clusters=1, rule=rule, seed=0, targets=targets)
        assert np.abs(features[kept.rows, 0]).mean() < 0.3 * np.abs(features[:, 0]).mean(), rule


def test_margins_and_gradients_that_are_given_are_used():
    features, _ = groups()
    values = np.random.default_rng(5).random(101)
    hard = keep(features, share=0.2, clusters=1, rule="hard", seed=0, margins=values)
    strong = keep(features, share=0.2, clusters=1, rule="gradient", seed=0, gradients=values)
    assert set(hard.rows) == set(np.argsort(values)[:20])
    assert set(strong.rows) == set(np.argsort(-values)[:20])
    assert np.allclose(hard.scores[hard.rows], values[hard.rows])


def test_a_probe_of_one_target_has_nothing_to_say():
    margins, gradients = probe_scores(groups()[0], np.zeros(101, np.int64))
    assert not margins.any()
    assert not gradients.any()


def test_a_selection_can_stand_in_place_of_a_name():
    features, _ = groups()
    by_name = keep(features, share=0.2, clusters=3, rule="semantic_dedup", seed=0)
    given = keep(features, share=0.2, clusters=3, rule=SemanticDedupSelection(), seed=0)
    assert np.array_equal(by_name.rows, given.rows)
    assert find_rule("semantic_dedup", duplicate_threshold=0.5).threshold == 0.5


def test_the_number_of_clusters_follows_the_size_up_to_that_of_the_paper():
    assert [clusters_for(size) for size in (1, 100, 6000, 2_820_000, 15_000_000)] == [1, 10, 77, 1679, MOST_CLUSTERS]
    kept = keep(groups((50, 50))[0], share=0.5, clusters=None, rule="uniform", seed=0)
    assert kept.cluster.max() == 9
    same = np.ones((30, 4), np.float32)
    assert not keep(same, share=0.5, clusters=None, rule="uniform", seed=0).cluster.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"share": 0.0}, r"reduction\.share=0\.0 must lie in"),
        ({"share": float("nan")}, r"reduction\.share=nan"),
        ({"rule": "best"}, r"reduction\.keep='best' is unknown; use one of uniform"),
        ({"clusters": 200}, r"reduction\.clusters=200, but only 101 pairs differ"),
        ({"ids": ["a"] * 101}, "must be unique: 'a' comes twice"),
        ({"ids": ["a", "b"]}, r"2 ids \(2 distinct\) for 101 pairs"),
    ],
)
def test_what_cannot_be_kept_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        keep(groups()[0], **{"share": 0.2, "clusters": 3, "rule": "uniform", "seed": 0, **change})


@pytest.mark.parametrize("name", ["bag_of_codes", "mean_code"])
def test_clusters_of_codes_follow_the_groups_that_the_codes_were_drawn_from(name):
    truth = np.repeat(np.arange(3), 80)
    features = cluster_features(name, codes_of(truth))
    kept = keep(features, share=0.25, clusters=3, rule="uniform", seed=0)
    assert adjusted_rand_score(truth, kept.cluster) > 0.9


@every_feature
def test_features_have_a_row_per_pair_and_do_not_depend_on_the_order(name):
    codes = codes_of(np.repeat(np.arange(3), 30))
    text = np.random.default_rng(3).normal(size=(90, 7)).astype(np.float32)
    ids = np.array([f"{row:02d}" for row in range(90)])
    first = cluster_features(name, codes, text=text, ids=ids, components=5)
    assert first.dtype == np.float32
    assert len(first) == 90
    shuffled = np.random.default_rng(1).permutation(90)
    other = SimpleNamespace(**{key: value[shuffled] for key, value in vars(codes).items()})
    again = cluster_features(name, other, text=text[shuffled], ids=ids[shuffled], components=5)
    assert np.array_equal(again, first[shuffled])


def test_bags_of_codes_do_not_look_at_the_order_of_the_tokens_but_index_vectors_do():
    codes = codes_of(np.repeat(np.arange(3), 30))
    turned = SimpleNamespace(**{**vars(codes), "indices": codes.indices.copy()})
    turned.indices[0] = codes.indices[0, ::-1]
    assert np.allclose(cluster_features("bag_of_codes", turned), cluster_features("bag_of_codes", codes), atol=1e-6)
    assert not np.allclose(cluster_features("index_vector", turned), cluster_features("index_vector", codes))


def test_index_vectors_are_whitened_and_of_length_one():
    rng = np.random.default_rng(0)
    indices = rng.integers(0, 50, (500, 6))
    indices[:, 1] = indices[:, 0]  # a direction without variance
    features = cluster_features("index_vector", SimpleNamespace(indices=indices))
    assert features.shape == (500, 5)
    assert np.allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    assert np.all(np.abs(np.cov(features.T) * 5 - np.eye(5)) < 0.15)


def test_images_that_all_have_the_same_codes_do_not_break_anything():
    codes = SimpleNamespace(indices=np.full((20, 4), 7), quantised_mean=np.ones((20, 3)), image_embeddings=None)
    for name in ("bag_of_codes", "index_vector", "mean_code"):
        features = cluster_features(name, codes)
        assert len(keep(features, share=0.25, clusters=None, rule="uniform", seed=0).rows) == 5


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("pixels", {}, r"reduction\.features='pixels' is unknown; use one of bag_of_codes"),
        ("text", {}, r"reduction\.features='text'.*none are given"),
        ("text", {"text": np.ones((3, 2), np.float32)}, r"lengths differ: codes has 90, text_embeddings has 3"),
        ("image", {"image": np.full((90, 2), np.nan, np.float32)}, r"image_embeddings hold NaN"),
        ("bag_of_codes", {"indices": np.full((90, 4), -1)}, r"must be codes \[N, L\] of at least 0"),
        ("index_vector", {"indices": np.ones((90, 4))}, r"type float64 must be codes"),
    ],
)
def test_features_that_cannot_be_made_are_named(name, change, message):
    codes = codes_of(np.repeat(np.arange(3), 30))
    codes.indices = change.pop("indices", codes.indices)
    with pytest.raises(ValueError, match=message):
        cluster_features(name, codes, **change)

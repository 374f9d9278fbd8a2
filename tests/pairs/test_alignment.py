"""Retrieval, pair scores, agreement of the clusterings and repeated items, on planted pairs."""

import numpy as np
import pytest
from planted_pairs import PlantedPairs, Vectors, planted_job

from scar.common.vectors import unit_rows
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.encoders.paired import Paired
from scar.pairs.alignment import Alignment, align, has_joint_space
from scar.pairs.retrieval import linear_map, retrieve
from scar.pairs.supervision import ModalityClusters, Supervision


def embedded(rows, offsets=None):
    n = len(rows) if offsets is None else len(offsets) - 1
    return EmbeddingSet(np.array([f"i{i}" for i in range(n)]), (np.asarray(rows, np.float32),), offsets)


def clusters(modality, labels):
    k = int(labels.max()) + 1
    nothing = np.zeros(1)
    return ModalityClusters(
        modality=modality, labels=labels, sizes=np.bincount(labels), centroids=np.zeros((k, 2), np.float32), inertia=0.0,
        seeds=nothing, bootstrap=nothing, tie_share=0.0, agreement=1.0, captions=1.0, names=("",) * k, scores={},
    )  # fmt: skip


def test_ranks_are_counted_by_hand():
    targets = unit_rows(np.eye(4, dtype=np.float32))
    queries = np.array([[1, 0, 0, 0], [0.9, 0.4, 0.1, 0], [0.5, 0.4, 0.3, 0.2]], np.float32)
    found = retrieve(queries, np.array([0, 1, 3]), targets, np.arange(4))
    assert found.recall == {1: pytest.approx(1 / 3), 5: 1.0, 10: 1.0}
    assert found.median_rank == 2  # ranks 1, 2, 4
    assert (found.queries, found.candidates) == (3, 4)


def test_the_best_of_several_partners_counts_and_the_others_do_not_stand_in_its_way():
    targets = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    found = retrieve(np.array([[1, 0]], np.float32), np.array([7]), targets, np.array([7, 7, 8]))
    assert found.median_rank == 1


def test_equal_scores_count_as_a_random_order():
    same = unit_rows(np.ones((50, 3), np.float32))
    found = retrieve(same, np.arange(50), same, np.arange(50))
    assert found.recall == {1: pytest.approx(1 / 50), 5: pytest.approx(5 / 50), 10: pytest.approx(10 / 50)}
    assert found.median_rank == 25.5
    twice = np.repeat(np.eye(20, dtype=np.float32), 2, axis=0)
    assert retrieve(twice, np.arange(40), twice, np.arange(40)).recall == {1: 0.5, 5: 1.0, 10: 1.0}


def test_chunks_do_not_change_the_ranks(monkeypatch):
    import scar.pairs.retrieval

    rng = np.random.default_rng(0)
    first, second = (unit_rows(rng.normal(size=(100, 5)).astype(np.float32)) for _ in range(2))
    whole = retrieve(first, np.arange(100), second, np.arange(100))
    monkeypatch.setattr(scar.pairs.retrieval, "_QUERIES", 7)
    assert retrieve(first, np.arange(100), second, np.arange(100)) == whole


def test_the_linear_map_finds_a_planted_one():
    rng = np.random.default_rng(0)
    x, planted = rng.normal(size=(600, 10)).astype(np.float32), rng.normal(size=(10, 6))
    y = (x @ planted + 3 + 0.1 * rng.normal(size=(600, 6))).astype(np.float32)
    weights, mean_x, mean_y = linear_map(x, y, np.random.default_rng(1))
    assert np.abs(weights - planted).max() < 0.05
    assert np.abs((x - mean_x) @ weights + mean_y - y).mean() < 0.15


def joint_pairs(noise, repeats=0):
    """Pairs in one space; the last `repeats` test items are training items."""
    rng = np.random.default_rng(0)
    image = rng.normal(size=(300, 16))
    text = image + noise * rng.normal(size=(300, 16))
    train, test = np.arange(200), np.arange(200, 300)
    if repeats:
        image[-repeats:], text[-2:] = image[:repeats], text[:2]
    return {"image": embedded(image), "text": embedded(text)}, train, test


def supervision(labels_image, labels_text):
    return Supervision({"image": clusters("image", labels_image), "text": clusters("text", labels_text)})


def test_pairs_in_one_space_find_each_other():
    labels = np.arange(300) % 4
    towers, train, test = joint_pairs(0.3)
    found = align(towers, supervision(labels, labels), train=train, test=test, joint=True)
    assert found.agreement["test"] == {"nmi": pytest.approx(1), "ari": pytest.approx(1)}
    for direction in ("image_to_text", "text_to_image"):
        assert found.retrieval[direction].recall[1] > 0.95
        assert found.retrieval[direction].median_rank == 1
    assert found.pair_scores["paired"][0.05] > found.pair_scores["unpaired"][0.95]
    assert found.repeated == {"image": 0, "text": 0, "pair": 0}


def test_unrelated_modalities_do_not():
    rng = np.random.default_rng(1)
    towers, train, test = joint_pairs(30)
    apart = supervision(rng.integers(0, 4, 300), rng.integers(0, 4, 300))
    found = align(towers, apart, train=train, test=test, joint=True)
    assert abs(found.agreement["train"]["ari"]) < 0.05
    assert found.retrieval["image_to_text"].recall[10] < 0.3
    assert abs(found.pair_scores["paired"][0.5] - found.pair_scores["unpaired"][0.5]) < 0.15


def test_test_items_that_are_training_items_are_counted_by_modality_and_by_pair():
    labels = np.arange(300) % 4
    towers, train, test = joint_pairs(0.3, repeats=10)
    found = align(towers, supervision(labels, labels), train=train, test=test, joint=True)
    assert found.repeated == {"image": 0.10, "text": 0.02, "pair": 0.0}
    both = {name: embedded(np.concatenate([tower.array()[:290], tower.array()[:10]])) for name, tower in towers.items()}
    found = align(both, supervision(labels, labels), train=train, test=test, joint=True)
    assert found.repeated == {"image": 0.10, "text": 0.10, "pair": 0.10}


def test_without_a_joint_space_a_map_is_fitted_and_there_are_no_pair_scores(tmp_path):
    job = planted_job(tmp_path, "image")
    found = job.alignment.value
    assert not found.joint
    assert found.pair_scores == {}
    assert found.agreement["test"]["nmi"] > 0.95
    chance = 10 / found.retrieval["image_to_text"].candidates
    assert found.retrieval["image_to_text"].recall[10] > 2 * chance  # the class is known, no more
    shuffled = planted_job(tmp_path, "image", shuffled=True).alignment.value
    assert shuffled.retrieval["image_to_text"].recall[10] < 2 * chance
    found.save(tmp_path / "alignment.json")
    assert Alignment.load(tmp_path / "alignment.json") == found


def test_every_caption_is_a_query():
    rng = np.random.default_rng(0)
    image = rng.normal(size=(30, 8))
    text = np.repeat(image, 3, axis=0) + 0.1 * rng.normal(size=(90, 8))
    towers = {"image": embedded(image), "text": embedded(text, np.arange(0, 91, 3))}
    labels = np.arange(30) % 3
    found = align(towers, supervision(labels, labels), train=np.arange(20), test=np.arange(20, 30), joint=True)
    assert (found.retrieval["text_to_image"].queries, found.retrieval["text_to_image"].candidates) == (30, 10)
    assert (found.retrieval["image_to_text"].queries, found.retrieval["image_to_text"].candidates) == (10, 30)
    assert found.retrieval["image_to_text"].recall[1] == found.retrieval["text_to_image"].recall[1] == 1


def test_a_joint_space_is_one_model_with_towers_of_one_dimension():
    towers = {name: embedded(np.ones((2, 3))) for name in ("image", "text")}
    assert has_joint_space(Vectors(modality="image+text"), towers)
    assert not has_joint_space(Vectors(modality="image+text"), towers | {"text": embedded(np.ones((2, 4)))})
    assert not has_joint_space(Paired(name="p", image=Vectors(), text=Vectors(modality="text")), towers)
    assert PlantedPairs().modalities == ("image", "text")

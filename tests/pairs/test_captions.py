"""Votes of captions, and the embeddings of several captions per item."""

import numpy as np
import pytest
from planted_pairs import Vectors

from scar.data.samples import Samples
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.encoders.embeddings.extraction import extract
from scar.pairs.caption_clusters import vote
from scar.pairs.words import step_names, typical_words
from scar.sampling.clusters import Clustering

CENTROIDS = np.array([[0, 0], [10, 0], [0, 10]], np.float32)
CLUSTERING = Clustering(centroids=CENTROIDS, labels=np.arange(3), inertia=0.0, cosine=False)


def captioned(*items):
    rows = np.concatenate([np.array(item, np.float32) for item in items])
    offsets = np.concatenate([[0], np.cumsum([len(item) for item in items])])
    return EmbeddingSet(np.array([f"i{i}" for i in range(len(items))]), (rows,), offsets)


def test_the_majority_of_the_captions_decides_and_ties_go_to_the_cluster_nearest_to_their_mean():
    votes = vote(
        captioned(
            [[0, 0], [9, 0], [11, 0]],  # two of three
            [[0, 9]],  # a single caption
            [[0, 0], [6, 0]],  # a tie; the mean (3, 0) is nearer to the first centroid
            [[4, 0], [10, 0]],  # the same tie; the mean (7, 0) is nearer to the second
            [[10, 0], [4, 0]],  # in the other order
        ),
        CLUSTERING,
    )
    assert votes.labels.tolist() == [1, 2, 0, 1, 1]
    assert votes.tied.tolist() == [False, False, True, True, True]
    assert np.allclose(votes.agreement, [2 / 3, 1, 0.5, 0.5, 0.5])


def test_votes_do_not_depend_on_the_chunks(monkeypatch):
    import scar.pairs.caption_clusters

    rng = np.random.default_rng(0)
    items = captioned(*(10 * rng.random((rng.integers(1, 6), 2)) for _ in range(100)))
    whole = vote(items, CLUSTERING)
    monkeypatch.setattr(scar.pairs.caption_clusters, "_ITEMS", 7)
    parts = vote(items, CLUSTERING)
    for name, value in vars(whole).items():
        assert np.array_equal(value, getattr(parts, name)), name
    assert whole.tied.any()


def caption_samples(texts):
    n = len(texts)
    return Samples(
        ids=np.array([f"i{i}" for i in range(n)]),
        payloads={"text": texts},
        labels=None,
        class_names=(),
        splits=np.array(["train"] * n),
        groups={},
    )


@pytest.mark.parametrize("shard_size", [2, 3, 100])
def test_every_caption_is_embedded_and_an_item_is_the_mean_of_its_captions(tmp_path, shard_size):
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=(count, 4)).astype(np.float32).round(4) for count in (1, 3, 2, 5, 1)]
    texts = [tuple(" ".join(["w", *map(str, row)]) for row in each) for each in rows]
    made = extract(caption_samples(texts), Vectors(modality="text", batch_size=2), tmp_path, shard_size=shard_size)
    assert len(made) == 5
    assert made.ids.tolist() == ["i0", "i1", "i2", "i3", "i4"]
    means = np.stack([each.mean(axis=0) for each in rows])
    assert np.allclose(made.array(), means, atol=1e-6)
    assert np.allclose(made.take(np.array([3, 0])), means[[3, 0]], atol=1e-6)
    captions, owners = made.captions()
    assert np.allclose(captions, np.concatenate(rows))
    assert owners.tolist() == [0, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3, 4]
    captions, owners = made.captions(np.array([2, 4]))
    assert np.allclose(captions, np.concatenate([rows[2], rows[4]]))
    assert owners.tolist() == [2, 2, 4]


def test_a_single_caption_is_the_text_itself(tmp_path):
    plain = extract(caption_samples(["w 1 2", "w 3 4"]), Vectors(modality="text"), tmp_path / "plain")
    tuples = extract(caption_samples([("w 1 2",), ("w 3 4",)]), Vectors(modality="text"), tmp_path / "tuples")
    assert plain.offsets is tuples.offsets is None
    assert np.array_equal(plain.array(), tuples.array())
    assert np.array_equal(plain.captions()[0], plain.array())


def test_items_without_a_caption_are_listed(tmp_path):
    with pytest.raises(ValueError, match=r"2 samples have no caption \(i1, i2\)"):
        extract(caption_samples([("w 1",), (), ()]), Vectors(modality="text"), tmp_path)


def test_words_that_a_cluster_uses_more_than_the_others_name_it():
    texts = ["the red flag of a country", "flag with a star", "a happy dog", "dog and cat"] * 5
    labels = np.tile([0, 0, 1, 1], 5)
    first, second, empty = typical_words(texts, labels, 3, 1)
    assert (first, second, empty) == ("flag", "dog", "")
    assert step_names((first, second, empty)) == ("0 flag", "1 dog", "cluster 2")
    assert typical_words(["1 2", "3"], np.array([0, 1]), 2, 2) == ("", "")

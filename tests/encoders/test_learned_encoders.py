"""Encoders that learn from the training part, and the controls that know nothing."""

import numpy as np
import pytest
from numpy.typing import NDArray

from scar.data.samples import Samples
from scar.encoders._learned import drawn
from scar.encoders.embeddings.cost import read_cost
from scar.encoders.embeddings.extraction import extract
from scar.encoders.encoder import Encoder
from scar.encoders.pixels_pca import PixelsPca
from scar.encoders.random_network import RandomNetwork
from scar.encoders.random_vectors import RandomVectors
from scar.encoders.tfidf import TfidfSvd
from scar.testing import check_encoder

TOPICS = {"sea": "ship wave harbour sail anchor", "wood": "tree leaf branch bark root"}
RNG = np.random.default_rng(0)
TEXTS = [" ".join(RNG.choice(TOPICS[topic].split(), 4)) for topic in ("sea", "wood") * 30]
IMAGES: NDArray[np.uint8] = RNG.integers(0, 256, (40, 8, 8), dtype=np.uint8)


@pytest.mark.parametrize(
    ("encoder", "payloads"),
    [
        (TfidfSvd(dimension=4, words=1), TEXTS),
        (RandomVectors(dimension=8), TEXTS),
        (PixelsPca(dimension=5), list(IMAGES)),
        (RandomNetwork(resolution=32), list(IMAGES[:6])),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
def test_the_contract_of_encoders_is_kept(encoder: Encoder, payloads: list[object]) -> None:
    check_encoder(encoder, payloads)


def test_terms_that_occur_together_lie_together() -> None:
    embed = TfidfSvd(dimension=2, words=1, min_texts=1).fit(TEXTS)
    sea, wood, mixed = embed(["ship wave", "leaf bark", "unheard"])
    other_sea = embed(["harbour anchor"])[0]
    assert sea @ other_sea > 0.9 * np.linalg.norm(sea) * np.linalg.norm(other_sea)
    assert abs(sea @ wood) < 0.1 * np.linalg.norm(sea) * np.linalg.norm(wood)
    assert not mixed.any()


def test_only_the_training_part_is_learned_from(tmp_path) -> None:
    splits = np.array(["train"] * 60 + ["test"] * 2)
    ids = np.array([f"s{i:02d}" for i in range(62)])
    encoder = TfidfSvd(dimension=3, words=1, min_texts=1)
    extracted = []
    for name, last in (("one", ["ship", "leaf"]), ("two", ["ship ship zebra", "zebra zebra zebra"])):
        samples = Samples(ids, {"text": [*TEXTS, *last]}, np.arange(62) % 2, ("a", "b"), splits, {})
        extracted.append(extract(samples, encoder, tmp_path / name).array()[:60])
    np.testing.assert_array_equal(*extracted)
    cost = read_cost(tmp_path / "one")
    assert (cost["embedded"], cost["reused"]) == (62, 0)
    assert cost["parameters"] == 3 * 10 + 10  # directions, and one weight per term


def test_principal_components_are_those_of_the_plain_decomposition() -> None:
    mixed = RNG.standard_normal((40, 4)) * [40, 20, 10, 5] @ RNG.standard_normal((4, 64)) / 4 + 128
    images = mixed.clip(0, 255).astype(np.uint8).reshape(40, 8, 8)
    flat = images.reshape(len(images), -1) / 255.0
    centred = flat - flat.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    expected = np.abs(left * values)[:, :3]
    np.testing.assert_allclose(np.abs(PixelsPca(dimension=3).fit(list(images))(list(images))), expected, atol=2e-3)


def test_the_seed_draws_the_weights_and_nothing_else_does() -> None:
    import torch

    state = torch.random.get_rng_state()
    first, again, other = (RandomNetwork(resolution=32, seed=s).open()(list(IMAGES[:2])) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_what_learns_cannot_be_opened_and_what_does_not_cannot_be_fitted() -> None:
    for encoder in (TfidfSvd(), PixelsPca()):
        with pytest.raises(ValueError, match="learns from the training part"):
            encoder.open()
    with pytest.raises(ValueError, match="has weights of its own"):
        RandomVectors().fit(TEXTS)
    with pytest.raises(ValueError, match=r"min_texts=70"):
        TfidfSvd(min_texts=70, words=1).fit(TEXTS)


def test_a_draw_keeps_the_order_and_the_number() -> None:
    rows = drawn(list(range(100)), 10, 0)
    assert len(rows) == 10
    assert rows == sorted(set(rows))
    assert drawn(list(range(5)), 10, 0) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="fit_samples=0"):
        drawn([1], 0, 0)

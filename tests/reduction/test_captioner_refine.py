import sys

import numpy as np
import pytest
import torch
from tiny_captions import COLOURS, colours, tiny

from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.reduction.caption_writing import generate
from scar.reduction.codes import read_codes
from scar.reduction.image_codes import encode_images, write_codes
from scar.reduction.refine import collapse, refine
from scar.reduction.tokens import decode, encode, make_tokenizer, open_tokenizer
from scar.reduction.training import train_captioner

IMAGES, CAPTIONS, _ = colours(240)
NEW, _, NAMES = colours(40, seed=1)


@pytest.fixture(scope="module")
def captioner(tmp_path_factory):
    """One that has learned the colours."""
    return train_captioner(tiny(epochs=15), IMAGES, CAPTIONS, seed=0, folder=tmp_path_factory.mktemp("captioner"))


@pytest.mark.parametrize("method", ["beam", "greedy", "nucleus"])
def test_captions_name_the_colour_of_pictures_not_seen_before(captioner, method):
    written = generate(captioner, NEW, method=method)
    named = [[colour for colour in COLOURS if colour in caption.split()] for caption in written]
    assert np.mean([found == [name] for found, name in zip(named, NAMES, strict=True)]) > 0.8
    assert not any("[" in caption for caption in written)


@pytest.mark.parametrize("method", ["beam", "greedy"])
def test_a_caption_does_not_depend_on_the_others(captioner, method):
    whole = generate(captioner, NEW[:9], method=method)
    assert generate(captioner, NEW[:9][::-1], method=method, batch_size=2) == whole[::-1]


def test_sampling_follows_its_seed_and_leaves_the_callers_alone(captioner):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first = generate(captioner, IMAGES, method="nucleus", top_p=1.0, seed=1)
    assert torch.equal(torch.rand(1), expected)
    assert generate(captioner, IMAGES, method="nucleus", top_p=1.0, seed=1) == first
    assert generate(captioner, IMAGES, method="nucleus", top_p=1.0, seed=2) != first


def test_more_beams_find_captions_that_are_no_less_likely(captioner):
    def likelihood(beams):
        images = torch.from_numpy(NEW)
        ids = torch.tensor(encode(captioner.tokenizer, generate(captioner, NEW, beams=beams), max_tokens=10))
        with torch.no_grad():
            return -float(captioner.losses(images, ids.long()).text.detach())

    assert likelihood(4) >= likelihood(1) - 1e-3


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"method": "top_k"}, "method='top_k' is unknown"), ({"beams": 0}, "beams=0"), ({"top_p": 0.0}, "top_p=0.0")],
)
def test_unknown_ways_to_write_are_refused(captioner, settings, message):
    with pytest.raises(ValueError, match=message):
        generate(captioner, NEW, **settings)


def test_codes_are_the_nearest_ones_whatever_the_batch(captioner):
    codes = encode_images(captioner, NEW)
    with torch.no_grad():
        tokens = captioner.encode(torch.from_numpy(NEW)).double().numpy()
    book = captioner.codebook.codes.detach().numpy()
    nearest = ((tokens[:, :, None] - book) ** 2).sum(axis=3).argmin(axis=2)
    assert np.array_equal(codes.indices, nearest)
    np.testing.assert_allclose(codes.quantised_mean, book[nearest].mean(axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(codes.image_embeddings, tokens.mean(axis=1), rtol=1e-4, atol=1e-5)
    assert np.array_equal(encode_images(captioner, NEW, batch_size=7).indices, nearest)
    assert len(np.unique(nearest)) > 2


def test_codes_are_kept_in_shards_with_their_ids(captioner, tmp_path):
    ids = [f"image-{number}" for number in range(len(NEW))]
    write_codes(captioner, NEW, ids, tmp_path, shard_size=15)
    found, codes = read_codes(tmp_path)
    assert found.tolist() == ids
    assert codes.indices.dtype == np.int32
    expected = encode_images(captioner, NEW)
    assert np.array_equal(codes.indices, expected.indices)
    np.testing.assert_allclose(codes.image_embeddings, expected.image_embeddings, rtol=1e-4, atol=1e-5)
    assert len(list((tmp_path / "indices").glob("shard-*.npy"))) == 3
    assert np.array_equal(EmbeddingSet.load(tmp_path / "indices").take(np.array([17])), expected.indices[[17]])


def test_shards_that_are_there_are_not_made_again(captioner, tmp_path):
    ids = [str(number) for number in range(len(NEW))]

    class Breaks:
        """Images of which the last cannot be read."""

        def __len__(self):
            return len(NEW)

        def __getitem__(self, row):
            if row == len(NEW) - 1:
                raise OSError("truncated")
            return NEW[row]

    with pytest.raises(OSError, match="truncated"):
        write_codes(captioner, Breaks(), ids, tmp_path, shard_size=16)
    with pytest.raises(FileNotFoundError):
        read_codes(tmp_path)
    first = (tmp_path / "indices" / "shard-00000.npy").stat().st_mtime_ns
    write_codes(captioner, NEW, ids, tmp_path, shard_size=16)
    assert (tmp_path / "indices" / "shard-00000.npy").stat().st_mtime_ns == first
    assert np.array_equal(read_codes(tmp_path)[1].indices, encode_images(captioner, NEW).indices)


def test_ids_must_be_distinct_and_as_many_as_images(captioner, tmp_path):
    for ids in (["a"] * len(NEW), ["a", "b"]):
        with pytest.raises(ValueError, match="give each image one of its own"):
            write_codes(captioner, NEW, ids, tmp_path)


def test_refined_captions_are_the_two_joined():
    originals, written = ["A dog. ", ""], ["a brown dog", "a cat"]
    assert refine(originals, written) == ["A dog. a brown dog", "a cat"]
    assert refine(originals, written, "original") == originals
    assert refine(originals, written, "generated") == written
    with pytest.raises(ValueError, match="mode='both' is unknown"):
        refine(originals, written, "both")
    with pytest.raises(ValueError, match="2 original and 1 generated"):
        refine(originals, ["a"])


def test_collapse_is_seen():
    various = collapse(["a dog", "the cat", "a bird sings", "one fish"])
    assert (various.distinct_ratio, various.most_common_share, various.vocabulary) == (1.0, 0.25, 8)
    assert various.mean_length == pytest.approx(9 / 4)
    assert various.entropy == pytest.approx(np.log(4))
    half = collapse(["a", "a", "a", "b"])
    assert (half.distinct_ratio, half.most_common_share) == (0.5, 0.75)
    assert half.entropy == pytest.approx(-0.75 * np.log(0.75) - 0.25 * np.log(0.25))
    assert collapse(["same"] * 5).entropy == pytest.approx(0)
    with pytest.raises(ValueError, match="captions is empty"):
        collapse([])


def test_the_tokens_of_captions_give_the_captions_back(tmp_path):
    tokenizer = make_tokenizer(["A red dog, a big dog.", "a big cat"], vocabulary=100)
    ids = encode(tokenizer, ["a big dog, a cat.", "A zebra"], max_tokens=20)
    assert decode(tokenizer, ids) == ["a big dog, a cat.", "a"]
    tokenizer.save_pretrained(tmp_path)
    assert np.array_equal(encode(open_tokenizer(tmp_path), ["a big dog, a cat.", "A zebra"], max_tokens=20), ids)


def test_captions_are_cut_and_keep_their_marks():
    tokenizer = make_tokenizer(["a b c d e"], vocabulary=100)
    (ids,) = encode(tokenizer, ["a b c d e"], max_tokens=4)
    assert tokenizer.convert_ids_to_tokens(ids) == ["[CLS]", "a", "b", "[SEP]"]


def test_the_most_frequent_words_stay_whatever_their_order():
    captions = ["b a", "c a", "a b"]
    words = [make_tokenizer(each, vocabulary=6).get_vocab() for each in (captions, captions[::-1])]
    assert words[0] == words[1]
    assert sorted(words[0], key=words[0].get)[4:] == ["a", "b"]


def test_a_tokenizer_needs_a_word():
    with pytest.raises(ValueError, match="hold no word"):
        make_tokenizer(["", " "], vocabulary=10)


def test_reading_the_settings_and_joining_captions_imports_no_torch():
    import subprocess

    code = "import scar.reduction.captioner_config, scar.reduction.refine, scar.reduction.codes, sys; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"

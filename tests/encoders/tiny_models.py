"""Tiny models of random weights, saved as the libraries save them, so that the code of the real ones can load them."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

TEXTS = ["a cat", "dogs bark at the cat and at the dogs", "the", "bark bark bark bark bark"]


@dataclass(frozen=True)
class Sound:
    """A sound in memory, at whatever rate it is asked for."""

    wave: np.ndarray

    def read(self, rate: int) -> np.ndarray:
        return self.wave


@dataclass(frozen=True)
class Video:
    """A video in memory; `frames` takes the middles of equal segments."""

    pictures: np.ndarray

    def frames(self, count: int) -> np.ndarray:
        places = (np.arange(count) + 0.5) * len(self.pictures) / count
        return self.pictures[places.astype(int)]


def sounds(lengths: Sequence[int], seed: int = 0) -> list[Sound]:
    rng = np.random.default_rng(seed)
    return [Sound(rng.normal(0, 0.2, length).astype(np.float32)) for length in lengths]


def videos(count: int = 3, length: int = 20, size: tuple[int, int] = (40, 48)) -> list[Video]:
    """Smooth colours that change with time."""
    rng = np.random.default_rng(1)
    start, end = rng.integers(0, 256, (2, count, 1, *size, 3))
    share = np.linspace(0, 1, length)[None, :, None, None, None]
    return [Video(np.asarray(each, np.uint8)) for each in start * (1 - share) + end * share]


def bert_tokenizer(folder: Path) -> None:
    from transformers import BertTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "the", "cat", "dogs", "bark", "at", "and"]
    BertTokenizerFast(vocab={word: i for i, word in enumerate(words)}).save_pretrained(folder)


def byte_pairs(folder: Path, kind: str) -> int:
    """Train a byte-level vocabulary on the texts and save it as a tokenizer of the kind; return its size."""
    import transformers
    from tokenizers import ByteLevelBPETokenizer

    special = {"Roberta": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"], "GPT2": ["<|endoftext|>"]}[kind]
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(TEXTS * 10, vocab_size=300, special_tokens=special, show_progress=False)
    vocabulary = folder / "vocabulary"
    vocabulary.mkdir()
    trained.save_model(str(vocabulary))
    words = json.loads((vocabulary / "vocab.json").read_text())
    merges = [tuple(line.split()) for line in (vocabulary / "merges.txt").read_text().splitlines()[1:]]
    shutil.rmtree(vocabulary)
    getattr(transformers, f"{kind}Tokenizer")(vocab=words, merges=merges).save_pretrained(folder)
    return len(words)


def clip_tokenizer(folder: Path, positions: int = 20) -> int:
    from transformers import CLIPTokenizer

    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: i for i, word in enumerate(words)}
    CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=positions).save_pretrained(folder)
    return len(words)


def word_tokenizer(folder: Path, positions: int = 16) -> int:
    """Save a tokenizer of whole words that gives no attention mask, as that of SigLIP."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "</s>", "<unk>", "a", "the", "cat", "dogs", "bark", "at", "and"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="</s>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=positions,
        model_input_names=["input_ids"],
    ).save_pretrained(folder)
    return len(words)


def save(model: Any, folder: Path) -> Path:
    """Spread the weights, so that a wrong input shows, and save the model."""
    import torch

    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.3, generator=generator)
    model.save_pretrained(folder)
    return folder


def with_changed(folder: Path, target: Path, file: str, change: Callable[[dict[str, Any]], None]) -> Path:
    """Copy a model's folder and change one of its JSON files."""
    shutil.copytree(folder, target)
    content = json.loads((target / file).read_text())
    change(content)
    (target / file).write_text(json.dumps(content))
    return target

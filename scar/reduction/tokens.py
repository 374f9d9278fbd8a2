"""Tokens of captions: a tokenizer made of their own words, or one of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

PAD, UNKNOWN, FIRST, LAST = "[PAD]", "[UNK]", "[CLS]", "[SEP]"


def make_tokenizer(captions: Sequence[str], *, vocabulary: int) -> Any:
    """Return a tokenizer with one token for each of the most frequent words of some captions.

    Texts are put in lower case, without accents, and cut at spaces and punctuation; what it has not seen becomes
    ``[UNK]``. A caption begins with ``[CLS]`` and ends with ``[SEP]``. Words of one frequency are in the order of the
    alphabet, so that the order of the captions does not matter.

    Args:
        captions: texts to take the words from.
        vocabulary: tokens at most, the four marks among them.

    Returns:
        A `PreTrainedTokenizerFast` of transformers.

    Raises:
        ValueError: the captions hold no word.
    """
    marks = [PAD, UNKNOWN, FIRST, LAST]
    backend: Any = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(cleanup=True)
    trainer = trainers.WordLevelTrainer(vocab_size=vocabulary, special_tokens=marks, show_progress=False)
    backend.train_from_iterator(captions, trainer)
    if backend.get_vocab_size() == len(marks):
        raise ValueError(f"the {len(captions)} captions hold no word; a tokenizer needs one at least")
    backend.post_processor = processors.TemplateProcessing(
        single=f"{FIRST} $A {LAST}", special_tokens=[(mark, backend.token_to_id(mark)) for mark in (FIRST, LAST)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token=PAD, unk_token=UNKNOWN, cls_token=FIRST, sep_token=LAST
    )


def open_tokenizer(name: str | Path) -> Any:
    """Return a tokenizer of transformers.

    Args:
        name: folder, or name at the hub.

    Raises:
        ValueError: it lacks one of the marks that a caption is padded, begun and ended with.
    """
    tokenizer = AutoTokenizer.from_pretrained(name)
    for mark in ("pad_token", "cls_token", "sep_token"):
        if getattr(tokenizer, mark) is None:
            raise ValueError(
                f"reduction.captioner.tokenizer={name} has no {mark}; choose one of the BERT family, or null"
            )
    return tokenizer


def encode(tokenizer: Any, captions: Sequence[str], *, max_tokens: int) -> NDArray[np.int32]:
    """Return the tokens of captions [N, T], T the length of the longest, padded on the right.

    Args:
        tokenizer: of transformers.
        captions: texts.
        max_tokens: of a caption, with its marks; what is longer is cut before the last mark.
    """
    rows = tokenizer(list(captions), truncation=True, max_length=max_tokens)["input_ids"]
    ids = np.full((len(rows), max(map(len, rows), default=0)), tokenizer.pad_token_id, np.int32)
    for place, row in zip(ids, rows, strict=True):
        place[: len(row)] = row
    return ids


def decode(tokenizer: Any, ids: NDArray[np.int32]) -> list[str]:
    """Return the texts of tokens [N, T], without marks."""
    return [text.strip() for text in tokenizer.batch_decode(ids, skip_special_tokens=True)]

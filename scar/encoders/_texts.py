"""Texts through a tokenizer and a model, in batches of similar length."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.encoders.encoder import Embed

PADDING_SHARE = 0.1
"""The largest share of a batch of texts that may be padding."""

PADDINGS = ("longest", "max_length")

Forward = Callable[[Mapping[str, Any]], NDArray[np.float32]]
"""From input ids and masks [B, L] to embeddings [B, D]."""


def text_embedder(tokenizer: Any, forward: Forward, *, max_tokens: int, padding: str, batch_tokens: int) -> Embed:
    """Return the function that embeds texts: tokens, batches of similar length, padding on the right.

    A text without a token has no embedding; its row is NaN, which extraction refuses.

    Args:
        tokenizer: of transformers.
        forward: the model.
        max_tokens: longer texts are cut.
        padding: ``"longest"`` of a batch, or ``"max_length"`` for models that were trained with a fixed length.
        batch_tokens: most tokens of a batch, padding included.
    """

    def embed(texts: Sequence[Any]) -> NDArray[np.float32]:
        encoded = tokenizer(list(texts), truncation=True, max_length=max_tokens)
        widths = np.array([len(ids) for ids in encoded["input_ids"]])
        if padding == "max_length":
            widths = np.where(widths > 0, max_tokens, 0)
        embeddings = np.full((len(texts), 1), np.nan, np.float32)
        for rows in group_by_length(widths, batch_tokens):
            width = int(widths[rows[0]])
            inputs = {name: _pad(tokenizer, name, [values[r] for r in rows], width) for name, values in encoded.items()}
            batch = forward(inputs)
            if embeddings.shape[1] != batch.shape[1]:
                embeddings = np.full((len(texts), batch.shape[1]), np.nan, np.float32)
            embeddings[rows] = batch
        return embeddings

    return embed


def group_by_length(lengths: NDArray[np.int64], batch_tokens: int) -> list[NDArray[np.int64]]:
    """Divide texts into batches, the longest first, with little padding; texts of no tokens are left out.

    Args:
        lengths: [N] tokens of each text.
        batch_tokens: most tokens of a batch, padding included; a batch has one text at least.

    Returns:
        Positions of the texts of each batch, the longest first.
    """
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > 0]
    batches: list[NDArray[np.int64]] = []
    start, tokens = 0, 0
    for end, row in enumerate(order):
        longest = int(lengths[order[start]])
        padded = longest * (end + 1 - start)
        filled = tokens + int(lengths[row])
        if end > start and (padded > batch_tokens or padded - filled > PADDING_SHARE * padded):
            batches.append(order[start:end])
            start, filled = end, int(lengths[row])
        tokens = filled
    return [*batches, order[start:]] if len(order) else []


def _pad(tokenizer: Any, name: str, rows: Sequence[Sequence[int]], width: int) -> NDArray[np.int64]:
    fill = tokenizer.pad_token_id if name == "input_ids" else 0
    padded = np.full((len(rows), width), fill, np.int64)
    for place, values in zip(padded, rows, strict=True):
        place[: len(values)] = values
    return padded


def load_tokenizer(folder: Path, max_tokens: int | None, positions: int | None) -> tuple[Any, int]:
    """Load a tokenizer of transformers and settle the greatest number of tokens.

    Args:
        folder: that holds its files.
        max_tokens: asked for; None for as many as the tokenizer and the model take.
        positions: of the model; None where it has no limit.

    Raises:
        ImportError: the tokenizer needs a package, such as sentencepiece.
        ValueError: `max_tokens` exceeds the positions of the model, or the tokenizer has no token to pad with.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except ImportError as error:
        reason = " ".join(str(error).split()).split(". ")[0]
        raise ImportError(f"the tokenizer in {folder}: {reason}; pip install 'scar-data[encoders]'") from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.pad_token_id is None:
        raise ValueError(f"the tokenizer in {folder} has neither a padding nor an end token; choose another model")
    if max_tokens is not None and positions is not None and max_tokens > positions:
        raise ValueError(
            f"encoder.max_tokens={max_tokens} exceeds the {positions} positions of the model in {folder}; "
            f"set encoder.max_tokens={positions} or less"
        )
    limits = [limit for limit in (max_tokens, tokenizer.model_max_length, positions) if limit is not None]
    return tokenizer, int(min(limits))


def text_positions(config: Any) -> int | None:
    """Return how many tokens a model of transformers can read, from the configuration of its text part."""
    text = getattr(config, "text_config", config)
    positions = getattr(text, "max_position_embeddings", None)
    if positions is not None and any(family in text.model_type for family in _COUNT_FROM_PADDING):
        positions -= text.pad_token_id + 1
    return positions


_COUNT_FROM_PADDING = ("roberta", "camembert", "mpnet", "clap_text_model")
"""Families whose first position comes after the index of the padding token."""

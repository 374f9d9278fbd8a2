"""How long texts are for an encoder, in the tokens of its own tokenizer; the model is not loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scar.common.files import read_json
from scar.common.types import Ints
from scar.encoders.encoder import Encoder


def text_lengths(encoder: Encoder, texts: Sequence[str]) -> tuple[Ints, int] | None:
    """Return the tokens [N] of texts, marks included, and how many the encoder reads; None where neither is known.

    Args:
        encoder: of texts.
        texts: [N].
    """
    try:
        files = {path.name: path for path in encoder.weights()}
    except (OSError, ValueError, ImportError):  # a run says what is missing
        return None
    limit = getattr(encoder, "max_tokens", None) or _positions(files.get("config.json"))
    if "tokenizer.json" not in files or limit is None:
        return None
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(files["tokenizer.json"]))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return np.array([len(each.ids) for each in tokenizer.encode_batch(list(texts))], np.int64), int(limit)


def _positions(config: Path | None) -> int | None:
    found = {} if config is None else read_json(config)
    return found.get("max_position_embeddings") or found.get("n_positions")

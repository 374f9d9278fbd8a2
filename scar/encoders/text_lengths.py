"""How long texts are for an encoder, in the tokens of its own tokenizer; the model is not loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scar.common.files import read_json, write_json
from scar.common.types import Ints
from scar.encoders.encoder import Encoder

MOST = 20_000
"""Texts that are counted; of more, evenly spaced ones."""


@dataclass(frozen=True, kw_only=True)
class Truncation:
    """How many texts are longer than an encoder reads.

    Attributes:
        counted: texts.
        longer: of them.
        limit: tokens that the encoder reads; 0 where that is not known.
    """

    counted: int = 0
    longer: int = 0
    limit: int = 0

    @property
    def share(self) -> float:
        """Share of the texts whose ends the encoder does not see."""
        return self.longer / self.counted if self.counted else 0.0

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Truncation:
        """Read what `save` wrote."""
        return cls(**read_json(path))


def texts_of(items: Iterable[str | Sequence[str]]) -> list[str]:
    """Return the texts of items that are one text or several each."""
    return [text for item in items for text in ((item,) if isinstance(item, str) else item)]


def count_truncated(encoder: Encoder, payload: Sequence[Any]) -> Truncation:
    """Count the texts of a payload, one or several an item, that are longer than an encoder reads."""
    places = np.unique(np.linspace(0, len(payload) - 1, min(len(payload), MOST)).round().astype(np.int64))
    items = [payload[int(place)] for place in places]
    texts = texts_of(items)
    known = text_lengths(encoder, texts) if texts else None
    if known is None:
        return Truncation()
    tokens, limit = known
    return Truncation(counted=len(texts), longer=int((tokens > limit).sum()), limit=limit)


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

"""Any text model of transformers: BERT, RoBERTa, GPT-2 and their kin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scar.encoders._pretrained import Pretrained, load_transformer, unit_length
from scar.encoders._texts import load_tokenizer, text_embedder, text_positions
from scar.encoders.encoder import Embed

if TYPE_CHECKING:
    import torch

_NO_POOLER = ("pooler.",)
"""Parameters that some checkpoints lack and that no pooling here reads."""


@dataclass(frozen=True, kw_only=True)
class TransformersText(Pretrained):
    """One vector of the last layer's states per text.

    Attributes:
        pooling: ``"cls"`` takes the state of the first token, ``"last"`` of the last token that is not padding,
            ``"mean"`` averages the tokens that are not padding. ``"reference"`` takes the last *position* after
            padding on the right to `max_tokens`, a padding token for all shorter texts. The published encoder did
            so with the length of the longest text of a batch, so that a vector depended on the other texts; with a
            fixed length it does not.
        max_tokens: longer texts are cut.
        normalize: scale embeddings to length 1.
        batch_tokens: most tokens in one call of the model, padding included.
    """

    modality: str = "text"
    batch_size: int = field(default=1024, metadata={"runtime": True})
    pooling: str = "cls"
    max_tokens: int = 512
    normalize: bool = False
    batch_tokens: int = field(default=8192, metadata={"runtime": True})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pooling not in POOLINGS:
            raise ValueError(f"encoder.pooling={self.pooling!r} is unknown; use one of {', '.join(POOLINGS)}")
        if self.max_tokens < 1 or self.batch_tokens < 1:
            raise ValueError(
                f"encoder.max_tokens={self.max_tokens} and encoder.batch_tokens={self.batch_tokens} must be at least 1"
            )

    def open(self) -> Embed:
        """Load the model and the tokenizer."""
        model, folder = load_transformer(self, optional=_NO_POOLER)
        tokenizer, limit = load_tokenizer(folder, self.max_tokens, text_positions(model.config))
        pool = POOLINGS[self.pooling]

        def forward(inputs: Mapping[str, Any]) -> torch.Tensor:
            return pool(model(**inputs).last_hidden_state, inputs["attention_mask"])

        run = self.inference(model, forward)
        return text_embedder(
            tokenizer,
            (lambda inputs: unit_length(run(inputs))) if self.normalize else run,
            max_tokens=limit,
            padding="max_length" if self.pooling == "reference" else "longest",
            batch_tokens=self.batch_tokens,
        )


def _first(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return states[:, 0]


def _last(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    last = mask.sum(dim=1) - 1
    return states.take_along_dim(last[:, None, None], dim=1)[:, 0]


def _mean(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weights = mask.unsqueeze(-1).float()
    return (states.float() * weights).sum(dim=1) / weights.sum(dim=1)


def _last_position(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return states[:, -1]


POOLINGS: Mapping[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "cls": _first,
    "last": _last,
    "mean": _mean,
    "reference": _last_position,
}
"""From states [B, L, D] and the mask of what is not padding [B, L] to vectors [B, D]."""

"""Any image model of transformers: ResNet, ViT, DINOv2 and their kin, with the checkpoint's own preprocessing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scar.encoders._payloads import to_rgb
from scar.encoders._pretrained import Pretrained, load_transformer, unit_length
from scar.encoders.encoder import Embed

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class TransformersVision(Pretrained):
    """One vector per image. Size, crop, mean and standard deviation are those of the checkpoint.

    Attributes:
        pooling: ``"cls"`` takes the state of the first token of the last layer, ``"mean"`` averages all tokens,
            ``"pooled"`` takes what the model itself pools: the average of the last map for convolutional networks.
        normalize: scale embeddings to length 1.
    """

    modality: str = "image"
    batch_size: int = field(default=32, metadata={"runtime": True})
    pooling: str = "cls"
    normalize: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pooling not in POOLINGS:
            raise ValueError(f"encoder.pooling={self.pooling!r} is unknown; use one of {', '.join(POOLINGS)}")

    def open(self) -> Embed:
        """Load the model and its image processor."""
        model, folder = load_transformer(self, optional=() if self.pooling == "pooled" else ("pooler.",))
        processor = load_image_processor(folder)
        pool = POOLINGS[self.pooling]
        run = self.inference(model, lambda inputs: pool(model(**inputs)))

        def embed(images: Sequence[Any]) -> NDArray[np.float32]:
            rows = run({"pixel_values": image_pixels(processor, images)})
            return unit_length(rows) if self.normalize else rows

        return embed


def load_image_processor(folder: Path) -> Any:
    """Load the image processor of a checkpoint; always the one that resizes with PIL, so that none depends on what is installed."""
    from transformers import AutoImageProcessor

    return AutoImageProcessor.from_pretrained(folder, local_files_only=True, backend="pil")


def image_pixels(processor: Any, images: Sequence[Any]) -> Any:
    """Return what an image processor makes of image payloads: pixels [B, 3, H, W]."""
    return processor(images=[to_rgb(image) for image in images], return_tensors="pt")["pixel_values"]


def _first(output: Any) -> torch.Tensor:
    return _tokens(output)[:, 0]


def _mean(output: Any) -> torch.Tensor:
    return _tokens(output).float().mean(dim=1)


def _tokens(output: Any) -> torch.Tensor:
    states: torch.Tensor = output.last_hidden_state
    if states.ndim != 3:
        raise ValueError(
            f"the last layer has the shape {list(states.shape)}, which holds no tokens; use encoder.pooling=pooled"
        )
    return states


def _pooled(output: Any) -> torch.Tensor:
    pooled = getattr(output, "pooler_output", None)
    if pooled is None:
        raise ValueError("the model pools nothing itself; use encoder.pooling=cls or encoder.pooling=mean")
    vectors: torch.Tensor = pooled.flatten(start_dim=1)
    return vectors


POOLINGS: Mapping[str, Callable[[Any], torch.Tensor]] = {"cls": _first, "mean": _mean, "pooled": _pooled}
"""From the output of a model to vectors [B, D]."""

"""VideoCLIP-XL: a joint space of videos and long texts, from the authors' code and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scar.encoders._checkout import checkout_files, importable, load_part, load_state
from scar.encoders._payloads import sample_frames
from scar.encoders._pretrained import TorchEncoder, unit_length
from scar.encoders.encoder import Embed

if TYPE_CHECKING:
    import torch

_WEIGHTS = "VideoCLIP-XL.bin"
_SIZE = 224
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Frames are squeezed to a square and normalised as the authors do."""

_GET = (
    "git clone https://huggingface.co/alibaba-pai/VideoCLIP-XL (modeling.py, utils/ and, through git-lfs, "
    f"{_WEIGHTS}) and read its code, which is run here"
)


@dataclass(frozen=True, kw_only=True)
class VideoClipXL(TorchEncoder):
    """The joint space: projected, and of length 1.

    Attributes:
        frames: per video, from the middles of as many equal segments.
        folder: of the authors' repository with the weights.
    """

    name: str = "videoclip_xl"
    modality: str = "video+text"
    batch_size: int = field(default=8, metadata={"runtime": True})
    frames: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if not set(self.modalities) <= {"video", "text"}:
            raise ValueError(f"encoder.modality={self.modality!r} must be video, text or video+text")
        if self.frames < 1:
            raise ValueError(f"encoder.frames={self.frames} must be at least 1")

    def weights(self) -> list[Path]:
        """Return the weights and the code of the checkout, which decides the embeddings too."""
        self.single()
        return checkout_files(self.folder, [_WEIGHTS, "modeling.py"], name=self.name, get=_GET)

    def open(self) -> Embed:
        """Build the model with the authors' code and load the weights."""
        path = self.weights()[0]
        with importable(path.parent, ("modeling", "utils"), name=self.name):
            from modeling import VideoCLIP_XL  # type: ignore[import-not-found]
            from utils.text_encoder import text_encoder  # type: ignore[import-not-found]

            whole = VideoCLIP_XL()
        part = "vision_model" if self.modality == "video" else "text_model"
        model = getattr(whole, part)
        load_part(model, load_state(path), f"{part}.", path=path, name=self.name)
        model = self.place(model)
        if self.modality == "text":
            run = self.inference(model, lambda inputs: model.encode_text(inputs["tokens"]))
            return lambda texts: unit_length(run({"tokens": text_encoder.tokenize(list(texts), truncate=True)}))
        run = self.inference(model, lambda inputs: model.get_vid_features(inputs["frames"]))

        def embed(videos: Sequence[Any]) -> NDArray[np.float32]:
            return unit_length(run({"frames": _pixels(sample_frames(videos, self.frames))}))

        return embed


def _pixels(videos: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
    """Return the frames of some videos [T, H, W, 3] as the model reads them [B, T, 3, 224, 224]."""
    import torch

    mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in (_MEAN, _DEVIATION))
    batch = []
    for video in videos:
        frames = torch.from_numpy(np.ascontiguousarray(video)).permute(0, 3, 1, 2).float()
        frames = torch.nn.functional.interpolate(frames, (_SIZE, _SIZE), mode="bilinear", align_corners=False).round_()
        batch.append((frames / 255 - mean) / deviation)
    return torch.stack(batch)

"""Any joint model of transformers: CLIP, SigLIP, X-CLIP, CLAP and their kin, one tower at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scar.encoders._payloads import middle, read_audio, sample_frames
from scar.encoders._pretrained import Pretrained, load_transformer, unit_length
from scar.encoders._texts import PADDINGS, load_tokenizer, text_embedder, text_positions
from scar.encoders.encoder import MODALITIES, Embed
from scar.encoders.transformers_vision import image_pixels, load_image_processor

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class TransformersPair(Pretrained):
    """The joint space of a model: projected, and of length 1.

    A sound that is longer than the model reads is cut to its middle, where the library would cut at random. Of a
    video, as many frames are read as the model was trained with, from the middles of equal segments.

    Attributes:
        modality: of both towers, joined by ``+``.
        padding: of texts, ``"longest"`` of a batch, or ``"max_length"``, as SigLIP was trained.
        max_tokens: longer texts are cut; None for as many as the model reads.
        normalize: scale embeddings to length 1.
        batch_tokens: most tokens in one call of the text tower, padding included.
    """

    batch_size: int = field(default=32, metadata={"runtime": True})
    padding: str = "longest"
    max_tokens: int | None = None
    normalize: bool = True
    batch_tokens: int = field(default=8192, metadata={"runtime": True})

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [each for each in self.modalities if each not in MODALITIES]
        if unknown:
            raise ValueError(f"encoder.modality={self.modality!r} must be of {', '.join(MODALITIES)}, joined by +")
        if self.padding not in PADDINGS:
            raise ValueError(f"encoder.padding={self.padding!r} is unknown; use one of {', '.join(PADDINGS)}")
        if self.batch_tokens < 1 or (self.max_tokens is not None and self.max_tokens < 1):
            raise ValueError(
                f"encoder.max_tokens={self.max_tokens} and encoder.batch_tokens={self.batch_tokens} must be at least 1"
            )

    def open(self) -> Embed:
        """Load the model and what prepares the payloads of this tower."""
        modality = self.single()
        model, folder = load_transformer(self)
        features = getattr(model, f"get_{modality}_features", None)
        if features is None:
            raise ValueError(f"{self.model} has no tower for encoder.modality={modality}; choose another model")

        def forward(inputs: Mapping[str, Any]) -> torch.Tensor:
            vectors: torch.Tensor = features(**inputs).pooler_output
            return vectors

        run = self.inference(model, forward)
        finish = unit_length if self.normalize else _unchanged
        if modality == "text":
            tokenizer, limit = load_tokenizer(folder, self.max_tokens, text_positions(model.config))
            return text_embedder(
                tokenizer,
                lambda inputs: finish(run(inputs)),
                max_tokens=limit,
                padding=self.padding,
                batch_tokens=self.batch_tokens,
            )
        prepare = {"image": _images, "video": _videos, "audio": _sounds}[modality](folder, model.config)
        return lambda payloads: finish(run(prepare(payloads)))


def _unchanged(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows


def _images(folder: Any, config: Any) -> Any:
    processor = load_image_processor(folder)

    def prepare(images: Sequence[Any]) -> dict[str, Any]:
        return {"pixel_values": image_pixels(processor, images)}

    return prepare


def _videos(folder: Any, config: Any) -> Any:
    """Frames [B, T, 3, H, W], each prepared as an image."""
    processor = load_image_processor(folder)
    count = config.vision_config.num_frames

    def prepare(videos: Sequence[Any]) -> dict[str, Any]:
        frames = [frame for video in sample_frames(videos, count) for frame in video]
        pixels = image_pixels(processor, frames)
        return {"pixel_values": pixels.reshape(len(videos), count, *pixels.shape[-3:])}

    return prepare


def _sounds(folder: Any, config: Any) -> Any:
    from transformers import AutoFeatureExtractor

    extractor = AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
    if getattr(config.audio_config, "enable_fusion", False):
        raise ValueError(
            f"the model in {folder} fuses parts of a sound that are drawn at random, so that its embeddings would "
            "change from run to run; use one without fusion, such as laion/clap-htsat-unfused"
        )

    def prepare(sounds: Sequence[Any]) -> Any:
        waves = [middle(wave, extractor.nb_max_samples) for wave in read_audio(sounds, extractor.sampling_rate)]
        return extractor(waves, sampling_rate=extractor.sampling_rate, return_tensors="pt")

    return prepare

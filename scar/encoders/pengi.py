"""Pengi: sounds and texts as its language model would be prompted with, from the authors' code and weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import OmegaConf

from scar.encoders._checkout import checkout_files, importable, load_part, load_state
from scar.encoders._payloads import middle, read_audio, repeat_to
from scar.encoders._pretrained import TorchEncoder, unit_length
from scar.encoders._texts import load_tokenizer, text_embedder
from scar.encoders._weights import MODEL, TOKENIZER, pretrained_files
from scar.encoders.encoder import Embed

_NEEDS = ["configs/base.pth", "configs/base.yml", "models/pengi.py"]
_GET = (
    "git clone https://github.com/microsoft/Pengi, put base.pth of https://zenodo.org/records/8387083 into its "
    "configs/, and read its code, which is run here"
)


@dataclass(frozen=True, kw_only=True)
class Pengi(TorchEncoder):
    """The projections of the two encoders in front of the decoder; the decoder itself is not needed.

    A long sound is cut to its middle, where the authors cut at random; a short one is repeated.

    Attributes:
        folder: of the authors' repository with the weights.
        tokenizer: id at the hub of the text model; its vocabulary and configuration are read, not its weights.
        revision: of `tokenizer`.
        tokenizer_folder: with a copy of these files, instead of the hub.
        normalize: scale embeddings to length 1. The published runs did so for sounds, not for texts.
        batch_tokens: most tokens in one call of the text model, padding included.
    """

    name: str = "pengi"
    modality: str = "audio+text"
    batch_size: int = field(default=16, metadata={"runtime": True})
    tokenizer: str = "openai/clip-vit-base-patch16"
    revision: str = "57c216476eefef5ab752ec549e440a49ae4ae5f3"
    tokenizer_folder: str | None = field(default=None, metadata={"runtime": True})
    normalize: bool = True
    batch_tokens: int = field(default=8192, metadata={"runtime": True})

    def __post_init__(self) -> None:
        super().__post_init__()
        if not set(self.modalities) <= {"audio", "text"}:
            raise ValueError(f"encoder.modality={self.modality!r} must be audio, text or audio+text")
        if self.batch_tokens < 1:
            raise ValueError(f"encoder.batch_tokens={self.batch_tokens} must be at least 1")

    def weights(self) -> list[Path]:
        """Return the weights and the code of the checkout; for texts, the vocabulary too."""
        modality = self.single()
        files = checkout_files(self.folder, _NEEDS, name=self.name, get=_GET)
        return files if modality == "audio" else [*files, *self._vocabulary()]

    def open(self) -> Embed:
        """Build one encoder with the authors' code and load its weights."""
        files = self.weights()
        card: Any = OmegaConf.to_container(OmegaConf.load(files[1]))
        state = load_state(files[0], inside="model")
        with importable(files[0].parents[1], ("models", "config"), name=self.name):
            from models import pengi  # type: ignore[import-not-found]
        return self._sounds(pengi, card, state) if self.modality == "audio" else self._texts(pengi, card, state)

    def _vocabulary(self) -> list[Path]:
        return pretrained_files(self.tokenizer, self.revision, self.tokenizer_folder, (MODEL, TOKENIZER))

    def _sounds(self, pengi: Any, card: Mapping[str, Any], state: Mapping[str, Any]) -> Embed:
        rate = card["dataset_config"]["sampling_rate"]
        length = rate * card["dataset_config"]["duration"]
        model = pengi.AudioEncoder(
            card["audioenc_name"],
            card["out_emb"],
            card["d_proj"],
            rate,
            *(card[each] for each in ("window_size", "hop_size", "mel_bins", "fmin", "fmax")),
            None,
            *(card[each] for each in ("specaug", "mixup", "use_pretrained_audioencoder")),
            True,
            False,
            None,
        )
        self._load(model, state, "audio_encoder.")
        run = self.inference(model, lambda inputs: model(inputs["waves"])[0])

        def embed(sounds: Sequence[Any]) -> NDArray[np.float32]:
            waves = [repeat_to(middle(wave, length), length) for wave in read_audio(sounds, rate)]
            return self._finish(run({"waves": np.stack(waves)}))

        return embed

    def _texts(self, pengi: Any, card: Mapping[str, Any], state: Mapping[str, Any]) -> Embed:
        from torch.nn import Linear, ModuleDict
        from transformers import AutoConfig, CLIPTextModel

        folder = self._vocabulary()[0].parent
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        text, width = config.text_config, config.projection_dim
        base = CLIPTextModel(text)
        model = ModuleDict(
            {
                "base": getattr(base, "text_model", base),
                "clip_text_projection": Linear(text.hidden_size, width, bias=False),
                "projection": pengi.Projection(width, card["d_proj"]),
            }
        )
        self._load(model, state, "caption_encoder.")

        def forward(inputs: Mapping[str, Any]) -> Any:
            return model["projection"](model["clip_text_projection"](model["base"](**inputs).pooler_output))

        run = self.inference(model, forward)
        tokenizer, limit = load_tokenizer(folder, card["dataset_config"]["enc_text_len"], text.max_position_embeddings)
        return text_embedder(
            tokenizer,
            lambda inputs: self._finish(run(inputs)),
            max_tokens=limit,
            padding="longest",
            batch_tokens=self.batch_tokens,
        )

    def _load(self, model: Any, state: Mapping[str, Any], prefix: str) -> None:
        load_part(model, state, prefix, path=self.weights()[0], name=self.name)
        self.place(model)

    def _finish(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return unit_length(rows) if self.normalize else rows

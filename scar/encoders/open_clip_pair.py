"""Any model of open_clip: CoCa, CLIP, SigLIP and their kin, one tower at a time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.encoders._payloads import to_rgb
from scar.encoders._pretrained import Pretrained, unit_length
from scar.encoders._weights import TOKENIZER, missing_kinds, pretrained_files, remembered
from scar.encoders.encoder import Embed

_NEEDS = (
    ("open_clip_config.json",),
    ("open_clip_model*.safetensors", "open_clip_pytorch_model*.safetensors", "open_clip_pytorch_model*.bin"),
)


@dataclass(frozen=True, kw_only=True)
class OpenClipPair(Pretrained):
    """The joint space of images and texts: projected, and of length 1, with the preprocessing of the weights.

    Attributes:
        model: open_clip's name, or the id of a repository at the hub (``"owner/name"``).
        pretrained: open_clip's tag of the weights; None where `model` is an id.
        normalize: scale embeddings to length 1.
        folder: with ``open_clip_config.json`` and the weights, as open_clip pushes it to the hub.
    """

    modality: str = "image+text"
    batch_size: int = field(default=32, metadata={"runtime": True})
    pretrained: str | None = None
    normalize: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not set(self.modalities) <= {"image", "text"}:
            raise ValueError(f"encoder.modality={self.modality!r} must be image, text or image+text")
        if self.folder is None and ("/" in self.model) == (self.pretrained is not None):
            raise ValueError(
                f"encoder.model={self.model} and encoder.pretrained={self.pretrained}: give a name of open_clip with "
                "a tag, or owner/name of the hub without one; open_clip.list_pretrained() lists both"
            )

    def weights(self) -> list[Path]:
        """Return the weights and the configuration beside them."""
        self.single()
        hub = self.model
        if self.folder is None and self.pretrained is not None:
            hub = remembered("open_clip_torch", f"{self.model}/{self.pretrained}", _hub_id)
        return pretrained_files(hub, self.revision, self.folder, _NEEDS)

    def open(self) -> Embed:
        """Build the model, load the weights and make the preprocessing that they ask for."""
        import open_clip
        import torch

        folder = self.weights()[0].parent
        try:
            model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}", require_pretrained=True)
        except RuntimeError as error:
            raise ValueError(f"{folder} does not hold the weights of its configuration: {error}") from error
        model = self.place(model)
        finish = unit_length if self.normalize else (lambda rows: rows)
        if self.modality == "text":
            tokenize = _tokenizer(open_clip, folder)
            run = self.inference(model, lambda inputs: model.encode_text(inputs["tokens"]))
            return lambda texts: finish(run({"tokens": tokenize(list(texts))}))
        run = self.inference(model, lambda inputs: model.encode_image(inputs["pixels"]))

        def embed(images: Sequence[Any]) -> NDArray[np.float32]:
            rows: NDArray[np.float32] = finish(
                run({"pixels": torch.stack([transform(to_rgb(image)) for image in images])})
            )
            return rows

        return embed


def _tokenizer(open_clip: Any, folder: Path) -> Any:
    text = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))["model_cfg"]["text_cfg"]
    lacking = missing_kinds(folder, [TOKENIZER])
    if text.get("hf_tokenizer_name") and lacking:
        raise FileNotFoundError(
            f"{folder} does not hold {lacking}; put the files of the tokenizer {text['hf_tokenizer_name']} there"
        )
    return open_clip.get_tokenizer(f"local-dir:{folder}")


def _hub_id(name: str) -> str:
    """Ask open_clip where the weights of a model and tag are."""
    import open_clip

    model, _, tag = name.rpartition("/")
    card = open_clip.get_pretrained_cfg(model, tag)
    if not card.get("hf_hub"):
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(model)) or "none: the model is unknown"
        raise ValueError(
            f"encoder.pretrained={tag} of encoder.model={model} is not at the hub for open_clip; its tags are {tags}"
        )
    return "/".join(card["hf_hub"].split("/")[:2])

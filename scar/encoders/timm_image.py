"""Any image model of timm, with the preprocessing of its weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.encoders.base import Embed
from scar.encoders.hub import MODEL, WEIGHTS, pretrained_files, remembered
from scar.encoders.payloads import to_rgb
from scar.encoders.pretrained import Pretrained, inference

_HUB = "hf-hub:"


@dataclass(frozen=True, kw_only=True)
class TimmImage(Pretrained):
    """The pooled features before the classifier. Size, crop, mean and standard deviation are those of the weights.

    Attributes:
        model: timm's name, with or without the tag of the weights (``"resnet50.a1_in1k"``), or
            ``"hf-hub:owner/name"``.
        folder: that `timm.models.save_for_hf` wrote, or a file with a state dict of `model`.
        resolution: side of the square that the model sees, in pixels; None for that of the weights.
    """

    helpers: ClassVar[tuple[str, ...]] = (
        "scar.encoders.pretrained",
        "scar.encoders.payloads",
        "scar.encoders.images",
    )

    modality: str = "image"
    batch_size: int = field(default=32, metadata={"runtime": True})
    resolution: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resolution is not None and self.resolution < 1:
            raise ValueError(f"encoder.resolution={self.resolution} must be at least 1, or null")

    def weights(self) -> list[Path]:
        """Return the weights and the configuration beside them."""
        file = Path(self.folder).expanduser() if self.folder is not None else None
        if file is not None and file.is_file():
            return [file]
        hub = self.model.removeprefix(_HUB)
        if self.folder is None and not self.model.startswith(_HUB):
            hub = remembered("timm", self.model, _hub_id)
        return pretrained_files(hub, self.revision, self.folder, (MODEL, WEIGHTS))

    def open(self) -> Embed:
        """Build the model, load the weights and make the preprocessing that they ask for."""
        import torch
        from timm.data.config import resolve_model_data_config
        from timm.data.transforms_factory import create_transform

        model = self.place(self._load())
        card: dict[str, Any] = resolve_model_data_config(model)  # type: ignore[no-untyped-call]
        if self.resolution is not None:
            card["input_size"] = (3, self.resolution, self.resolution)
        transform = create_transform(**card, is_training=False)
        run = inference(model, lambda inputs: model(inputs["pixels"]))

        def embed(images: Sequence[Any]) -> NDArray[np.float32]:
            return run({"pixels": torch.stack([transform(to_rgb(image)) for image in images])})

        return embed

    def _load(self) -> Any:
        import timm

        source = self.weights()[0]
        options: dict[str, Any] = {}
        if self.folder is not None and source == Path(self.folder).expanduser():
            name, options["pretrained_cfg_overlay"] = self.model, {"file": str(source)}
            fixed = getattr(timm.get_pretrained_cfg(self.model), "fixed_input_size", False)
        else:
            name = f"local-dir:{source.parent}"
            card = json.loads((source.parent / "config.json").read_text(encoding="utf-8"))
            fixed = card.get("pretrained_cfg", card).get("fixed_input_size", False)
        if self.resolution is not None and fixed:
            options["img_size"] = self.resolution  # the embedding of positions is interpolated
        try:
            return timm.create_model(name, pretrained=True, num_classes=0, **options)
        except RuntimeError as error:
            raise ValueError(f"{source} does not hold the weights of encoder.model={self.model}: {error}") from error


def _hub_id(name: str) -> str:
    """Ask timm where the weights of a model are."""
    import timm

    card = timm.get_pretrained_cfg(name, allow_unregistered=False) if timm.is_model(name) else None
    if card is None or not card.hf_hub_id:
        near = ", ".join(timm.list_models(f"*{name.split('.')[0][:8]}*", pretrained=True)[:5])
        raise ValueError(
            f"encoder.model={name!r} is not a model of timm with weights at the hub"
            + (f"; near are {near}" if near else "")
            + "; list them with timm.list_pretrained(), or use hf-hub:owner/name"
        )
    return str(card.hf_hub_id)

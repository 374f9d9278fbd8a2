"""Models of timm with their weights and preprocessing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from timm.data.config import resolve_model_data_config
from timm.data.transforms_factory import create_transform

from scar.encoders._payloads import to_rgb
from scar.encoders._pretrained import Pretrained
from scar.encoders.encoder import Embed


def open_model(encoder: Pretrained, resolution: int | None) -> Embed:
    """Build the model of an encoder, load the weights and make the preprocessing that they ask for.

    Args:
        encoder: names the model and where its weights are.
        resolution: side of the square that the model sees, in pixels; None for that of the weights.
    """
    model = encoder.place(_load(encoder, resolution))
    card: dict[str, Any] = resolve_model_data_config(model)  # type: ignore[no-untyped-call]
    if resolution is not None:
        card["input_size"] = (3, resolution, resolution)
    transform = create_transform(**card, is_training=False)
    run = encoder.inference(model, lambda inputs: model(inputs["pixels"]))

    def embed(images: Sequence[Any]) -> NDArray[np.float32]:
        return run({"pixels": torch.stack([transform(to_rgb(image)) for image in images])})

    return embed


def _load(encoder: Pretrained, resolution: int | None) -> Any:
    source = encoder.weights()[0]
    options: dict[str, Any] = {}
    if encoder.folder is not None and source == Path(encoder.folder).expanduser():
        name, options["pretrained_cfg_overlay"] = encoder.model, {"file": str(source)}
        fixed = getattr(timm.get_pretrained_cfg(encoder.model), "fixed_input_size", False)
    else:
        name = f"local-dir:{source.parent}"
        card = json.loads((source.parent / "config.json").read_text(encoding="utf-8"))
        fixed = card.get("pretrained_cfg", card).get("fixed_input_size", False)
    if resolution is not None and fixed:
        options["img_size"] = resolution  # the embedding of positions is interpolated
    try:
        return timm.create_model(name, pretrained=True, num_classes=0, **options)
    except RuntimeError as error:
        raise ValueError(f"{source} does not hold the weights of encoder.model={encoder.model}: {error}") from error


def hub_id(name: str) -> str:
    """Ask timm where the weights of a model are."""
    card = timm.get_pretrained_cfg(name, allow_unregistered=False) if timm.is_model(name) else None
    if card is None or not card.hf_hub_id:
        near = ", ".join(timm.list_models(f"*{name.split('.')[0][:8]}*", pretrained=True)[:5])
        raise ValueError(
            f"encoder.model={name!r} is not a model of timm with weights at the hub"
            + (f"; near are {near}" if near else "")
            + "; list them with timm.list_pretrained(), or use hf-hub:owner/name"
        )
    return str(card.hf_hub_id)

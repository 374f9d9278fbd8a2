"""How large an encoder is: the numbers in its weights."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any

from scar.encoders._learned import Learned
from scar.encoders.encoder import Embed, Encoder

COUNTED = (".safetensors", ".pth", ".pt", ".bin")
FLOATING = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")


def count_parameters(encoder: Encoder, embed: Embed) -> int | None:
    """Return the numbers in the weights of an encoder, a classifier that goes unused included; None if unknown.

    Args:
        encoder: of one modality.
        embed: of the encoder; one that was `Learned` or drawn counts its own numbers.
    """
    if isinstance(embed, Learned):
        return embed.parameters
    files = encoder.weights()
    counted = [_count(path) for path in files if path.suffix in COUNTED]
    return None if files and not counted else sum(counted)


def _count(path: Path) -> int:
    if path.suffix == ".safetensors":
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        tensors = [each for name, each in header.items() if name != "__metadata__"]
        return sum(prod(each["shape"]) for each in tensors if each["dtype"] in FLOATING)
    import torch

    return _numbers(torch.load(path, map_location="cpu", weights_only=True))


def _numbers(state: Any) -> int:
    """Count the floating-point numbers in nested mappings of tensors."""
    if isinstance(state, dict):
        return sum(_numbers(each) for each in state.values())
    return int(state.numel()) if hasattr(state, "numel") and state.is_floating_point() else 0

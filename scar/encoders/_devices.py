"""Which device and which inference library an encoder uses, decided without importing torch."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from functools import cache

from scar.common.extras import is_installed

PRECISIONS: Mapping[str, Sequence[str]] = {
    "openvino": ("float32", "bfloat16"),
    "onnxruntime": ("float32",),
    "torch": ("float32", "bfloat16", "float16"),
}
"""What each library computes in, the fastest library on a CPU first."""


def resolve_backend(backend: str, device: str, precision: str, offered: Sequence[str]) -> str:
    """Return the library that runs a model.

    ``"auto"`` becomes, on a CPU, OpenVINO where it is installed, then ONNX Runtime if the encoder offers it; it
    becomes torch elsewhere, and for a precision that these do not compute in.

    Args:
        backend: ``"auto"`` or one that is offered.
        device: of the encoder.
        precision: of weights and arithmetic.
        offered: backends of the encoder.

    Raises:
        ValueError: backend or precision are unknown, or the backend cannot run on the device or in the precision.
    """
    if precision not in PRECISIONS["torch"]:
        known = ", ".join(PRECISIONS["torch"])
        raise ValueError(f"encoder.precision={precision!r} is unknown; use one of {known}")
    if backend not in ("auto", *offered):
        raise ValueError(f"encoder.backend={backend!r} is unknown; use one of auto, {', '.join(sorted(offered))}")
    if backend == "auto":
        able = [each for each in PRECISIONS if each in offered and precision in PRECISIONS[each]]
        usable = [each for each in able if each != "openvino" or is_installed(each)]
        return usable[0] if resolve_device(device) == "cpu" else "torch"
    if backend != "torch" and device not in ("auto", "cpu"):
        raise ValueError(
            f"encoder.backend={backend} runs on the CPU, but encoder.device={device}; use encoder.backend=torch"
        )
    if precision not in PRECISIONS[backend]:
        raise ValueError(
            f"encoder.backend={backend} does not compute in encoder.precision={precision}; use encoder.backend=torch, "
            f"or encoder.precision={' or '.join(PRECISIONS[backend])}"
        )
    return backend


def resolve_device(device: str) -> str:
    """Return ``"cuda"`` for ``"auto"`` where an NVIDIA GPU is visible, else ``"cpu"``; other names stay."""
    if device != "auto":
        return device
    return "cuda" if has_cuda() else "cpu"


@cache
def has_cuda() -> bool:
    """Tell whether an NVIDIA GPU is visible; asks the management library, which does not start CUDA."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    count = ctypes.c_uint(0)
    return bool(
        library.nvmlInit_v2() == 0 and library.nvmlDeviceGetCount_v2(ctypes.byref(count)) == 0 and count.value > 0
    )

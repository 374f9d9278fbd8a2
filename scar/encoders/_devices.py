"""Which device and which inference library an encoder uses, decided without importing torch."""

from __future__ import annotations

import ctypes
import os
from functools import cache

BACKENDS = ("auto", "onnxruntime", "torch")


def resolve_backend(backend: str, device: str) -> str:
    """Return the library that runs the model: ``"auto"`` is ONNX Runtime on a CPU and torch elsewhere.

    Raises:
        ValueError: the backend is unknown, or cannot run on the device.
    """
    if backend not in BACKENDS:
        raise ValueError(f"encoder.backend={backend!r} is unknown; use one of {', '.join(BACKENDS)}")
    on_cpu = resolve_device(device) == "cpu"
    if backend == "auto":
        return "onnxruntime" if on_cpu else "torch"
    if backend == "onnxruntime" and device not in ("auto", "cpu"):
        raise ValueError(
            f"encoder.backend=onnxruntime runs on the CPU, but encoder.device={device}; use encoder.backend=torch"
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

import ctypes

import pytest

from scar.encoders import _devices as devices
from scar.encoders._devices import has_cuda, resolve_backend, resolve_device


@pytest.mark.parametrize(
    ("backend", "device", "gpu", "expected"),
    [
        ("auto", "auto", False, "onnxruntime"),
        ("auto", "auto", True, "torch"),
        ("auto", "cpu", True, "onnxruntime"),
        ("auto", "cuda:1", False, "torch"),
        ("torch", "auto", False, "torch"),
        ("onnxruntime", "auto", True, "onnxruntime"),
    ],
)
def test_auto_becomes_a_definite_backend(
    monkeypatch: pytest.MonkeyPatch, backend: str, device: str, gpu: bool, expected: str
) -> None:
    monkeypatch.setattr(devices, "has_cuda", lambda: gpu)
    assert resolve_backend(backend, device) == expected
    assert resolve_device("auto") == ("cuda" if gpu else "cpu")


def test_unknown_and_impossible_backends_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"encoder\.backend='tensorrt' is unknown; use one of auto, onnxruntime, torch"
    ):
        resolve_backend("tensorrt", "auto")
    with pytest.raises(ValueError, match=r"onnxruntime runs on the CPU, but encoder\.device=cuda"):
        resolve_backend("onnxruntime", "cuda")


@pytest.mark.parametrize(("visible", "count", "expected"), [("0", 2, True), ("0", 0, False), ("-1", 2, False)])
def test_a_gpu_counts_if_the_driver_shows_it(
    monkeypatch: pytest.MonkeyPatch, visible: str, count: int, expected: bool
) -> None:
    class Library:
        def nvmlInit_v2(self) -> int:  # noqa: N802
            return 0

        def nvmlDeviceGetCount_v2(self, pointer: object) -> int:  # noqa: N802
            pointer._obj.value = count  # type: ignore[attr-defined]
            return 0

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library())
    assert has_cuda.__wrapped__() is expected

import ctypes

import pytest

from scar.common.machine import usable_cores, usable_threads
from scar.encoders import _devices as devices
from scar.encoders._devices import has_cuda, resolve_backend, resolve_device

ALL = ("openvino", "onnxruntime", "torch")
TWO = ("openvino", "torch")


@pytest.mark.parametrize(
    ("backend", "device", "gpu", "precision", "offered", "expected"),
    [
        ("auto", "auto", False, "float32", ALL, "openvino"),
        ("auto", "auto", True, "float32", ALL, "torch"),
        ("auto", "cpu", True, "float32", TWO, "openvino"),
        ("auto", "cuda:1", False, "float32", ALL, "torch"),
        ("auto", "cpu", False, "bfloat16", ALL, "openvino"),
        ("auto", "cpu", False, "float16", ALL, "torch"),
        ("torch", "auto", False, "float32", ALL, "torch"),
        ("openvino", "auto", True, "bfloat16", TWO, "openvino"),
        ("onnxruntime", "auto", True, "float32", ALL, "onnxruntime"),
    ],
)
@pytest.mark.parametrize("installed", [True, False])
def test_auto_becomes_a_definite_backend(
    monkeypatch: pytest.MonkeyPatch,
    backend: str,
    device: str,
    gpu: bool,
    precision: str,
    offered: tuple[str, ...],
    expected: str,
    installed: bool,
) -> None:
    monkeypatch.setattr(devices, "has_cuda", lambda: gpu)
    monkeypatch.setattr(devices, "is_installed", lambda name: installed)
    if backend == "auto" and expected == "openvino" and not installed:
        expected = "onnxruntime" if "onnxruntime" in offered and precision == "float32" else "torch"
    assert resolve_backend(backend, device, precision, offered) == expected
    assert resolve_device("auto") == ("cuda" if gpu else "cpu")


@pytest.mark.parametrize(
    ("backend", "device", "precision", "message"),
    [
        ("tensorrt", "auto", "float32", r"encoder\.backend='tensorrt' is unknown; use one of auto, openvino, torch"),
        ("onnxruntime", "auto", "float32", r"encoder\.backend='onnxruntime' is unknown"),
        ("auto", "auto", "int8", r"encoder\.precision='int8' is unknown; use one of float32, bfloat16, float16"),
        ("openvino", "cuda", "float32", r"openvino runs on the CPU, but encoder\.device=cuda"),
        ("openvino", "cpu", "float16", r"openvino does not compute in encoder\.precision=float16.*float32 or bfloat16"),
    ],
)
def test_unknown_and_impossible_backends_are_refused(backend: str, device: str, precision: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve_backend(backend, device, precision, TWO)


def test_threads_are_those_that_torch_would_take(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, expected in (("3", 3), ("2,4", 2), ("", usable_cores()), ("0", usable_cores()), ("x", usable_cores())):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert usable_threads() == expected


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

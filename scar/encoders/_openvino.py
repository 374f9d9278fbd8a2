"""Models of torch through OpenVINO, which runs them faster on a CPU."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scar.common.extras import install
from scar.common.machine import usable_threads

log = logging.getLogger(__name__)

TOLERANCE: Mapping[str, float] = {"float32": 1e-3, "bfloat16": 0.5}
"""How far a row may be from that of torch, relative to its length, before the converted model counts as wrong."""
_TYPES = {"float32": "f32", "bfloat16": "bf16"}


class OpenVino:
    """A forward pass that is converted by its first batch.

    Each batch is divided among the threads. A model that cannot be converted, or that gives other rows than torch
    for the first batch, is run by torch with a warning: in float32 the rows are the same but for rounding.

    Args:
        model: of torch, in float32, on the CPU.
        forward: from named inputs [B, ...] to rows [B, D], by the model.
        by_torch: the same on arrays.
        precision: ``"float32"`` or ``"bfloat16"``.
        name: of the encoder, for messages.

    Raises:
        ImportError: OpenVINO is not installed.
        ValueError: the processor has no bfloat16.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        forward: Callable[[Mapping[str, torch.Tensor]], torch.Tensor],
        by_torch: Callable[[Mapping[str, Any]], NDArray[np.float32]],
        *,
        precision: str,
        name: str,
    ) -> None:
        self._model, self._forward, self._by_torch = model, forward, by_torch
        self._precision, self._name = precision, name
        self._library = load_openvino()
        self._core = self._library.Core()
        self._run: Callable[[Mapping[str, Any]], NDArray[np.float32]] | None = None
        if precision == "bfloat16" and "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise ValueError(
                "encoder.precision=bfloat16: this processor has no bfloat16 for OpenVINO; use "
                "encoder.precision=float32, or encoder.backend=torch"
            )

    def __call__(self, inputs: Mapping[str, Any]) -> NDArray[np.float32]:
        """Return the rows [B, D] of named inputs [B, ...].

        Raises:
            ValueError: the model cannot be converted, and its rows in bfloat16 would be others by torch.
        """
        arrays = {name: np.ascontiguousarray(value) for name, value in inputs.items()}
        if self._run is None:
            try:
                self._run = self._convert(arrays)
            except Exception as error:  # of torch's tracer and of the converter, of many kinds
                self._run = self._give_up(error)
        try:
            return self._run(arrays)
        except RuntimeError as error:
            if self._run is self._by_torch:
                raise
            self._run = self._give_up(error)
            return self._run(arrays)

    def _give_up(self, error: Exception) -> Callable[[Mapping[str, Any]], NDArray[np.float32]]:
        reason = " ".join(str(error).split())[-300:]
        if self._precision != "float32":
            raise ValueError(
                f"encoder={self._name}: OpenVINO cannot run the model ({reason}); set encoder.backend=torch"
            ) from error
        log.warning("encoder=%s: torch runs the model, because OpenVINO cannot (%s)", self._name, reason)
        return self._by_torch

    def _convert(self, arrays: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], NDArray[np.float32]]:
        """Convert the model with the first rows, which stand for batches of any size and texts of any length."""
        count = len(next(iter(arrays.values())))
        few = {name: array[np.arange(2) % count] for name, array in arrays.items()}
        module = _Positional(self._model, self._forward, list(few))
        with warnings.catch_warnings(), torch.no_grad(), _quiet():
            warnings.simplefilter("ignore")  # of the tracer
            converted = self._library.convert_model(
                module, example_input=tuple(torch.as_tensor(each) for each in few.values())
            )
        kept = _inputs(converted, few)
        shapes = {each: _shape(few[name]) for name, each in kept.items()}
        converted.reshape({each: self._library.PartialShape(shape) for each, shape in shapes.items()})
        run = self._compile(converted, list(kept))
        some = {name: array[: min(count, 3)] for name, array in arrays.items()}
        expected, got = self._by_torch(some), run(some)
        length = np.linalg.norm(expected, axis=1)
        if not (np.linalg.norm(got - expected, axis=1) <= TOLERANCE[self._precision] * length).all():
            raise ValueError("the converted model gives other rows than torch")
        return run

    def _compile(self, converted: Any, names: list[str]) -> Callable[[Mapping[str, Any]], NDArray[np.float32]]:
        threads = usable_threads()
        compiled = self._core.compile_model(
            converted,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": _TYPES[self._precision],  # else bfloat16 where the processor has it
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": threads,
                "ENABLE_CPU_PINNING": False,  # two processes would be pinned to the same cores
            },
        )
        requests = [compiled.create_infer_request() for _ in range(threads)]

        def run(arrays: Mapping[str, Any]) -> NDArray[np.float32]:
            parts = [np.array_split(arrays[name], threads) for name in names]
            busy = [request for request, part in zip(requests, parts[0], strict=True) if len(part)]
            for request, *values in zip(busy, *parts, strict=False):
                request.start_async(dict(enumerate(values)), share_inputs=True)
            for request in busy:
                request.wait()
            return np.concatenate([request.get_output_tensor(0).data for request in busy], dtype=np.float32)

        return run


class _Positional(torch.nn.Module):
    """A forward pass on named inputs as a module with positional ones."""

    def __init__(self, model: torch.nn.Module, forward: Callable[..., torch.Tensor], names: list[str]) -> None:
        super().__init__()
        self.model, self._forward, self._names = model, forward, names

    def forward(self, *values: torch.Tensor) -> torch.Tensor:
        return self._forward(dict(zip(self._names, values, strict=True))).float()


def _inputs(converted: Any, few: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Return the inputs of a converted model by their names here; it lacks those that the forward pass does not use."""
    if len(converted.inputs) != len(few):
        raise ValueError(f"the converted model has {len(converted.inputs)} inputs of {len(few)}")
    return dict(zip(few, converted.inputs, strict=True))


def _shape(array: NDArray[Any]) -> list[int]:
    """Return the shape of an input, -1 where it varies: batches do, and texts in length; pictures and sounds do not."""
    return [-1, *(array.shape[1:] if np.issubdtype(array.dtype, np.floating) else [-1] * (array.ndim - 1))]


def load_openvino() -> Any:
    """Import OpenVINO without its telemetry, which would write to the home folder and ask a server."""
    with _without_telemetry():
        try:
            import openvino
        except ImportError as error:
            raise ImportError(
                f"encoder.backend=openvino needs {error.name}: {install('openvino')}, or set encoder.backend=torch"
            ) from error
    return openvino


@contextmanager
def _without_telemetry() -> Iterator[None]:
    absent = "openvino_telemetry" not in sys.modules
    if absent:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if absent:
            del sys.modules["openvino_telemetry"]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what transformers says of tracing from the console."""
    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)

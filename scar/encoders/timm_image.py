"""Any image model of timm, with the preprocessing of its weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from scar.encoders._pretrained import Pretrained
from scar.encoders._weights import MODEL, WEIGHTS, pretrained_files, remembered
from scar.encoders.encoder import Embed

_HUB = "hf-hub:"


@dataclass(frozen=True, kw_only=True)
class TimmImage(Pretrained):
    """The pooled features before the classifier. Size, crop, mean and standard deviation are those of the weights.

    Attributes:
        model: timm's name, with or without the tag of the weights (``"resnet50.a1_in1k"``), or
            ``"hf-hub:owner/name"``.
        folder: that `timm.models.save_for_hf` wrote, or a file with a state dict of `model`.
        resolution: side of the square that the model sees, in pixels; None for that of the weights.
    """

    modality: str = "image"
    batch_size: int = field(default=32, metadata={"runtime": True})
    resolution: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resolution is not None and self.resolution < 1:
            raise ValueError(f"encoder.resolution={self.resolution} must be at least 1, or null")

    def weights(self) -> list[Path]:
        """Return the weights and the configuration beside them."""
        file = Path(self.folder).expanduser() if self.folder is not None else None
        if file is not None and file.is_file():
            return [file]
        hub = self.model.removeprefix(_HUB)
        if self.folder is None and not self.model.startswith(_HUB):
            hub = remembered("timm", self.model, _hub_id)
        return pretrained_files(hub, self.revision, self.folder, (MODEL, WEIGHTS))

    def open(self) -> Embed:
        """Build the model, load the weights and make the preprocessing that they ask for."""
        from scar.encoders._timm_models import open_model

        return open_model(self, self.resolution)


def _hub_id(name: str) -> str:
    from scar.encoders._timm_models import hub_id

    return hub_id(name)

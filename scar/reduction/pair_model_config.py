"""The small pair model on which a reduction is judged: its size and how it is trained; no torch is needed to read it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class PairModelConfig:
    """A model of two towers with a contrastive loss, made from transformers' `CLIPConfig` with random weights.

    Attributes:
        image_size: side of the images [px]; images of another size are resized.
        patch_size: side of a patch [px].
        width: of both towers.
        layers: of both towers.
        heads: of attention, in both towers.
        embed_dim: of the joint space.
        vocabulary: most words of the tokenizer that is made from the captions.
        max_tokens: longest caption; what is longer is cut, so that refined captions cost no more than this.
        epochs: the same for every arm of a study.
        batch_size: pairs of a batch, which are each other's negatives.
        learning_rate: of AdamW at the end of the warm-up.
        weight_decay: of AdamW.
        warmup: share of the steps over which the learning rate rises; it then falls to 0 by a cosine.
        temperature: at the start; it is learned.
        precision: of Lightning's trainer, ``"32-true"`` or ``"bf16-mixed"``.
        accelerator: of Lightning's trainer.
    """

    image_size: int = 32
    patch_size: int = 8
    width: int = 64
    layers: int = 2
    heads: int = 2
    embed_dim: int = 64
    vocabulary: int = 2000
    max_tokens: int = 32
    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    warmup: float = 0.1
    temperature: float = 0.07
    precision: str = "32-true"
    accelerator: str = field(default="auto", metadata={"runtime": True})

    def __post_init__(self) -> None:
        least = dict.fromkeys(("image_size", "patch_size", "width", "layers", "heads", "embed_dim", "epochs"), 1)
        least |= {"batch_size": 2, "vocabulary": 8, "max_tokens": 3}
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise ValueError(f"reduction.pair_model.{name}={getattr(self, name)} must be at least {lowest}")
        for name in ("learning_rate", "temperature"):
            if not getattr(self, name) > 0:
                raise ValueError(f"reduction.pair_model.{name}={getattr(self, name)} must be above 0")
        if not self.weight_decay >= 0:
            raise ValueError(f"reduction.pair_model.weight_decay={self.weight_decay} must not be negative")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"reduction.pair_model.warmup={self.warmup} must be a share in [0, 1)")
        if self.image_size % self.patch_size:
            raise ValueError(
                f"reduction.pair_model.patch_size={self.patch_size} must divide image_size={self.image_size}"
            )
        if self.width % self.heads:
            raise ValueError(f"reduction.pair_model.heads={self.heads} must divide width={self.width}")
        if self.precision not in ("32-true", "bf16-mixed"):
            raise ValueError(f"reduction.pair_model.precision={self.precision!r}: use 32-true or bf16-mixed")

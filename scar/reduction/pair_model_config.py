"""The small pair model on which a reduction is judged: its size and how it is trained; no torch is needed to read it."""

from __future__ import annotations

from dataclasses import dataclass, field

TOWERS = ("clip", "locked")


@dataclass(frozen=True, kw_only=True)
class PairModelConfig:
    """A model of two towers with a contrastive loss, made from transformers' `CLIPConfig` with random weights.

    Attributes:
        towers: ``"clip"`` trains two transformers from scratch, ``"locked"`` two perceptrons, one over features of the
            images that stay as they are and one over a bag of words; that costs a tenth.
        image_size: side of the images [px]; images of another size are resized.
        patch_size: side of a patch [px].
        width: of both towers.
        layers: of both towers.
        heads: of attention, in both towers.
        embed_dim: of the joint space.
        vocabulary: most words of the tokenizer that is made from the captions.
        max_tokens: longest caption; what is longer is cut, so that refined captions cost no more than this.
        steps: of the optimiser, the same for every arm of a study, however many pairs it has.
        checkpoints: times, evenly spaced, that a model is looked at while it is trained.
        batch_size: pairs of a batch, which are each other's negatives.
        learning_rate: of AdamW at the end of the warm-up.
        weight_decay: of AdamW.
        warmup: share of the steps over which the learning rate rises; it then stays, so that what a model is after some
            steps does not depend on how many follow.
        average: decay, per step, of the exponential moving average of the weights, which stands in place of a learning
            rate that falls; 0 takes the last weights.
        temperature: at the start; it is learned.
        precision: of Lightning's trainer, ``"32-true"`` or ``"bf16-mixed"``.
        accelerator: of Lightning's trainer.
    """

    towers: str = "clip"
    image_size: int = 32
    patch_size: int = 8
    width: int = 64
    layers: int = 2
    heads: int = 2
    embed_dim: int = 64
    vocabulary: int = 2000
    max_tokens: int = 32
    steps: int = 600
    checkpoints: int = 8
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    warmup: float = 0.1
    average: float = 0.98
    temperature: float = 0.07
    precision: str = "32-true"
    accelerator: str = field(default="auto", metadata={"runtime": True})

    def __post_init__(self) -> None:
        least = dict.fromkeys(("image_size", "patch_size", "width", "layers", "heads", "embed_dim", "checkpoints"), 1)
        least |= {"batch_size": 2, "vocabulary": 8, "max_tokens": 3}
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise ValueError(f"reduction.pair_model.{name}={getattr(self, name)} must be at least {lowest}")
        for name in ("learning_rate", "temperature"):
            if not getattr(self, name) > 0:
                raise ValueError(f"reduction.pair_model.{name}={getattr(self, name)} must be above 0")
        if not self.weight_decay >= 0:
            raise ValueError(f"reduction.pair_model.weight_decay={self.weight_decay} must not be negative")
        if self.steps < self.checkpoints:
            raise ValueError(
                f"reduction.pair_model.steps={self.steps} must be at least checkpoints={self.checkpoints}; lower the latter"
            )
        for name in ("warmup", "average"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"reduction.pair_model.{name}={getattr(self, name)} must be a share in [0, 1)")
        if self.image_size % self.patch_size:
            raise ValueError(
                f"reduction.pair_model.patch_size={self.patch_size} must divide image_size={self.image_size}"
            )
        if self.width % self.heads:
            raise ValueError(f"reduction.pair_model.heads={self.heads} must divide width={self.width}")
        if self.towers not in TOWERS:
            raise ValueError(f"reduction.pair_model.towers={self.towers!r} is unknown; use one of {', '.join(TOWERS)}")
        if self.precision not in ("32-true", "bf16-mixed"):
            raise ValueError(f"reduction.pair_model.precision={self.precision!r}: use 32-true or bf16-mixed")

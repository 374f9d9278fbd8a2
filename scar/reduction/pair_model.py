"""The pair model: two small towers and a contrastive loss, to judge a set of pairs by what can be learned from it.

Models of one seed start from the same weights. Wherever two training sets have the same size, they also see the same
positions in the same order, so that the sets alone tell them apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import PreTrainedTokenizerBase

from scar.common.randomness import derive_seed, generator
from scar.common.types import Floats32
from scar.reduction.pair_model_config import PairModelConfig
from scar.reduction.pair_towers import ClipTowers, LockedTowers
from scar.reduction.pictures import square_images

_BATCH = 512
_MOST = float(np.log(100.0))
"""Largest log of the scale of the cosines, as CLIP bounds it."""


class Batches:
    """The rows of the batches of an epoch; Lightning would take a plain list for several loaders."""

    def __init__(self, rows: list[Tensor]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.rows)


class PairModel(pl.LightningModule):
    """A dual encoder with the symmetric contrastive loss over the pairs of a batch.

    Args:
        config: its size and training.
        tokenizer: of the captions; its vocabulary decides the size of the word embeddings.
        seed: of the initial weights.
        inputs: dimensions of the image features where the image tower is locked; images are then features [N, F], not
            pictures.

    Attributes:
        history: mean loss of every epoch, of the last one as far as it went.
        seen: what was made of it at each checkpoint, by the steps that had been taken.
        spent: seconds of training: ``"wall"`` and ``"cpu"``, over all threads and interruptions.
        pairs: how many it was trained on.
    """

    def __init__(
        self, config: PairModelConfig, tokenizer: PreTrainedTokenizerBase, *, seed: int = 0, inputs: int | None = None
    ) -> None:
        super().__init__()
        if (config.towers == "locked") != (inputs is not None):
            raise ValueError(f"reduction.pair_model.towers={config.towers} and inputs={inputs} do not fit")
        self.inputs = inputs
        self.config, self.tokenizer, self.seed = config, tokenizer, seed
        self.history: list[float] = []
        self.seen: dict[int, dict[str, NDArray[Any]]] = {}
        self.spent = {"wall": 0.0, "cpu": 0.0}
        self.pairs = 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "pair model"))
            self.towers: Any = (
                ClipTowers(config, tokenizer) if inputs is None else LockedTowers(config, tokenizer, inputs)
            )
        self.averaged: AveragedModel | None = None
        self._look: Callable[[PairModel], dict[str, NDArray[Any]]] | None = None
        self._losses: list[Tensor] = []
        self._data: tuple[Tensor, Tensor, Tensor] | None = None

    def on_train_start(self) -> None:
        """Start the clocks."""
        self._begun = time.perf_counter(), time.process_time()

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        """Return the contrastive loss of the pairs whose rows the batch names."""
        assert self._data is not None
        pixels, tokens, lengths = (each[batch.to(each.device)].to(self.device) for each in self._data)
        images = normalize(self._image(pixels), dim=1)
        texts = normalize(self._text(tokens, lengths), dim=1)
        logits = self.towers.logit_scale.clamp(max=_MOST).exp() * images @ texts.T
        target = torch.arange(len(batch), device=self.device)
        loss = (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2
        self._losses.append(loss.detach())
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Tensor, index: int) -> None:
        """Average the weights, and look at the model where a checkpoint is due; looking does not count as training."""
        if self.averaged is not None:
            self.averaged.update_parameters(self.towers)
        step = self.trainer.global_step
        self.trainer.should_stop = step >= self.config.steps  # max_steps takes a batch twice when it resumes
        if self._look is None or step not in self.due():
            return
        self._stop_clocks()
        trained = self.towers
        self.use_average()
        self.seen[step] = self._look(self)
        self.towers = trained
        self.train()
        self._begun = time.perf_counter(), time.process_time()

    def on_train_epoch_end(self) -> None:
        """Note the loss and the time of the epoch."""
        self.history.append(float(torch.stack(self._losses).mean()))
        self._losses = []
        self._stop_clocks()
        self._begun = time.perf_counter(), time.process_time()

    def due(self) -> list[int]:
        """Return the steps after which the model is looked at."""
        count = self.config.checkpoints
        return [round(self.config.steps * (each + 1) / count) for each in range(count)]

    def use_average(self) -> None:
        """Put the averaged weights in place of the last ones."""
        if self.averaged is not None:
            self.towers = self.averaged.module

    def _stop_clocks(self) -> None:
        wall, cpu = self._begun
        self.spent["wall"] += time.perf_counter() - wall
        self.spent["cpu"] += time.process_time() - cpu

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what a resumed training adds to."""
        checkpoint["pair_model"] = {"history": self.history, "spent": self.spent, "seen": _tensors(self.seen)}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it up again."""
        found = checkpoint["pair_model"]
        self.history, self.spent = list(found["history"]), dict(found["spent"])
        self.seen = {step: {name: each.numpy() for name, each in seen.items()} for step, seen in found["seen"].items()}

    def configure_optimizers(self) -> Any:
        """AdamW, without decay of biases, norms and the temperature; the learning rate rises and stays."""
        trained = [each for each in self.towers.parameters() if each.requires_grad]
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": self.config.weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.config.learning_rate, fused=True)
        rising = max(1, round(self.config.warmup * self.config.steps))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / rising))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def train_dataloader(self) -> Batches:
        """Return the batches of this epoch, of the first one outside of a training."""
        return self._batches(self.current_epoch)

    def _batches(self, epoch: int) -> Batches:
        """Return the rows of the batches, which depend on the seed, the epoch and the number of pairs alone."""
        order = generator(self.seed, "pair batches", epoch).permutation(self.pairs)
        size = min(self.config.batch_size, self.pairs)
        return Batches([torch.from_numpy(order[at : at + size]) for at in range(0, self.pairs - size + 1, size)])

    def attach(
        self,
        images: NDArray[Any],
        captions: Sequence[str],
        look: Callable[[PairModel], dict[str, NDArray[Any]]] | None = None,
    ) -> None:
        """Give it the pairs to train on, and what to make of it at every checkpoint."""
        self._data = (self._pixels(images), *self._tokens(captions))
        self.pairs = len(captions)
        self._look = look
        if self.config.average:
            averaging = get_ema_multi_avg_fn(self.config.average)  # type: ignore[no-untyped-call]
            self.averaged = AveragedModel(self.towers, multi_avg_fn=averaging)
            self.averaged.requires_grad_(False)

    def detach(self) -> None:
        """Drop the pairs, and keep the averaged weights alone."""
        self.use_average()
        self._data = self.averaged = self._look = None

    @torch.inference_mode()
    def embed_images(self, images: NDArray[Any]) -> Floats32:
        """Return [N, E] rows of length 1 for uint8 images [N, H, W, 3], or features [N, F] where the tower is locked."""
        self.eval()
        parts = [self._image(self._pixels(images[part]).to(self.device)) for part in _parts(len(images))]
        return _unit(parts, self.config.embed_dim)

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Floats32:
        """Return [N, E] rows of length 1."""
        self.eval()
        parts = []
        for part in _parts(len(texts)):
            tokens, lengths = self._tokens(texts[part])
            parts.append(self._text(tokens.to(self.device), lengths.to(self.device)))
        return _unit(parts, self.config.embed_dim)

    def _image(self, images: Tensor) -> Tensor:
        features: Tensor = self.towers.image(images)
        return features

    def _text(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        features: Tensor = self.towers.text(tokens[:, : int(lengths.max())].long(), lengths)
        return features

    def _pixels(self, images: NDArray[Any]) -> Tensor:
        if self.inputs is None:
            return torch.from_numpy(np.ascontiguousarray(square_images(images, self.config.image_size)))
        return torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))

    def _tokens(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        encoded = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.config.max_tokens, return_tensors="pt"
        )
        return encoded["input_ids"].int(), encoded["attention_mask"].sum(dim=1).int()


def _tensors(seen: dict[int, dict[str, NDArray[Any]]]) -> dict[int, dict[str, Tensor]]:
    """Return arrays as tensors, which a checkpoint can hold without pickling."""
    return {
        step: {name: torch.from_numpy(np.asarray(each)) for name, each in every.items()} for step, every in seen.items()
    }


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, min(start + _BATCH, count)) for start in range(0, count, _BATCH))


def _unit(parts: list[Tensor], width: int) -> Floats32:
    if not parts:
        return np.zeros((0, width), np.float32)
    rows: Floats32 = normalize(torch.cat(parts).float(), dim=1).cpu().numpy()
    return rows

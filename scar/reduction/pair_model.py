"""The pair model: two small towers and a contrastive loss, to judge a set of pairs by what can be learned from it.

Wherever two training sets have the same size, models of one seed start from the same weights and see the same positions
in the same order, so that the sets alone tell them apart.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerBase

from scar.common.randomness import derive_seed, generator
from scar.common.types import Floats32
from scar.reduction.pair_model_config import PairModelConfig
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

    Attributes:
        history: mean loss of every epoch.
        spent: seconds of training: ``"wall"`` and ``"cpu"``, over all threads and interruptions.
        pairs: how many it was trained on.
    """

    def __init__(self, config: PairModelConfig, tokenizer: PreTrainedTokenizerBase, *, seed: int = 0) -> None:
        super().__init__()
        self.config, self.tokenizer, self.seed = config, tokenizer, seed
        self.history: list[float] = []
        self.spent = {"wall": 0.0, "cpu": 0.0}
        self.pairs = 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "pair model"))
            self.clip = CLIPModel(_clip_config(config, tokenizer))
        self._losses: list[Tensor] = []
        self._data: tuple[Tensor, Tensor, Tensor] | None = None
        self._steps = 0

    def on_train_epoch_start(self) -> None:
        """Start the clocks of the epoch."""
        self._begun = time.perf_counter(), time.process_time()

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        """Return the contrastive loss of the pairs whose rows the batch names."""
        assert self._data is not None
        pixels, tokens, lengths = (each[batch.to(each.device)].to(self.device) for each in self._data)
        images = normalize(self._image(pixels), dim=1)
        texts = normalize(self._text(tokens, lengths), dim=1)
        logits = self.clip.logit_scale.clamp(max=_MOST).exp() * images @ texts.T
        target = torch.arange(len(batch), device=self.device)
        loss = (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2
        self._losses.append(loss.detach())
        return loss

    def on_train_epoch_end(self) -> None:
        """Note the loss and the time of the epoch."""
        self.history.append(float(torch.stack(self._losses).mean()))
        self._losses = []
        wall, cpu = self._begun
        self.spent["wall"] += time.perf_counter() - wall
        self.spent["cpu"] += time.process_time() - cpu

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what a resumed training adds to."""
        checkpoint["pair_model"] = {"history": self.history, "spent": self.spent}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it up again."""
        self.history = list(checkpoint["pair_model"]["history"])
        self.spent = dict(checkpoint["pair_model"]["spent"])

    def configure_optimizers(self) -> Any:
        """AdamW, without decay of biases, norms and the temperature; warm-up, then a cosine to 0."""
        named = [(name, each) for name, each in self.named_parameters() if each.requires_grad]
        groups = [
            {"params": [p for _, p in named if p.ndim > 1], "weight_decay": self.config.weight_decay},
            {"params": [p for _, p in named if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.config.learning_rate)
        rising = max(1, round(self.config.warmup * self._steps))

        def factor(step: int) -> float:
            if step < rising:
                return (step + 1) / rising
            return float(0.5 * (1 + np.cos(np.pi * min(1.0, (step - rising) / max(1, self._steps - rising)))))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def train_dataloader(self) -> Batches:
        """Return the batches of this epoch."""
        return self._batches(self.current_epoch)

    def _batches(self, epoch: int) -> Batches:
        """Return the rows of the batches, which depend on the seed, the epoch and the number of pairs alone."""
        order = generator(self.seed, "pair batches", epoch).permutation(self.pairs)
        size = min(self.config.batch_size, self.pairs)
        return Batches([torch.from_numpy(order[at : at + size]) for at in range(0, self.pairs - size + 1, size)])

    def attach(self, images: NDArray[np.uint8], captions: Sequence[str]) -> None:
        """Give it the pairs to train on."""
        self._data = (self._pixels(images), *self._tokens(captions))
        self.pairs = len(captions)
        self._steps = self.config.epochs * len(self._batches(0))

    def detach(self) -> None:
        """Drop the pairs."""
        self._data = None

    @torch.inference_mode()
    def embed_images(self, images: NDArray[np.uint8]) -> Floats32:
        """Return [N, E] rows of length 1 for uint8 images [N, H, W, 3]."""
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

    def _image(self, pixels: Tensor) -> Tensor:
        scaled = (pixels.permute(0, 3, 1, 2).float() - 127.5) / 127.5
        features: Tensor = self.clip.visual_projection(self.clip.vision_model(pixel_values=scaled).pooler_output)
        return features

    def _text(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the state of the last token of each text, which has seen all others."""
        longest = int(lengths.max())
        tokens = tokens[:, :longest].long()
        mask = (torch.arange(longest, device=tokens.device) < lengths[:, None]).long()
        states = self.clip.text_model(input_ids=tokens, attention_mask=mask).last_hidden_state
        last = states[torch.arange(len(tokens), device=tokens.device), lengths.long() - 1]
        projected: Tensor = self.clip.text_projection(last)
        return projected

    def _pixels(self, images: NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(square_images(images, self.config.image_size)))

    def _tokens(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        encoded = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.config.max_tokens, return_tensors="pt"
        )
        return encoded["input_ids"].int(), encoded["attention_mask"].sum(dim=1).int()


def _clip_config(config: PairModelConfig, tokenizer: PreTrainedTokenizerBase) -> CLIPConfig:
    tower = {
        "hidden_size": config.width,
        "intermediate_size": 4 * config.width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "projection_dim": config.embed_dim,
    }
    marks = {"pad_token_id": tokenizer.pad_token_id, "bos_token_id": tokenizer.cls_token_id}
    marks |= {"eos_token_id": tokenizer.sep_token_id}
    text = tower | marks | {"vocab_size": len(tokenizer), "max_position_embeddings": config.max_tokens}
    vision = tower | {"image_size": config.image_size, "patch_size": config.patch_size}
    return CLIPConfig(
        text_config=text,
        vision_config=vision,
        projection_dim=config.embed_dim,
        logit_scale_init_value=float(np.log(1 / config.temperature)),
    )


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, min(start + _BATCH, count)) for start in range(0, count, _BATCH))


def _unit(parts: list[Tensor], width: int) -> Floats32:
    if not parts:
        return np.zeros((0, width), np.float32)
    rows: Floats32 = normalize(torch.cat(parts).float(), dim=1).cpu().numpy()
    return rows

"""The codebook captioner (§3.1): a ViT of timm, the codebook, and a text decoder of transformers that reads the codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from timm.optim import param_groups_weight_decay  # type: ignore[attr-defined]
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from transformers import BertLMHeadModel

from scar.common.randomness import derive_seed
from scar.reduction.captioner_config import CaptionerConfig
from scar.reduction.captioner_parts import build_decoder, build_encoder
from scar.reduction.codebook import Codebook, Quantised, perplexity
from scar.reduction.phase import Phase

_NO_DECAY = (
    "encoder.pos_embed",
    "encoder.cls_token",
    "codebook.codes",
    "places",
    "decoder.bert.embeddings.position_embeddings",
)


@dataclass(frozen=True, eq=False)
class Losses:
    """Of a batch: L = L_LM + L_vq, its two parts, the image tokens z [B, L, d] and the codes that they took."""

    total: Tensor
    text: Tensor
    commitment: Tensor
    tokens: Tensor
    quantised: Quantised


class CodebookCaptioner(pl.LightningModule):
    """Writes captions of images through a codebook.

    The patch tokens z [B, L, d] of the ViT are quantised, and the decoder attends to the codes q alone: what it writes
    has passed through the codebook. `scar.reduction.training.train_captioner` trains it.

    Args:
        config: sizes and training.
        tokenizer: of transformers.
        codes: [K, d] to start from.
        decoder: of transformers, with cross-attention; None draws one of the sizes of the config.
        encoder: of timm; None draws one, or loads the pretrained weights that the config names.

    Attributes:
        history: one row per epoch: phase, epoch, loss and its two parts per pair, perplexity of the use of the codes,
            dead codes (used by no token of the epoch), restarted codes, learning rate of the last step.
    """

    def __init__(
        self,
        config: CaptionerConfig,
        tokenizer: Any,
        codes: Tensor,
        *,
        decoder: BertLMHeadModel | None = None,
        encoder: Any = None,
    ) -> None:
        super().__init__()
        self.config, self.tokenizer = config, tokenizer
        self.encoder = build_encoder(config) if encoder is None else encoder
        self.codebook = Codebook(codes, beta=config.beta, commitment=config.commitment)
        self.decoder = build_decoder(config, tokenizer) if decoder is None else decoder
        self.places = torch.nn.Parameter(torch.zeros(config.tokens, config.width)) if config.code_places else None
        self.history: list[dict[str, Any]] = []
        self.phase: Phase | None = None
        self.register_buffer("unused", torch.zeros(len(codes), dtype=torch.int64))
        self._uses = self._sums = self._tokens = torch.empty(0)  # no buffers: those, DDP makes equal on all ranks

    def encode(self, images: Tensor) -> Tensor:
        """Return the tokens z [B, L, d] of images [B, H, W, 3] of 0..255."""
        pixels = images.permute(0, 3, 1, 2).to(self.codebook.codes.dtype).div(127.5).sub(1.0)
        tokens: Tensor = self.encoder.forward_features(pixels)
        return tokens if self.config.quantise_class_token else tokens[:, 1:]

    def placed(self, vectors: Tensor) -> Tensor:
        """Return codes q [B, L, d] as the decoder reads them: with their places, if the config says so."""
        return vectors if self.places is None else vectors + self.places

    def text_loss(self, vectors: Tensor, ids: Tensor) -> Tensor:
        """Return L_LM: the mean over all tokens of captions [B, T] of −ln p(token | those before it, q [B, L, d])."""
        padding = self.tokenizer.pad_token_id
        read = ids[:, :-1]
        states = self.decoder(
            input_ids=read, attention_mask=read != padding, encoder_hidden_states=self.placed(vectors), use_cache=False
        )
        return cross_entropy(states.logits.flatten(0, 1), ids[:, 1:].flatten(), ignore_index=padding)

    def losses(self, images: Tensor, ids: Tensor) -> Losses:
        """Return L = L_LM + L_vq of images [B, H, W, 3] and the tokens of their captions [B, T]."""
        tokens = self.encode(images)
        quantised = self.codebook(tokens)
        text = self.text_loss(quantised.vectors, ids)
        return Losses(text + quantised.loss, text, quantised.loss, tokens.detach(), quantised)

    def train_dataloader(self) -> DataLoader[Tensor]:
        """Return the rows [B] of the pairs of every batch of this epoch that are this device's."""
        batches = self._running.batches(self.current_epoch, self.config.batch_size)
        rank, world = self.trainer.global_rank, self.trainer.world_size
        mine: Any = [rows[rank::world] for rows in batches if len(rows) >= world]
        return DataLoader(mine, batch_size=None)

    def on_train_epoch_start(self) -> None:
        """Draw the dropout of an epoch from its own seed, so that a resumed training repeats it."""
        purpose = f"captioner dropout, {self._running.name}"
        torch.manual_seed(derive_seed(self._running.seed, purpose, self.current_epoch, self.global_rank))
        self._uses = torch.zeros(self.config.codebook_size, dtype=torch.int64, device=self.device)
        self._sums = torch.zeros(3, device=self.device)

    def training_step(self, rows: Tensor, _index: int) -> Tensor:
        """Train on the pairs of some rows [B]."""
        images, ids = self._running.pairs(rows, self.device)
        losses = self.losses(images, ids)
        parts = torch.stack([losses.text.detach(), losses.commitment.detach(), torch.ones_like(losses.text)])
        self._sums.add_(parts.float() * len(images))
        used = losses.quantised.indices.flatten()
        self._uses.add_(torch.bincount(used, minlength=self.config.codebook_size))
        self._tokens = losses.tokens.flatten(0, 1)
        return losses.total

    def on_train_epoch_end(self) -> None:
        """Note the epoch in the history, and move codes that no token takes."""
        running, reduce = self._running, self.trainer.strategy.reduce
        uses, sums = (reduce(each, reduce_op="sum") for each in (self._uses, self._sums))
        text, commitment = (float(each) for each in sums[:2] / sums[2])
        row = {
            "phase": running.name,
            "epoch": self.current_epoch + 1,
            "loss": text + commitment,
            "text_loss": text,
            "commitment_loss": commitment,
            "perplexity": perplexity(uses),
            "dead_codes": int((uses == 0).sum()),
            "restarted_codes": self._restart(uses),
            "learning_rate": running.learning_rate * running.rate(self.trainer.global_step - 1, self.config),
        }
        self.history.append(row)
        self.log_dict({name: float(value) for name, value in row.items() if name not in ("phase", "epoch")})

    def _restart(self, uses: Tensor) -> int:
        """Move the codes that were unused for too long onto tokens of the last batch, and count them."""
        unused = self.get_buffer("unused")
        unused.copy_(torch.where(uses > 0, 0, unused + 1))
        last = self.current_epoch + 1 == self._running.epochs  # the decoder would not learn what moves now
        if self.config.restart_dead is None or last or not (unused >= self.config.restart_dead).any():
            return 0
        dead = torch.nonzero(unused >= self.config.restart_dead).flatten()
        seed = derive_seed(self._running.seed, f"captioner restart, {self._running.name}", self.current_epoch)
        order = torch.randperm(len(self._tokens), generator=torch.Generator().manual_seed(seed))
        chosen = self._tokens[order[torch.arange(len(dead)) % len(order)]].to(self.codebook.codes.dtype)
        with torch.no_grad():
            self.codebook.codes[dead] = self.trainer.strategy.broadcast(chosen)
        for name, value in self.trainer.optimizers[0].state[self.codebook.codes].items():
            if name in ("exp_avg", "exp_avg_sq"):
                value[dead] = 0
        unused[dead] = 0
        return len(dead)

    def configure_optimizers(self) -> dict[str, Any]:
        """Return AdamW, and the warm-up and decay of its learning rate by step."""
        names = [name for name, _ in self.named_parameters() if name.startswith(_NO_DECAY)]
        groups = param_groups_weight_decay(self, self.config.weight_decay, no_weight_decay_list=names)
        phase = self._running
        optimizer = torch.optim.AdamW(groups, lr=phase.learning_rate, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: phase.rate(step, self.config))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what is being trained on, and the history."""
        checkpoint["captioner"] = {"digest": self._running.digest, "history": self.history}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the history of an interrupted training.

        Raises:
            ValueError: it was of other pairs or settings.
        """
        found = checkpoint["captioner"]
        if found["digest"] != self._running.digest:
            raise ValueError(
                "the folder holds an unfinished training of other pairs, settings or another seed; choose another "
                "folder, or delete its checkpoints"
            )
        self.history = list(found["history"])

    @property
    def _running(self) -> Phase:
        if self.phase is None:
            raise RuntimeError("the captioner has no pairs to train on; train it by train_captioner")
        return self.phase

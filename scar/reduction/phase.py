"""One phase of the training of a captioner: its pairs, their order, and the learning rate."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray

from scar.common.randomness import generator
from scar.reduction.captioner_config import CaptionerConfig

_SEEN = 1024
"""Images, evenly spaced, by whose content a training recognises its pairs."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Phase:
    """Pairs and how they are trained on.

    Attributes:
        name: ``"noisy"`` or ``"clean"``.
        images: [N, H, W, 3] of 0..255.
        ids: [N, T] tokens of the captions, padded on the right.
        padding: token of the padding.
        epochs: over the pairs.
        learning_rate: highest.
        steps: of an epoch.
        seed: of the training.
        made_from: digest of the settings and of what went before.
    """

    name: str
    images: NDArray[np.uint8] = field(repr=False)
    ids: NDArray[np.int32] = field(repr=False)
    padding: int
    epochs: int
    learning_rate: float
    steps: int
    seed: int
    made_from: str

    @cached_property
    def digest(self) -> str:
        """What the weights after this phase depend on, for telling one training from another."""
        seen = np.linspace(0, len(self.images) - 1, min(_SEEN, len(self.images)), dtype=np.int64)
        digest = hashlib.sha256(f"{self.name} {self.made_from} {self.seed} {self.images.shape}".encode())
        for array in (self.ids, self.images[seen]):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    @cached_property
    def _lengths(self) -> NDArray[np.int64]:
        lengths: NDArray[np.int64] = np.sum(self.ids != self.padding, axis=1)
        return lengths

    def batches(self, epoch: int, size: int) -> list[torch.Tensor]:
        """Return the rows of each batch of an epoch; the order depends on the seed and the epoch alone."""
        order = generator(self.seed, f"captioner order, {self.name}", epoch).permutation(len(self.ids))
        return [torch.from_numpy(order[start : start + size]) for start in range(0, len(order), size)]

    def pairs(self, rows: torch.Tensor, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the images [B, H, W, 3] and the tokens [B, T] of some rows, T their longest caption."""
        index = rows.cpu().numpy()
        ids = self.ids[index, : self._lengths[index].max()]
        images = torch.from_numpy(np.ascontiguousarray(self.images[index]))
        return images.to(device), torch.from_numpy(ids).long().to(device)

    def rate(self, step: int, config: CaptionerConfig) -> float:
        """Return the share of the highest learning rate that a step has."""
        rising = min(1.0, (step + 1) / max(1.0, config.warmup_epochs * self.steps))
        if config.decay_unit == "per_epoch":
            return float(rising * config.decay ** (step // self.steps))
        return float(rising * (1.0 - config.decay * min(1.0, step / (self.steps * self.epochs))))


def make_phases(
    config: CaptionerConfig,
    noisy: tuple[NDArray[np.uint8], NDArray[np.int32]],
    clean: tuple[NDArray[np.uint8], NDArray[np.int32]] | None,
    *,
    padding: int,
    seed: int,
) -> list[Phase]:
    """Return the phases of a training: on the noisy pairs and, if there are any, on the clean ones."""
    made_from = json.dumps(asdict(config), sort_keys=True)
    phases: list[Phase] = []
    for name, pairs, epochs, rate in (
        ("noisy", noisy, config.epochs, config.learning_rate),
        ("clean", clean, config.clean_epochs, config.clean_learning_rate),
    ):
        if pairs is None or not epochs:
            continue
        phases.append(
            Phase(
                name=name,
                images=pairs[0],
                ids=pairs[1],
                padding=padding,
                epochs=epochs,
                learning_rate=rate,
                steps=ceil(len(pairs[1]) / config.batch_size),
                seed=seed,
                made_from=phases[-1].digest if phases else made_from,
            )
        )
    return phases

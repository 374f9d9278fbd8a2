"""Training of pair models: resumable, one process; and their files."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.callbacks import ModelCheckpoint
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerBase

from scar.common.files import read_json, write_json
from scar.common.machine import chosen_accelerator
from scar.common.randomness import derive_seed
from scar.probes.lightning import quiet_lightning
from scar.reduction.pair_model import PairModel
from scar.reduction.pair_model_config import PairModelConfig
from scar.reduction.tokens import make_tokenizer, open_tokenizer


def train_pair_model(
    config: PairModelConfig,
    images: NDArray[Any],
    captions: Sequence[str],
    *,
    seed: int,
    folder: Path,
    tokenizer: PreTrainedTokenizerBase | None = None,
    look: Callable[[PairModel], dict[str, NDArray[Any]]] | None = None,
) -> PairModel:
    """Train a pair model; one that was interrupted goes on from its last checkpoint.

    Args:
        config: size and training.
        images: uint8 [N, H, W, 3], scaled to ``config.image_size`` where they are of another size; features [N, F] where
            ``config.towers="locked"``.
        captions: [N] one text per image.
        seed: of the initial weights and of the order of the batches.
        folder: of the checkpoints; it is removed at the end.
        tokenizer: of the captions; None makes one from them. Models that are compared share one.
        look: called at every checkpoint with the model as it is then, its weights averaged; what it returns is kept in
            ``model.seen`` by the steps taken.

    Returns:
        The model after the last step, its weights averaged.

    Raises:
        ValueError: fewer than two pairs, images and captions of different number, or a loss that did not stay finite.
    """
    if len(images) != len(captions) or len(captions) < 2:
        raise ValueError(f"{len(images)} images and {len(captions)} captions: a pair model needs two pairs or more")
    if tokenizer is None:
        tokenizer = make_tokenizer(captions, vocabulary=config.vocabulary)
    inputs = images.shape[1] if config.towers == "locked" else None
    model = PairModel(config, tokenizer, seed=seed, inputs=inputs)
    model.attach(images, captions, look)
    last = folder / "last.ckpt"
    with quiet_lightning(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "pair training"))
        _trainer(config, len(model.train_dataloader()), folder).fit(
            model, ckpt_path=str(last) if last.is_file() else None
        )
    model.detach()
    if not np.isfinite(model.history).all():
        raise ValueError(
            f"the loss of the pair model did not stay finite; lower reduction.pair_model.learning_rate="
            f"{config.learning_rate}"
        )
    shutil.rmtree(folder, ignore_errors=True)
    model.cpu().eval()
    return model


def save(model: PairModel, folder: Path) -> None:
    """Write weights, tokenizer, config and what training cost, without pickling."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: each.contiguous() for name, each in model.towers.state_dict().items()}, folder / "model.safetensors"
    )
    model.tokenizer.save_pretrained(folder / "tokenizer")
    about = {"config": asdict(model.config), "seed": model.seed, "history": model.history, "spent": model.spent}
    write_json(folder / "pair_model.json", about | {"pairs": model.pairs, "inputs": model.inputs})


def load(folder: Path) -> PairModel:
    """Read what `save` wrote."""
    about = read_json(folder / "pair_model.json")
    tokenizer, config = open_tokenizer(folder / "tokenizer"), PairModelConfig(**about["config"])
    model = PairModel(config, tokenizer, seed=about["seed"], inputs=about["inputs"])
    model.towers.load_state_dict(load_file(folder / "model.safetensors"))
    model.history, model.spent, model.pairs = about["history"], about["spent"], about["pairs"]
    model.eval()
    return model


def _trainer(config: PairModelConfig, batches: int, folder: Path) -> pl.Trainer:
    epochs = -(-config.steps // batches)  # only whole epochs are resumed to the same weights
    every = max(1, epochs // config.checkpoints)
    keep = ModelCheckpoint(folder, filename="last", every_n_epochs=every, save_top_k=1, enable_version_counter=False)
    return pl.Trainer(
        accelerator=chosen_accelerator(config.accelerator),
        devices=1,
        precision=config.precision,
        min_epochs=0,
        max_epochs=epochs,
        callbacks=[keep],
        reload_dataloaders_every_n_epochs=1,
        gradient_clip_val=1.0,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )

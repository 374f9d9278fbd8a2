"""Train a codebook captioner, on noisy and then on clean pairs; keep it in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from safetensors.torch import load_model, save_model
from transformers import BertConfig, BertLMHeadModel

from scar.common.files import read_json, replacing, write_json
from scar.common.machine import chosen_accelerator
from scar.common.randomness import derive_seed
from scar.probes.lightning import quiet_lightning
from scar.probes.settings import TrainerConfig
from scar.reduction.captioner import CodebookCaptioner
from scar.reduction.captioner_config import CaptionerConfig
from scar.reduction.captioner_parts import build_decoder, build_encoder, initial_codes
from scar.reduction.phase import make_phases
from scar.reduction.pictures import Images, square_images
from scar.reduction.tokens import encode, make_tokenizer, open_tokenizer

Pairs = tuple[Images, Sequence[str]]

_WEIGHTS, _ABOUT, _TOKENIZER, _DECODER = "weights.safetensors", "captioner.json", "tokenizer", "decoder"


def train_captioner(
    config: CaptionerConfig,
    images: Images,
    captions: Sequence[str],
    *,
    clean: Pairs | None = None,
    seed: int,
    folder: Path,
    trainer: TrainerConfig | None = None,
    loggers: Sequence[Any] = (),
    callbacks: Sequence[Any] = (),
) -> CodebookCaptioner:
    """Train a captioner on pairs; an interrupted training goes on after its last finished epoch.

    The weights depend on the config, the pairs and the seed: on the same device, a training that was interrupted ends
    with those of one that was not. The images are seen as they are, without augmentation.

    Args:
        config: sizes and training.
        images: uint8 array [N, H, W, 3] (mapped from a file, if it is of the size of the config), or arrays or PIL
            images of any size, which are resized once.
        captions: [N] texts, one per image.
        clean: images and captions of the second phase; without, there is none.
        seed: of the weights, the order and the dropout.
        folder: of the checkpoints, one per phase, which stay there.
        trainer: on what; one device by default. Several take ``strategy="ddp"`` under torchrun or SLURM.
        loggers: of Lightning.
        callbacks: of Lightning.

    Returns:
        The captioner on the CPU, in evaluation mode, with its history.

    Raises:
        ValueError: there are no pairs, not as many captions as images, too few keywords, or the folder holds a
            training of something else.
    """
    trainer = trainer or TrainerConfig()
    if trainer.strategy == "ddp_spawn":
        raise ValueError("trainer.strategy=ddp_spawn cannot train a captioner; use ddp under torchrun or SLURM")
    every = [(images, captions)] + ([] if clean is None else [clean])
    _check_lengths(every)
    captioner = build_captioner(config, captions, seed=seed)
    data = [
        (square_images(pictures, config.image_size), encode(captioner.tokenizer, texts, max_tokens=config.max_tokens))
        for pictures, texts in every
    ]
    phases = make_phases(
        config, data[0], data[1] if clean else None, padding=captioner.tokenizer.pad_token_id, seed=seed
    )
    folder.mkdir(parents=True, exist_ok=True)
    begun = [index for index, phase in enumerate(phases) if (folder / f"{phase.name}.ckpt").is_file()]
    with quiet_lightning(), torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        for phase in phases[max(begun, default=0) :]:
            captioner.phase = phase
            checkpoint = folder / f"{phase.name}.ckpt"
            _lightning(config, trainer, phase.epochs, folder, loggers, [*callbacks, _EveryEpoch(checkpoint)]).fit(
                captioner, ckpt_path=str(checkpoint) if checkpoint.is_file() else None
            )
    captioner.phase = None
    captioner.cpu().eval()
    return captioner


def _check_lengths(every: Sequence[Pairs]) -> None:
    for part, (images, captions) in zip(("images", "clean"), every, strict=False):
        if len(images) != len(captions) or not len(captions):
            raise ValueError(f"{part}: {len(images)} images with {len(captions)} captions; give one caption per image")


def build_captioner(config: CaptionerConfig, captions: Sequence[str], *, seed: int) -> CodebookCaptioner:
    """Return a captioner before training.

    The weights of encoder and decoder do not depend on how the codes begin.
    """
    name = config.tokenizer or config.pretrained_text
    tokenizer = make_tokenizer(captions, vocabulary=config.vocabulary) if name is None else open_tokenizer(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "captioner weights"))
        decoder, encoder = build_decoder(config, tokenizer), build_encoder(config)
    words = decoder.get_input_embeddings().weight
    codes = initial_codes(config, captions, tokenizer, words, seed=derive_seed(seed, "captioner codes"))
    return CodebookCaptioner(config, tokenizer, codes, decoder=decoder, encoder=encoder)


def save(captioner: CodebookCaptioner, folder: Path) -> None:
    """Write weights, tokenizer, configuration and history, all that `load` needs."""
    folder.mkdir(parents=True, exist_ok=True)
    save_model(captioner, str(folder / _WEIGHTS))
    captioner.tokenizer.save_pretrained(folder / _TOKENIZER)
    captioner.decoder.config.save_pretrained(folder / _DECODER)
    write_json(folder / _ABOUT, {"config": asdict(captioner.config), "history": captioner.history})


def load(folder: Path) -> CodebookCaptioner:
    """Return what `save` wrote, on the CPU and in evaluation mode."""
    about = read_json(folder / _ABOUT)
    config = CaptionerConfig(**about["config"])
    captioner = CodebookCaptioner(
        config,
        open_tokenizer(folder / _TOKENIZER),
        torch.zeros(config.codebook_size, config.width),
        decoder=BertLMHeadModel(BertConfig.from_pretrained(folder / _DECODER)),
        encoder=build_encoder(replace(config, pretrained=None)),
    )
    load_model(captioner, str(folder / _WEIGHTS))
    captioner.history = list(about["history"])
    captioner.eval()
    return captioner


class _EveryEpoch(Checkpoint):
    """Keeps the last finished epoch in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Every rank must take part; only the first one writes.
        if trainer.is_global_zero:
            with replacing(self.path) as temporary:
                trainer.save_checkpoint(temporary)
        else:
            trainer.save_checkpoint(self.path)


def _lightning(
    config: CaptionerConfig,
    trainer: TrainerConfig,
    epochs: int,
    folder: Path,
    loggers: Sequence[Any],
    callbacks: Sequence[Any],
) -> pl.Trainer:
    return pl.Trainer(
        accelerator=chosen_accelerator(trainer.accelerator),
        devices=trainer.devices,
        num_nodes=trainer.num_nodes,
        strategy=trainer.strategy,
        precision=config.precision,
        logger=list(loggers) or False,
        callbacks=list(callbacks),
        max_epochs=epochs,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        enable_checkpointing=True,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )

"""Lightning around the bank of probes: several processes or machines, GPUs, loggers and callbacks."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.loggers import Logger
from pytorch_lightning.plugins.environments import SLURMEnvironment, TorchElasticEnvironment

from scar.common.machine import chosen_accelerator
from scar.probes.module import ProbeBank
from scar.probes.settings import TrainerConfig

LIGHTNING = ("pytorch_lightning", "lightning_fabric")
# Loggers of Lightning.


class LightningBank(pl.LightningModule):
    """A bank whose step is one epoch of every probe in work."""

    def __init__(self, bank: ProbeBank) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.bank = bank
        self._unused = torch.nn.Parameter(torch.zeros(()))  # distributed strategies refuse a module without one

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Start of a spawned rank."""
        super().__setstate__(state)
        silence_lightning()

    def configure_optimizers(self) -> None:
        """The blocks update their weights themselves."""

    def train_dataloader(self) -> list[int]:
        """One item, hence one step, per epoch."""
        return [0]

    def on_fit_start(self) -> None:
        """Share the blocks out between the ranks."""
        self.bank.start(self.trainer.global_rank, self.trainer.world_size)

    def training_step(self, *batch: Any) -> None:
        """Train every probe in work for one epoch."""
        done = self.bank.train_epoch()
        if self.trainer.loggers:
            self.log("probes_in_work", float(self.bank.in_work))
        self.trainer.should_stop = self.trainer.strategy.reduce_boolean_decision(done, all=True)

    def on_fit_end(self) -> None:
        """Gather the results of all ranks on each of them."""
        for buffer in self.buffers():
            self.trainer.strategy.reduce(buffer, reduce_op="sum")


def fit(
    bank: ProbeBank, config: TrainerConfig, folder: str, loggers: Sequence[Logger], callbacks: Sequence[Callback]
) -> None:
    """Train the probes of a bank by a trainer that does no more than it is asked for and writes nothing."""
    launched = TorchElasticEnvironment.detect() or SLURMEnvironment.detect() or "RANK" in os.environ
    if config.strategy == "ddp" and config.devices * config.num_nodes > 1 and not launched:
        raise ValueError(
            f"trainer.strategy=ddp with trainer.devices={config.devices} needs a launcher (torchrun, SLURM); "
            "without one use trainer.strategy=ddp_spawn"
        )
    with quiet_lightning():
        Trainer(
            accelerator=chosen_accelerator(config.accelerator),
            devices=config.devices,
            num_nodes=config.num_nodes,
            strategy=config.strategy,
            logger=list(loggers) or False,
            callbacks=list(callbacks),
            max_epochs=-1,
            log_every_n_steps=1,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,
        ).fit(LightningBank(bank))


def silence_lightning() -> None:
    """Keep Lightning's notices about devices, ranks and optimisers out of the output of a study."""
    warnings.filterwarnings("ignore", module=r"pytorch_lightning\..*")
    for name in LIGHTNING:
        logging.getLogger(name).setLevel(logging.ERROR)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Silence Lightning for a while; its loggers and the warnings are as before afterwards."""
    levels = {name: logging.getLogger(name).level for name in LIGHTNING}
    try:
        with warnings.catch_warnings():
            silence_lightning()
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)

"""Settings of the probes and of the machine that trains them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

SOLVERS = ("adam", "lbfgs")
SCALINGS = ("standard", "unit_norm", "none")
MONITORS = ("validation_loss", "train_accuracy")
PRECISIONS = ("float32", "tf32", "bfloat16")
STRATEGIES = ("auto", "ddp", "ddp_spawn")
PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)
"""Of the default probe, from the strongest on."""
CHOICE_TOLERANCE = 1e-3
"""How far above their minimum the penalised objectives may end between which a shared penalty is chosen."""


@dataclass(frozen=True, kw_only=True)
class ProbeConfig:
    """How a linear probe (softmax cross-entropy, or a sigmoid for each of several labels) is trained; all probes of a bank are trained alike.

    Attributes:
        solver: ``"adam"`` (epochs of mini-batches) or ``"lbfgs"`` (the optimum of the penalised objective).
        scaling: ``"standard"`` (mean and standard deviation of the probe's own training rows, folded into the
            returned weights), ``"unit_norm"`` (each row divided by its Euclidean norm) or ``"none"``.
        batch_size: samples in a step of Adam; None takes all of them.
        learning_rate: of Adam.
        max_epochs: passes over the training rows; for L-BFGS, evaluations of the objective (per penalty).
        patience: epochs (for a path, penalties) without an improvement before training stops.
        monitor: what has to improve, ``"validation_loss"`` or ``"train_accuracy"``; L-BFGS takes the former.
        restore_best: return the weights of the best epoch rather than the last ones.
        penalties: λ of L-BFGS in ``mean loss + λ/2 · |W|²``: W for the scaled features, biases not
            penalised; λ is per sample, so that samples given twice change nothing. One value is used as it is; of
            several, tried from the strongest on, the validation loss of matched decisions chooses (`matched_shift`).
        shared_penalty: choose once per training set, on the whole of it: what is added to it is trained with the same
            λ, its subsets with `penalty_of_subset`; False chooses for every probe anew.
        tolerance: how far above its minimum the penalised objective may end; L-BFGS stops when ``|∇|² /
            2λ``, a bound on that distance, falls below it.
        precision: ``"float32"``; ``"tf32"`` or ``"bfloat16"`` for the products of training on a GPU.
    """

    name: str = "converged"
    solver: str = "lbfgs"
    scaling: str = "standard"
    batch_size: int | None = None
    learning_rate: float = 1e-3
    max_epochs: int = 2000
    patience: int = 2
    monitor: str = "validation_loss"
    restore_best: bool = True
    penalties: tuple[float, ...] = PENALTIES
    shared_penalty: bool = True
    tolerance: float = 1e-4
    precision: str = "float32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "penalties", tuple(sorted(self.penalties, reverse=True)))
        _choice("probe.solver", self.solver, SOLVERS)
        _choice("probe.scaling", self.scaling, SCALINGS)
        _choice("probe.monitor", self.monitor, MONITORS)
        _choice("probe.precision", self.precision, PRECISIONS)
        for name in ("batch_size", "learning_rate", "max_epochs", "patience", "tolerance"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                hint = "; null takes the whole training part" if name == "batch_size" else ""
                raise ValueError(f"probe.{name}={value} must be above 0 and finite{hint}")
        if any(not 0 < penalty < math.inf for penalty in self.penalties):
            raise ValueError(
                f"probe.penalties={list(self.penalties)} must be above 0 and finite, or the optimum may not exist"
            )
        if (self.solver == "lbfgs") != bool(self.penalties):
            raise ValueError(
                f"probe.penalties={list(self.penalties)} does not fit probe.solver={self.solver}: lbfgs "
                "needs at least one, adam takes none; probe=linear is Adam with all that belongs to it"
            )
        if self.solver == "lbfgs" and self.monitor != "validation_loss":
            raise ValueError(f"probe.monitor={self.monitor} does not fit probe.solver=lbfgs; use validation_loss")

    @classmethod
    def linear(cls, **changes: Any) -> ProbeConfig:
        """Return the paper's settings (§5.1), those of ``probe=linear``: Adam on batches of 500, early stopping."""
        adam: dict[str, Any] = {"name": "linear", "solver": "adam", "batch_size": 500, "max_epochs": 100, "patience": 5}
        return cls(**{**adam, "penalties": (), "shared_penalty": False, **changes})

    @property
    def draws(self) -> bool:
        """Whether training draws anything, such as batches, so that a probe depends on its seed."""
        return self.solver == "adam"

    @property
    def chooses_once(self) -> bool:
        """Whether the penalty is chosen on a whole training set, for all probes that belong to it."""
        return self.shared_penalty and len(self.penalties) > 1

    @property
    def for_choice(self) -> ProbeConfig:
        """These settings to choose a shared penalty with.

        The validation loss is flat around its minimum, so that rough optima are near enough to compare penalties by.
        """
        return replace(self, tolerance=max(self.tolerance, CHOICE_TOLERANCE))

    @property
    def needs_validation(self) -> bool:
        """Whether training stops or chooses on a validation part."""
        return len(self.penalties) > 1 or (self.solver == "adam" and self.monitor == "validation_loss")


def penalty_of_subset(penalty: float, *, whole: int, size: int) -> float:
    """Return the λ of a probe on `size` of the `whole` samples that a shared penalty was chosen on: ``λ N / n``.

    The penalty as a whole, λ n, stays: one prior on the weights, whatever the sample. Measured on Fashion-MNIST (20:1) and
    WordNet glosses, three seeds each, at N/2, N/4 and N/8: the validation loss of matched decisions lies a median of 0.005
    above that at the best of six penalties, the balanced accuracy 0.1 points below on average; at λ itself 0.05 and 1.8.
    """
    return penalty * whole / size


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """On what the probes are trained; on one kind of device, none of it can change a number.

    Attributes:
        accelerator: of Lightning, which a single process on a CPU does without, e.g. ``"auto"``, ``"cpu"``, ``"gpu"``.
        devices: processes (CPU) or GPUs; the probes are shared out between them.
        num_nodes: machines, with ``strategy="ddp"`` and a launcher such as torchrun or SLURM.
        strategy: ``"auto"``, ``"ddp_spawn"`` (processes started here) or ``"ddp"`` (by torchrun or SLURM).
        threads: probes trained at once on the CPU, over all processes of the machine; None takes every core.
        memory_gib: memory for the training rows of the probes in work, per process; None takes the
            size of the features for each thread, at most half of what is free (on a GPU, half of its memory).
            A probe whose rows are more than that is streamed: read again in every epoch.
    """

    name: str = field(default="default", metadata={"runtime": True})
    accelerator: str = field(default="auto", metadata={"runtime": True})
    devices: int = field(default=1, metadata={"runtime": True})
    num_nodes: int = field(default=1, metadata={"runtime": True})
    strategy: str = field(default="auto", metadata={"runtime": True})
    threads: int | None = field(default=None, metadata={"runtime": True})
    memory_gib: float | None = field(default=None, metadata={"runtime": True})

    def __post_init__(self) -> None:
        _choice("trainer.strategy", self.strategy, STRATEGIES)
        for name in ("devices", "num_nodes", "threads", "memory_gib"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"trainer.{name}={value} must be above 0 and finite")
        if self.devices * self.num_nodes > 1 and self.strategy == "auto":
            raise ValueError(
                f"trainer.devices={self.devices} on trainer.num_nodes={self.num_nodes} needs a strategy; use "
                "trainer.strategy=ddp_spawn, or ddp under torchrun or SLURM"
            )


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name}={value!r} is unknown; use one of {', '.join(allowed)}")

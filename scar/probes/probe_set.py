"""Trained linear probes as plain arrays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from scar.common.types import Floats32, Ints
from scar.common.vectors import unit_rows

_FILE = "probes.safetensors"


@dataclass(frozen=True, eq=False)
class ProbeTask:
    """One probe to train.

    Attributes:
        train: [n] rows of the features that it is fitted to.
        validation: [v] rows that stop or choose it; may be empty where the config needs none.
        seed: of its initialisation and its batch order, which depend on nothing else: tasks with one seed
            start from the same weights, and at the same n see their rows in the same order.
        penalty: λ of L-BFGS for this probe; None takes those of the config.
    """

    train: Ints
    validation: Ints
    seed: int
    penalty: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class ProbeSet:
    """P linear probes with D inputs and K outputs; ``logits = x @ weights[p] + biases[p]`` on raw features.

    Attributes:
        weights: [P, D, K], the scaling of the features folded in.
        biases: [P, K].
        epochs: [P] epochs trained (evaluations of the objective for L-BFGS).
        validation_loss: [P] mean cross-entropy of the returned weights on the validation rows (with several labels, their
            sum); NaN without any.
        converged: [P] whether training ended by its own rule rather than at ``max_epochs``.
        degenerate: [P] whether the training rows held one class only, or the probe predicts a single class
            for all of its validation rows (its training rows, where there are none); with several labels, that none of
            them varies.
        penalty: [P] the penalty λ that was used or chosen; 0 for Adam.
        constant_features: [P] features without any weight because they are constant on the training rows.
        far_rows: [P] training rows that were shortened because they lie far from all others (`scaling="standard"`).
        curve: [P, E] what training watched after each epoch: the validation loss, the share of right answers on the
            training rows (``monitor=train_accuracy``) or the objective at the penalty in turn (L-BFGS); NaN after the last epoch.
        unit_norm: whether rows have to be divided by their Euclidean norm first; `logits` does so.
    """

    weights: Floats32
    biases: Floats32
    epochs: Ints
    validation_loss: Floats32
    converged: NDArray[np.bool_]
    degenerate: NDArray[np.bool_]
    penalty: Floats32
    constant_features: Ints
    far_rows: Ints
    curve: Floats32
    unit_norm: bool = False

    @classmethod
    def none(cls) -> ProbeSet:
        """Return a set without a probe."""
        dimensions = {"weights": 3, "biases": 2, "curve": 2}
        arrays: dict[str, Any] = {name: np.zeros((0,) * dimensions.get(name, 1), np.float32) for name in _arrays()}
        kinds = {"epochs": np.int64, "constant_features": np.int64, "far_rows": np.int64, "converged": np.bool_}
        return cls(**arrays | {name: arrays[name].astype(kind) for name, kind in kinds.items()})

    def __len__(self) -> int:
        return len(self.weights)

    def logits(self, p: int, x: Floats32) -> Floats32:
        """Return the logits [n, K] of probe p for raw features x [n, D]."""
        x = np.asarray(x, dtype=np.float32)
        if self.unit_norm:
            x = unit_rows(x)
        logits: Floats32 = x @ self.weights[p]
        logits += self.biases[p]
        return logits

    def predict(self, p: int, x: Floats32) -> Ints:
        """Return the predicted classes [n] of probe p for raw features x [n, D]; of several labels it is the likeliest."""
        classes: Ints = self.logits(p, x).argmax(axis=1)
        return classes

    def select(self, probes: Sequence[int]) -> ProbeSet:
        """Return the named probes, in the named order."""
        chosen = np.asarray(probes, dtype=np.int64)
        return replace(self, **{name: getattr(self, name)[chosen] for name in _arrays()})

    def save(self, folder: Path) -> None:
        """Write the probes to one safetensors file in an existing folder."""
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in _arrays()}
        save_file(arrays, folder / _FILE, metadata={"unit_norm": json.dumps(self.unit_norm)})

    @classmethod
    def load(cls, folder: Path) -> ProbeSet:
        """Read what `save` wrote."""
        with safe_open(folder / _FILE, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in _arrays()}
            return cls(**arrays, unit_norm=json.loads(file.metadata()["unit_norm"]))


def load_curve(folder: Path) -> Floats32:
    """Read `ProbeSet.curve` [P, E] alone from what `ProbeSet.save` wrote."""
    with safe_open(folder / _FILE, framework="numpy") as file:
        curve: Floats32 = file.get_tensor("curve")
    return curve


def _arrays() -> list[str]:
    return [field.name for field in fields(ProbeSet) if field.name != "unit_norm"]

"""Trained linear probes as plain arrays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
_FILE = "probes.safetensors"


@dataclass(frozen=True, eq=False)
class ProbeTask:
    """One probe to train.

    Attributes:
        train: [n] rows of the features that it is fitted to.
        validation: [v] rows that stop or choose it; may be empty where the config needs none.
        seed: of its initialisation and its batch order, which depend on nothing else: tasks with one seed
            start from the same weights, and at the same n see their rows in the same order.
    """

    train: Ints
    validation: Ints
    seed: int


@dataclass(frozen=True, eq=False, kw_only=True)
class ProbeSet:
    """P linear probes with D inputs and K outputs; ``logits = x @ weights[p] + biases[p]`` on raw features.

    Attributes:
        weights: [P, D, K], the scaling of the features folded in.
        biases: [P, K].
        epochs: [P] epochs trained (evaluations of the objective for L-BFGS).
        validation_loss: [P] mean cross-entropy of the returned weights on the validation rows; NaN without
            any.
        converged: [P] whether training ended by its own rule rather than at ``max_epochs``.
        degenerate: [P] whether the training rows held one class only, or the probe predicts a single class
            for all of its validation rows (its training rows, where there are none).
        penalty: [P] the penalty λ that was used or chosen; 0 for Adam.
        curve: [P, E] what training watched after each epoch: the validation loss, the share of right answers on the
            training rows (``monitor=train_accuracy``) or the penalised objective (L-BFGS); NaN after the last epoch.
        unit_norm: whether rows have to be divided by their Euclidean norm first; `logits` does so.
    """

    weights: Floats
    biases: Floats
    epochs: Ints
    validation_loss: Floats
    converged: NDArray[np.bool_]
    degenerate: NDArray[np.bool_]
    penalty: Floats
    curve: Floats
    unit_norm: bool = False

    def __len__(self) -> int:
        return len(self.weights)

    def logits(self, p: int, x: Floats) -> Floats:
        """Return the logits [n, K] of probe p for raw features x [n, D]."""
        x = np.asarray(x, dtype=np.float32)
        if self.unit_norm:
            x = unit_rows(x)
        logits: Floats = x @ self.weights[p] + self.biases[p]
        return logits

    def predict(self, p: int, x: Floats) -> Ints:
        """Return the predicted classes [n] of probe p for raw features x [n, D]."""
        classes: Ints = self.logits(p, x).argmax(axis=1)
        return classes

    def select(self, probes: Sequence[int]) -> ProbeSet:
        """Return the named probes, in the named order."""
        chosen = np.asarray(probes, dtype=np.int64)
        return replace(self, **{name: getattr(self, name)[chosen] for name in _arrays()})

    def save(self, folder: Path) -> None:
        """Write the probes to one safetensors file in an existing folder."""
        from safetensors.numpy import save_file

        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in _arrays()}
        save_file(arrays, folder / _FILE, metadata={"unit_norm": json.dumps(self.unit_norm)})

    @classmethod
    def load(cls, folder: Path) -> ProbeSet:
        """Read what `save` wrote."""
        from safetensors import safe_open

        with safe_open(folder / _FILE, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in _arrays()}
            return cls(**arrays, unit_norm=json.loads(file.metadata()["unit_norm"]))


def load_curve(folder: Path) -> Floats:
    """Read `ProbeSet.curve` [P, E] alone from what `ProbeSet.save` wrote."""
    from safetensors import safe_open

    with safe_open(folder / _FILE, framework="numpy") as file:
        curve: Floats = file.get_tensor("curve")
    return curve


def unit_rows(x: Floats) -> Floats:
    """Divide each row of x [n, D] by its Euclidean norm; a row of zeros stays."""
    norms: Floats = np.linalg.norm(x, axis=1, keepdims=True)
    scaled: Floats = np.divide(x, norms, out=np.zeros_like(x), where=norms > 0)
    return scaled


def _arrays() -> list[str]:
    return [field.name for field in fields(ProbeSet) if field.name != "unit_norm"]

"""Heads on frozen features: what each is trained on, and what it answers on a subset of the labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scar.common.types import Floats32, Ints

Logits = Callable[[Floats32], Floats32]

LINEAR, MLP = "linear", "mlp"


@dataclass(frozen=True, eq=False, kw_only=True)
class HeadTask:
    """One head to train.

    Attributes:
        rows: [n] rows of the features.
        labels: [n] classes, any ids.
        validation: [v] rows that stop it, and `validation_labels` [v] their classes.
        classes: [C] ids in ascending order: the meaning of its logits.
        seed: of initialisation and batch order.
    """

    rows: Ints
    labels: Ints
    validation: Ints
    validation_labels: Ints
    classes: Ints
    seed: int


def masked_predictions(logits: Floats32, classes: Ints, targets: Ints, *, masking: str = "exclude") -> Ints:
    """Return the predicted class ids [n] where only the target classes may be right.

    Args:
        logits: [n, C].
        classes: [C] ids of the columns, ascending.
        targets: [T] ids of the target classes, all among `classes`.
        masking: ``"exclude"`` sets the other logits to −∞; ``"zero"`` sets them to 0 as the paper's text says, so
            that an item whose target logits are all negative is given to another class.
    """
    inside = np.isin(classes, targets)
    if inside.sum() != len(targets):
        raise ValueError(f"targets {np.setdiff1d(targets, classes).tolist()} are not among the classes of the head")
    if masking not in ("exclude", "zero"):
        raise ValueError(f"masking={masking!r} is unknown; use exclude or zero")
    outside = -np.inf if masking == "exclude" else 0.0
    answer: Ints = classes[np.where(inside, logits, np.float32(outside)).argmax(axis=1)]
    return answer

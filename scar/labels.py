"""Step functions: the labels that a probe learns (§2, §4.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scar.data.catalogue import Catalogue

KINDS = ("given",)


@dataclass(frozen=True, kw_only=True)
class LabelsConfig:
    """Where the step functions come from.

    Attributes:
        name: of the configuration.
        kind: ``"given"`` takes the labels of the dataset.
    """

    name: str = "given"
    kind: str = "given"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"labels.kind={self.kind!r} is unknown; use one of {', '.join(KINDS)}")


@dataclass(frozen=True, eq=False)
class Steps:
    """The step functions of a dataset.

    Attributes:
        labels: [N] step of every sample, in 0..K-1.
        names: [K] of the steps.
    """

    labels: NDArray[np.int64]
    names: tuple[str, ...]


def given_steps(catalogue: Catalogue) -> Steps:
    """Return the labels that the dataset gives.

    Raises:
        ValueError: it gives none.
    """
    if catalogue.labels is None:
        raise ValueError("labels=given, but the dataset has no labels; use labels=cross_modal on its pairs")
    return Steps(catalogue.labels, catalogue.class_names)

"""Step functions: the labels that a probe learns (§2, §4.3)."""

from __future__ import annotations

from dataclasses import dataclass

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

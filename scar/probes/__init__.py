"""Many linear probes at once: what they are trained on, how, and what they become."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from scar.probes.config import ProbeConfig, TrainerConfig
from scar.probes.probe_set import ProbeSet, ProbeTask

if TYPE_CHECKING:
    from scar.probes.train import train_probes as train_probes

__all__ = ["ProbeConfig", "ProbeSet", "ProbeTask", "TrainerConfig", "train_probes"]


def __getattr__(name: str) -> Any:
    """Import what needs torch on first use."""
    if name == "train_probes":
        return import_module("scar.probes.train").train_probes
    raise AttributeError(f"module 'scar.probes' has no attribute {name!r}")

"""What of this machine the process may use: cores, and the device that models are trained on."""

from __future__ import annotations

import os


def core_numbers() -> list[int]:
    """Return the numbers of the usable cores; none where the system does not tell them."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def usable_cores() -> int:
    """Return how many cores the process may use."""
    return len(core_numbers()) or os.cpu_count() or 1


def usable_threads() -> int:
    """Return how many threads an inference library may use: ``OMP_NUM_THREADS`` where it is set, as torch does."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(wanted) if wanted.isdigit() and int(wanted) else usable_cores()


def chosen_accelerator(name: str) -> str:
    """Return the accelerator of Lightning for ``trainer.accelerator``.

    ``"auto"`` is CUDA where there is a device and the CPU elsewhere: losses are float64, which MPS lacks.

    Raises:
        ValueError: a GPU is asked for, and torch sees none.
    """
    import torch

    seen = torch.cuda.is_available()
    if name in ("gpu", "cuda") and not seen:
        raise ValueError(f"trainer.accelerator={name}: torch sees no GPU here; use auto or cpu")
    return ("cuda" if seen else "cpu") if name == "auto" else name

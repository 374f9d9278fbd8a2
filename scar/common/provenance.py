"""Where a result comes from: versions, the state of the sources, the machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from scar.common.machine import usable_cores

PACKAGES = (
    "scar-data",
    "hydra-core",
    "numpy",
    "omegaconf",
    "pytorch-lightning",
    "scikit-learn",
    "torch",
    "torchmetrics",
    "wandb",
)


@cache
def versions() -> dict[str, str]:
    """Return the versions of the packages that decide results, without importing them."""
    found = {"python": sys.version.split()[0]}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@cache
def git_states() -> dict[str, dict[str, Any]]:
    """Return commit and cleanness of the working folder and of this package, where git keeps them."""
    package = Path(__file__).parents[1]
    states = {"working_folder": _git_state(Path.cwd())}
    if _git(package, "ls-files", "__init__.py"):  # an installation inside a repository is not part of it
        states["scar"] = _git_state(package)
    return {name: state for name, state in states.items() if state}


def _git_state(folder: Path) -> dict[str, Any]:
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return {}
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "changed_files": len((changed or "").splitlines())}


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what a git command prints, None where there is no git or no repository."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()


@cache
def hardware() -> dict[str, Any]:
    """Return processor, usable cores, memory and GPUs of this machine."""
    return {
        "host": platform.node(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _field(Path("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine(),
        "cores": usable_cores(),
        "memory_gib": _memory_gib(),
        "gpus": [_field(path, "Model") for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))],
    }


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    except (ValueError, OSError):
        return None


def _field(path: Path, name: str) -> str:
    """Return the value of the first line ``name : value`` of a file, empty where there is none."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")

"""Where a study of reductions leaves its rows."""

from __future__ import annotations

from pathlib import Path

RESULTS = "reduction.parquet"
"""File in the folder of a job with its rows."""


def has_reductions(study: Path) -> bool:
    """Whether a study folder holds results of reductions and no ordinary rows, whose report is another."""
    return any(study.glob(f"jobs/*/{RESULTS}")) and not any(study.glob("jobs/*/rows.parquet"))

"""Where a study of reductions leaves what it found."""

from __future__ import annotations

from pathlib import Path

RESULTS = "reduction.parquet"
"""File in the folder of a job with its rows."""
PARTS = ("differences", "ablations", "scores", "claims")
"""Tables of a job that stand beside its rows, each in a CSV file of its name."""
FINDINGS = "findings.txt"
"""File with the findings in words, one a line."""


def has_reductions(study: Path) -> bool:
    """Whether a study folder holds results of reductions and no ordinary rows, whose report is another."""
    return any(study.glob(f"jobs/*/{RESULTS}")) and not any(study.glob("jobs/*/rows.parquet"))

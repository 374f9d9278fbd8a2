"""Data reduction for image-text pairs, put to the test: `scar experiment=reduction`."""

from scar.studies.reduction.study import run, run_study

__all__ = ["run", "run_study"]

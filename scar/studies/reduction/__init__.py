"""Data reduction for image-text pairs, put to the test: `scar experiment=reduction`."""

from scar.studies.reduction.study import run, study

__all__ = ["run", "study"]

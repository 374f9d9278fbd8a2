"""What the training of the probes of a finished job watched, epoch by epoch, read from its artefacts."""

from __future__ import annotations

import numpy as np

from scar.common.types import Floats32
from scar.job.job import Job
from scar.probes.probe_set import load_curve


def arm_curves(job: Job) -> Floats32:
    """Return [P, E] what the training of the evaluated arms watched.

    Whichever job trained a probe, its curve lies with it, so that jobs that share artefacts show the same.
    """
    return _stacked([job.store.read(arm.probes.key, load_curve)[[arm.index]] for arm in job.arms])


def _stacked(curves: list[Floats32]) -> Floats32:
    """Stack curves of different lengths, the shorter ones filled up with NaN."""
    stacked = np.full((sum(map(len, curves)), max(c.shape[1] for c in curves)), np.nan, np.float32)
    row = 0
    for curve in curves:
        stacked[row : row + len(curve), : curve.shape[1]] = curve
        row += len(curve)
    return stacked

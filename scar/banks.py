"""What the training of the probes of a finished job watched, epoch by epoch, read from its artefacts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scar.pipeline import SUBJECTS, Job
from scar.probes.probe_set import load_curve


def bank_curves(job: Job) -> dict[str, NDArray[np.float32]]:
    """Return [P, E] by bank: the subsets of primary, those of total, and the arms of the evaluation.

    Whichever job trained a probe, its curve lies with it, so that jobs that share artefacts show the same.
    """
    curves = {subject: load_curve(job.store.path(job.observations_key(subject))) for subject in SUBJECTS}
    return curves | {"evaluation": _stacked([load_curve(job.store.path(arm.key)) for arm in job.arms])}


def _stacked(curves: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Stack curves of different lengths, the shorter ones filled up with NaN."""
    stacked = np.full((sum(map(len, curves)), max(c.shape[1] for c in curves)), np.nan, np.float32)
    row = 0
    for curve in curves:
        stacked[row : row + len(curve), : curve.shape[1]] = curve
        row += len(curve)
    return stacked

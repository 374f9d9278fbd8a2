"""Problems with a known right answer."""

import numpy as np

from scar.completion.by_name import PLANNERS
from scar.completion.class_curves import ClassCurves
from scar.completion.problem import CompletionProblem

LABELLED = tuple(PLANNERS.values())


def curves(counts, *, limit=0.9, drop=0.2, exponent=0.5, draws=4):
    """Curves of classes of the given sizes; parameters are numbers or one per class, the same in every draw."""
    size = np.maximum(np.asarray(counts), 1).astype(float)
    rows = [np.broadcast_to(np.asarray(v, float), (1 + draws, len(size))).copy() for v in (limit, drop, exponent)]
    shares = np.full(len(size), 1 / len(size))
    return ClassCurves(scale=size, limit=rows[0], drop=rows[1], exponent=rows[2], shares=shares)


def problem(counts, reserve, needs, *, miss=0.3, learned=None, **given):
    """`needs` count samples of the classes, at the class mix; of a class without samples, samples of the whole set."""
    counts = np.asarray(counts, np.int64)
    given.setdefault("deployment", counts / counts.sum() if counts.sum() else None)
    learned = curves(counts) if learned is None else learned
    return CompletionProblem(
        counts=counts,
        reserve=np.asarray(reserve, np.int64),
        step_sizes=np.asarray(needs, float) * np.where(counts > 0, counts.sum() / np.maximum(counts, 1), 1.0),
        class_names=tuple(f"class {j}" for j in range(len(counts))),
        miss_rates=np.broadcast_to(np.asarray(miss, float), counts.shape).copy(),
        curves=learned,
        truth=learned,
        **given,
    )


def shuffled(reserve, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(reserve)), reserve))

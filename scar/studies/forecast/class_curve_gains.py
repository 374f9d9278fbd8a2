"""The rival: gains by per-class learning curves, which see each class alone."""

from __future__ import annotations

import numpy as np

from scar.common.types import Floats, Ints
from scar.completion.class_curves import ClassCurves


def curve_gains(curves: ClassCurves | None, sizes: Ints, now: Ints, *, level: float) -> dict[str, Floats]:
    """Return the gain in accuracy and in balanced accuracy of class sizes [G, K]: value, low, high, each [G, 3].

    Value is that of the fit, the interval quantiles of the drawn curves; NaN without curves.
    """
    if curves is None or not curves.defined.any():
        return {name: np.full((len(sizes), 3), np.nan) for name in ("accuracy", "balanced_accuracy")}
    kept = curves.defined
    gains = (curves.recall(sizes) - curves.recall(now)[:, None])[..., kept]
    weights = {"accuracy": curves.shares[kept], "balanced_accuracy": np.ones(int(kept.sum()))}
    found = {}
    for name, each in weights.items():
        summed = gains @ (each / each.sum())
        low, high = np.quantile(summed[1:], [0.5 - level / 2, 0.5 + level / 2], axis=0)
        found[name] = np.stack([summed[0], low, high], axis=1)
    return found

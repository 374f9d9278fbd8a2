"""What twice the data would do for each class: which are learnt, and which more data do not mend.

The composition surface (`scar.completion.surface`) is asked for the recalls that decisions for equal classes would have if
every class had twice its samples. More of one class alone raises its recall even where its labels are noise, at the
expense of the classes that it is mistaken for; twice of all does not. With an interval of 90 %:

- *learnt*: a recall of `LEARNT` or more, which gains less than `NEGLIGIBLE` for certain;
- *not mended*: a lower recall, of whose misses less than `MENDED` would vanish for certain.

The error of a gain is that of the surface and that of the items it was seen on: recalls of two probes on n_j held-out and
training samples disagree on ``.35 r (1 - r) + |gain|`` of them, as in `scar.completion.forecast`. Gaussian classes of 160, 240
and 320 samples, one of which is drawn from the others at random, in 24 fresh sets: the noise was named in each, none of the other
186 classes was. Small sets are never certain: of 20 to 100 samples a class, nothing was named.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats, Ints
from scar.completion.forecast import DISCORDANCE, HALF_WIDTH, MODEL_ERROR, Forecaster, NoForecaster

LEARNT = 0.95
"""Recall from which on a class whose gain is negligible is learnt."""
NEGLIGIBLE = 0.005
"""Gain of recall that counts as none."""
MENDED = 0.05
"""Share of the misses of a class below which more data do not mend it."""
VERDICTS = LEARNT_ALREADY, NOT_MENDED = "learnt", "not_mended"


@dataclass(frozen=True, eq=False, kw_only=True)
class ClassProspects:
    """The recalls of K classes after decisions for equal classes; NaN where nothing is forecast.

    Attributes:
        now: [K] with the present samples.
        doubled: [K, 3] with twice as many of every class: value, low, high (90 %).
        verdicts: [K] one of `VERDICTS`, or ``""``.
    """

    now: Floats
    doubled: Floats
    verdicts: NDArray[np.str_]

    def classes(self, verdict: str) -> Ints:
        """Return the classes of a verdict."""
        return np.flatnonzero(self.verdicts == verdict)


def class_prospects(forecaster: Forecaster | NoForecaster, classes: int) -> ClassProspects:
    """Forecast what twice the data would do for each of the classes; nothing where labels are worse than those held out."""
    unknown = ClassProspects(
        now=np.full(classes, np.nan), doubled=np.full((classes, 3), np.nan), verdicts=np.full(classes, "", "<U10")
    )
    if not isinstance(forecaster, Forecaster) or forecaster.refuse(2 * forecaster.counts[None])[0]:
        return unknown
    if forecaster.worse_labels:
        return unknown
    counts, surface = forecaster.counts, forecaster.surface(np.full(classes, 1 / classes))
    now, then = surface.recall(counts), surface.recall(2 * counts)
    moved = (surface.slopes(2 * counts) - surface.slopes(counts))[:, None, :] * np.eye(classes)[:, :, None]
    gain = then - now
    items = forecaster.held + counts
    seen = (DISCORDANCE * now * (1 - now) + np.abs(gain)) / np.maximum(items, 1)
    half = HALF_WIDTH * np.sqrt(surface.variance(moved) + (MODEL_ERROR * gain) ** 2 + seen)
    told = forecaster.known & (counts > 0)
    learnt = told & (now >= LEARNT) & (gain + half < NEGLIGIBLE)
    hopeless = told & (now < LEARNT) & (gain + half < MENDED * (1 - now))
    doubled = np.clip(np.stack([then, then - half, then + half], axis=1), 0.0, 1.0)
    return ClassProspects(
        now=np.where(told, now, np.nan),
        doubled=np.where(told[:, None], doubled, np.nan),
        verdicts=np.where(learnt, LEARNT_ALREADY, np.where(hopeless, NOT_MENDED, "")),
    )

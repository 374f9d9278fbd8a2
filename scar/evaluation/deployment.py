"""The class mix where a classifier is used, which its decisions are matched to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats, Ints
from scar.probes.decisions import smoothed_mix, smoothed_shares

NATURAL, UNIFORM = "natural", "uniform"


def check_deployment(deployment: str | Mapping[str, float], *, several: bool = False) -> None:
    """Refuse what is no mix.

    Args:
        deployment: a word, or shares by name.
        several: a sample may carry several labels, so that shares need not sum to 1.

    Raises:
        ValueError: an unknown word, a negative share, or shares that do not sum to 1.
    """
    if not isinstance(deployment, Mapping):
        if deployment not in (NATURAL, UNIFORM):
            raise ValueError(
                f"deployment={deployment!r} is unknown; use {NATURAL}, {UNIFORM}, or the share of every class, e.g. "
                "'deployment={cat: 0.9, dog: 0.1}'"
            )
        return
    for name, share in deployment.items():
        if isinstance(share, bool) or not isinstance(share, int | float):
            raise ValueError(f"deployment.{name}={share!r} is no number; give the class its share")
        if not 0 <= share <= 1:
            raise ValueError(f"deployment.{name}={share} is a share and must lie in [0, 1]")
    total = math.fsum(deployment.values())
    if abs(total - 1) > 1e-6 and not several:
        raise ValueError(f"deployment: the shares sum to {total:g}, not to 1; give every class its share")


def is_declared(deployment: str | Mapping[str, float]) -> bool:
    """Tell whether a mix is declared class by class, so that accuracy weights recalls by it."""
    return not isinstance(deployment, str)


def class_mix(
    deployment: str | Mapping[str, float],
    *,
    names: Sequence[str],
    counts: Ints,
    trained: Ints,
    tested: NDArray[np.bool_],
) -> Floats:
    """Return the deployment mix [K], which sums to 1.

    Args:
        deployment: ``"natural"`` (estimated from `counts`, see `smoothed_mix`; a class that was never seen counts as seen
            once), ``"uniform"``, or shares by class name; a class that is not named has none.
        names: of the K classes.
        counts: [K] validation and held-out samples of each class; never of the test part.
        trained: [K] samples of the primary set, towards whose mix few counts are drawn.
        tested: [K] whether the class has test items.

    Raises:
        ValueError: a name that is no class, or a share above 0 for a class without test items.
    """
    check_deployment(deployment)
    if deployment == NATURAL:
        unseen = (np.asarray(counts) == 0) & (np.asarray(trained) == 0)  # a class that is known may occur
        return smoothed_mix(counts, np.where(unseen, 1, trained))
    if isinstance(deployment, str):
        return np.full(len(names), 1 / len(names))
    if unknown := sorted(set(deployment) - set(names)):
        raise ValueError(f"deployment.{unknown[0]} is no class of the dataset; classes are {', '.join(names)}")
    mix: Floats = np.array([deployment.get(name, 0.0) for name in names])
    if (untested := np.flatnonzero((mix > 0) & ~tested)).size:
        name = names[untested[0]]
        raise ValueError(
            f"deployment.{name}={mix[untested[0]]:g}, but the test part has no sample of this class, so that accuracy under "
            "this mix cannot be measured; give it the share 0 or add test samples"
        )
    mix /= mix.sum()
    return mix


def label_shares(
    deployment: str | Mapping[str, float], *, names: Sequence[str], counts: Ints, total: int, trained: Floats
) -> Floats:
    """Return the share [K] of the samples that carry each label where a probe is used.

    Args:
        deployment: ``"natural"`` (estimated from `counts`, see `smoothed_shares`), ``"uniform"`` (a half), or the share of
            every label by name.
        names: of the K labels.
        counts: [K] validation and held-out samples that carry each label; never of the test part.
        total: validation and held-out samples.
        trained: [K] shares in the primary set, towards which few counts are drawn.

    Raises:
        ValueError: a name that is no label, or a label without a share.
    """
    check_deployment(deployment, several=True)
    if deployment == NATURAL:
        return smoothed_shares(counts, total, trained)
    if isinstance(deployment, str):
        return np.full(len(names), 0.5)
    if unknown := sorted(set(deployment) - set(names)):
        raise ValueError(f"deployment.{unknown[0]} is no label of the dataset; labels are {', '.join(names)}")
    if missing := [name for name in names if name not in deployment]:
        raise ValueError(
            f"deployment names no share of {missing[0]!r}; where a sample may carry several labels every label needs one"
        )
    return np.array([float(deployment[name]) for name in names])

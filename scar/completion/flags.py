"""What the flags of a plan mean, and what to say where a plan by need and the size of the set disagree."""

from __future__ import annotations

import math
from collections.abc import Sequence

PLAN_FLAGS = {
    "met": "every need is met",
    "budget_above_need": "the budget is larger than what is needed; what is left is not spent",
    "beyond_class_mix": "the needs at the present class mix are filled before the budget is spent; the rest follows SCAR's gaps",
    "beyond_even": "the needs of equal classes are filled before the budget is spent; the rest follows SCAR's gaps",
    "beyond_consensus": "the budget is larger than what the encoders agree on; the rest follows the own need",
    "unseen": "absent from the primary set; counts as the most needy",
    "undefined": "too little is known of it to tell a need; a plan takes the largest defined need for it",
    "unreachable": "no size would be enough by this estimate",
    "no_curve": "not held out, so that it takes the mean learning curve of the others",
    "not_held_out": "not held out, so that it takes the largest miss rate of the others",
    "not_deployed": "does not occur where the probe is used, so that nothing is added",
    "learnt": "learnt already: with twice the data it is forecast to gain less than half a point of recall",
    "not_mended": "more data do not mend it: twice as many are forecast to close less than a twentieth of what it misses",
    "tau": "classes are raised to sizes in proportion to the deployment mix to the power τ",
}
"""Flags that a planner gives: of the plan, as ``tau=0.25``, or of class j, as ``undefined:j``."""


def say_flag(flag: str, class_names: Sequence[str]) -> str:
    """Return a flag with the name of its class in place of its index: ``undefined:4`` as ``undefined: rare``."""
    kind, _, index = flag.partition(":")
    return f"{kind}: {class_names[int(index)]}" if index.isdigit() else flag


def say_disagreement(*, size: float, have: float, lacking: float, name: str) -> str:
    """Say in words where the size that the set needs and what its classes lack contradict each other; else "".

    Args:
        size: Foundation Data Size of the set; 0 where met, infinity where unreachable, NaN where undefined.
        have: samples of the set.
        lacking: samples that the classes lack.
        name: of the estimator.
    """
    if not size > have or lacking > 0:
        return ""
    asked = "no size would be enough for the set as a whole" if math.isinf(size) else f"{size:,.0f} samples are needed"
    return (
        f"By the {name} estimate {asked}, {have:,.0f} are held, and yet no class lacks any by itself: a plan by need adds "
        "nothing. That is no proof that the data are enough; a planner that needs no estimate spends a budget all the same."
    )

"""Whether, from what and of what a plan is forecast."""

from __future__ import annotations

from dataclasses import dataclass

from scar.probes.settings import ProbeConfig

SCORES = ("accuracy", "balanced_accuracy", "matched_accuracy", "matched_balanced_accuracy")
"""Scores that are forecast, of raw and of matched decisions."""
HELD = ("accuracy", "matched_accuracy", "matched_balanced_accuracy")
"""Scores whose intervals held on fresh data. Those of raw balanced accuracy held in 89 % of the plans, but in 75 % of them where classes
are very unequal (study `forecast_study`)."""
LEVEL = 0.9
"""Of the intervals: the one that they are calibrated at."""
SEEDS = ("first", "all")
FEWEST = 30
"""Compositions: with fewer, four coefficients per class are guesses."""


@dataclass(frozen=True, kw_only=True)
class ForecastConfig:
    """How what a plan brings is forecast (`scar.completion.forecast`).

    Attributes:
        compositions: small training sets that probes are trained on; 0: no forecast. Fewer than the 90 that the intervals
            are calibrated for cost less and widen them.
        seeds: ``"first"``: of seed 0 alone, with which sweeps begin; ``"all"``: of every seed.
        scores: that are forecast, some of `SCORES`, by default those of `HELD`; worst-class accuracy and macro-F1 have no calibrated interval.
        largest: samples that compositions are drawn from; of a larger training set a class-aware sub-sample.
        most: product of these samples and the classes beyond which nothing is forecast: the cost of a probe grows with both.
    """

    name: str = "default"
    compositions: int = 90
    seeds: str = "first"
    scores: tuple[str, ...] = HELD
    largest: int = 4000
    most: int = 1_000_000

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores", tuple(self.scores))
        if self.compositions != 0 and self.compositions < FEWEST:
            raise ValueError(
                f"forecast.compositions={self.compositions} must be at least {FEWEST}, or 0 for no forecast"
            )
        if self.seeds not in SEEDS:
            raise ValueError(f"forecast.seeds={self.seeds!r} is unknown; use one of {', '.join(SEEDS)}")
        for score in self.scores:
            if score not in SCORES:
                raise ValueError(
                    f"forecast.scores: {score!r} is not forecast, because no interval of it is calibrated; use some of "
                    f"{', '.join(SCORES)}"
                )
        if self.largest < 100:
            raise ValueError(f"forecast.largest={self.largest} must be at least 100 samples")
        if self.most < 1:
            raise ValueError(f"forecast.most={self.most} must be at least 1; forecast.compositions=0 forecasts nothing")


def why_none(forecast: ForecastConfig, probe: ProbeConfig, seed: int, *, heldout: bool) -> str:
    """Return why the job of a seed forecasts nothing, one of `scar.completion.forecast.REFUSALS`, or ``""``."""
    if not (forecast.compositions and forecast.scores and (forecast.seeds == "all" or seed == 0)):
        return "not_asked"
    if not heldout:
        return "nothing_held_out"
    return "" if at_optimum(probe) else "not_at_optimum"


def at_optimum(probe: ProbeConfig) -> bool:
    """Tell whether probes are optima of one penalised objective, so that their logits can be matched to another mix.

    Early-stopped probes are none: 90 % intervals of matched gains held in 40 to 68 % of the cases.
    """
    return probe.solver == "lbfgs" and (probe.shared_penalty or len(probe.penalties) == 1)

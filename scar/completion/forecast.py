"""The one forecast: what training on sets of given class sizes would bring, with intervals that hold.

A score is a weighted mean of recalls (`scar.completion.surface`) after decisions for one class mix. For matched scores the
mix is the deployment mix or that of equal classes. Raw decisions favour what was frequent in training, as decisions
matched to the class mix of the training set would: so the raw scores of a plan are forecast from what the probes on
compositions get right when they decide for the mix that the plan would leave.

The 90 % interval of a gain g is ``g ± 1.645 sqrt(v_post + v_test + (m g)²)``: v_post is the posterior variance of the
surface, ``v_test = Σ_j w_j² d_j / n_j`` that of two scores on one test part with n_j samples of class j, which disagree on
a share ``d_j = .35 r_j (1 - r_j) + |Δr_j|`` of them, w_j the weight of the class, r_j its present recall within [.02, .98],
and m what the surface itself misses (`MODEL_ERROR`). That of a score adds, in place of v_test, the items that the level
rests on: ``Σ_j w_j² r_j (1 - r_j) (1 / n_j + 1 / (h_j + c_j))``, for h_j held-out samples and c_j of the training set.

Where labels of the training set are worse than those held out (`Forecaster.worse_labels`), what is added is taken for
labelled as well as the latter: a sample of it is worth several of those there are (`scar.completion.surface`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from scar.common.types import Bools, Floats, Ints
from scar.completion.compositions import Compositions
from scar.completion.forecast_settings import LEVEL, SCORES
from scar.completion.surface import Surface, fit_surface

MODEL_ERROR = 0.25
"""What the surface misses, as a share of the gain, with `CALIBRATED` compositions."""
CALIBRATED = 90
DISCORDANCE = 0.35
"""Share of ``r (1 - r)`` on which two probes of equal recall disagree."""
EXTREME = 0.02
"""Recalls closer to 0 or 1 are taken for as close where a variance is computed."""
REACH = 2.5
"""Largest forecast size, as a multiple of the training set that compositions are drawn from."""
NOISE = 0.05
"""Mean recall by which probes do worse on the labels of the training set than on those held out where the former are worse.

Measured at equal classes on Fashion-MNIST and WordNet glosses: -0.015 to 0.002, with 20 % of the labels wrong 0.12.
"""
RIGHT = 0.5
"""Least share of right labels with which there is a forecast: how far probes agree with the labels of the training set beyond
chance, of how far they do with those held out."""
SURELY = 3.0
"""Standard errors of what is held out by which probes have to agree with it rather than with the training set before labels are called too noisy."""
BEYOND_CHANCE = 2.0
"""Standard errors by which probes have to be better than chance on what is held out."""
HALF_WIDTH = float(ndtri(0.5 + LEVEL / 2))
"""Of an interval, in standard deviations."""
GAINS = tuple(score.replace("accuracy", "gain") for score in SCORES)
REFUSALS = {
    "not_asked": "no forecast was asked for; use forecast.seeds=all, and forecast.compositions above 0",
    "not_at_optimum": "the probes are not optima of one penalised objective, for which forecasts hold; use probe=converged",
    "not_calibrated": "its intervals held too seldom on fresh data; to have them all the same, name the score in forecast.scores",
    "nothing_held_out": "forecasts need a held-out part; give split.heldout a share",
    "noisy_labels": "so many labels of the training set are wrong, against those held out, that nothing tells what right ones gain; correct some first (experiment=inspect)",
    "at_chance": "probes on the training set are no better than chance on what is held out, so that nothing tells what more of it gains; look at the labels (experiment=inspect), or try another encoder",
    "too_costly": "samples times classes exceed forecast.most, so that its probes would take most of the job; raise it to have them all the same",
    "several_labels": "forecasts are of classes that exclude one another, and the samples carry several labels",
    "unseen_class": "the plan fills a class of which nobody has a sample, not even held out, so that nothing tells what it brings",
    "too_large": f"more than {REACH:g} times the samples that compositions were drawn from",
}
"""Why there is no forecast, and what to do about it."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Forecast:
    """What G sets of class sizes would reach; scores and gains are [G, 3]: value, low, high, NaN where refused.

    Attributes:
        accuracy, balanced_accuracy: of raw decisions on the test part.
        matched_accuracy, matched_balanced_accuracy: of decisions matched to the mix that each score assumes.
        gain, balanced_gain, matched_gain, matched_balanced_gain: of these scores over the present set.
        refused: [G] why there is no forecast of a set, one of `REFUSALS`, or ``""``.
    """

    accuracy: Floats
    balanced_accuracy: Floats
    matched_accuracy: Floats
    matched_balanced_accuracy: Floats
    gain: Floats
    balanced_gain: Floats
    matched_gain: Floats
    matched_balanced_gain: Floats
    refused: NDArray[np.str_]

    @classmethod
    def refusing(cls, reasons: Sequence[str]) -> Forecast:
        """Return a forecast of nothing, with a reason for each of the sets."""
        nothing: Any = {name: np.full((len(reasons), 3), np.nan) for name in (*SCORES, *GAINS)}
        return cls(**nothing, refused=np.array(reasons, dtype=np.str_).reshape(len(reasons)))


FORECASTS = tuple(each.name for each in fields(Forecast) if each.name != "refused")


@dataclass(frozen=True, eq=False, kw_only=True)
class Forecaster:
    """Forecasts any class sizes from compositions of a training set.

    Attributes:
        compositions: of the training set, and what probes on them say.
        deployment: [K] class mix where the trained probe is used.
        declared: whether that mix is declared class by class, so that matched accuracy weights recalls by it.
        tested: [K] test items.
        scores: that are forecast; the others are NaN.
    """

    compositions: Compositions
    deployment: Floats
    declared: bool
    tested: Ints
    scores: tuple[str, ...] = SCORES
    _surfaces: dict[bytes, Surface] = field(default_factory=dict, init=False, repr=False)

    @property
    def counts(self) -> Ints:
        """[K] sizes of the present classes."""
        return self.compositions.counts

    @property
    def known(self) -> Bools:
        """[K] classes that are held out and tested: scores are of these, and of the `unseen`."""
        return (self.held > 0) & (self.tested > 0)

    @property
    def unseen(self) -> Bools:
        """[K] classes that are tested and have no sample, not even held out: their recall is 0 until they have some."""
        return np.asarray((self.held == 0) & (self.tested > 0) & (self.counts == 0))

    @property
    def held(self) -> Ints:
        """[K] held-out samples."""
        return np.bincount(self.compositions.heldout, minlength=len(self.tested))

    @property
    def worse_labels(self) -> bool:
        """Whether probes agree more rarely with the labels of the training set than with those held out (`NOISE`)."""
        held, own = self._recalls
        return float((held - own)[self.counts > 0].mean()) > NOISE

    @cached_property
    def _recalls(self) -> tuple[Floats, Floats]:
        """Recalls [K] at equal classes on held-out samples, and on those of the training set outside a composition."""
        even = self._fitted(self._even())
        return even.recall(self.counts), even.recall(self.counts, outside=True)

    def surface(self, mix: Floats) -> Surface:
        """Return the surface of decisions for a class mix [K]."""
        return replace(self._fitted(mix), better=self.worse_labels)

    def _fitted(self, mix: Floats) -> Surface:
        key = np.asarray(mix, dtype=np.float64).tobytes()
        if key not in self._surfaces:
            self._surfaces[key] = fit_surface(self.compositions.decide(mix))
        return self._surfaces[key]

    def weights(self, score: str) -> Floats:
        """Return [K] what the recall of each class counts in a score; 0 for one that is neither `known` nor `unseen`."""
        held = self.held.astype(np.float64)
        if self.unseen.any():  # whose share the test part alone knows
            held[self.unseen] = self.tested[self.unseen] * held.sum() / max(self.tested[self.known].sum(), 1)
        natural = self.deployment if self.declared and score == "matched_accuracy" else held
        kept = np.where(self.known | self.unseen, np.ones(len(held)) if "balanced" in score else natural, 0.0)
        weights: Floats = kept / kept.sum()
        return weights

    def expect(self, sizes: Ints, *, now: Ints | None = None) -> Forecast:
        """Return what training sets of the class sizes [G, K] would reach.

        Args:
            sizes: of the training sets.
            now: [K] sizes that gains are over; those of the training set by default.
        """
        given, base = np.asarray(sizes), self.counts if now is None else now
        reasons = self.refuse(np.vstack([given, base]))
        reasons = [each or reasons[-1] for each in reasons[:-1]]
        forecast = Forecast.refusing(reasons)
        for g in np.flatnonzero(forecast.refused == ""):
            for score in self.scores:
                value, gain = self._score(score, given[g], base)
                getattr(forecast, score)[g] = value
                getattr(forecast, score.replace("accuracy", "gain"))[g] = gain
        return forecast

    def recalls(self, score: str, sizes: Ints) -> Floats:
        """Return the recalls [K] behind a score at class sizes [K]; 0 for a class that is never decided for."""
        mix = self._mix(score, sizes)
        return np.where(mix > 0, self.surface(mix).recall(sizes), 0.0)

    def _mix(self, score: str, sizes: Ints) -> Floats:
        """Return the class mix [K] that a score decides for, after training on class sizes [K]."""
        if not score.startswith("matched"):
            return np.asarray(sizes) / np.sum(sizes)
        return self._even() if "balanced" in score else self.deployment

    def _even(self) -> Floats:
        return np.full(len(self.tested), 1 / len(self.tested))

    def refuse(self, sizes: Ints) -> list[str]:
        """Return why each of the sets of class sizes [G, K] cannot be forecast, one of `REFUSALS`, or ``""``."""
        if not self.known.any():
            return ["nothing_held_out"] * len(sizes)
        if self._doubt:
            return [self._doubt] * len(sizes)
        large = np.sum(sizes, axis=-1) > REACH * len(self.compositions.own)
        filled = np.any(sizes[:, self.unseen] > 0, axis=-1)
        return ["too_large" if a else "unseen_class" if b else "" for a, b in zip(large, filled, strict=True)]

    @cached_property
    def _doubt(self) -> str:
        """Return why what the probes get right tells nothing of more data, one of `REFUSALS`, or ``""``."""
        seen = (self.held > 0) & (self.counts > 0)
        (held, own), count = (each[seen] for each in self._recalls), max(int(seen.sum()), 1)
        error = float(np.sqrt((binomial(held) / self.held[seen]).sum())) / count
        chance = 1 / max(int((self.counts > 0).sum()), 1)
        beyond, kept = (float((recall - chance).sum()) / count for recall in (held, own))
        if beyond < BEYOND_CHANCE * error:
            return "at_chance"
        return "noisy_labels" if beyond - kept > SURELY * error and kept < RIGHT * beyond else ""

    def _score(self, score: str, sizes: Ints, now: Ints) -> tuple[Floats, Floats]:
        """Return score and gain, each [3]: value, low, high."""
        weights = self.weights(score)
        then, before = self.surface(self._mix(score, sizes)), self.surface(self._mix(score, now))
        recall, present = then.recall(sizes), before.recall(now)
        value, gain = float(weights @ recall), float(weights @ (recall - present))
        slopes = then.slopes(sizes) * weights[:, None]
        moved = slopes - before.slopes(now) * weights[:, None]
        items = np.maximum(self.tested, 1)
        held = self.held
        error = (MODEL_ERROR * gain) ** 2 * CALIBRATED / (len(self.compositions.sizes) - 1)
        disagree = DISCORDANCE * binomial(present) + np.abs(recall - present)
        paired = then.variance(moved) + np.sum(weights**2 * disagree / items) + error
        asked = 1 / items + 1 / np.maximum(held + self.counts, 1)
        alone = then.variance(slopes) + np.sum(weights**2 * binomial(recall) * asked) + error
        half = HALF_WIDTH * np.sqrt([float(alone), float(paired)])
        level = np.clip([value, value - half[0], value + half[0]], 0.0, 1.0)
        return level, np.array([gain, gain - half[1], gain + half[1]])


@dataclass(frozen=True, kw_only=True)
class NoForecaster:
    """Refuses every forecast, with one of `REFUSALS`."""

    reason: str

    def expect(self, sizes: Ints, *, now: Ints | None = None) -> Forecast:
        """Return a forecast of nothing for the class sizes [G, K]."""
        return Forecast.refusing([self.reason] * len(sizes))


def binomial(recall: Floats) -> Floats:
    """Return ``r (1 - r)``, r within `EXTREME` of neither end."""
    inner = np.clip(recall, EXTREME, 1 - EXTREME)
    return np.asarray(inner * (1 - inner))

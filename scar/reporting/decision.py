"""The decision that a characterization leads to: five sentences, made here for every report, card and answer."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from scar.reporting.text import (
    count,
    known,
    listing,
    name_of,
    percent,
    percent_interval,
    points,
    points_interval,
    size,
    size_interval,
)

SURE = 0.9
"""Chance of being enough from which on data are called enough; below one minus it, not enough."""
NO_TEST = "no test score is known"


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A value with the ends of its interval; NaN where undefined."""

    value: float
    low: float = math.nan
    high: float = math.nan

    def as_percent(self) -> str:
        """``"84.6 % [84.1, 85.0]"``."""
        return f"{percent(self.value)} % {percent_interval(self.low, self.high)}".rstrip()

    def as_points(self) -> str:
        """``"+1.20 points [+0.30, +2.10]"``."""
        return f"{points(self.value)} points {points_interval(self.low, self.high)}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """A plan to buy, and what it brings.

    Attributes:
        planner: name of the strategy.
        added: (class, samples) of the plan, in any order.
        budget: what it costs, in words.
        measured: matched balanced accuracy that retraining with it gained, or None.
        seeds: over which it was measured.
        forecast: gain that is forecast, with a 90 % interval, or None.
        why_no_forecast: in words, where there is none.
    """

    planner: str
    added: Sequence[tuple[str, float]]
    budget: str
    measured: Interval | None = None
    seeds: int = 0
    forecast: Interval | None = None
    why_no_forecast: str = ""


@dataclass(frozen=True, kw_only=True)
class Correction:
    """Training samples that are to be corrected, and the accuracy that this gained, or None where it was not measured."""

    samples: float
    gain: Interval | None = None


@dataclass(frozen=True, kw_only=True)
class ToLabel:
    """What to label of a pool without labels.

    Attributes:
        pool: samples without a label.
        samples: to label.
        expected: (class, samples) that are expected among them, in any order.
        file: that lists them.
    """

    pool: float
    samples: float
    expected: Sequence[tuple[str, float]]
    file: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the five sentences rest on.

    Attributes:
        what: the data, e.g. ``"the primary set"``.
        samples: that the probe was trained on.
        classes: how many.
        score: matched balanced accuracy on the test part.
        tested: test items.
        everything: the same after training on all training data, and their number; None where unknown.
        estimator: of the size that is enough.
        needed: that size; 0 where met, infinity where unreachable.
        chance: that there is enough now; NaN where no estimator says.
        ahead: largest multiple of the data that is looked at, and the chance that it is enough.
        purchase: what to buy, or why nothing is named.
        raw: balanced accuracy of raw decisions; NaN where unknown.
        looked: whether somebody looked for wrong labels and duplicates.
        relabel, remove: what they found; None where they found none.
        how_to_look: what finds suspects and duplicates; empty where nothing does.
        several: whether a sample may carry several labels.
        worse_labels: whether labels that are trained on look worse than those held out: gaps are below zero, so that no size follows.
        unmended: (class, recall) of the classes that more data do not mend (`scar.completion.class_prospects`).
        planner: which planner to use, and why.
        encoder: which encoder to use, and why.
        absent: classes that the training set lacks.
        untested: classes without test items, of which the score says nothing.
        to_label: what to label of a pool without labels; None where there is none.
    """

    what: str
    samples: float
    classes: int
    score: Interval | None
    tested: float
    estimator: str
    needed: Interval
    purchase: Purchase | str
    how_to_look: str
    planner: str
    encoder: str
    everything: tuple[float, Interval] | None = None
    chance: float = math.nan
    ahead: tuple[float, float] | None = None
    raw: float = math.nan
    looked: bool = False
    relabel: Correction | None = None
    remove: Correction | None = None
    several: bool = False
    worse_labels: bool = False
    unmended: Sequence[tuple[str, float]] = ()
    absent: Sequence[str] = ()
    untested: Sequence[str] = ()
    to_label: ToLabel | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One sentence for each question."""

    quality: str
    enough: str
    buy: str
    free: str
    use: str
    asked: tuple[str, ...] = field(default=("How good?", "Enough?", "Buy now?", "Costs nothing", "Use"), repr=False)

    @property
    def verdict(self) -> str:
        """What `enough` comes to, in a word or two."""
        return re.split("[:,]", self.enough)[0].lower()

    def items(self) -> list[tuple[str, str]]:
        """Questions with their sentences."""
        return list(zip(self.asked, (self.quality, self.enough, self.buy, self.free, self.use), strict=True))

    def __str__(self) -> str:
        return "\n".join(f"{question:<14} {sentence}" for question, sentence in self.items())


def decide(facts: Facts) -> Decision:
    """Say in one sentence each what the facts come to; what they do not show is said as such."""
    return Decision(
        quality=_quality(facts),
        enough=_enough(facts),
        buy=_buy(facts) + _label(facts.to_label) + _not_mended(facts),
        free=_free(facts),
        use=f"Planner: {facts.planner}; encoder: {facts.encoder}.",
    )


def _quality(facts: Facts) -> str:
    held = f"{facts.what} ({count(facts.samples)} samples, {facts.classes} {'labels' if facts.several else 'classes'})"
    if facts.score is None:
        return f"Nothing can be said of {held}: {NO_TEST}."
    parts = [
        f"A linear probe on {held} has a balanced accuracy of {facts.score.as_percent()} on {count(facts.tested)} test items"
    ]
    if facts.everything is not None:
        number, score = facts.everything
        parts.append(f"on all {count(number)} training samples {score.as_percent()}")
    kind = "label" if facts.several else "class"
    if facts.absent:
        parts.append(f"it has no sample of {_named(facts.absent, kind)}")
    if facts.untested:
        parts.append(f"{_named(facts.untested, kind)} cannot be judged without test items")
    return "; ".join(parts) + "."


def _named(names: Sequence[str], kind: str) -> str:
    """``"the class a"``, or ``"3 classes (a, b and c)"``."""
    if len(names) == 1:
        return f"the {kind} {names[0]}"
    return f"{count(len(names))} {'classes' if kind == 'class' else 'labels'} ({listing(list(names), limit=5)})"


def _enough(facts: Facts) -> str:
    ends = size_interval(facts.needed.low, facts.needed.high)
    needed = {
        "met": f"the {facts.estimator} estimate asks for no more",
        "undefined": f"the {facts.estimator} estimate cannot tell a size",
        "unreachable": f"no size would be enough by the {facts.estimator} estimate",
    }.get(
        size(facts.needed.value),
        f"the {facts.estimator} estimate is {size(facts.needed.value)} samples {ends}".rstrip(),
    )
    if facts.worse_labels:
        needed += ", because labels that are trained on look worse than those held out"
    if not known(facts.chance):
        verdict = (
            "Cannot tell"
            if math.isnan(facts.needed.value)
            else "Enough"
            if facts.needed.value <= facts.samples
            else "Not enough"
        )
        return f"{verdict}, and how sure is unknown: {needed} against {count(facts.samples)} held."  # fmt: skip
    told = not math.isnan(facts.needed.value)
    verdict = "Not enough" if facts.chance <= 1 - SURE else "Enough" if facts.chance >= SURE and told else "Cannot tell"
    said = f"{verdict}: the chance that {count(facts.samples)} samples are enough is {chance(facts.chance)}"
    if facts.ahead is not None and verdict != "Enough":
        said += f", and {chance(facts.ahead[1])} with {facts.ahead[0]:g} times as many"
    return f"{said}; {needed}."


def chance(value: float) -> str:
    """``"43 %"``; below one and above 99 % only that is said."""
    return "below 1 %" if value < 0.01 else "above 99 %" if value > 0.99 else f"{percent(value, 0)} %"


def _buy(facts: Facts) -> str:
    plan = facts.purchase
    if isinstance(plan, str):
        return plan
    largest = sorted((each for each in plan.added if each[1] > 0), key=lambda each: -each[1])
    total = sum(number for _, number in largest)
    names = listing([f"{_class(name)} +{count(number)}" for name, number in largest], limit=5)
    what = f"{count(total)} sample{'' if total == 1 else 's'} by {name_of(plan.planner)} ({plan.budget}): {names}"
    brought = []
    if plan.measured is not None:
        over = f" over {plan.seeds} seeds" if plan.seeds > 1 else ""
        brought.append(f"retraining with such plans gained {plan.measured.as_points()}{over} beyond re-weighting")
    if plan.forecast is not None:
        brought.append(f"forecast for this one: {plan.forecast.as_points()}")
    elif plan.why_no_forecast:
        brought.append(f"not forecast: {plan.why_no_forecast}")
    gain = plan.measured or plan.forecast
    if gain is None or not known(gain.low):
        head = "Whether it pays is not shown; the plan"
    elif gain.low > 0:
        head = "Yes"
    elif gain.high < 0:
        head = "No, it was worse"
    else:
        head = "Not shown to pay"
    return f"{head}: {what}; {', '.join(brought) or 'what it brings is unknown'}."


def _class(name: str) -> str:
    """Tell the name of a class that is a number from the numbers around it."""
    return f"class {name}" if name[-1:].isdigit() and name[:1].isdigit() else name


def _not_mended(facts: Facts) -> str:
    if not facts.unmended:
        return ""
    named = listing([f"{name} (recall {percent(recall, 0)} %)" for name, recall in facts.unmended], limit=5)
    return f" More data do not mend {named}: look at the labels of {'it' if len(facts.unmended) == 1 else 'these'}."


def _label(plan: ToLabel | None) -> str:
    """Say what to label next, after what to buy; nothing where there is no pool without labels."""
    if plan is None:
        return ""
    if not plan.samples:
        return f" Of the {count(plan.pool)} samples without a label it asks for none."
    largest = sorted((each for each in plan.expected if each[1] >= 0.5), key=lambda each: -each[1])
    names = listing([f"{_class(name)} {count(number)}" for name, number in largest], limit=5)
    return (
        f" Of the {count(plan.pool)} samples without a label, label {count(plan.samples)} first ({plan.file}); expected among "
        f"them: {names}."
    )


def _free(facts: Facts) -> str:
    parts = []
    if known(facts.raw) and facts.score is not None:
        before, after = percent(facts.raw), percent(facts.score.value)
        moved = f"moves balanced accuracy from {before} to {after} %" if before != after else "changes nothing"
        if facts.score.value < facts.raw:
            moved = f"would lower balanced accuracy from {before} to {after} %, so that raw ones do better"
        parts.append(f"re-weighting the decisions {moved}")
    if facts.relabel is not None:
        parts.append(_corrected("relabelling", facts.relabel, "suspect"))
    if facts.remove is not None:
        parts.append(_corrected("removing", facts.remove, "duplicate"))
    if not facts.looked:
        how = f"{facts.how_to_look} does" if facts.how_to_look else "the inspection is of samples of one class each"
        parts.append(f"nobody looked for wrong labels and duplicates; {how}")
    elif facts.relabel is None and facts.remove is None:
        parts.append("no wrong label and no duplicate was found")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _corrected(doing: str, found: Correction, what: str) -> str:
    said = f"{doing} {count(found.samples)} {what}{'' if found.samples == 1 else 's'}"
    if found.gain is None:
        return f"{said}, whose effect was not measured"
    return f"{said} moves accuracy by {found.gain.as_points()}"

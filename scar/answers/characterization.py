"""What `scar.characterize` returns: findings, advice, and both in words."""

from __future__ import annotations

import math
from html import escape

from scar.answers.advice import Advice
from scar.completion.class_prospects import NOT_MENDED
from scar.completion.forecast import REFUSALS
from scar.data.stratify import count_labels
from scar.evaluation.label_scores import LabelScores
from scar.evaluation.scores import LEADING
from scar.foundation.gaps import NEGATIVE
from scar.foundation.settings import RECOMMENDED
from scar.reporting.decision import Decision, Facts, Interval, Purchase, decide
from scar.reporting.text import name_of, size, size_interval

UNTRIED = "scar"
"""The planner of `Characterization.plan`, proposed where nothing is forecast."""
HOW_TO_LOOK = (
    "scar experiment=inspect dataset=embeddings_file dataset.root=FOLDER, with these embeddings and labels saved by numpy.save "
    "in FOLDER as embeddings.npy and labels.npy,"
)
"""What finds suspects and duplicates among samples that no command has read."""


class Characterization(Advice):
    """The answers of `characterize`; attributes are those of `scar.answers.findings.ProbeFindings`."""

    @property
    def decision(self) -> Decision:
        """Five sentences: how good, enough or not, what to buy now, what costs nothing, what to use.

        What a purchase brings is forecast only where a forecast was asked for before, because the first one trains probes.
        """
        each = self.estimates[RECOMMENDED if RECOMMENDED in self.estimates else self.driver]
        ahead = each.prospect
        tested = len(self.test_scores.predictions.raw)
        planner, purchase = self._proposal()
        return decide(
            Facts(
                what="the training part",
                samples=float(self.samples),
                classes=len(self.class_names),
                score=self._interval(LEADING),
                tested=tested,
                raw=self.test_scores.balanced_accuracy,
                estimator=RECOMMENDED if RECOMMENDED in self.estimates else self.driver,
                needed=Interval(value=each.foundation_size, low=each.interval[0], high=each.interval[1]),
                chance=math.nan if ahead is None else float(ahead.chance(float(self.samples))),
                ahead=None if ahead is None else (float(ahead.multiples[-1]), float(ahead.probability[-1])),
                purchase=purchase,
                worse_labels=NEGATIVE in each.flags,
                how_to_look="" if self.several else HOW_TO_LOOK,
                several=self.several,
                planner=planner,
                unmended=self._unmended(),
                absent=[name for name, count in zip(self.class_names, self.counts, strict=True) if not count],
                untested=self._untested(),
                encoder="whichever made these embeddings, no other was given; characterize those of another to compare",
            )
        )

    def _unmended(self) -> list[tuple[str, float]]:
        if "_forecaster" not in self.__dict__:
            return []
        seen = self.class_prospects
        found = seen[seen.verdict == NOT_MENDED].doubled.sort_values()
        return [(str(name), float(recall)) for name, recall in found.items()]

    def _untested(self) -> list[str]:
        """Return the classes without test items."""
        if self.test_labels is None:
            return []
        tested = count_labels(self.test_labels, len(self.class_names))
        return [name for name, count in zip(self.class_names, tested, strict=True) if not count]

    def _proposal(self) -> tuple[str, Purchase | str]:
        """Return which planner to use, with the reason, and its plan for what the needs ask for."""
        problem = self.problem()
        amount = int(problem.limits.cost(problem.samples_for(problem.wanted)))
        amount = amount if self.pool_size is None else min(amount, self.pool_size)
        planner, default = UNTRIED, f"{name_of(UNTRIED)}, by the need of each class"
        if self.several:
            default = f"{name_of(UNTRIED)}, by the need of each label; no study has compared planners on such data"
        if not amount:
            met = not (problem.needs != 0).any()
            why = "which every class meets by itself" if met else "because the pool holds nothing that they ask for"
            return default, f"Nothing by the needs, {why}; answer.plan(budget) spends a budget all the same."
        forecast, why = None, f"answer.recommend({amount}) trains the probes for it"
        reason = f"{default}; answer.recommend({amount}) compares by forecast"
        if self.several:
            why, reason = REFUSALS["several_labels"], default
        elif "_forecaster" in self.__dict__:
            first = self.recommend(amount).reset_index().iloc[0]
            why = REFUSALS.get(str(first.refused), "")
            if not why:
                planner, why = str(first.planner), ""
                forecast = Interval(value=float(first.gain), low=float(first.low), high=float(first.high))
                reason = f"{name_of(planner)}, whose plan is forecast to gain most, {forecast.as_points()}"
        counts = self.plan(amount, planner).counts
        added = [(str(name), float(number)) for name, number in counts.items()]
        asked = "what the needs ask for"
        return reason, Purchase(planner=planner, added=added, budget=asked, forecast=forecast, why_no_forecast=why)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<dt><b>{escape(question)}</b></dt><dd>{escape(said)}</dd>" for question, said in self.decision.items()
        )
        details = escape("\n".join(self._details()))
        return f"<dl>{rows}</dl><details><summary>More</summary><pre>{details}</pre></details>"

    def __repr__(self) -> str:
        return "\n".join([str(self.decision), "", *self._details()])

    def _details(self) -> list[str]:
        """Return what unfolds the decision, line by line."""
        scores, tested = self.test_scores, len(self.test_scores.predictions.raw)
        if isinstance(scores, LabelScores):
            said = (
                f"{len(self.class_names)} labels, {self.counts.sum() / self.samples:.2f} a sample; test balanced accuracy "
                f"{self._said('matched_balanced_accuracy')} on {tested} items, macro-F1 {scores.matched_macro_f1:.3f}, average precision "
                f"{scores.average_precision:.3f}"
            )
        else:
            said = (
                f"{len(self.class_names)} classes; test accuracy {self._said('matched_accuracy')}, "
                f"balanced {self._said('matched_balanced_accuracy')}, on {tested} items"
            )
        lines = [f"{self.samples} samples, {said}"]
        lines += [f"  warning: {text}" for text in self.warnings]
        first = RECOMMENDED if RECOMMENDED in self.estimates else self.driver
        each = self.estimates[first]
        low, high = each.interval
        flags = f"  ({'; '.join(each.flags)})" if each.flags else ""
        lines.append(
            f"  Foundation Data Size, {first}: {size(each.foundation_size)} {size_interval(low, high)}".rstrip() + flags
        )
        for samples, ahead in self.prospect.iterrows():
            lines.append(
                f"    with {samples:,} samples: enough with probability {ahead.enough:.2f}, {self._ahead.replace('_', ' ')} "
                f"{ahead[self._ahead]:.3f} [{ahead[f'{self._ahead}_low']:.3f}, {ahead[f'{self._ahead}_high']:.3f}]"
            )
        others = [f"{name} {size(each.foundation_size)}" for name, each in self.estimates.items() if name != first]
        lines += [f"  other estimates: {', '.join(others)}"] if others else []
        needs = self.needs
        missing = (needs.enough - needs.have).clip(lower=0).sort_values(ascending=False)
        top = [f"{name} (too little is known)" for name in needs.index[needs.enough.isna()]]
        top += [f"{name} +{count:,.0f}" for name, count in missing.items() if count >= 1]
        lines.append(f"  most needed by {self.driver}: {', '.join(top[:5]) or 'nothing, every need is met'}")
        return [*lines, *(f"  {note}" for note in self._notes(self.problem()))]

    def _said(self, metric: str) -> str:
        each = self._interval(metric)
        ends = "" if math.isnan(each.low) else f" [{each.low:.3f}, {each.high:.3f}]"
        return f"{each.value:.3f}{ends}"

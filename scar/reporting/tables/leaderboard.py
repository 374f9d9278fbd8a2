"""Encoders of one dataset compared: scores with ranks, measures, needs, plans and what each encoder costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from scar.evaluation.intervals import corrected_interval, crossed_interval
from scar.evaluation.ranking import rank_arms
from scar.evaluation.scores import LEADING, raw_and_decision
from scar.evaluation.weighted_metrics import weighted_scores
from scar.job.metrics import Metric
from scar.measures.steps import MEASURES
from scar.reporting.axes import compensated_mean, grouped, mean, numbers, pick
from scar.reporting.study_folder import RANKED, RANKED_ARMS, Study
from scar.reporting.tables.characteristics import foundation_of, sizes_of
from scar.reporting.text import listing, name_of

CONTROLS = ("random_network", "random_vectors")
"""Encoders that know nothing: what they reach comes from the probe and the shape of the input."""
SCORES = (LEADING, "accuracy")
"""That encoders are ranked by, the first before all: raw decisions favour the frequent classes of the training data."""
BYTES = 4
"""Of a number of an embedding."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Board:
    """The encoders of one dataset.

    Attributes:
        group: value of every axis but the encoder.
        frame: one row per encoder, the best by `LEADING` first: encoder, seeds, control; each of `SCORES`, with _low,
            _high, _rank, _rank_low, _rank_high; scale, coverage, authenticity, richness, each with
            _low, _high; foundation, foundation_low, foundation_high; plan; samples_per_second, dimension, parameters,
            bytes_per_sample; pareto.
        level: of all intervals; those of the ranks hold at once.
    """

    group: Mapping[str, Any]
    frame: pd.DataFrame
    level: float

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """What the board says, the controls first of all."""
        return (*_leader_sentences(self.frame), *_control_sentences(self.frame))


def leaderboards(study: Study, *, level: float = 0.95) -> list[Board]:
    """Compare the encoders of every dataset that has at least two.

    Encoders are compared on the seeds and test items that all of them share; a dataset whose encoders share none, or
    whose jobs kept no predictions, raw and matched, has no board.
    """
    boards = []
    for group, names in boards_of(study):
        frame = _frame(study, group, names, level=level)
        if frame is not None:
            boards.append(Board(group=group, frame=frame, level=level))
    return boards


def best_first(groups: Sequence[dict[str, Any]], boards: Sequence[Board]) -> list[dict[str, Any]]:
    """Return groups with the encoders of a dataset in the order of its board; datasets, and groups without a board, stay where they are."""
    order = {tuple(board.group.items()): board.frame.encoder.tolist() for board in boards}
    places: dict[tuple[tuple[str, Any], ...], int] = {}

    def key(place: int) -> tuple[int, int]:
        group = groups[place]
        board = tuple(item for item in group.items() if item[0] != "encoder" and not item[0].startswith("encoder."))
        ranks = order.get(board, ())
        return (
            (places.setdefault(board, place), ranks.index(group["encoder"]))
            if group["encoder"] in ranks
            else (place, 0)
        )

    return [groups[place] for place in sorted(range(len(groups)), key=key)]


def boards_of(study: Study) -> list[tuple[dict[str, Any], list[str]]]:
    """Return the values of the axes other than the encoder that come with at least two encoders, and these."""
    found: dict[tuple[Any, ...], list[str]] = {}
    others = [axis for axis in study.axes if axis != "encoder" and not axis.startswith("encoder.")]
    for group in study.groups():
        names = found.setdefault(tuple(group[axis] for axis in others), [])
        if group["encoder"] in names:  # several settings of one encoder: not a comparison of encoders
            return []
        names.append(group["encoder"])
    return [(dict(zip(others, key, strict=True)), names) for key, names in found.items() if len(names) > 1]


def _frame(study: Study, group: Mapping[str, Any], names: Sequence[str], *, level: float) -> pd.DataFrame | None:
    outcomes = {name: study.outcomes({**group, "encoder": name}, RANKED_ARMS) for name in names}
    decisions = [raw_and_decision(metric)[1] for metric in SCORES]
    scored = [set(each.seeds(RANKED, decision=d)) for each in outcomes.values() for d in decisions]
    seeds = sorted(set.intersection(*scored))
    labels = outcomes[names[0]].labels
    same = all(np.array_equal(each.labels, labels) for each in outcomes.values())
    if not seeds or not same or labels.ndim == 2:  # ranks are of classes that exclude one another
        return None
    records: list[dict[str, Any]] = [
        {"encoder": name, "seeds": len(seeds), "control": name in CONTROLS} for name in names
    ]
    for metric in SCORES:
        raw, decision = raw_and_decision(metric)
        right = np.stack([outcomes[name].predicted(RANKED, None, seeds, decision) == labels for name in names])
        ranks = rank_arms(right, labels, metric=raw, level=level)
        for record, own, rank in zip(records, right, ranks, strict=True):
            found = crossed_interval(weighted_scores(own, labels, raw), level=level, share=True)
            record |= {metric: found.value, f"{metric}_low": found.low, f"{metric}_high": found.high}
            record |= {f"{metric}_rank": rank.rank, f"{metric}_rank_low": rank.low, f"{metric}_rank_high": rank.high}
    for record in records:
        rows = study.of({**group, "encoder": record["encoder"]})
        record |= _measured(rows, study.driver, level) | _cost(study, {**group, "encoder": record["encoder"]})
        record["plan"] = ", ".join(f"{name} +{added:.0f}" for name, added in _largest(rows))
    frame = pd.DataFrame(records)
    frame["pareto"] = on_front(frame[LEADING].to_numpy(), frame.samples_per_second.to_numpy())
    return frame.sort_values([LEADING, "encoder"], ascending=[False, True], ignore_index=True)


def _measured(rows: pd.DataFrame, driver: str, level: float) -> dict[str, Any]:
    """S, C, A, R of the set with Student intervals over the seeds, and its Foundation Data Size."""
    sizes = {m: mean(numbers(rows, stage="dataset", metric=m)) for m in (Metric.N_TEST, Metric.N_TOTAL)}
    found: dict[str, Any] = {}
    for measure in MEASURES:
        values = numbers(rows, stage="dataset", estimator=driver, metric=measure)
        values = values[~np.isnan(values)]
        if not len(values):
            found |= dict.fromkeys((measure, f"{measure}_low", f"{measure}_high"), np.nan)
            continue
        each = corrected_interval(values, test_share=sizes[Metric.N_TEST] / sizes[Metric.N_TOTAL], level=level)
        found |= {measure: each.value, f"{measure}_low": each.low, f"{measure}_high": each.high}
    size = foundation_of(sizes_of(rows, estimator=driver, subject=RANKED))
    return found | {name: size[name] for name in ("foundation", "foundation_low", "foundation_high")}


def _cost(study: Study, group: Mapping[str, Any]) -> dict[str, float]:
    """Throughput as measured when the samples were embedded, and the size of encoder and embeddings."""
    found = dict.fromkeys(("samples_per_second", "dimension", "parameters", "bytes_per_sample"), float("nan"))
    for job in study.finished(group):
        about = job.status.get("encoder")
        if not about:
            continue
        samples, rows = float(about["samples"]), float(about["rows"])
        found |= {"dimension": float(about["dimension"])}
        found |= {"bytes_per_sample": BYTES * rows / samples * float(about["dimension"])}
        if about.get("parameters") is not None:
            found["parameters"] = float(about["parameters"])
        if about.get("seconds"):
            found["samples_per_second"] = samples / rows * float(about["embedded"]) / float(about["seconds"])
    return found


def _largest(rows: pd.DataFrame) -> list[tuple[str, float]]:
    """The three classes that the plan of SCAR gives most at the largest budget, mean over seeds."""
    added = pick(rows, ["class_name", "fraction", "value"], metric=Metric.ADDED, subject="scar")
    added = added[added.fraction == added.fraction.max()]
    by_class = grouped(added.class_name.tolist(), added.value.tolist())
    means = {name: compensated_mean(values) for name, values in by_class.items()}
    ordered = pd.Series(means, dtype=float).sort_values(ascending=False)
    return [(str(name), float(value)) for name, value in ordered.head(3).items() if value > 0]


def on_front(benefit: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """Tell which encoders no other beats in one of benefit and speed without losing in the other; NaN is worst."""
    b, s = (np.where(np.isnan(each), -np.inf, each) for each in (benefit, speed))
    beaten = [np.any((b >= b[i]) & (s >= s[i]) & ((b > b[i]) | (s > s[i]))) for i in range(len(b))]
    return ~np.array(beaten, dtype=bool)


def _leader_sentences(frame: pd.DataFrame) -> list[str]:
    first = frame.iloc[0]
    rivals = frame[(frame[f"{LEADING}_rank_low"] == 1) & (frame.encoder != first.encoder)].encoder.map(name_of).tolist()
    score = Metric.of(LEADING).label
    if not rivals:
        return [f"{name_of(first.encoder)} shows this dataset best: first by {score} against every other encoder."]
    return [
        f"{name_of(first.encoder)} has the best {score}, but {listing(rivals)} may be as good: the intervals do not part them."
    ]


def _control_sentences(frame: pd.DataFrame) -> list[str]:
    sentences = []
    others = frame[~frame.control]
    for control in frame[frame.control].to_dict("records"):
        beaten_by = others[others[f"{LEADING}_rank_high"] < control[f"{LEADING}_rank_low"]].encoder.tolist()
        level_with = [name_of(name) for name in others.encoder if name not in beaten_by]
        if not level_with:
            sentences.append(f"The control {name_of(control['encoder'])} loses to every other encoder.")
        else:
            sentences.append(
                f"Warning: the control {name_of(control['encoder'])} is not shown to lose to {listing(level_with)}: what these "
                "reach may need no knowledge of the data."
            )
    return sentences

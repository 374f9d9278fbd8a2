"""Do encoders agree about a dataset? The paper calls its estimate model-agnostic; here that is tested."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from scar.common.randomness import generator
from scar.common.spreadsheets import plain
from scar.common.types import Floats
from scar.evaluation.agreement import rank_agreement
from scar.job.metrics import Metric
from scar.measures.steps import MEASURES
from scar.reporting.axes import by_seed, mean, pick
from scar.reporting.settings import PAIRED
from scar.reporting.study_folder import RANKED, Study
from scar.reporting.tables.encoder_verdicts import order_sentences, selected_sentences, size_sentence, worth_sentences
from scar.reporting.tables.leaderboard import CONTROLS, Board, boards_of

QUANTITIES = (*MEASURES, Metric.NEED, Metric.STEP_SIZE, Metric.ADDED)
"""Per class: the measures at full size, the need, the size of the whole set that the class needs, and the plan."""
TOLERANCE = 0.1
"""Largest loss of rank correlation from one encoder to another, beyond that from one seed to another."""
NOISE = 0.3
"""Rank correlation between two seeds of one encoder below which an order is noise."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EncoderAgreement:
    """Agreement of the encoders of one dataset; controls are left out.

    Attributes:
        group: value of every axis but the encoder.
        pairs: one row per pair of encoders and quantity: first, second, quantity, spearman, low, high, kendall,
            kendall_low, kendall_high over the classes, on means over seeds; and per pair with quantity
            ``"selected"``: the share of equal sample ids in the plans of equal seeds (column spearman is empty),
            overlap, and by_chance, what two random plans of these sizes share.
        order: one row per quantity: between (mean Spearman of two encoders at different seeds), within (of one encoder
            at different seeds), loss (within minus between) with low and high over resampled classes, verdict; class_size
            and control: correlation of the encoders with the class sizes alone and with the controls.
        sizes: [seeds, encoders] Foundation Data Sizes.
        sentences: the verdict in words.
        left_out: encoders that have no pair.
    """

    group: Mapping[str, Any]
    pairs: pd.DataFrame
    order: pd.DataFrame
    sizes: pd.DataFrame
    sentences: tuple[str, ...]
    left_out: int = 0


def encoder_agreements(
    study: Study, boards: Sequence[Board] = (), *, level: float = 0.95, resamples: int = 1000, paired: int = PAIRED
) -> list[EncoderAgreement]:
    """Compare the encoders of every dataset that has at least two besides the controls.

    Args:
        study: of several encoders.
        boards: of its datasets, which say what encoders are best.
        level: of the intervals.
        resamples: of the classes.
        paired: encoders that are compared pair by pair; of more, the best ones, or the first ones where no board
            tells. Everything else counts all of them.
    """
    found = []
    for group, names in boards_of(study):
        kept = [name for name in names if name not in CONTROLS]
        if len(kept) > 1:
            controls = [name for name in names if name in CONTROLS]
            listed = _best(boards, group, kept, paired)
            found.append(_agreement(study, group, kept, controls, listed, level=level, resamples=resamples))
    return found


def _best(boards: Sequence[Board], group: Mapping[str, Any], names: Sequence[str], most: int) -> list[str]:
    """Return at most so many encoders of a dataset, the best ones, in the order of the names."""
    board = next((each for each in boards if each.group == group), None)
    order = list(names) if board is None else [name for name in board.frame.encoder if name in names]
    return [name for name in names if name in order[:most]]


def _agreement(
    study: Study,
    group: Mapping[str, Any],
    names: Sequence[str],
    blind: Sequence[str],
    listed: Sequence[str],
    *,
    level: float,
    resamples: int,
) -> EncoderAgreement:
    by_class = {q: {n: _by_class(study, {**group, "encoder": n}, q) for n in names} for q in QUANTITIES}
    controls = {q: [_by_class(study, {**group, "encoder": n}, q) for n in blind] for q in QUANTITIES}
    held = _by_class(study, {**group, "encoder": names[0]}, Metric.CLASS_SIZE)
    middle = {q: {name: _middle(frame) for name, frame in own.items()} for q, own in by_class.items()}
    pairs = [
        {"first": first, "second": second, **_pair(middle[quantity], first, second, quantity, level, resamples)}
        for first, second in combinations(listed, 2)
        for quantity in QUANTITIES
    ]
    plans = {name: _plans(study, {**group, "encoder": name}) for name in listed}
    pairs += [{"first": a, "second": b, **_selected(study, group, plans, a, b)} for a, b in combinations(listed, 2)]
    order = [
        _order(quantity, [by_class[quantity][n] for n in names], level, resamples)
        | _worth([middle[quantity][n] for n in names], controls[quantity], held)
        for quantity in QUANTITIES
    ]
    sizes, frame, orders = _sizes(study, group, names), pd.DataFrame(pairs), pd.DataFrame(order)
    sentences = (
        size_sentence(sizes, level=level),
        *order_sentences(orders),
        *worth_sentences(orders),
        *selected_sentences(
            frame, among="encoders" if len(listed) == len(names) else f"of the {len(listed)} encoders below"
        ),
    )
    left_out = len(names) - len(listed)
    return EncoderAgreement(
        group=group, pairs=frame, order=orders, sizes=sizes, sentences=sentences, left_out=left_out
    )  # fmt: skip


def _by_class(study: Study, group: Mapping[str, Any], quantity: str) -> pd.DataFrame:
    """Return [S, K] values by seed and class; infinity is ranked highest, NaN is undefined."""
    rows, columns = study.of(group), ["seed", "class_id", "value"]
    if quantity in MEASURES:
        own = pick(rows, [*columns, "factor"], stage="measures", subject="primary", metric=quantity)
        return _wide(own[own.factor == own.factor.min()])
    if quantity == Metric.CLASS_SIZE:
        return _wide(pick(rows, columns, subject="primary", metric=quantity))
    if quantity == Metric.ADDED:
        own = pick(rows, [*columns, "fraction"], subject="scar", metric=quantity)
        return _wide(own[own.fraction == own.fraction.max()])
    return _wide(pick(rows, columns, subject="primary", estimator=study.driver, metric=quantity))


def _wide(rows: pd.DataFrame) -> pd.DataFrame:
    """Return values by seed and class, the first that is known where there are several."""
    seeds, row = np.unique(rows.seed.to_numpy(dtype=np.int64), return_inverse=True)
    classes, column = np.unique(rows.class_id.to_numpy(dtype=np.int64, na_value=-1), return_inverse=True)
    cells = row * len(classes) + column
    if -1 in classes or (np.bincount(cells) > 1).any():
        return rows.pivot_table(index="seed", columns="class_id", values="value", aggfunc="first", dropna=False)
    values = np.full(len(seeds) * len(classes), np.nan)
    values[cells] = rows.value
    return pd.DataFrame(values.reshape(len(seeds), len(classes)), index=seeds, columns=classes, copy=False)


def _middle(frame: pd.DataFrame) -> pd.Series[float]:
    """Return the median over seeds of each class [K], of the seeds that have it."""
    ordered = np.sort(frame.to_numpy(dtype=float), axis=0)  # NaN comes last
    known = np.count_nonzero(~np.isnan(ordered), axis=0)
    if not len(ordered):
        return pd.Series(np.full(len(frame.columns), np.nan), index=frame.columns)
    low, high = (
        np.take_along_axis(ordered, place[None], axis=0)[0]
        for place in (np.maximum(known - 1, 0) // 2, known // 2 * (known > 0))
    )
    return pd.Series(np.where(known % 2, low, (low + high) / 2), index=frame.columns, copy=False)


def _pair(
    medians: Mapping[str, pd.Series[float]], first: str, second: str, quantity: str, level: float, resamples: int
) -> dict[str, Any]:
    a, b = medians[first], medians[second]
    classes = a.index.intersection(b.index)
    x, y = a[classes].to_numpy(dtype=float), b[classes].to_numpy(dtype=float)
    if np.count_nonzero(~(np.isnan(x) | np.isnan(y))) < 3:
        return {"quantity": quantity, "classes": len(classes)}
    found = rank_agreement(x, y, level=level, resamples=resamples)
    rho, tau = found["spearman"], found["kendall"]
    return {
        "quantity": quantity, "classes": rho.datasets, "spearman": rho.value, "low": rho.low, "high": rho.high,
        "kendall": tau.value, "kendall_low": tau.low, "kendall_high": tau.high,
    }  # fmt: skip


def _order(quantity: str, frames: Sequence[pd.DataFrame], level: float, resamples: int) -> dict[str, Any]:
    """Compare the rank correlation between encoders with the one between seeds, over resampled classes."""
    seeds = sorted(set.intersection(*(set(each.index) for each in frames)))
    classes = sorted(set.intersection(*(set(each.columns) for each in frames)))
    nothing = {"quantity": quantity, "between": np.nan, "within": np.nan, "loss": np.nan, "low": np.nan, "high": np.nan}
    if len(seeds) < 2 or len(classes) < 3:
        return {**nothing, "verdict": "undefined"}
    values = np.stack([_cells(each, seeds, classes) for each in frames])
    values = values[:, :, ~np.isnan(values).any(axis=(0, 1))]
    if values.shape[2] < 3:
        return {**nothing, "verdict": "undefined"}
    rng = generator(0, "encoder agreement", values.shape[2])
    drawn = rng.integers(0, values.shape[2], (resamples, values.shape[2]))
    between, within = _correlations(values)
    losses = np.array([np.subtract(*_correlations(values[:, :, rows])[::-1]) for rows in drawn])
    tail = (1 - level) / 2
    defined = losses[~np.isnan(losses)]
    low, high = np.quantile(defined, (tail, 1 - tail)) if len(defined) > resamples / 2 else (np.nan, np.nan)
    verdict = _verdict(within, float(low), float(high))
    return {
        "quantity": quantity, "between": between, "within": within, "loss": within - between,
        "low": float(low), "high": float(high), "verdict": verdict,
    }  # fmt: skip


def _cells(frame: pd.DataFrame, seeds: Sequence[int], classes: Sequence[int]) -> Floats:
    """Return the values [S, K] of some seeds and classes."""
    every = len(frame) == len(seeds) and len(frame.columns) == len(classes)  # in the same order
    found: Floats = (frame if every else frame.loc[seeds, classes]).to_numpy(dtype=float)
    return found


def _worth(
    medians: Sequence[pd.Series[float]], controls: Sequence[pd.DataFrame], held: pd.DataFrame
) -> dict[str, float]:
    """Return how well the class sizes alone, and the controls, correlate with the encoders; medians over seeds."""

    def against(others: Sequence[pd.DataFrame]) -> float:
        middle = [_middle(other) for other in others]
        each = [_spearman(own, other) for own in medians for other in middle]
        return mean(np.array(each, dtype=float))

    return {"class_size": against([held]), "control": against(controls)}


def _spearman(first: pd.Series[float], second: pd.Series[float]) -> float:
    if not first.index.equals(second.index):
        both = first.index.intersection(second.index)
        first, second = first[both], second[both]
    x, y = first.to_numpy(dtype=float), second.to_numpy(dtype=float)
    known = ~(np.isnan(x) | np.isnan(y))
    if known.sum() < 3 or len(set(x[known])) < 2 or len(set(y[known])) < 2:
        return float("nan")
    return float(np.corrcoef(_ranks(x[known]), _ranks(y[known]))[0, 1])


def _ranks(values: Floats) -> Floats:
    """Return the ranks [n] of values; equal ones share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    shared: Floats = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return shared


def _correlations(values: Floats) -> tuple[float, float]:
    """Return the mean Spearman correlation [E, S, K] between encoders and within them, both at different seeds.

    Sums over all pairs of the products of ranks of length 1 are squares of sums, so that the cost grows like E S, not like
    its square. A constant row has no correlation; its pairs do not count.
    """
    encoders, seeds, classes = values.shape
    ranks = pd.DataFrame(values.reshape(-1, classes)).rank(axis=1).to_numpy()
    ranks = ranks - ranks.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(ranks, axis=1, keepdims=True)
    defined = norms > 0
    unit = np.divide(ranks, norms, out=np.zeros_like(ranks), where=defined)
    counted = np.hstack([unit, defined])  # the products of the last column count the pairs
    own, other = _pair_sums(counted.reshape(encoders, seeds, -1))
    return _quotient(other), _quotient(own)


def _pair_sums(values: Floats) -> tuple[Floats, Floats]:
    """Return sums [N] of products of `values` [E, S, N] over ordered pairs of seeds s ≠ t within e = f, and over e ≠ f."""
    same = (values**2).sum(axis=(0, 1))
    within = (values.sum(axis=1) ** 2).sum(axis=0)
    at_one_seed = (values.sum(axis=0) ** 2).sum(axis=0)
    everywhere = values.sum(axis=(0, 1)) ** 2
    return within - same, everywhere - within - at_one_seed + same


def _quotient(sums: Floats) -> float:
    """Return a mean over pairs to what the sums are exact to, so that equal ranks have a difference of 0."""
    return round(float(sums[:-1].sum() / sums[-1]), 12) if sums[-1] > 0.5 else float("nan")


def _verdict(within: float, low: float, high: float) -> str:
    if not np.isfinite([within, low, high]).all():
        return "undefined"
    if within < NOISE:
        return "noise"
    if high <= TOLERANCE:
        return "confirmed"
    return "refuted" if low > TOLERANCE else "undecided"


def _selected(
    study: Study, group: Mapping[str, Any], plans: Mapping[str, dict[int, set[str]]], first: str, second: str
) -> dict[str, Any]:
    """Share of equal ids in the plans of two encoders, mean over the seeds that both have."""
    shared, chance = [], []
    rows = study.of({**group, "encoder": first})
    reserve = float(rows.loc[rows.metric == Metric.N_RESERVE, "value"].mean())
    for seed in sorted(set(plans[first]) & set(plans[second])):
        a, b = plans[first][seed], plans[second][seed]
        if a and b:
            shared.append(len(a & b) / min(len(a), len(b)))
            chance.append(max(len(a), len(b)) / reserve)
    means = {"overlap": np.mean(shared), "by_chance": np.mean(chance)} if shared else {}
    return {"quantity": "selected", **means}


def _plans(study: Study, group: Mapping[str, Any]) -> dict[int, set[str]]:
    """Ids in the plan of SCAR at the largest budget, by seed."""
    found: dict[int, set[str]] = {}
    for job in study.finished(group):
        files = sorted(job.folder.glob("plan-scar-*pct.csv"), key=lambda p: float(p.stem.split("-")[-1][:-3]))
        if files:
            with files[-1].open(newline="", encoding="utf-8") as file:
                found[int(job.columns["seed"])] = {plain(row["id"]) for row in csv.DictReader(file)}
    return found


def _sizes(study: Study, group: Mapping[str, Any], names: Sequence[str]) -> pd.DataFrame:
    """Return [seeds, encoders] the Foundation Data Sizes by the driver."""
    wanted = {"metric": Metric.FOUNDATION_SIZE, "subject": RANKED, "estimator": study.driver}
    found = {name: by_seed(study.of({**group, "encoder": name}), **wanted) for name in names}
    first = {
        name: {seed: next((value for value in values if value == value), np.nan) for seed, values in own.items()}
        for name, own in found.items()
    }
    seeds = sorted({seed for own in found.values() for seed in own})
    return pd.DataFrame(first, index=seeds, columns=list(names), dtype=float)

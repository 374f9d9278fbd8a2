"""How much each deviation matters: numbers recomputed from the published figures by this project's functions."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from scar.foundation.bound import step_foundation_size
from scar.foundation.set_level import reference_set_foundation_size, set_foundation_size
from scar.measures.debias import coverage_deficit
from scar.reporting.paper.published_rows import published_characteristics, published_runs
from scar.reporting.text import count, decimal

CIFAR10_RESNET = (
    54.773987441457415, 57.84237258464407, 68.94319428977289, 127.29153676756118, 64.91143604706076,
    82.43749558025333, 58.49628873311038, 51.8205386069849, 51.869453308431815, 89.57573608536728,
)  # fmt: skip
"""Recorded concept sizes h of one published run: CIFAR-10, ResNet, all training data, run 3."""
CIFAR10_RATIO = 5.0
"""F of that run, K/2."""
EPSILON = DELTA = 0.01
"""§4.1: ε = δ = 0.01."""


def margins() -> dict[str, int]:
    """In how many of the 38 published cells SCAR's margin exceeds the run-to-run range of both arms."""
    grouped = published_runs().groupby(["dataset", "modality", "encoder"])
    arms = grouped[["scar_acc", "random_acc", "average_acc"]]
    mean, spread = arms.mean(), arms.max() - arms.min()
    wins = {"cells": len(mean)}
    for other in ("random", "average"):
        margin = mean.scar_acc - mean[f"{other}_acc"]
        noise = np.maximum(spread.scar_acc, spread[f"{other}_acc"])
        wins[other] = int((margin > noise).sum())
    return wins


def identical_ones() -> tuple[int, int, int]:
    """Published cells with S = 1, with R = 1, and with at least one of the two."""
    frame = published_characteristics()
    scale, richness = np.isclose(frame.scale, 1), np.isclose(frame.richness, 1)
    return int(scale.sum()), int(richness.sum()), int((scale | richness).sum())


@cache
def repeated_accuracies() -> dict[str, list[float]]:
    """Accuracies that come back at least three times within the arms and runs of one published cell."""
    found: dict[str, list[float]] = {}
    columns = ["total_acc", "primary_acc", "scar_acc", "random_acc", "average_acc"]
    for (dataset, modality, encoder), runs in published_runs().groupby(["dataset", "modality", "encoder"]):
        values, times = np.unique(runs[columns].to_numpy(), return_counts=True)
        share = times[times >= 3]
        if len(share) and dataset in ("wikipedia", "msrvtt"):
            found[f"{dataset} ({modality}) {encoder}"] = [float(v) for v in values[times >= 3]]
    return found


def order_effect() -> tuple[float, float]:
    """Foundation Data Size of the recorded run by order 1 and order 3 of Eq. 9 [samples, without ln F]."""
    first, third = (set_foundation_size(CIFAR10_RESNET, epsilon=EPSILON, delta=DELTA, order=q) for q in (1, 3))
    return float(first), float(third)


def ratio_effect() -> tuple[float, float]:
    """The published size of the recorded run, with and without its factor ln F [samples]."""
    published = reference_set_foundation_size(CIFAR10_RESNET, error_ratio=CIFAR10_RATIO, epsilon=EPSILON, delta=DELTA)
    return float(published), order_effect()[1]


def unit_effect() -> tuple[float, float]:
    """Largest over smallest share of a class in the plan, by the published rule and in units of the class."""
    sizes = step_foundation_size(np.asarray(CIFAR10_RESNET), epsilon=EPSILON, delta=DELTA)
    held = 3000.0
    published, ours = sizes - held, np.maximum(sizes * held / 30_000 - held, 0)
    return float(published.max() / published.min()), float(ours.max() / max(ours.min(), 1e-12))


def say_order() -> str:
    """What orders 2 and 3 of the bound do."""
    first, third = order_effect()
    return f"CIFAR-10 ResNet: {count(first)} samples at order 1, {count(third)} at order 3: {first - third:.2g} apart."


def say_ratio() -> str:
    """What ln F does to the set size."""
    published, plain = ratio_effect()
    factor = published / plain
    return f"CIFAR-10 ResNet: {count(published)} samples as published, {count(plain)} without ln F (× {factor:.2f}; ln 5 = {math.log(5):.2f})."


def say_two_sided() -> str:
    """What a two-sided gap would cost."""
    return f"The factor 2 adds ln 2 / (2ε²) = {count(math.log(2) / (2 * EPSILON**2))} samples."


def say_decade() -> str:
    """What a decade of the growth fit's bound costs."""
    samples = math.log(10) / (2 * EPSILON**2)
    return f"Each decade of that bound moves every size by {count(samples)} samples, times ln F."


def say_margins() -> str:
    """Where completion helped beyond the noise."""
    wins = margins()
    return f"SCAR's margin exceeds the range of both arms in {wins['random']} (random) and {wins['average']} (class average) of {wins['cells']} cells."


def say_ones() -> str:
    """How often S or R says nothing."""
    scale, richness, either = identical_ones()
    return f"In the published cells S is 1 in {scale} and R is 1 in {richness}; one of them is 1 in {either} of 38."


def say_constant() -> str:
    """Where accuracies repeat."""
    found = repeated_accuracies()
    values = "; ".join(f"{cell}: {', '.join(f'{v:.3f}' for v in v_)}" for cell, v_ in found.items())
    return f"{len(found)} cells repeat an accuracy three times or more over arms and runs: {values}."


def say_units() -> str:
    """How uneven the plan is in each unit."""
    published, ours = unit_effect()
    return f"CIFAR-10 ResNet: the best-served class gets {published:.2f} times the least-served by the published rule; in class units (`scar_class_mix`) {ours:.2f} times."


def say_jsd() -> str:
    """What chance takes from coverage."""
    sizes = np.array([30, 100, 1000])
    expected = -coverage_deficit(np.ones(len(sizes)), sizes)[0]
    values = ", ".join(f"{decimal(e)} at {n}" for n, e in zip(sizes, expected, strict=True))
    return f"Chance alone takes from the coverage of an exactly Gaussian class: {values} samples."


def say_spread() -> str:
    """How max − min compares with a standard deviation."""
    runs = published_runs().groupby(["dataset", "modality", "encoder"]).scar_acc
    ratio = float(((runs.max() - runs.min()) / runs.std(ddof=1)).replace([np.inf], np.nan).mean())
    return f"On average max − min of the three SCAR runs is {ratio:.2f} times their standard deviation."


def say_budget() -> str:
    """How much of the reserve was added."""
    frame = published_characteristics().groupby("dataset", sort=False).coverage.mean()
    return "Share of the reserve that was added: " + ", ".join(f"{d} {100 * c:.0f} %" for d, c in frame.items()) + "."


def say_leak() -> str:
    """What the leak may have given."""
    runs = published_runs()
    gain = runs[runs.dataset == "cifar100"].groupby("encoder", sort=False)[["primary_acc", "scar_acc"]].mean()
    values = ", ".join(f"{name} {100 * (row.scar_acc - row.primary_acc):+.1f}" for name, row in gain.iterrows())
    return f"CIFAR-100, SCAR minus primary in points: {values}; on CIFAR-10 it is at most {100 * cifar10_gain():.1f}."


def cifar10_gain() -> float:
    """Largest gain of SCAR over primary on CIFAR-10, where nothing leaked."""
    runs = published_runs()
    means = runs[runs.dataset == "cifar10"].groupby("encoder")[["primary_acc", "scar_acc"]].mean()
    return float((means.scar_acc - means.primary_acc).max())


def say_function_of_k() -> str:
    """How little the published size depends on anything but K."""
    means = published_characteristics().set_index("dataset").foundation
    spread = means.groupby(level=0).agg(lambda v: v.max() / v.min())
    image = spread[["cifar10", "cifar100"]].max()
    return f"Between three encoders the published size differs by a factor of at most {image:.2f} on CIFAR-10 and CIFAR-100; from 10 to 100 classes it grows {means['cifar100'].mean() / means['cifar10'].mean():.1f} times."

"""Rounds of collection against buying at once and doubling, on data whose pool is known.

scar experiment=rounds        see experiments/rounds/README.md
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scar.common.console import console
from scar.common.randomness import generator
from scar.completion.rounds import RoundsConfig
from scar.config.schema import Config
from scar.store.keys import make_key
from scar.store.store import Store
from scar.studies.common import open_job, shared_overrides, write_csv, write_text
from scar.studies.rounds.collecting import SCORE, WAYS, World, collect

START = ("split.validation=0.06", "split.heldout=0.06", "split.primary=0.03")
"""A training set of 3 % of what the cuts leave; the rest is the pool."""
DATASETS: dict[str, tuple[str, ...]] = {
    "fashion_mnist": (
        "dataset=fashion_mnist",
        "encoder=pixels_pca",
        "dataset.train_size=10000",
        "dataset.test_size=4000",
    ),
    "wordnet_glosses": (
        "dataset=wordnet_glosses",
        "encoder=wordllama",
        "dataset.train_size=10000",
        "dataset.test_size=4000",
    ),
}
REGIMES = ("natural", "long_tailed")
BASELINE = "double_random"


@dataclass(frozen=True, kw_only=True)
class RoundsStudySettings:
    """All that is fixed before a result is seen.

    Attributes:
        datasets: overrides per dataset.
        regimes: of the first training set; the pool is of the mix that the regime has by default.
        seeds: each redraws all cuts and probes.
        target: share of what the whole pool gains, that the target asks for.
        horizon: rounds.
        confidence: probability to have reached the target by the horizon, that decisions are made for.
        resamples: of the bootstrap over dataset × regime × seed.
    """

    datasets: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(DATASETS))
    regimes: tuple[str, ...] = REGIMES
    seeds: tuple[int, ...] = tuple(range(4))
    target: float = 0.5
    horizon: int = 3
    confidence: float = 0.9
    resamples: int = 4000


def run(config: Config, folder: Path) -> None:
    """Run the study; `folder` gets rounds.csv (every round) and table.csv, table.md."""
    table = study_rounds(config, RoundsStudySettings(), folder)
    console().print(table.to_markdown(index=False, floatfmt=".3f"), markup=False, highlight=False)


def study_rounds(config: Config, settings: RoundsStudySettings, folder: Path) -> pd.DataFrame:
    """Collect in every way, for every dataset, regime and seed; returns the table."""
    store = Store(config.paths.store_dir, policy=config.store.policy)
    found = []
    for dataset, overrides in settings.datasets.items():
        for regime in settings.regimes:
            for seed in settings.seeds:
                lines = [*overrides, *START, f"regime={regime}", f"seed={seed}", *shared_overrides(config)]
                found.append(_collections(World(job=open_job(lines, store)), settings, store).assign(
                    dataset=dataset, regime=regime, seed=seed
                ))  # fmt: skip
                console().print(f"[dim]{dataset}, {regime}: seed {seed} done[/]")
    rounds = pd.concat(found, ignore_index=True)
    table = summarize(rounds, settings)
    write_csv(folder / "rounds.csv", rounds)
    write_csv(folder / "table.csv", table)
    write_text(folder / "table.md", table.to_markdown(index=False, floatfmt=".3f") + "\n")
    return table


def _collections(world: World, settings: RoundsStudySettings, store: Store) -> pd.DataFrame:
    """Return the rounds of all ways from one start; from the store where they are there."""
    job = world.job
    fixed = {
        "target": settings.target, "horizon": settings.horizon, "confidence": settings.confidence,
        "seed": job.config.seed, "probe": job.config.probe, "forecast": world.forecast,
    }  # fmt: skip
    upstream = [each.key for each in (*job.inputs.data[:2], job.inputs.split)]
    key = make_key("rounds", config=fixed, upstream=upstream, code=[_collect_all])

    def make(folder: Path) -> None:
        _collect_all(world, settings).to_parquet(folder / "rounds.parquet")

    return pd.read_parquet(store.obtain(key, make) / "rounds.parquet")


def _collect_all(world: World, settings: RoundsStudySettings) -> pd.DataFrame:
    start = world.start
    present = world.score(start)
    everything = world.score(start.with_parts(primary=start.total, reserve=start.reserve[:0]))
    target = present + settings.target * (everything - present)
    records: list[dict[str, Any]] = []
    for name, way in WAYS.items():
        asked = RoundsConfig(target=target, score=SCORE, horizon=settings.horizon, confidence=settings.confidence)
        for record in collect(world, way, asked):
            records.append({"way": name, "present": present, "target": target, "whole": everything, **record})
    return pd.DataFrame.from_records(records).assign(start=len(start.primary), pool=len(start.reserve))


def summarize(rounds: pd.DataFrame, settings: RoundsStudySettings) -> pd.DataFrame:
    """Return cost and misses per way, beside `BASELINE`, by dataset and regime and over all of them.

    Columns: dataset, regime (``"all"`` over all), way, cases, cost (samples bought, as a share of the first training set),
    rounds, missed (share of the cases), ratio (of mean costs to that of `BASELINE`) with its 95 % bootstrap interval over
    cases, and the difference in missed cases with its own.
    """
    case = ["dataset", "regime", "seed"]
    each = rounds.groupby([*case, "way"]).agg(
        bought=("bought", "sum"), start=("start", "first"), rounds=("round", "max"), after=("after", "last"), target=("target", "first")
    ).reset_index()  # fmt: skip
    each["cost"], each["missed"] = each.bought / each.start, each.after < each.target
    found = []
    groups = [((d, r), own) for (d, r), own in each.groupby(["dataset", "regime"], sort=False)] + [
        (("all", "all"), each)
    ]
    for (dataset, regime), own in groups:
        cost, missed = (own.pivot(index=case, columns="way", values=v).astype(float) for v in ("cost", "missed"))
        draws = generator(0, "rounds bootstrap", len(cost)).integers(len(cost), size=(settings.resamples, len(cost)))
        for way in WAYS:
            base, mine = cost[BASELINE].to_numpy(), cost[way].to_numpy()
            ratios = mine[draws].mean(axis=1) / base[draws].mean(axis=1)
            more = (missed[way] - missed[BASELINE]).to_numpy()
            low, high = np.quantile(ratios, [0.025, 0.975])
            fewer, further = np.quantile(more[draws].mean(axis=1), [0.025, 0.975])
            found.append({
                "dataset": dataset, "regime": regime, "way": way, "cases": len(cost), "cost": mine.mean(),
                "rounds": own[own.way == way].rounds.mean(), "missed": missed[way].mean(), "ratio": mine.mean() / base.mean(),
                "ratio_low": low, "ratio_high": high, "missed_more": more.mean(), "missed_low": fewer, "missed_high": further,
            })  # fmt: skip
    return pd.DataFrame(found)

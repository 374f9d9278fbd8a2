"""Do the intervals of forecasts hold? Every plan is forecast, carried out, and measured.

scar experiment=forecast_study        see experiments/forecast_study/README.md for what it asks and what to expect
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from scar.common.console import console
from scar.completion.forecast_settings import SCORES
from scar.config.schema import Config
from scar.data.fetch import FetchError
from scar.store.store import Store
from scar.studies.common import open_job, shared_overrides, write_csv, write_text
from scar.studies.forecast.cases import cases_of
from scar.studies.forecast.score import score_table

CUTS = ("split.validation=0.08", "split.heldout=0.1", "split.primary=0.3")
FRESH: dict[str, tuple[str, ...]] = {
    "cifar10": ("dataset=cifar10", "encoder=efficientnet_lite0", "dataset.train_size=10000", "dataset.test_size=4000"),
    "ag_news": ("dataset=ag_news", "encoder=minilm", "dataset.train_size=8000", "dataset.test_size=4000"),
    "wordnet_glosses": (
        "dataset=wordnet_glosses",
        "encoder=tfidf",
        "dataset.train_size=12000",
        "dataset.test_size=4000",
    ),
    "emoji_text": ("dataset=emoji_pairs", "encoder=minilm", "modality=text"),
    "emoji_image": ("dataset=emoji_pairs", "encoder=efficientnet_lite0", "modality=image"),
    "tux_speech": ("dataset=tux_speech", "encoder=speech", "modality=audio"),
    "digits": ("dataset=digits", "encoder=pixels"),
}
"""Data on which nothing was chosen; copies of CIFAR-10 and AG-News are yours (``SCAR_DATA``), and left out without one."""
CHOSEN_ON: dict[str, tuple[str, ...]] = {
    "fashion_mnist": (
        "dataset=fashion_mnist", "encoder=efficientnet_lite0", "dataset.train_size=10000", "dataset.test_size=4000",
    ),
    "wordnet_glosses_wordllama": (
        "dataset=wordnet_glosses", "encoder=wordllama", "dataset.train_size=12000", "dataset.test_size=4000",
    ),
}  # fmt: skip
"""Data on which the surface, its penalty and the noise that it refuses were chosen: reported apart."""
REGIMES = ("natural", "long_tailed", "missing_class", "noisy_20")


@dataclass(frozen=True, kw_only=True)
class ForecastStudySettings:
    """All that is fixed before a result is seen.

    Attributes:
        datasets: overrides per dataset.
        regimes: of `conf/regime`.
        seeds: each redraws all cuts and probes.
    """

    datasets: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(FRESH))
    regimes: tuple[str, ...] = REGIMES
    seeds: tuple[int, ...] = (0, 1)


def run(config: Config, folder: Path) -> None:
    """Run the study on fresh data and, into ``chosen_on/``, on those that choices were made on.

    Args:
        config: paths, machine, store policy; `probe` and `forecast` are those of the jobs.
        folder: gets cases.csv, table.csv and table.md.
    """
    store, shared = Store(config.paths.store_dir, policy=config.store.policy), shared_overrides(config)
    shared += [
        f"probe={config.probe.name}",
        "forecast.seeds=all",
        f"forecast.scores=[{','.join(SCORES)}]",
        f"forecast.compositions={config.forecast.compositions}",
    ]
    for datasets, out in ((FRESH, folder), (CHOSEN_ON, folder / "chosen_on")):
        run_study(ForecastStudySettings(datasets=datasets), store=store, out=out, shared=shared)
        console().print((out / "table.md").read_text(encoding="utf-8"), markup=False, highlight=False)


def run_study(settings: ForecastStudySettings, *, store: Store, out: Path, shared: Sequence[str] = ()) -> pd.DataFrame:
    """Write cases.csv, table.csv and table.md; returns the table.

    Raises:
        FetchError: none of the datasets is there.
    """
    frames, absent = [], {}
    for seed in settings.seeds:
        for dataset, overrides in settings.datasets.items():
            for regime in settings.regimes:
                if dataset in absent:
                    continue
                start = time.perf_counter()
                own = [*overrides, *CUTS, *shared, "subsets=quick", f"regime={regime}", f"seed={seed}"]
                try:
                    cases = cases_of(open_job(own, store))
                except FetchError as error:
                    absent[dataset] = error
                    console().print(f"{dataset} is left out: {error}", markup=False)
                    continue
                frames.append(cases.assign(dataset=dataset, regime=regime, seed=seed))
                console().print(f"{dataset} {regime} seed {seed}: {time.perf_counter() - start:.1f} s", highlight=False)
    if not frames:
        raise next(iter(absent.values()))
    every = pd.concat(frames, ignore_index=True)
    table = score_table(every)
    write_csv(out / "cases.csv", every)
    write_csv(out / "table.csv", table)
    left = f"\nLeft out, because they are not there: {', '.join(absent)}.\n" if absent else ""
    write_text(out / "table.md", table.to_markdown(index=False, floatfmt=".2f") + "\n" + left)
    return table

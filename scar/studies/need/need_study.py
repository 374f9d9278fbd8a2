"""Predict from a quarter of the data how much is enough, then measure it.

scar experiment=need_study        see experiments/need_study/README.md for what it asks and what to expect
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from scar.common.console import console
from scar.config.schema import Config
from scar.data.paths import data_folder
from scar.job.job import Job
from scar.measures.observations import Observations
from scar.store.keys import make_key
from scar.store.store import Store
from scar.studies.common import DATASETS, OWN, open_job, shared_overrides, write_csv, write_png, write_text
from scar.studies.need.predict import predictions
from scar.studies.need.predicted_figure import draw
from scar.studies.need.reality import falling_crossing, gap_curve, observe_reality, reality_key, recall_curve
from scar.studies.need.score import decisions, score_cases, summarize, with_other_seed
from scar.sweep.present import is_present

CUTS = ("split.validation=0.05", "split.heldout=0.15", "split.primary=0.25")
"""What one has is the primary set, a quarter of the training data that the cuts leave."""

SMALL: dict[str, tuple[str, ...]] = {
    "digits": ("dataset=digits", "encoder=pixels", "probe=linear"),
    "emoji_image": ("dataset=emoji_pairs", "encoder=efficientnet_lite0", "probe=linear"),
    "emoji_text": ("dataset=emoji_pairs", "encoder=minilm", "probe=linear"),
}
"""Packaged datasets of one to two thousand samples: their classes are too small to be judged one by one."""

PLANS = ("quick", "paper")
"""Down-sampling plans: 4 factors and 9 probes, or the default, 7 factors and 83 probes."""


@dataclass(frozen=True, kw_only=True)
class NeedStudySettings:
    """All that is fixed before a result is seen.

    Attributes:
        datasets: overrides per dataset.
        seeds: each redraws all cuts and probes.
        plans: down-sampling plans (`conf/subsets`) from which the estimators predict.
        gaps: targets ε of the gap, for classes and set alike.
        recalls: targets of the held-out recall, for classes and set alike.
        min_heldout: held-out samples that a class needs to be a case.
    """

    datasets: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(DATASETS))
    seeds: tuple[int, ...] = tuple(range(8))
    plans: tuple[str, ...] = PLANS
    gaps: tuple[float, ...] = (0.01, 0.015, 0.02, 0.03, 0.04, 0.06)
    recalls: tuple[float, ...] = tuple(round(0.30 + 0.01 * i, 2) for i in range(69))
    min_heldout: int = 100


def real_sizes(real: Observations, settings: NeedStudySettings) -> pd.DataFrame:
    """Return the real size per question, target and class (-1: the set)."""
    records = []
    sizes, gaps = gap_curve(real)
    _, recalls = recall_curve(real)
    classes = np.append(np.arange(real.num_steps), -1)
    for question, curves, targets in (("gap", gaps, settings.gaps), ("recall", -recalls, settings.recalls)):
        sign = 1.0 if question == "gap" else -1.0
        for target in targets:
            for class_id, curve in zip(classes, curves.T, strict=True):
                crossing = falling_crossing(sizes, curve, sign * target)
                records.append({"question": question, "target": target, "class_id": class_id, "real": crossing})
    return pd.DataFrame.from_records(records)


def run_seed(job: Job, dataset: str, settings: NeedStudySettings) -> pd.DataFrame:
    """Return the cases of one dataset and seed; probes and cases come from the store where they are there."""

    def make(folder: Path) -> None:
        have, real = job.observations("primary"), observe_reality(job)
        said = predictions(have, settings.gaps, settings.recalls)
        cases = said.merge(real_sizes(real, settings), on=["question", "target", "class_id"], how="left")
        assert have.heldout_class_sizes is not None  # `CUTS` holds a part out
        heldout = np.append(have.heldout_class_sizes, have.heldout_class_sizes.sum())[cases["class_id"]]
        cases = cases[heldout >= settings.min_heldout]
        names = [*job.steps.names, "(set)"]
        cases.insert(0, "class_name", [names[i] for i in cases["class_id"]])
        cases.insert(0, "everything", real.n_total)
        cases.insert(0, "have", have.n_total)
        cases.insert(0, "seed", job.config.seed)
        cases.insert(0, "plan", job.config.subsets.name)
        cases.insert(0, "dataset", dataset)
        cases.to_parquet(folder / "cases.parquet", index=False)

    fixed = {"gaps": settings.gaps, "recalls": settings.recalls, "min_heldout": settings.min_heldout}
    key = make_key(
        "need_study_cases",
        config=fixed | {"dataset": dataset},
        upstream=[job.characterized["primary"].measures.key, reality_key(job)],
        code=[run_seed],
    )
    return pd.read_parquet(job.store.obtain(key, make) / "cases.parquet")


def run(config: Config, folder: Path) -> None:
    """Run the study on the large datasets, on the small ones, and on the paper's where copies are there.

    Args:
        config: paths, machine and store policy; the groups of a job are those of the study.
        folder: gets cases.csv, table.csv, decisions.csv, table.md and figure.png; those of the small datasets in
            ``small/``, those of the paper's in ``own/``.
    """
    store, shared = Store(config.paths.store_dir, policy=config.store.policy), shared_overrides(config)
    own = {name: given for name, given in OWN.items() if is_present(name, data_folder(config.paths.data_dir))}
    parts = {folder: DATASETS, folder / "small": SMALL} | ({folder / "own": own} if own else {})
    for out, datasets in parts.items():
        run_study(NeedStudySettings(datasets=datasets), store=store, out=out, shared=shared)
        console().print((out / "table.md").read_text(encoding="utf-8"), markup=False, highlight=False)


def run_study(settings: NeedStudySettings, *, store: Store, out: Path, shared: Sequence[str] = ()) -> pd.DataFrame:
    """Write cases.csv, table.csv, decisions.csv, table.md and figure.png; returns the table."""
    frames = []
    for dataset, overrides in settings.datasets.items():
        for seed in settings.seeds:
            start = time.perf_counter()
            for plan in settings.plans:
                job = open_job([*overrides, *shared, *CUTS, f"subsets={plan}", f"seed={seed}"], store)
                frames.append(run_seed(job, dataset, settings))
            console().print(f"{dataset} seed {seed}: {time.perf_counter() - start:.1f} s", highlight=False)
    cases = score_cases(with_other_seed(pd.concat(frames, ignore_index=True)))
    table, outside = summarize(cases), decisions(cases)
    write_csv(out / "cases.csv", cases)
    write_csv(out / "table.csv", table)
    write_csv(out / "decisions.csv", outside)
    text = "\n\n".join(frame.to_markdown(index=False, floatfmt=".2f") for frame in (table, outside))
    write_text(out / "table.md", text + "\n")
    write_png(out / "figure.png", draw(cases, table))
    return table

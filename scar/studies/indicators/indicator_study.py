"""The indicator study: which dataset-scale indicator predicts accuracy and robustness, on one dataset.

    scar experiment=indicators        see experiments/indicators/README.md

Derives more than thirty datasets from one, trains a head on each, ranks every indicator against accuracy and average
robustness, and asks the two questions of Feuer and Hegde (2023): does horizontal scaling beat vertical scaling at equal
budgets, and is it long tails rather than skew that hurt?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scar.common.console import console
from scar.common.files import replacing
from scar.config.schema import Config
from scar.job.algorithm import algorithm
from scar.job.rows import write_frame
from scar.store.store import Store
from scar.studies.indicators.evaluate import SeedResult, evaluate_seed
from scar.studies.indicators.indicator_settings import IndicatorStudy
from scar.studies.indicators.indicators_figure import draw
from scar.studies.indicators.source_features import gather
from scar.studies.indicators.verdicts import agreements, comparisons, findings


@dataclass(frozen=True, eq=False)
class Findings:
    """What one dataset showed.

    Attributes:
        datasets: one row per derived dataset, head and seed.
        agreement: rank agreement of every indicator with accuracy and robustness.
        comparison: paired differences between derived datasets.
        sentences: the findings in words.
    """

    datasets: pd.DataFrame
    agreement: pd.DataFrame
    comparison: pd.DataFrame
    sentences: tuple[str, ...]


def run(config: Config, folder: Path) -> None:
    """Run the study for the dataset of a configuration, print what it finds and write it into a folder.

    Args:
        config: dataset, encoder, probe and the first seed; the groups that plan and complete are not used.
        folder: gets datasets.parquet, datasets.csv, agreement.csv, comparisons.csv, indicators.md and the figure.
    """
    found = study_indicators(config, IndicatorStudy())
    write_findings(found, folder, name=config.dataset.name)
    for sentence in found.sentences:
        console().print(sentence, markup=False, highlight=False)
    console().print(f"written: {folder}", markup=False, highlight=False)


def study_indicators(config: Config, study: IndicatorStudy, *, shifts: Sequence[Config] = ()) -> Findings:
    """Derive, train, score and rank; from stored embeddings a dataset takes minutes, a second time seconds.

    Args:
        config: dataset, encoder, probe and the first seed.
        study: scaled down to the dataset where it is small.
        shifts: of datasets with the same classes that are shifts of this one; their accuracies count in the robustness.
    """
    store = Store(config.paths.store_dir, policy=config.store.policy)
    jobs = [algorithm(replace(config, seed=config.seed + index), store) for index in range(study.seeds)]
    first = jobs[0]
    pools = first.split.class_sizes("primary", first.num_classes) + first.split.class_sizes(
        "reserve", first.num_classes
    )
    fitted = study.fitted(pools, name=config.dataset.name)
    material = gather(first, fitted, [algorithm(each, store) for each in shifts])
    results = []
    for index, job in enumerate(jobs):
        results.append(evaluate_seed(job, material, fitted, index=index))
        console().print(f"[dim]{config.dataset.name}: seed {job.config.seed} done[/]")
    truth = first.split.labels[first.split.test]
    shift_truth = first.split.labels[material.shift_rows]
    return summarize(
        results, fitted, truth=truth, shift_truth=shift_truth, name=config.dataset.name, by_item=not material.tests
    )


def summarize(
    results: Sequence[SeedResult],
    study: IndicatorStudy,
    *,
    truth: NDArray[np.int64],
    shift_truth: NDArray[np.int64],
    name: str,
    by_item: bool = True,
) -> Findings:
    """Turn the scores of all seeds into tables and sentences; see `comparisons` for `by_item`."""
    datasets = pd.concat([result.table for result in results], ignore_index=True)
    datasets.insert(0, "dataset", name)
    agreement = agreements(datasets, study)
    comparison = comparisons(results, study, truth=truth, shift_truth=shift_truth, by_item=by_item)
    for frame in (agreement, comparison):
        frame.insert(0, "dataset", name)
    return Findings(datasets, agreement, comparison, findings(agreement, comparison))


def write_findings(found: Findings, folder: Path, *, name: str) -> None:
    """Write the tables, the figure and the sentences."""
    folder.mkdir(parents=True, exist_ok=True)
    write_frame(found.datasets, folder / "datasets.parquet")
    for stem, frame in (
        ("datasets", found.datasets),
        ("agreement", found.agreement),
        ("comparisons", found.comparison),
    ):
        _write(folder / f"{stem}.csv", frame.to_csv(index=False, float_format="%.6g").encode())
    tables = "\n\n".join(
        frame.to_markdown(index=False, floatfmt=".3f") for frame in (found.agreement, found.comparison)
    )
    _write(folder / "indicators.md", ("\n".join(f"- {each}" for each in found.sentences) + f"\n\n{tables}\n").encode())
    drawing = draw(found.datasets, found.agreement)
    for kind in ("png", "pdf", "svg"):
        _write(folder / f"indicators.{kind}", drawing.render(kind))
    drawing.close()


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(data)

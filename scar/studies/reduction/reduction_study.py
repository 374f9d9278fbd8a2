"""Reduce a set of image-text pairs, train on what is left, and say where that helped.

scar experiment=reduction        see experiments/reduction/README.md for what it asks and what to expect
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from scar.common.console import console
from scar.config.schema import Config
from scar.job.rows import write_frame
from scar.job.run_job import open_store
from scar.reduction.manifest import make_manifest, write_manifest
from scar.reporting.reduction.job_results import load_results
from scar.reporting.reduction.reduction_report import write_reduction
from scar.reporting.reduction.results import FINDINGS, PARTS, RESULTS
from scar.studies.common import write_csv, write_text
from scar.studies.reduction.arm_differences import conclude, differences
from scar.studies.reduction.claims import claims
from scar.studies.reduction.reduction_measures import measure, score_frame, trained_arms, writes_captions
from scar.studies.reduction.rival_stages import RivalStages
from scar.studies.reduction.trained_ablations import ablation_differences, trained_cases


@dataclass(frozen=True, eq=False)
class Found:
    """What a study showed.

    Attributes:
        rows: one measurement per line.
        differences: between arms, paired.
        scores: pair scores before and after.
        ablations: differences between the cases of the ablations and the study's own reduction, paired.
        claims: of the paper, with a verdict each.
        sentences: the findings in words.
    """

    rows: pd.DataFrame
    differences: pd.DataFrame
    scores: pd.DataFrame
    ablations: pd.DataFrame
    claims: pd.DataFrame
    sentences: tuple[str, ...]


def run(config: Config, folder: Path) -> None:
    """Run the study for the dataset of a configuration, print what it finds and write it into a folder.

    Args:
        config: pairs, reduction, encoder of the frozen embeddings, probe and estimators.
        folder: gets rows and differences, the tables, the figure, and the manifest of the reduced set.
    """
    stages = RivalStages(config, open_store(config))
    found = run_study(stages)
    save_manifest(stages, folder / "manifest.parquet")
    write_frame(found.rows, folder / RESULTS)
    write_csv(folder / "reduction.csv", found.rows)
    for name in PARTS:
        write_csv(folder / f"{name}.csv", getattr(found, name))
    write_text(folder / FINDINGS, "\n".join(found.sentences))
    write_reduction(folder, load_results(folder), name=config.study)
    for sentence in found.sentences:
        console().print(sentence, markup=False, highlight=False)
    console().print(f"written: {folder / 'reduction.md'}", markup=False, highlight=False)


def run_study(stages: RivalStages) -> Found:
    """Make what the store lacks, and read everything."""
    ablations = trained_cases(stages)
    rows = measure(stages, ablations)
    results = {arm.name: [stages.result(arm, seed) for seed in stages.reduction.seeds] for arm in trained_arms(stages)}
    table, scores, effects = differences(results), score_frame(stages), ablation_differences(ablations, stages)
    judged = claims(table, effects, scores if writes_captions(stages) else None)
    return Found(rows, table, scores, effects, judged, tuple(conclude(table, rows)))


def save_manifest(stages: RivalStages, path: Path) -> None:
    """Write what became of every training pair under the first seed; ``dataset=pairs_manifest`` reads it."""
    own, kept = stages.pairs, stages.kept(stages.reduction, stages.reduction.seeds[0])
    held, written = len(own.validation), writes_captions(stages)
    generated, refined = (stages.generated, stages.refined) if written else ([""] * len(own.train), stages.original)
    originals = [own.texts[row] for row in own.validation]
    manifest = make_manifest(
        ids=np.concatenate([own.ids[own.train], own.ids[own.validation]]),
        cluster=np.concatenate([kept.cluster, np.full(held, -1)]),
        kept=np.concatenate([kept.mask, np.zeros(held, bool)]),
        reason=[*kept.reason.tolist(), *["left out: validation part"] * held],
        original=[*stages.original, *originals],
        generated=[*generated, *[""] * held],
        refined=[*refined, *originals],
        pair_score=np.concatenate([stages.pair_scores(refined=False), np.full(held, np.nan)]),
    )
    write_manifest(manifest, path)

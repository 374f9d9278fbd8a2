"""Samples to look at, as a study.

    scar experiment=inspect dataset=wordnet_glosses encoder=minilm

Writes ``inspection.csv``, ``effects.csv`` and the page ``inspection.html`` into the folder of the job.
"""

from __future__ import annotations

from pathlib import Path

from scar.common.console import console
from scar.config.schema import Config
from scar.inspection.effects_of_acting import measure_effects
from scar.inspection.findings_page import render
from scar.inspection.inspection import Inspection, inspect_job
from scar.inspection.kinds import KINDS, RANKED
from scar.inspection.options import InspectionSettings
from scar.job.algorithm import algorithm
from scar.job.run_job import open_store
from scar.studies.common import write_csv, write_text


def run(config: Config, folder: Path, settings: InspectionSettings | None = None) -> Inspection:
    """Inspect the dataset of a configuration, measure the effect of corrections, and write what was found.

    Args:
        config: dataset, encoder, probe and planner.
        folder: of the results.
        settings: what to look for.
    """
    settings = settings or InspectionSettings()
    job = algorithm(config, open_store(config))
    inspection = inspect_job(job, settings)
    write_csv(folder / "inspection.csv", inspection.table.drop(columns=["row", "other_row"]))
    effects = None
    if settings.effect_seeds and job.inputs.supervision is None:
        effects = measure_effects(inspection, folder / "corrections", seeds=settings.effect_seeds)
        write_csv(folder / "effects.csv", effects)
    write_text(folder / "inspection.html", render(inspection, effects, shown=settings.shown))
    for line in summary(inspection):
        console().print(line, markup=False, highlight=False)
    console().print(f"written: {folder / 'inspection.html'}", markup=False, highlight=False)
    return inspection


def summary(inspection: Inspection) -> list[str]:
    """Return one line per kind of finding."""
    lines = []
    for kind in KINDS:
        table = inspection.of(kind)
        across = int((table["across_splits"] == True).sum())  # noqa: E712  of a column with empty cells
        leaks = f", {across} across splits" if kind.endswith("duplicate") else ""
        if len(table):
            how_many = f"{len(table)} ranked" if kind in RANKED else len(table)
            lines.append(f"{kind}: {how_many}{leaks}; first {table['id'].iloc[0]}")
    return lines

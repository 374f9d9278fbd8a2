"""Table 1 of the paper from the configurations: data and encoders, what was run here, and what awaits data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from scar.job.metrics import Metric
from scar.job.record import undamaged
from scar.reporting.formats.table import Table
from scar.reporting.paper.against import PAIRS
from scar.reporting.paper.published_rows import config_of, published_runs
from scar.reporting.text import MISSING, count, listing, name_of

RAN = (Metric.N_TOTAL, Metric.NUM_CLASSES)
"""What Table 1 says of the jobs that ran here."""
NOTE = (
    "Contents and output: the first line of the configuration. Files: here, or awaited. Run here: training samples and "
    "classes of finished jobs; otherwise the command that fills the cell."
)
TASKS = ("hub", "table", "image_folder", "webdataset", "embeddings_file")
"""Readers of data of the user, which name no data."""


def described(group: str, name: str) -> str:
    """Return what the first line of a configuration says after the name: ``"10 balanced classes"``."""
    text = (files("scar.conf") / group / f"{name}.yaml").read_text(encoding="utf-8")
    line = text.splitlines()[0].lstrip("# ")
    said = line.partition(": ")[2] or line
    return re.split(r"\. |; from|\.$", said)[0]


def runs_here(output_dir: Path) -> pd.DataFrame:
    """Return what the finished jobs of all studies were run on: study, dataset, encoder, n_total, num_classes."""
    columns = ["study", "dataset", "encoder", "metric", "value"]
    wanted = [("stage", "==", "dataset"), ("metric", "in", list(RAN))]
    whole = undamaged(sorted(output_dir.glob("*/jobs/*/rows.parquet")))
    found = [pd.read_parquet(file, columns=columns, filters=wanted) for file in whole]
    if not found:
        return pd.DataFrame(columns=["study", "dataset", "encoder", *RAN])
    rows = pd.concat(found, ignore_index=True)
    wide = rows.pivot_table(index=["study", "dataset", "encoder"], columns="metric", values="value", aggfunc="max")
    return wide.reset_index()


def paper_tables(doctor: Mapping[str, Any], ran: pd.DataFrame) -> list[Table]:
    """Return the tables of the data and of the encoders.

    Args:
        doctor: of `scar.commands.doctor.examine`: what is there, option by option.
        ran: of `runs_here`.
    """
    return [_data(doctor["datasets"], ran), _encoders(doctor["encoders"], ran)]


def _data(found: Sequence[Mapping[str, Any]], ran: pd.DataFrame) -> Table:
    published = published_runs()
    published["config"] = [config_of(dataset) for dataset in published.dataset]
    order = list(dict.fromkeys(published.config))
    cells, values = [], []
    for each in sorted(found, key=lambda e: (e["name"] not in order, _place(e["name"], order), e["name"])):
        name = each["name"]
        if name in TASKS:
            continue
        paper, own = published[published.config == name], ran[ran.dataset == name]
        size = float(paper.n_total.iloc[0]) if len(paper) else float("nan")
        encoders = [name_of(encoder) for encoder in dict.fromkeys(paper.encoder)]
        cells.append(
            {
                "Dataset": name_of(name),
                "Modality": each["modality"],
                "Contents": described("dataset", name),
                "In the paper": f"{count(size)}: {', '.join(encoders)}" if len(paper) else "–",
                "Files": _state(each),
                "Run here": _sizes(own) if len(own) else f"{MISSING}: {_command(name, paper)}",
            }
        )
        largest = {m: own[m].max() if len(own) else float("nan") for m in RAN}
        values.append(
            {"dataset": name, "modality": each["modality"], "published_n_total": size, "files": _state(each)} | largest
        )
    return _table(
        "paper_table1_data", "Table 1. Data of the paper and of this project", cells, values, "Run here", "n_total"
    )


def _encoders(found: Sequence[Mapping[str, Any]], ran: pd.DataFrame) -> Table:
    order = [config_of(encoder) for encoder in dict.fromkeys(published_runs().encoder)]
    cells, values = [], []
    for each in sorted(found, key=lambda e: (e["name"] not in order, _place(e["name"], order), e["name"])):
        name = each["name"]
        used = [name_of(dataset) for dataset in dict.fromkeys(ran[ran.encoder == name].dataset)]
        about = {"Encoder": name_of(name), "Modality": each["modality"], "Output": described("encoder", name)}
        about |= {"In the paper": "yes" if name in order else "–", "Files": _state(each)}
        cells.append(about | {"Run here": listing(used, 6) if used else MISSING})
        values.append({"encoder": name, "modality": each["modality"], "files": _state(each), "datasets": len(used)})
    return _table(
        "paper_table1_encoders",
        "Table 1. Encoders of the paper and of this project",
        cells,
        values,
        "Run here",
        "datasets",
    )


def _table(name: str, caption: str, cells: list[Any], values: list[Any], header: str, key: str) -> Table:
    about = {"cells": pd.DataFrame(cells), "values": pd.DataFrame(values), "sort_by": {header: key}}
    return Table(name=name, caption=caption, notes=(NOTE,), **about)


def _place(name: str, order: list[str]) -> int:
    return order.index(name) if name in order else len(order)


def _state(found: Mapping[str, Any]) -> str:
    return "here" if found["state"] in ("cached", "there") else "awaited"


def _sizes(ran: pd.DataFrame) -> str:
    sizes = sorted({(int(row.n_total), int(row.num_classes)) for row in ran.itertuples()}, reverse=True)
    studies = listing(list(dict.fromkeys(ran.study)), 3)
    return f"{listing([f'{count(n)} in {classes} classes' for n, classes in sizes], 3)} ({studies})"


def _command(name: str, paper: pd.DataFrame) -> str:
    encoder = f" encoder={config_of(paper.encoder.iloc[0])}" if len(paper) else ""
    pair = f" labels=cross_modal modality={paper.modality.iloc[0]}" if name in PAIRS else ""
    return f"scar dataset={name}{encoder}{pair}"

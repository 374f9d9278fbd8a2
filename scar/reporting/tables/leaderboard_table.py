"""The leaderboard of encoders and their agreement as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from scar.evaluation.scores import LEADING
from scar.job.metrics import Metric
from scar.measures.steps import MEASURES
from scar.reporting.formats.table import Table
from scar.reporting.settings import PAIRED
from scar.reporting.study_folder import Study
from scar.reporting.tables.encoder_agreement import EncoderAgreement, encoder_agreements
from scar.reporting.tables.leaderboard import Board, leaderboards
from scar.reporting.text import (
    count,
    decimal,
    group_label,
    known,
    name_of,
    percent,
    percent_interval,
    size,
    size_interval,
)

MILLION = 1e6
HEADS = ((LEADING, "Balanced", "Rank"), (Metric.ACCURACY, "Accuracy", "Rank, accuracy"))
QUANTITIES = {
    **{measure: measure.capitalize() for measure in MEASURES},
    Metric.NEED: "need", Metric.STEP_SIZE: "size of the set that the class needs", Metric.ADDED: "plan", "selected": "selected ids",
}  # fmt: skip


def leaderboard_tables(
    study: Study, *, level: float = 0.95, resamples: int = 2000, paired: int = PAIRED
) -> tuple[list[Table], list[Board]]:
    """Return the tables that compare encoders, and the boards behind them; nothing for a study of one encoder."""
    boards, few = leaderboards(study, level=level), min(resamples, 1000)
    agreements = encoder_agreements(study, boards, level=level, resamples=few, paired=paired) if boards else []
    found = [_board(board, single=len(boards) == 1) for board in boards]
    for each in agreements:
        found.append(_agreement(each, single=len(agreements) == 1))
    return found, boards


def _stem(name: str, group: Mapping[str, Any], single: bool) -> str:
    return name if single else f"{name}_{'_'.join(str(value) for value in group.values())}".replace(" ", "_")


def _board(board: Board, *, single: bool) -> Table:
    lines = []
    for row in board.frame.to_dict("records"):
        mark = " (control)" if row["control"] else ""
        line = {"Encoder": f"{name_of(row['encoder'])}{mark}"}
        for metric, head, rank in HEADS:
            value = percent(row[metric])
            line[head] = f"{value} {percent_interval(row[f'{metric}_low'], row[f'{metric}_high'])}".strip()
            line[rank] = _rank(row, metric)
        line |= {measure[0].upper(): _with_interval(row, measure) for measure in MEASURES}
        ends = size_interval(row["foundation_low"], row["foundation_high"])
        line["Foundation"] = f"{size(row['foundation'])} {ends}".strip()
        line |= {
            "Samples/s": count(row["samples_per_second"]), "Numbers": count(row["dimension"]),
            "Parameters": _millions(row["parameters"]), "Bytes": count(row["bytes_per_sample"]),
            "Front": "yes" if row["pareto"] else "–", "Adds most": row["plan"] or "nothing",
        }  # fmt: skip
        lines.append(line)
    heads = {head: metric for metric, head, _ in HEADS} | {rank: f"{metric}_rank" for metric, _, rank in HEADS}
    heads |= {"Foundation": "foundation", "Samples/s": "samples_per_second"}
    heads |= {"Numbers": "dimension", "Parameters": "parameters", "Bytes": "bytes_per_sample"}
    return Table(
        name=_stem("leaderboard", board.group, single),
        caption=f"Encoders of {group_label({**board.group, 'encoder': ''}).strip(' ·')}, by a probe on all training data",
        cells=pd.DataFrame(lines),
        values=board.frame,
        sort_by=heads | {measure[0].upper(): measure for measure in MEASURES},
        notes=(
            *board.sentences,
            f"Balanced: {Metric.of(LEADING).label}, which the encoders are ranked by. Accuracy: of raw decisions, which favour "
            f"the frequent classes. Intervals at {100 * board.level:g} %; those of the ranks hold for all encoders at once. Samples/s: as measured "
            "when the samples were embedded, on the machine and load of that moment; missing where nothing was. Numbers and "
            "bytes: of the embedding of a sample. Parameters: in millions, of the weight files. Front: no other encoder is "
            "both better by balanced accuracy and faster. Adds most: classes of the SCAR plan at the largest budget, mean over seeds.",
        ),
    )


def _rank(row: Mapping[str, Any], metric: str) -> str:
    low, high = row[f"{metric}_rank_low"], row[f"{metric}_rank_high"]
    return f"{row[f'{metric}_rank']} [{low}, {high}]"


def _with_interval(row: Mapping[str, Any], measure: str) -> str:
    low, high = row[f"{measure}_low"], row[f"{measure}_high"]
    ends = f" [{decimal(low, 2)}, {decimal(high, 2)}]" if known(low) and known(high) else ""
    return f"{decimal(row[measure], 2)}{ends}"


def _millions(parameters: float) -> str:
    return decimal(parameters / MILLION, 2) if known(parameters) else "missing"


def _agreement(agreement: EncoderAgreement, *, single: bool) -> Table:
    lines = []
    shown = agreement.pairs[agreement.pairs.reindex(columns=["spearman", "overlap"]).notna().any(axis=1)]
    for row in shown.to_dict("records"):
        line = {"Encoders": f"{name_of(row['first'])}, {name_of(row['second'])}", "Of": QUANTITIES[row["quantity"]]}
        line |= {"Spearman": _correlation(row, "spearman", "low", "high")}
        line |= {"Kendall": _correlation(row, "kendall", "kendall_low", "kendall_high")}
        line |= {"Shared ids": _share(row.get("overlap")), "By chance": _share(row.get("by_chance"))}
        lines.append(line)
    return Table(
        name=_stem("agreement", agreement.group, single),
        caption=f"Do the encoders agree about {group_label({**agreement.group, 'encoder': ''}).strip(' ·')}?",
        cells=pd.DataFrame(lines),
        values=shown,
        sort_by={"Spearman": "spearman", "Kendall": "kendall"},
        notes=(
            *agreement.sentences,
            *_left_out(agreement),
            "Rank correlations over the classes of the primary set, of medians over seeds; controls are left out. Intervals "
            "resample the classes. Verdicts compare two encoders at different seeds with one encoder at different seeds.",
        ),
    )


def _left_out(agreement: EncoderAgreement) -> list[str]:
    """Say which pairs are not listed, and how to have them."""
    if not agreement.left_out:
        return []
    listed = len({*agreement.pairs["first"], *agreement.pairs.second})
    every = listed + agreement.left_out
    pairs = every * (every - 1) // 2
    return [
        f"Pairs of {listed} of the {every} encoders, the best where that is known; the verdicts count all. scar-report "
        f"paired={every} lists all {count(pairs)} pairs."
    ]


def _correlation(row: Mapping[str, Any], value: str, low: str, high: str) -> str:
    if not known(row.get(value)):
        return "–"
    ends = f" [{decimal(row[low], 2)}, {decimal(row[high], 2)}]" if known(row[low]) and known(row[high]) else ""
    return f"{decimal(row[value], 2)}{ends}"


def _share(value: float | None) -> str:
    return f"{percent(value, 0)} %" if value is not None and known(value) else "–"

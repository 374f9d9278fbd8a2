"""What a study of reductions measured itself: its arms, SCAR of each, paired differences, and what is known once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from scar.measures.steps import MEASURES
from scar.reporting.formats.table import Table
from scar.reporting.reduction.job_results import base_rows
from scar.reporting.reduction.reduction_rows import RETRIEVAL, Cell, cell
from scar.reporting.text import decimal, name_of, points, points_interval

SHARES = {"recall": "Mean recall"} | RETRIEVAL | {"zero_shot": "Zero-shot", "linear_probe": "Linear probe"}
NUMBERS: dict[str, tuple[str, Callable[[Cell], str]]] = {
    "pairs": ("Pairs", Cell.count),
    "compression": ("Compression", lambda each: f"{each.value:.2f}"),
    "tr_median_rank": ("TR MdR", Cell.plain),
    "ir_median_rank": ("IR MdR", Cell.plain),
    "wall_seconds": ("Wall [s]", Cell.plain),
    "cpu_seconds": ("CPU [s]", Cell.plain),
    "pair_score": ("Pair score", lambda each: decimal(each.value, 3)),
}
NAMES = {
    "full": "everything", "random": "random pairs", "reduced": "TL;DR's pairs",
    "reduced_refined": "TL;DR's pairs with refined captions", "reduced_collapsed": "TL;DR's pairs with collapsed captions",
    "similarity": "pairs by similarity", "neg_clip_loss": "pairs by negative CLIP loss", "norm_sim": "pairs by norm similarity",
    "dedup": "pairs without near-duplicates", "similarity_dedup": "pairs by similarity without near-duplicates",
    "soft_cap": "pairs with repeats", "need": "pairs by need", "need_clean": "filtered pairs by need",
    "mixing": "pairs by learned weights", "mixing_clean": "filtered pairs by learned weights",
    "oracle_0": "random pairs with an oracle's captions", "oracle_25": "random pairs with captions of 25 % wrong facts",
    "random_refined": "random pairs with refined captions",
    "oracle_75": "random pairs with captions of 75 % wrong facts",
    "oracle_50": "random pairs with captions of 50 % wrong facts",
}  # fmt: skip
"""What an arm trains on."""
TRUTH = {
    "mismatches_kept": "Mismatches kept",
    "mismatched": "Mismatched",
    "duplicates_kept": "Duplicates kept",
    "redundant": "Redundant",
}


def arm_tables(rows: pd.DataFrame, differences: pd.DataFrame | None = None) -> list[Table]:
    """Return the tables of every dataset of a study.

    Args:
        rows: of the study.
        differences: between its arms; None leaves their table out, where rows of several jobs are shown.
    """
    tables = []
    for dataset in rows.dataset.unique():
        own = base_rows(rows[rows.dataset == dataset])
        arms = own[own.kind == "arm"]
        tables += [
            _results(arms, dataset),
            _budgets(own, dataset),
            _truth(arms, dataset),
            _scar(arms, dataset),
            _once(own, dataset),
        ]
    tables = [table for table in tables if len(table.cells.columns) > 1]
    between = [] if differences is None else [_differences(differences), _other_differences(differences)]
    return [*tables, *(table for table in between if len(table.cells))]


def _results(arms: pd.DataFrame, dataset: str) -> Table:
    headers = {m: h for m, (h, _) in NUMBERS.items() if m not in ("pairs", "compression")}
    found = _gather(arms, ["pairs", *SHARES, "compression", *headers])

    def show(metric: str, each: Cell) -> str:
        return each.percent() if metric in SHARES else NUMBERS[metric][1](each)

    names = {"pairs": "Pairs"} | SHARES | {"compression": "Compression"} | headers
    meant = "; ".join(f"{arm}: {NAMES[arm]}" for arm in found if arm in NAMES)
    return _table(
        "reduction_arms", f"Pair models by training set, {name_of(dataset)}: percent, means over seeds", found, names, show, dataset,
        "TR: image to text, IR: text to image; equal scores count by their expectation. Recall, zero-shot and linear-probe "
        "accuracy with 95 % intervals over seeds. All arms take equally many steps. Compression: all training pairs over those of the arm. Pair score: mean cosine by a model of all pairs.",
        *([f"{meant}."] if meant else []),
    )  # fmt: skip


def _budgets(rows: pd.DataFrame, dataset: str) -> Table:
    """Return the mean recall of every arm at every budget."""
    own = rows[(rows.kind == "budget") & (rows.metric == "recall")]
    budgets = list(dict.fromkeys(own.table))
    found = {arm: {budget: cell(own, case=arm, table=budget) for budget in budgets} for arm in dict.fromkeys(own.case)}
    return _table(
        "reduction_budgets", f"Mean recall at equal steps, {name_of(dataset)}: percent", found, {b: b for b in budgets},
        lambda _, each: each.percent(), dataset,
        "Mean of recall at 1 and 10, both ways; of the checkpoints of a budget the best on the validation part.",
    )  # fmt: skip


def _truth(arms: pd.DataFrame, dataset: str) -> Table:
    return _table(
        "reduction_truth", f"Planted faults in what each arm trains on, {name_of(dataset)}: percent", _gather(arms, list(TRUTH)),
        TRUTH, lambda _, each: each.percent(), dataset,
        "Kept: share of the planted ones; mismatched and redundant: share of the pairs of the arm.",
    )  # fmt: skip


def _scar(arms: pd.DataFrame, dataset: str) -> Table:
    names = {
        f"{kind}_{m}": f"{kind.capitalize()} {m.replace('_', ' ')}"
        for kind in ("image", "text")
        for m in (*MEASURES, "foundation_size")
    }

    def show(metric: str, each: Cell) -> str:
        return each.count() if metric.endswith("size") else decimal(each.value, 3)

    measured = arms[arms.case.isin(set(arms[arms.metric.isin(names)].case))]
    return _table(
        "reduction_scar", f"SCAR of what each arm trains on, {name_of(dataset)}", _gather(measured, list(names)), names, show, dataset,
        "Images by frozen embeddings of the study's encoder, captions by TF-IDF. Scale and richness of the set with the held-out "
        "Foundation Data Size, coverage and authenticity as means over classes; a mismatched caption is a wrong label to the captions.",
    )  # fmt: skip


def _once(rows: pd.DataFrame, dataset: str) -> Table:
    own = rows[rows.kind == "study"].drop_duplicates(["case", "metric"])
    cells = pd.DataFrame(
        {
            "What": own.case,
            "Measure": own.metric.str.replace("_", " "),
            "Value": [f"{value:.4g}" for value in own.value],
        }
    )
    return Table(
        name=f"reduction_once_{dataset}",
        caption=f"Captioner, captions and pair score, {name_of(dataset)}",
        cells=cells.reset_index(drop=True),
        values=own.reset_index(drop=True),
    )


def _differences(frame: pd.DataFrame) -> Table:
    """Return the differences that are tested, those of the mean recall after all steps, beside those of smaller budgets."""
    own = frame[frame.metric == "recall"]
    last = own[own.budget == 1]
    at = {budget: own[own.budget == budget].set_index(["first", "second"]).value for budget in sorted(set(own.budget))}
    pairs = list(zip(last["first"], last["second"], strict=True))
    cells = pd.DataFrame(
        {"Difference": [f"{first} − {second}" for first, second in pairs]}
        | {
            f"At {budget:.0%} of the steps": [points(values.get(pair, math.nan)) for pair in pairs]
            for budget, values in at.items()
            if budget < 1
        }
        | {
            "After all steps": [points(value) for value in last.value],
            "Interval": [points_interval(low, high) for low, high in zip(last.low, last.high, strict=True)],
            "p (Holm)": [f"{p:.2g}" for p in last.p_holm],
            "p (equivalent)": [f"{p:.2g}" for p in last.p_equivalence],
        }
    )
    return Table(
        name="reduction_differences",
        caption="Paired differences of mean recall between arms, in points",
        cells=cells,
        values=own,
        notes=(
            "95 % intervals over seeds × test items; p-values corrected over all differences; equivalent: within 2 points, not corrected.",
        ),
    )


def _other_differences(frame: pd.DataFrame) -> Table:
    shares = frame[frame.metric.isin(SHARES) & (frame.metric != "recall") & (frame.budget == 1)]
    cells = pd.DataFrame(
        {
            "Difference": shares["first"] + " − " + shares["second"],
            "Metric": [SHARES[metric] for metric in shares.metric],
            "Points": [points(value) for value in shares.value],
            "Interval": [points_interval(low, high) for low, high in zip(shares.low, shares.high, strict=True)],
        }
    )
    return Table(
        name="reduction_other_differences",
        caption="Paired differences by other metrics, in points; not tested",
        cells=cells.reset_index(drop=True),
        values=frame[frame.metric != "recall"],
        notes=("95 % intervals over seeds × test items.",),
    )


def _gather(arms: pd.DataFrame, metrics: list[str]) -> dict[str, dict[str, Cell]]:
    present = [metric for metric in metrics if metric in set(arms.metric)]
    names = list(dict.fromkeys(arms.case))
    return {arm: {metric: cell(arms, case=arm, metric=metric) for metric in present} for arm in names}


def _table(
    name: str,
    caption: str,
    found: dict[str, dict[str, Cell]],
    headers: dict[str, str],
    show: Callable[[str, Cell], str],
    dataset: str,
    *notes: str,
) -> Table:
    cells: list[dict[str, Any]] = []
    values: list[dict[str, Any]] = []
    for arm, measured in found.items():
        cells.append({"Arm": arm} | {headers[metric]: show(metric, each) for metric, each in measured.items()})
        numbers = {
            f"{m}{end}": v
            for m, c in measured.items()
            for end, v in (("", c.value), ("_low", c.low), ("_high", c.high))
        }
        values.append({"dataset": dataset, "arm": arm, **numbers})
    return Table(
        name=f"{name}_{dataset}", caption=caption, cells=pd.DataFrame(cells), values=pd.DataFrame(values), notes=notes
    )

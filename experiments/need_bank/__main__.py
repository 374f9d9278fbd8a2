"""Score every estimator against the bank of measured curves: ``python -m experiments.need_bank``.

    python -m experiments.need_bank --measure --seeds 4 --root ag_news=FOLDER --root mnist=FOLDER …

trains the probes of the bank again, from the store where they are there, and writes it first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from experiments.common import write_csv, write_text
from experiments.need_bank.bank import PATH, SOURCES, measure, read_bank, write_bank
from experiments.need_bank.score import score_bank, summarize
from scar.common.console import console
from scar.store.store import Store

SHOWN = ("median_error", "bias", "coverage", "width", "interval_score", "over_heldout")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.need_bank", description=__doc__)
    parser.add_argument("--bank", type=Path, default=PATH, help="that is scored, and written by --measure")
    parser.add_argument(
        "--out", type=Path, default=Path("outputs/need_bank"), help="gets cases.csv, table.csv, table.md"
    )
    parser.add_argument("--measure", action="store_true", help="train the probes again")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--store", type=Path, default=Path("outputs/store"))
    parser.add_argument("--root", action="append", default=[], metavar="DATASET=FOLDER", help="your own copies")
    given = parser.parse_args()
    if given.measure:
        write_bank(_measured(given), given.bank)
    scored = score_bank(read_bank(given.bank))
    table = summarize(scored)
    write_csv(given.out / "cases.csv", scored)
    write_csv(given.out / "table.csv", table)
    whole = table[table.dataset == "all"][["split", "question", "subject", "estimator", "cases", "clusters", *SHOWN]]
    text = whole.to_markdown(index=False, floatfmt=".2f")
    write_text(given.out / "table.md", text + "\n")
    console().print(text, markup=False, highlight=False)


def _measured(given: argparse.Namespace) -> pd.DataFrame:
    roots = dict(each.split("=", 1) for each in given.root)
    store, frames = Store(given.store), []
    for source in SOURCES:
        if source.root and source.dataset not in roots:
            console().print(f"{source.dataset}: left out, --root {source.dataset}=FOLDER names a copy", highlight=False)
            continue
        shared = (f"dataset.root={roots[source.dataset]}",) if source.root else ()
        for seed in range(given.seeds):
            frames.append(measure(source, seed, store=store, shared=shared))
            console().print(f"{source.dataset} {source.encoder} seed {seed}", highlight=False)
    return pd.concat(frames, ignore_index=True)


if __name__ == "__main__":
    main()

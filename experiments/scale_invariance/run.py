"""Characterize parts of a dataset as if each were the whole, and compare.

python -m experiments.scale_invariance        see README.md for what it asks and what to expect
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

import scar  # noqa: F401  its import hook has to run before Lightning's
from experiments.common import DATASETS, OWN, open_job, write_csv, write_png, write_text
from experiments.scale_invariance.figure import draw
from experiments.scale_invariance.measure import characterize_scales
from experiments.scale_invariance.verdict import drift_table, drifts, overall

EPSILON = 0.01
"""Of the Foundation Data Size, as in the paper."""


def run(
    datasets: Mapping[str, Sequence[str]], *, seeds: Sequence[int], store: Path, out: Path, epsilon: float = EPSILON
) -> pd.DataFrame:
    """Run the study and write drifts.csv, table.csv, verdicts.csv, table.md and figure.png; returns the table."""
    frames = []
    for dataset, overrides in datasets.items():
        for seed in seeds:
            start = time.perf_counter()
            job = open_job([*overrides, "subsets=quick", f"seed={seed}"], store)
            frames.append(characterize_scales(job, dataset, epsilon))
            print(f"{dataset} seed {seed}: {time.perf_counter() - start:.1f} s", flush=True)
    parts = drifts(pd.concat(frames, ignore_index=True))
    table = drift_table(parts)
    verdicts = overall(table)
    write_csv(out / "drifts.csv", parts)
    write_csv(out / "table.csv", table)
    write_csv(out / "verdicts.csv", verdicts)
    text = "\n\n".join(frame.to_markdown(index=False, floatfmt=".4g") for frame in (table, verdicts))
    write_text(out / "table.md", text + "\n")
    write_png(out / "figure.png", draw(table))
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m experiments.scale_invariance", description=__doc__)
    parser.add_argument("--seeds", type=int, default=6, help="number of seeds per dataset")
    parser.add_argument("--datasets", nargs="+", choices=list(DATASETS | OWN), default=list(DATASETS))
    parser.add_argument("--store", type=Path, default=Path("outputs/store"))
    parser.add_argument("--out", type=Path, default=Path("outputs/scale_invariance"))
    given = parser.parse_args(arguments)
    chosen = {name: (DATASETS | OWN)[name] for name in given.datasets}
    run(chosen, seeds=range(given.seeds), store=given.store, out=given.out)
    print((given.out / "table.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()

"""Print the table of benchmarks and write it, every timing and a figure: ``python -m experiments.benchmarks``."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import scar  # noqa: F401  (its import hook comes before torch's companions)
from scar.common.machine import usable_cores

if TYPE_CHECKING:
    from experiments.benchmarks.timing import Row

SUITES = (
    "minibatch",
    "full_batch",
    "floor",
    "growth",
    "memory",
    "measures",
    "table2",
    "extraction",
    "clustering",
    "second_run",
    "small",
    "classes",
    "report",
    "against",
    "gpu",
)


def machine() -> str:
    import torch

    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, {gpu}; torch {torch.__version__}"


def suites() -> dict[str, Callable]:
    from experiments.benchmarks import against, clustering, extraction_rows, gpu_rows, other_rows, probe_rows, waits

    functions = (
        probe_rows.minibatch_rows, probe_rows.full_batch_rows, probe_rows.floor_rows, probe_rows.growth_rows,
        probe_rows.memory_rows, other_rows.measure_rows, other_rows.table2_rows, extraction_rows.extraction_rows,
        clustering.clustering_rows, other_rows.second_run_rows, waits.small_rows, waits.class_rows, waits.report_rows,
        against.against_rows, gpu_rows.gpu_rows,
    )  # fmt: skip
    return dict(zip(SUITES, functions, strict=True))


def write(rows: Sequence[Row], out: Path) -> None:
    """Write what is there; a run that is interrupted leaves the suites that it has finished."""
    import pandas as pd

    from experiments.benchmarks.figure import draw
    from experiments.benchmarks.timing import RECORD

    out.mkdir(parents=True, exist_ok=True)
    columns = [
        {"what": r.what, "value": r.value, "unit": r.unit, "bar": r.goal, "verdict": r.verdict, "note": r.note}
        for r in rows
    ]
    pd.DataFrame(columns).assign(machine=machine()).to_csv(out / "table.csv", index=False)
    pd.DataFrame(RECORD).to_csv(out / "timings.csv", index=False)
    draw(rows, out / "table.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="smaller shapes, one repetition; the bars are not meant for it"
    )
    parser.add_argument("--only", nargs="+", choices=SUITES, default=SUITES)
    parser.add_argument("--repetitions", type=int, default=None, help="5 by default, 1 with --quick")
    parser.add_argument("--out", type=Path, default=Path("outputs/benchmarks"))
    options = parser.parse_args()
    repetitions = options.repetitions or (1 if options.quick else 5)

    import torch
    from rich.console import Console
    from rich.table import Table

    torch.set_num_threads(usable_cores())
    console = Console()
    console.print(machine(), f"load average {os.getloadavg()[0]:.2f}")
    rows = []
    for name, suite in suites().items():
        if name in options.only:
            with console.status(f"{name} …"):
                rows += suite(options.quick, repetitions)
            write(rows, options.out)
    table = Table("what", "measured", "bar", "", "how")
    for row in rows:
        table.add_row(row.what, row.measured, row.goal, row.verdict, row.note)
    console.print(table)
    console.print(f"load average {os.getloadavg()[0]:.2f}; written to {options.out}")


if __name__ == "__main__":
    main()

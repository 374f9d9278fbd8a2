"""What a job of a sweep costs beyond its work, and what a report costs: ``python -m experiments.benchmarks.sweep``.

The work of a sweep is the time that making its artefacts took, as they record it themselves. All else counts as
overhead: the start of the process, imports, composition, keys, locks, records, rows, loggers. The smoke study is run
with the CSV logger, with Weights & Biases offline, and once more with everything in the store. The files and folders of a
job are those of its own folder and its share of the store.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from scar.commands.store_admin import artefacts
from scar.store.artefact import read_meta

BARS = {"csv": 0.5, "wandb": 2.0}
FILES, INODES = "files and folders per job", 20
"""What is counted, and how many of them a job may leave."""


def command(folder: Path, jobs: int, *arguments: str) -> float:
    """Run the smoke study and return its seconds, the start of the process included."""
    sweep = [f"seed=range({jobs // 2})", "completion=scar,random", f"paths.output_dir={folder}", *arguments]
    start = time.perf_counter()
    with (folder / "log.txt").open("a") as log:
        subprocess.run(
            [sys.executable, "-m", "scar.commands.run", "experiment=smoke", *sweep], check=True, stdout=log, stderr=log
        )
    return time.perf_counter() - start


def work(folder: Path) -> float:
    """Return the seconds that the artefacts of a store took to make."""
    return sum(read_meta(each.folder)["seconds"] for each in artefacts(folder / "store"))


def count_inodes(folder: Path, jobs: int) -> float:
    """Return how many files and folders a job has left, its share of the store among them."""
    places = [folder / "store", *(folder / "smoke" / "jobs").iterdir()]
    return sum(1 + sum(1 for _ in place.rglob("*")) for place in places) / jobs


def measure(jobs: int, root: Path) -> Iterator[tuple[str, float, float | None]]:
    """Yield each figure, in seconds or files, with its bar."""
    for name, logger in (("csv", "logger=csv"), ("wandb", "logger.wandb=offline")):
        folder = root / name
        folder.mkdir()
        wall = command(folder, jobs, logger, "report=false")
        yield f"{name}: wall time of {jobs} jobs", wall, None
        yield f"{name}: work in them", work(folder), None
        yield f"{name}: overhead per job", (wall - work(folder)) / jobs, BARS[name]
        if name == "csv":
            yield f"{name}: {FILES}", count_inodes(folder, jobs), INODES
    again = command(root / "csv", jobs, "logger=csv", "report=false")
    yield f"the sweep again, {jobs} jobs done before", again, None
    small = root / "report"
    small.mkdir()
    command(small, 12, "logger=csv", "report=false")  # more than 10 000 rows
    few, many = count_rows(small), count_rows(root / "csv")
    first = report(small)
    yield f"report over {few:,} rows", first, 10.0
    yield f"report over {many:,} rows, at most in proportion", report(root / "csv"), first * many / few


def count_rows(folder: Path) -> int:
    """Return the rows of the study."""
    from scar.job.rows import load_rows

    return len(load_rows(folder / "smoke"))


def report(folder: Path) -> float:
    """Return the seconds of a report from nothing."""
    arguments = ["study=smoke", f"paths.output_dir={folder}", "force=true"]
    start = time.perf_counter()
    with (folder / "log.txt").open("a") as log:
        subprocess.run([sys.executable, "-m", "scar.commands.report", *arguments], check=True, stdout=log, stderr=log)
    return time.perf_counter() - start


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for what, found, bar in measure(options.jobs, Path(folder)):
            verdict = "" if bar is None else f"  (at most {bar:g}: {'pass' if found <= bar else 'MISS'})"
            unit = "" if FILES in what else "s"
            print(f"{what:<48}{found:9.2f} {unit:<1}{verdict}   load {os.getloadavg()[0]:.1f}", flush=True)


if __name__ == "__main__":
    main()

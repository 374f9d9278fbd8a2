"""The numbers to expect from an experiment: ``expected.csv``, whose first line names the commit that produced it.

    python -m experiments.expected quickstart outputs/quickstart/differences.csv

copies a table of a finished run to ``experiments/quickstart/expected.csv`` under the commit that is checked out, or the
one named by ``--commit``; ``pools/own`` names ``experiments/pools/expected_own.csv``, measured apart from the rest of
the study. A part of every such file is measured again by ``tests/test_expected.py``.
"""

from __future__ import annotations

import argparse
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from scar.studies.common import write_text

ROOT = Path(__file__).parent
SOURCES = ("scar", "conf", "experiments")
"""What has to be committed before numbers can name a commit."""
LINE = re.compile(r"# commit ([0-9a-f]{40})")
Tolerance = float | Callable[[Mapping[str, Any]], float]
"""A largest absolute difference, or what gives it from the expected row."""


def expected_path(experiment: str) -> Path:
    """Return where the expected numbers of an experiment, or of a part ``experiment/part``, lie."""
    folder, _, part = experiment.partition("/")
    return ROOT / folder / (f"expected_{part}.csv" if part else "expected.csv")


def commit_of(experiment: str) -> str:
    """Return the commit that produced the expected numbers of an experiment.

    Raises:
        ValueError: the first line does not name one.
    """
    path = expected_path(experiment)
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    found = LINE.fullmatch(first)
    if not found:
        raise ValueError(f"{path}: the first line is {first!r}, not '# commit <40 hexadecimal digits>'")
    return found[1]


def read_expected(experiment: str) -> pd.DataFrame:
    """Return the expected numbers of an experiment."""
    commit_of(experiment)
    return pd.read_csv(StringIO(expected_path(experiment).read_text(encoding="utf-8").partition("\n")[2]))


def write_expected(experiment: str, table: pd.DataFrame, *, commit: str | None = None) -> Path:
    """Write a table as the expected numbers of an experiment, with six significant figures.

    Args:
        experiment: a folder of `experiments`, or ``folder/part``.
        table: of a finished run.
        commit: that produced it; the one that is checked out if None.

    Raises:
        ValueError: no such experiment, or what is checked out was changed since its commit.
    """
    path = expected_path(experiment)
    if not path.parent.is_dir():
        raise ValueError(f"experiment={experiment!r}: there is no folder {path.parent}")
    if commit is None and (changed := _git("status", "--porcelain", "--", *SOURCES)):
        raise ValueError(f"changed since the last commit: {changed.splitlines()[0].strip()}; commit, or name a commit")
    full = _git("rev-parse", "--verify", f"{commit or 'HEAD'}^{{commit}}")
    write_text(path, f"# commit {full}\n{table.to_csv(index=False, float_format='%.6g')}")
    return path


def mismatches(
    found: pd.DataFrame, expected: pd.DataFrame, *, keys: Sequence[str], tolerances: Mapping[str, Tolerance]
) -> list[str]:
    """Return what of a part, measured again, is not as expected: one line per number.

    Args:
        found: the part; each of its rows has to be expected.
        expected: all rows.
        keys: columns that tell one row from another.
        tolerances: by column; other columns are not compared.

    Raises:
        ValueError: nothing was found, or the keys do not tell the rows apart.
    """
    by = list(keys)
    if found.empty or found.duplicated(by).any() or expected.duplicated(by).any():
        raise ValueError(f"{len(found)} rows, of which {by} should tell one from another")
    both = found[[*by, *tolerances]].merge(expected, on=by, how="left", suffixes=("_found", ""), indicator="_origin")
    lines = []
    for row in both.to_dict("records"):
        where = ", ".join(f"{key}={row[key]}" for key in by)
        if row["_origin"] != "both":
            lines.append(f"{where}: not among the expected rows")
            continue
        for column, tolerance in tolerances.items():
            got, wanted = row[f"{column}_found"], row[column]
            most = tolerance(row) if callable(tolerance) else tolerance
            if got != wanted and not (pd.isna(got) and pd.isna(wanted)) and not abs(got - wanted) <= most:
                lines.append(f"{where}: {column} is {got:.6g}, expected {wanted:.6g} within {most:.3g}")
    return lines


def of_one_seed(count: int, *, scale: Callable[[Any], Any] = lambda value: value) -> Tolerance:
    """Return how far one of the seeds behind a mean with Student's interval can lie from the mean.

    No value lies further from the mean of n than (n − 1) / √n standard deviations (Samuelson 1968), and half of the
    interval is t s / √n.

    Args:
        count: of the seeds.
        scale: on which the interval is symmetric.
    """
    from scipy.stats import t

    def tolerance(row: Mapping[str, Any]) -> float:
        half = (scale(row["high"]) - scale(row["low"])) / 2
        return float(half / t.ppf(0.975, count - 1) * (count - 1) * (1 + 1e-3)) + 1e-4  # six figures are written

    return tolerance


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m experiments.expected", description=__doc__)
    parser.add_argument("experiment", help="folder of experiments, or folder/part")
    parser.add_argument("table", type=Path, help="CSV of a finished run")
    parser.add_argument("--commit", help="that produced the table; what is checked out if not given")
    given = parser.parse_args(arguments)
    try:
        print(write_expected(given.experiment, pd.read_csv(given.table), commit=given.commit))
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()

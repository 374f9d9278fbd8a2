"""Table and figure of the finished studies of pairs: ``python -m experiments.pairs``."""

import argparse
from pathlib import Path

from experiments.common import write_csv, write_png
from experiments.pairs.table import direction_table, draw_differences
from scar.common.console import console

STUDIES = ("pairs", "speech", "animation")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outputs", type=Path, default=Path("outputs"), help="paths.output_dir of the studies")
    parser.add_argument("--studies", nargs="+", default=STUDIES)
    options = parser.parse_args()
    table = direction_table([options.outputs / study for study in options.studies])
    folder = options.outputs / "pairs_of_modalities"
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / "table.csv", table)
    write_png(folder / "figure.png", draw_differences(table))
    console().print(f"written to {folder}")


if __name__ == "__main__":
    main()

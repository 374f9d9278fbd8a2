"""Table and figures of the two studies of encoders: ``python -m experiments.encoders``."""

import argparse
from pathlib import Path

import pandas as pd

from experiments.common import write_csv, write_png
from scar.common.console import console
from scar.reporting.figures.pareto_figure import draw_pareto
from scar.reporting.study_folder import load_study
from scar.reporting.tables.encoder_agreement import encoder_agreements
from scar.reporting.tables.leaderboard import leaderboards

STUDIES = ("encoders_text", "encoders_image")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outputs", type=Path, default=Path("outputs"), help="paths.output_dir of the studies")
    options = parser.parse_args()
    folder, tables = options.outputs / "encoders", []
    for name in STUDIES:
        study = load_study(options.outputs / name)
        for board in leaderboards(study):
            tables.append(board.frame.assign(dataset=board.group["dataset"]))
            drawing = draw_pareto(board, name=f"pareto_{board.group['dataset']}")
            if drawing is not None:
                write_png(folder / f"{drawing.name}.png", drawing)
            for sentence in board.sentences:
                console().print(sentence, markup=False, highlight=False)
        for each in encoder_agreements(study):
            for sentence in each.sentences:
                console().print(sentence, markup=False, highlight=False)
    write_csv(folder / "table.csv", pd.concat(tables, ignore_index=True))
    console().print(f"written to {folder}")


if __name__ == "__main__":
    main()

"""Does the inspection find what people found? ``python -m experiments.label_verdicts VERDICTS.json encoder=… dataset.root=…``."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from experiments.common import open_job, write_csv, write_text
from experiments.label_verdicts.verdicts import doubts, read_verdicts, score
from scar.common.console import console
from scar.inspection.options import InspectionSettings
from scar.store.store import Store

ENCODERS = ("efficientnet_lite0", "pixels_pca")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.label_verdicts", description=__doc__)
    parser.add_argument("verdicts", type=Path, help="JSON of the verdicts of five people on each suspected test image")
    parser.add_argument("overrides", nargs="*", help="of every job, such as dataset.root=FOLDER")
    parser.add_argument("--encoders", nargs="+", default=ENCODERS)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--store", type=Path, default=Path("outputs/store"))
    parser.add_argument("--out", type=Path, default=Path("outputs/label_verdicts"))
    given = parser.parse_args()
    verdicts, frames = read_verdicts(given.verdicts), []
    settings = InspectionSettings(folds=given.folds)
    for encoder in given.encoders:
        job = open_job(["dataset=cifar10", f"encoder={encoder}", *given.overrides], Store(given.store))
        frames.append(score(verdicts, doubts(job, verdicts, settings)).assign(encoder=encoder))
    table = pd.concat(frames, ignore_index=True)
    table = table[["encoder", *(name for name in table if name != "encoder")]]
    write_csv(given.out / "table.csv", table)
    text = table.to_markdown(index=False, floatfmt=".3f")
    write_text(given.out / "table.md", text + "\n")
    console().print(text, markup=False, highlight=False)


if __name__ == "__main__":
    main()

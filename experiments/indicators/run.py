"""Run the indicator study on several datasets and gather what it finds; see README.md.

python -m experiments.indicators                          Fashion-MNIST and WordNet glosses
python -m experiments.indicators --overrides dataset=imagenet … --shift dataset=imagenet_r …
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

import scar  # noqa: F401  its import hook has to run before Lightning's
from experiments.common import write_csv, write_png, write_text
from scar.config.schema import Config
from scar.studies.common import compose_config
from scar.studies.indicators.indicator_settings import IndicatorStudy
from scar.studies.indicators.indicator_study import study_indicators, write_findings
from scar.studies.indicators.indicators_figure import draw

DATASETS = {
    "fashion_mnist": ("dataset=fashion_mnist", "encoder=efficientnet_lite0", "probe=linear"),
    "wordnet_glosses": ("dataset=wordnet_glosses", "encoder=wordllama", "probe=linear"),
}


def run(
    datasets: Mapping[str, Sequence[str]],
    study: IndicatorStudy,
    *,
    store: Path,
    out: Path,
    shifts: Sequence[Sequence[str]] = (),
) -> pd.DataFrame:
    """Run the study and write its tables and figures per dataset, and all agreements and differences as table.csv."""
    frames, sentences = [], []
    for name, overrides in datasets.items():
        found = study_indicators(_config(overrides, store), study, shifts=[_config(each, store) for each in shifts])
        write_findings(found, out / name, name=name)
        write_png(out / f"figure_{name}.png", draw(found.datasets, found.agreement))
        sentences += [f"{name}: {each}" for each in found.sentences]
        frames += [as_rows(found.agreement, found.comparison)]
    table = pd.concat(frames, ignore_index=True)
    write_csv(out / "table.csv", table)
    write_text(out / "findings.md", "".join(f"- {each}\n" for each in sentences))
    return table


def as_rows(agreement: pd.DataFrame, comparison: pd.DataFrame) -> pd.DataFrame:
    """Return agreements and differences as rows of one table: what, of what, value and interval."""
    records = [
        {
            "dataset": row.dataset, "kind": name, "outcome": row.outcome, "head": "linear", "what": row.indicator,
            "against": row.group, "value": getattr(row, name), "low": getattr(row, f"{name}_low"),
            "high": getattr(row, f"{name}_high"), "count": row.datasets,
        }
        for row in agreement.itertuples()
        for name in ("spearman", "kendall", "gamma")
    ]  # fmt: skip
    records += [
        {
            "dataset": row.dataset, "kind": row.topic, "outcome": row.outcome, "head": row.head, "what": row.first,
            "against": row.second, "value": row.difference, "low": row.low, "high": row.high, "count": row.seeds,
        }
        for row in comparison.itertuples()
    ]  # fmt: skip
    return pd.DataFrame.from_records(records)


def _config(overrides: Sequence[str], store: Path) -> Config:
    config = compose_config(overrides)
    return replace(config, paths=replace(config.paths, store_dir=str(store)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m experiments.indicators", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds per dataset")
    parser.add_argument("--mlp-seeds", type=int, default=3, help="seeds with an MLP beside the linear head")
    parser.add_argument("--datasets", nargs="+", choices=list(DATASETS), default=list(DATASETS))
    parser.add_argument("--overrides", nargs="+", help="of a dataset of your own, in place of --datasets")
    parser.add_argument(
        "--shift", nargs="+", action="append", default=[], help="overrides of a dataset that is a shift"
    )
    parser.add_argument("--store", type=Path, default=Path("outputs/store"))
    parser.add_argument("--out", type=Path, default=Path("outputs/indicators"))
    given = parser.parse_args(arguments)
    chosen = {"own": given.overrides} if given.overrides else {name: DATASETS[name] for name in given.datasets}
    few = min(given.seeds, given.mlp_seeds)
    study = IndicatorStudy(seeds=given.seeds, mlp_seeds=few, foundation_seeds=min(given.seeds, 2))
    run(chosen, study, store=given.store, out=given.out, shifts=given.shift)
    print((given.out / "findings.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()

"""All ten datasets of the paper with every encoder that reads them, from the true files to the rows of a job.

The datasets are small and the weights random; the configurations are the real ones, and so is the code that loads both.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_module
from paper_datasets import WRITERS
from tiny_checkouts import make_pengi, make_videoclip
from tiny_families import (
    COCA,
    make_bert,
    make_clap,
    make_clip,
    make_dinov2,
    make_gpt2,
    make_open_clip,
    make_resnet,
    make_roberta,
    make_siglip,
    make_vit,
    make_xclip,
)

from scar.config.build import build
from scar.foundation.settings import ESTIMATORS
from scar.job.rows import read_frame
from scar.job.run_job import run_job
from scar.measures.steps import MEASURES

ENCODERS: dict[str, Callable[[Path], Any]] = {
    "resnet50": make_resnet,
    "vit_b16": make_vit,
    "dinov2": make_dinov2,
    "bert": lambda folder: make_bert(folder, 512),
    "roberta": lambda folder: make_roberta(folder, 512),
    "gpt2": lambda folder: make_gpt2(folder, 512),
    "clip": make_clip,
    "siglip": lambda folder: make_siglip(folder, 64),
    "coca": lambda folder: make_open_clip(folder, COCA),
    "xclip": make_xclip,
    "videoclip_xl": make_videoclip,
    "clap": make_clap,
    "pengi": lambda folder: make_pengi(folder, folder / "words"),
}
BY_MODALITY = {
    ("image",): ("resnet50", "vit_b16", "dinov2"),
    ("text",): ("bert", "roberta", "gpt2"),
    ("image", "text"): ("clip", "siglip", "coca"),
    ("video", "text"): ("xclip", "videoclip_xl"),
    ("audio", "text"): ("clap", "pengi"),
}
DATASETS = {
    **dict.fromkeys(("cifar10", "cifar100", "imagenet"), ("image",)),
    **dict.fromkeys(("ag_news", "dbpedia", "wikipedia"), ("text",)),
    **dict.fromkeys(("flickr30k", "coco_captions"), ("image", "text")),
    "msr_vtt": ("video", "text"),
    "audiocaps": ("audio", "text"),
}
GRID = [(dataset, encoder) for dataset, modalities in DATASETS.items() for encoder in BY_MODALITY[modalities]]
SMALL = [
    "subsets=quick",
    "subsets.factors=[1,2]",
    "subsets.max_parts=2",
    "foundation.min_count=1",
    "probe.max_epochs=8",
    "probe.learning_rate=0.01",
    "budgets.fractions=[0.25]",
    "logger=csv",
    "report=false",
    "encoder.device=cpu",
]
CROSSED = ["labels=cross_modal", "labels.k=3", "labels.restarts=2", "labels.repeats=1"]
Made = Callable[[str], Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Write a dataset, or an encoder, when it is first asked for."""
    folders: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp(name)
            (folders[name] / "words").mkdir() if name == "pengi" else None
            write = ENCODERS[name] if name in ENCODERS else WRITERS[name][0]
            write(folders[name])
        return folders[name]

    return make


def rows_of(made: Made, dataset: str, encoder: str, modality: str, folder: Path) -> pd.DataFrame:
    root, model = made(dataset), made(encoder)
    chosen = [f"dataset={dataset}", f"dataset.root={root}", f"encoder={encoder}", f"encoder.folder={model}"]
    chosen += [each.format(root=root) for each in WRITERS[dataset][1]]
    chosen += [f"encoder.tokenizer_folder={model / 'words'}"] if encoder == "pengi" else []
    chosen += [f"modality={modality}", *CROSSED] if "+" in "+".join(DATASETS[dataset]) else []
    chosen += [f"paths.output_dir={folder}", f"paths.data_dir={folder / 'data'}", *SMALL]
    with initialize_config_module("scar.conf", version_base="1.3"):
        composed = compose("config", chosen)
    run_job(build(composed), folder / modality, settings=composed, overrides=chosen)
    return read_frame(folder / modality / "rows.parquet")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("dataset", "encoder"), GRID)
def test_a_dataset_of_the_paper_gives_the_rows_of_scar_with_an_encoder_that_reads_it(
    made: Made, tmp_path: Path, dataset: str, encoder: str
) -> None:
    for modality in DATASETS[dataset]:
        rows = rows_of(made, dataset, encoder, modality, tmp_path)
        assert set(rows["modality"]) == {modality}
        for stage, least in (("measures", 2), ("dataset", 1)):
            for measure in MEASURES:
                of_measure = rows[(rows["stage"] == stage) & (rows["metric"] == measure)]
                defined = np.isfinite(of_measure["value"])
                assert len(of_measure) >= least, (stage, measure)
                assert of_measure[~defined]["flag"].str.startswith("undefined: ").all(), (stage, measure)
        finite = rows[np.isfinite(rows["value"])]
        classes = finite[finite["stage"] == "measures"].groupby("metric")["class_name"].nunique()
        always = [measure for measure in MEASURES if measure != "coverage"]  # which takes enough right answers
        assert (classes[always] >= 2).all(), classes
        accuracy = rows[(rows["stage"] == "evaluation") & (rows["metric"] == "accuracy")]
        assert set(accuracy["subject"]) == {"primary", "total", "scar"}
        assert accuracy["value"].between(0, 1).all()
        assert rows[rows["metric"] == "foundation_size"]["estimator"].nunique() == len(ESTIMATORS)


def test_the_grid_holds_every_dataset_and_every_encoder_of_the_paper() -> None:
    assert {dataset for dataset, _ in GRID} == set(WRITERS)
    assert len(WRITERS) == 10
    assert {encoder for _, encoder in GRID} == set(ENCODERS)
    assert len(ENCODERS) == 13

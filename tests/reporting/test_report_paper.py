"""Ours beside the published values, and the paper's tables with what is missing."""

import csv
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from synthetic import write_study

from scar.commands.report import ReportConfig, ReportPaths, write
from scar.config.runtime import LoggerConfig
from scar.job.rows import read_frame
from scar.measures.steps import MEASURES
from scar.reporting.paper.against import (
    PAIRS,
    QUANTITIES,
    against_published,
    against_table,
    command_for,
    commands_to_fill,
    other_encoders,
    other_encoders_table,
)
from scar.reporting.paper.paper_report import write_paper_table
from scar.reporting.paper.paper_table1 import described, paper_tables, runs_here
from scar.reporting.paper.published_rows import config_of, published_runs
from scar.reporting.settings import Tolerances
from scar.reporting.study_folder import load_study

RESNET = {"dataset": "cifar10", "encoder": "resnet", "modality": "image"}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("outputs")
    groups = [("cifar10", "resnet50", "image", "natural"), ("cifar100", "vit_b16", "image", "natural")]
    write_study(root / "cifar", seeds=2, groups=[*groups, ("digits", "pixels", "image", "natural")])
    return root


@pytest.fixture(scope="module")
def frame(root):
    return against_published(load_study(root / "cifar"))


def published_by_hand():
    """Mean of three runs by column, read without pandas."""
    lines = [
        ln for ln in (files("scar.reporting.paper") / "published_table2.csv").read_text().splitlines() if ln[0] != "#"
    ]
    runs = [r for r in csv.DictReader(lines) if all(r[k] == v for k, v in RESNET.items())]
    return {c: sum(float(r[c]) for r in runs) / len(runs) for c in ("scar_acc", "total_acc", "foundation_size")}


def test_ours_and_the_published_values_are_those_of_their_rows(frame, root):
    own = frame[(frame.dataset == "cifar10")].set_index("quantity")
    rows = pd.concat(read_frame(f) for f in (root / "cifar").glob("jobs/cifar10-*/rows.parquet"))
    published = published_by_hand()
    scar = rows[(rows.metric == "accuracy") & (rows.subject == "scar") & (rows.fraction == 0.25)].value.mean()
    assert own.loc["scar_acc_mean", ["published", "ours"]].tolist() == pytest.approx([published["scar_acc"], scar])
    assert own.difference["scar_acc_mean"] == pytest.approx(scar - published["scar_acc"])
    sizes = rows[(rows.metric == "foundation_size") & (rows.estimator == "reference") & (rows.subject == "total")]
    size = sizes.drop_duplicates("seed").value.mean()
    assert own.published["foundation"] == pytest.approx(published["foundation_size"])
    assert own.difference["foundation"] == pytest.approx(size / published["foundation_size"] - 1)
    assert own.published["authenticity"] == pytest.approx(published["total_acc"])
    assert own.ours["authenticity"] == pytest.approx(0.82)


def test_the_verdict_follows_the_stated_tolerance(frame, root):
    assert set(frame.verdict) <= {"pass", "miss"}
    assert ((frame.verdict == "pass") == (frame.difference.abs() <= frame.tolerance)).all()
    wide = against_published(load_study(root / "cifar"), Tolerances(accuracy=1, measure=1, size=10))
    assert (wide.verdict == "pass").all()
    narrow = against_published(load_study(root / "cifar"), Tolerances(accuracy=1e-9, measure=1e-9, size=1e-9))
    assert (narrow.verdict == "pass").mean() < 0.2
    with pytest.raises(ValueError, match=r"tolerance\.size=0 must be positive"):
        Tolerances(size=0)


def test_data_that_the_paper_lacks_are_not_compared(frame):
    assert set(frame.dataset) == {"cifar10", "cifar100"}
    assert len(frame) == 2 * len(QUANTITIES)


def test_a_defective_published_number_is_said_to_be_one(frame):
    table = against_table(frame)
    notes = table.cells[table.cells.Dataset == "CIFAR-100"].Note
    assert notes.str.contains("contained the training set").all()
    notes = table.cells[(table.cells.Dataset == "CIFAR-10")].set_index("Quantity").Note
    assert notes["A"] == ""
    assert "lower bound" in notes["Foundation"]
    assert any("within 1 points of accuracy" in note for note in table.notes)


def test_other_encoders_on_the_papers_data_stand_above_what_the_published_ones_span(tmp_path):
    groups = [("cifar10", name, "image", "natural") for name in ("resnet50", "pixels")]
    write_study(tmp_path / "s", seeds=2, groups=[*groups, ("digits", "pixels", "image", "natural")])
    study = load_study(tmp_path / "s")
    frame = other_encoders(study)
    assert list(zip(frame.dataset, frame.encoder, strict=True)) == [("cifar10", "pixels")]
    sizes = [run["foundation_size"] for run in published_runs().query("dataset == 'cifar10'").to_dict("records")]
    means = [sum(sizes[i : i + 3]) / 3 for i in (0, 3, 6)]
    assert [frame.foundation_low[0], frame.foundation_high[0]] == pytest.approx([min(means), max(means)])
    ours, span = other_encoders_table(frame).cells.to_dict("records")
    assert (ours["Encoder"], ours["Dataset"], span["Encoder"]) == ("pixels", "CIFAR-10", "published")
    assert span["Foundation"] == f"{min(means):,.0f} to {max(means):,.0f}".replace(",", "\u202f")
    assert ours["S"] != "missing"
    assert "±" in ours["SCAR"]
    written = write_paper_table(2, tmp_path, studies=["s"])
    assert {"paper_table2.csv", "table2_other_encoders.csv"} <= set(written)
    assert "other encoders" in written["paper_table2.md"].read_text()


def test_published_cells_that_nobody_ran_are_missing_with_a_command(root):
    frame = against_published(load_study(root / "cifar"), every=True)
    assert len(frame) == 38 * len(QUANTITIES)
    missing = commands_to_fill(frame)
    assert len(missing) == len({command for _, command in missing}) == 36
    line = (
        against_table(frame)
        .cells.query("Dataset == 'AudioCaps (Text)' and Encoder == 'CLAP' and Quantity == 'S'")
        .iloc[0]
    )
    assert (line.Ours, line["Δ"], line.Verdict) == ("missing",) * 3
    assert line.Published != "missing"
    assert frame[frame.verdict != "missing"].command.eq("").all()


@pytest.mark.parametrize("cell", [RESNET, {"dataset": "coco", "encoder": "clip", "modality": "text"}])
def test_the_command_that_fills_a_cell_is_a_valid_configuration(cell):
    from hydra import compose, initialize_config_module

    from scar.config.build import build

    _, _, *overrides = command_for(cell).split()
    single = [o.split(",")[0] for o in overrides]
    with initialize_config_module("scar.conf", version_base="1.3"):
        config = build(compose("config", single))
    assert (config.dataset.name, config.encoder.name) == (config_of(cell["dataset"]), config_of(cell["encoder"]))
    assert config.probed == cell["modality"]
    assert config.budgets.driver == "reference"


def test_every_published_name_has_a_configuration():
    runs = published_runs()
    for group, names in (("dataset", runs.dataset), ("encoder", runs.encoder)):
        for name in names.unique():
            assert (files("scar.conf") / group / f"{config_of(name)}.yaml").is_file(), name
    assert {config_of(d) for d in runs.dataset[runs.modality.isin(("audio", "video"))]} <= set(PAIRS)


def test_table_1_says_what_is_here_what_was_run_and_what_is_awaited(root):
    found = [
        {"name": name, "modality": "image", "state": state}
        for name, state in (("digits", "there"), ("imagenet", "missing"), ("cifar10", "missing"), ("hub", "missing"))
    ]
    encoders = [{"name": name, "modality": "image", "state": "missing"} for name in ("pixels", "resnet50")]
    data, models = paper_tables({"datasets": found, "encoders": encoders}, runs_here(root))
    cells = data.cells.set_index("Dataset")
    assert list(cells.index) == ["CIFAR-10", "ImageNet-1K", "Digits"]
    assert cells["In the paper"]["CIFAR-10"] == "50\u202f000: ResNet, ViT, DINO"
    assert "10 balanced classes" in cells.Contents["CIFAR-10"]
    assert cells["Run here"]["Digits"].startswith("4\u202f000 in 4 classes (cifar)")
    assert cells["Run here"]["ImageNet-1K"] == "missing: scar dataset=imagenet encoder=resnet50"
    assert (cells.Files["Digits"], cells.Files["ImageNet-1K"]) == ("here", "awaited")
    assert models.cells.set_index("Encoder")["Run here"].to_dict() == {"ResNet-50": "CIFAR-10", "pixels": "Digits"}


@pytest.mark.parametrize("group", ["dataset", "encoder"])
def test_every_configuration_of_data_and_encoders_describes_itself(group):
    for file in (files("scar.conf") / group).iterdir():
        if "_target_:" in file.read_text():
            said = described(group, file.name.removesuffix(".yaml"))
            assert 8 < len(said) < 200, (file.name, said)


def test_table_2_can_be_had_without_any_study(tmp_path):
    config = ReportConfig(table=2, name="paper", formats=["svg"])
    config.paths.output_dir = str(tmp_path)
    paths = write(config)
    assert {"paper_table2.md", "paper_table2.tex", "paper_table2.csv", "missing.sh", "published_table2.tex"} <= set(
        paths
    )
    lines = paths["missing.sh"].read_text().splitlines()
    assert sum(line.startswith("scar -m ") for line in lines) == 38
    values = pd.read_csv(paths["paper_table2.csv"])
    assert len(values) == 38 * len(QUANTITIES)
    assert np.isfinite(values.published).all()
    assert set(values[values.quantity.isin(MEASURES)].tolerance) == {0.05}


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"level": 0.9}, r"level=0\.9"),
        ({"logger": LoggerConfig()}, "logger"),
        ({"where": {"a": 1}, "from_wandb": "nowhere"}, "where="),
        ({"study": "mine"}, "study=mine"),
    ],
)
def test_what_changes_nothing_in_a_table_of_the_paper_is_refused(tmp_path, setting, named):
    paths = ReportPaths(output_dir=str(tmp_path))
    with pytest.raises(ValueError, match=f"^{named}.* changes nothing in a report on table=2: leave it out$"):
        write(ReportConfig(table=2, paths=paths, **setting))


def test_a_table_that_the_paper_lacks_is_refused():
    with pytest.raises(ValueError, match="table=3"):
        ReportConfig(table=3)

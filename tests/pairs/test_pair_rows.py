"""Jobs over pairs: the rows they leave, the table of the report, and a second run."""

from dataclasses import replace

import numpy as np
import pytest
from hydra import compose, initialize_config_module
from planted_pairs import LIGHT, planted_config

from scar.config.build import build
from scar.job.rows import load_rows
from scar.job.run_job import run_job
from scar.reporting.study_folder import load_study
from scar.reporting.tables.alignment_table import alignment_tables
from scar.reporting.text import group_label


def run(folder, modality):
    with initialize_config_module("scar.conf", version_base="1.3"):
        composed = compose("config", [*LIGHT, f"paths.output_dir={folder}"])
    config = planted_config(build(composed), modality, captions=3)
    run_job(config, folder / "test" / "jobs" / modality, settings=composed, overrides=[f"modality={modality}"])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    for modality in ("image", "text"):
        run(folder, modality)
    return folder


def test_both_directions_leave_the_clusters_and_the_alignment_as_rows(finished):
    rows = load_rows(finished / "test")
    labels = rows[rows.stage == "labels"]
    assert set(labels.modality) == {"image", "text"}
    for _, own in labels.groupby("modality"):
        sizes = own[own.metric == "cluster_size"]
        assert set(sizes.groupby("subject").value.sum()) == {960}
        stable = own[own.metric == "stability_bootstrap"]
        assert (stable.low <= stable.value).all()
        assert (stable.value <= stable.high).all()
        assert set(own[own.metric == "mapped_recall_at_1"].subject) == {"image_to_text", "text_to_image"}
        assert own[own.metric == "caption_agreement"].set_index("subject").value["text"] > 0.95
    shared = ["metric", "subject", "class_id", "value", "key"]
    first, second = (labels[labels.modality == m][shared].reset_index(drop=True) for m in ("image", "text"))
    assert first.equals(second)


def test_the_probed_modality_is_a_column_and_an_axis_of_the_report(finished):
    study = load_study(finished / "test")
    assert {group["modality"] for group in study.groups()} == {"image", "text"}
    assert group_label({"dataset": "emoji_pairs", "encoder": "lite0_minilm", "modality": "text"}) == (
        "Emoji (Text) · Lite0 + MiniLM"
    )


def test_the_report_has_one_line_for_each_clustered_modality(finished):
    study = load_study(finished / "test")
    (table,) = alignment_tables(study)
    assert table.cells["Labels from"].tolist() == ["image", "text"]
    assert table.values["clusters"].tolist() == [5, 5]
    assert table.values["nmi"].min() > 0.9
    assert table.cells["Ties"].tolist()[0] == "–"
    assert table.cells["R@1 / 5 / 10"].str.endswith("‡").all()
    assert np.isfinite(table.values["median_rank"]).all()
    assert alignment_tables(replace(study, rows=study.rows[study.rows.stage != "labels"])) == []


def test_a_second_run_finds_everything_done(finished, capsys):
    run(finished, "image")
    assert "done before" in capsys.readouterr().out

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from synthetic import write_study

from scar.job.metrics import Metric
from scar.job.rows import read_frame
from scar.reporting.axes import keep, require_named_axes
from scar.reporting.study_folder import load_study
from scar.reporting.text import group_label, name_of


def test_arms_that_jobs_share_count_once(study):
    scored = study.rows[(study.rows.stage == "evaluation") & (study.rows.metric == "accuracy")]
    assert (scored[scored.subject == "primary"].groupby("seed").size() == 1).all()
    assert len(scored) == 3 * (2 + 3 * 3)  # seeds × (primary, total, three strategies at three budgets)


def test_outcomes_agree_with_the_rows(study):
    (group,) = study.groups()
    outcomes = study.outcomes(group)
    scored = study.rows[(study.rows.stage == "evaluation") & (study.rows.metric == "accuracy")]
    row = scored[(scored.subject == "random") & (scored.fraction == 0.1) & (scored.seed == 1)].value.item()
    assert outcomes.matrix("random", 0.1, [1]).mean() == row
    assert outcomes.seeds("scar", 0.25) == [0, 1, 2]
    assert outcomes.seeds("nobody", 0.25) == []


def test_the_driver_comes_from_the_configuration(study):
    assert study.driver == "heldout"


def test_an_unfinished_job_is_kept_but_its_rows_are_not(tmp_path):
    folder = write_study(tmp_path / "s", seeds=2)
    status = next(folder.glob("jobs/*-1-random/status.json"))
    status.write_text(json.dumps({"status": "failed", "error": "ValueError: no"}))
    study = load_study(folder)
    assert sum(not job.done for job in study.jobs) == 1
    assert set(study.rows[study.rows.subject == "random"].seed) == {0}


def test_conflicting_values_are_refused(tmp_path):
    folder = write_study(tmp_path / "s", seeds=1)
    rows = next(folder.glob("jobs/*-0-random/rows.parquet"))
    frame = read_frame(rows)
    frame.loc[frame.subject == "total", "value"] += 0.01
    frame.to_parquet(rows)
    with pytest.raises(ValueError, match=r"different values for the same measurement.*total.*run the study again"):
        load_study(folder)


def test_a_setting_that_varies_between_jobs_becomes_an_axis(tmp_path):
    folder = write_study(tmp_path / "s", seeds=1)
    for job in list((folder / "jobs").iterdir()):
        other = job.with_name(job.name + "-converged")
        other.mkdir()
        for file in job.iterdir():
            (other / file.name).write_bytes(file.read_bytes())
        config = OmegaConf.load(job / "config.yaml")
        config.probe.name = "converged"
        OmegaConf.save(config, other / "config.yaml")
        frame = read_frame(job / "rows.parquet")
        frame.assign(value=frame.value * 0.99).to_parquet(other / "rows.parquet")
    study = load_study(folder)
    assert study.axes == ("dataset", "encoder", "modality", "regime", "mix", "probe.name")
    assert [group["probe.name"] for group in study.groups()] == ["linear", "converged"]
    linear = study.groups()[0]
    assert len(study.of(linear)) == len(study.rows) / 2


def test_what_follows_from_an_option_is_no_axis_of_its_own(tmp_path):
    folder = write_study(tmp_path / "s", seeds=1)
    for job in list(folder.glob("jobs/*")):
        other = shutil.copytree(job, folder / "jobs" / f"{job.name}-unlabelled")
        config = OmegaConf.load(job / "config.yaml")
        config.pool = {"name": "labelled"}
        OmegaConf.save(config, job / "config.yaml")
        config.pool = {"name": "unlabelled", "level": 0.95}
        OmegaConf.save(config, other / "config.yaml")
    assert load_study(folder).axes == ("dataset", "encoder", "modality", "regime", "mix", "pool.name")


def test_pools_of_two_mixes_are_two_groups_and_a_label_names_the_pool(tmp_path):
    plain = ("fashion_mnist", "efficientnet_lite0", "image")
    mixes = ("same", "complement")
    groups = [*((*plain, "long_tailed", mix) for mix in mixes), (*plain, "natural"), (*plain, "missing_class")]
    study = load_study(write_study(tmp_path / "s", groups=groups, seeds=2))
    assert study.axes == ("dataset", "encoder", "modality", "regime", "mix")
    found = {group["mix"]: study.of(group) for group in study.groups() if group["regime"] == "long_tailed"}
    assert set(found) == set(mixes)
    assert all((rows.mix == mix).all() and rows.seed.nunique() == 2 for mix, rows in found.items())
    labels = sorted(group_label(group).partition(" · EfficientNet-Lite0")[2] for group in study.groups())
    assert labels == [
        "",
        " · long-tailed · complement pool",
        " · long-tailed · same pool",
        " · missing classes · natural pool",
    ]
    with pytest.raises(ValueError, match=r"vary in 'mix' \(complement, same\), which nobody named"):
        require_named_axes(study.rows[study.rows.regime == "long_tailed"], ["dataset", "encoder", "modality", "regime"])


def test_rows_from_before_pools_had_a_mix_are_read_as_a_group_of_their_own(tmp_path):
    folder = write_study(tmp_path / "s", seeds=1)
    for file in folder.glob("jobs/*/rows.parquet"):
        read_frame(file).drop(columns="mix").to_parquet(file)
    (group,) = load_study(folder).groups()
    assert group["mix"] == ""
    assert group_label(group).endswith("long-tailed")


def test_an_empty_folder_says_how_to_fill_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="run the study first"):
        load_study(tmp_path)


def test_test_items_have_to_be_the_same(tmp_path):
    folder = write_study(tmp_path / "s", seeds=2)
    file = next(folder.glob("jobs/*-1-scar/predictions.npz"))
    with np.load(file) as archive:
        found = dict(archive)
    np.savez(file, **{**found, "labels": found["labels"][::-1]})
    study = load_study(folder)
    with pytest.raises(ValueError, match="its test items differ"):
        study.outcomes(study.groups()[0])


def test_an_unnamed_axis_is_refused_by_name():
    frame = pd.DataFrame({"dataset": ["a", "a"], "probe": ["x", "y"], "seed": [0, 0], "value": [1.0, 2.0]})
    with pytest.raises(ValueError, match=r"vary in 'probe' \(x, y\), which nobody named"):
        require_named_axes(frame, ["dataset"])
    require_named_axes(frame, ["dataset", "probe"])
    require_named_axes(keep(frame, {"probe": "y"}), ["dataset"])


def test_an_axis_that_follows_from_another_need_not_be_named():
    frame = pd.DataFrame({"encoder": ["a", "b"], "modality": ["image", "text"], "value": [1.0, 2.0]})
    require_named_axes(frame, ["encoder"])


def test_keep_says_what_there_is():
    frame = pd.DataFrame({"regime": ["natural", "long_tailed"]})
    with pytest.raises(ValueError, match="found long_tailed, natural"):
        keep(frame, {"regime": "noisy"})
    with pytest.raises(ValueError, match="no column 'colour'"):
        keep(frame, {"colour": "red"})


def test_reports_call_what_a_job_used_by_the_title_in_its_configuration(tmp_path):
    assert name_of("wordnet_glosses") == "WordNet glosses"
    assert name_of("slice_tuner") == "Slice Tuner"
    assert name_of("long_tailed_50") == "long-tailed 50 : 1"
    assert name_of("my_letters") == "my_letters"
    folder = write_study(tmp_path / "s", seeds=1)
    for job in (folder / "jobs").iterdir():
        config = OmegaConf.load(job / "config.yaml")
        config.encoder = {"name": "my_letters", "title": "My letters" if job.name.endswith("scar") else ""}
        OmegaConf.save(config, job / "config.yaml")
    assert not [axis for axis in load_study(folder).axes if axis.endswith("title")]
    assert name_of("my_letters") == "My letters"


def test_rows_that_jobs_share_are_kept_with_whichever_of_them_is_asked_for(tmp_path):
    write_study(tmp_path / "s")
    every = load_study(tmp_path / "s")
    for strategy in sorted({job.columns["completion"] for job in every.jobs}):
        rows = load_study(tmp_path / "s", {"completion": strategy}).rows
        sizes = rows[(rows.metric == Metric.CLASS_SIZE) & (rows.subject == "primary")]
        assert set(sizes.seed) == set(every.rows.seed)
        assert set(rows.completion) == {strategy}

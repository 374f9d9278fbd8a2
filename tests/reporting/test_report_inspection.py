"""What an inspection found stands in the report of its study."""

import json
import shutil

import pandas as pd
import pytest
from omegaconf import OmegaConf
from synthetic import write_study

from scar.inspection.findings import COLUMNS
from scar.inspection.kinds import DUPLICATE, LABEL, OUTLIER
from scar.reporting.study_folder import load_study
from scar.reporting.tables.inspection_table import SHOWN, inspection_tables
from scar.reporting.write import write_report


def add_inspection(study, *, job="0inspect"):
    """Add the job of an inspection: seven suspected labels, two repeated contents of which one leaks."""
    folder = study / "jobs" / job
    folder.mkdir()
    labels = [
        {"kind": LABEL, "rank": n + 1, "score": 0.99 - n / 100, "id": f"00{n}", "split": "train", "class_name": "Coat",
         "suggested": "Shirt|<b>"}
        for n in range(7)
    ]  # fmt: skip
    pairs = [
        {"kind": DUPLICATE, "rank": n + 1, "score": 1.0, "id": f"1{n}", "split": "train", "class_name": "Bag",
         "other_id": f"2{n}", "other_split": other, "other_class": "Bag", "across_splits": other != "train"}
        for n, other in enumerate(("test", "train"))
    ]  # fmt: skip
    found = pd.DataFrame([*labels, *pairs]).reindex(columns=[c for c in COLUMNS if c not in ("row", "other_row")])
    found.to_csv(folder / "inspection.csv", index=False)
    effects = [
        {"variant": "labels corrected", "changed": 7, "metric": "accuracy", "before": 0.7, "after": 0.7065,
         "difference": 0.0065, "low": -0.0013, "high": 0.0141},
        {"variant": "labels corrected", "changed": 7, "metric": "foundation_size", "before": 4000.0, "after": 3500.0,
         "difference": -500.0, "low": -900.0, "high": 100.0},
    ]  # fmt: skip
    pd.DataFrame(effects).to_csv(folder / "effects.csv", index=False)
    config = {"dataset": {"name": "fashion_mnist"}, "encoder": {"name": "pixels"}, "probe": {"name": "converged_path"}}
    OmegaConf.save(OmegaConf.create(config), folder / "config.yaml")
    status = {"status": "done", "overrides": ["experiment=inspect", f"study={study.name}"]}
    (folder / "status.json").write_text(json.dumps(status))
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_study(tmp_path / "quick", seeds=1)


def test_the_first_findings_of_each_kind_and_the_effects_are_told(folder):
    add_inspection(folder)
    found, effects = inspection_tables(load_study(folder))
    assert found.cells.Finding.value_counts().to_dict() == {LABEL: SHOWN, DUPLICATE: 2}
    assert found.cells.iloc[0].tolist() == [LABEL, "000", "train", "Coat", "Shirt|<b>", "0.990"]
    assert found.cells["Points to"].tolist()[SHOWN:] == ["20 (Bag, test part)", "21 (Bag)"]
    assert found.notes[0] == "Found: label error 7, duplicate 2."
    assert "1 lie in both training and test part" in found.notes[1]
    assert found.notes[2].endswith("jobs/0inspect/inspection.html.")
    assert effects.cells.Difference.tolist() == ["+0.65 [−0.13, +1.41]", "−500 [−900, +100]"]


def test_the_report_shows_them_and_is_written_again_when_they_change(folder):
    options = {"resamples": 100, "details": 0, "formats": []}
    before = write_report(folder, **options)
    assert "Samples to look at" not in before["report.html"].read_text()
    inspected = add_inspection(folder)
    paths = write_report(folder, **options)
    page = paths["report.html"].read_text()
    assert '<section id="inspected"' in page
    assert "Shirt|&lt;b&gt;" in page
    assert {"inspection.csv", "inspection.md", "inspection.tex", "corrections.csv"} <= set(paths)
    assert "scar experiment=inspect study=quick" in page
    table = pd.read_csv(inspected / "inspection.csv")
    table.head(1).to_csv(inspected / "inspection.csv", index=False)
    assert "Found: label error 1." in write_report(folder, **options)["report.html"].read_text()


def test_samples_that_are_only_ranked_are_not_counted_as_found(folder):
    inspected = add_inspection(folder)
    table = pd.read_csv(inspected / "inspection.csv")
    ranked = table.head(1).assign(kind=OUTLIER)
    pd.concat([table, ranked]).to_csv(inspected / "inspection.csv", index=False)
    assert inspection_tables(load_study(folder))[0].notes[0] == "Found: label error 7, duplicate 2."


def test_an_inspection_has_no_part_in_the_axes_of_its_study(folder):
    add_inspection(folder)
    job = next(folder.glob("jobs/*random"))
    other = shutil.copytree(job, job.with_name("other"))
    config = (other / "config.yaml").read_text()
    (other / "config.yaml").write_text(config.replace("name: linear", "name: mlp"))
    study = load_study(folder)
    assert study.axes[-1] == "probe.name"
    assert {group["probe.name"] for group in study.groups()} == {"linear", "mlp"}
    assert "inspection.csv" in write_report(folder, resamples=100, details=0, formats=[])

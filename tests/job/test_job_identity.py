"""Jobs that see different data never share a folder, whatever it is that differs."""

from dataclasses import replace
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from scar.config.job_identity import JobIdentity, job_identity
from scar.config.nodes import ConfigError
from scar.data.sources.table import TableSource
from scar.job.record import JobRecord
from scar.job.rows import load_rows, read_frame
from scar.job.run_job import run_job
from scar.reporting.study_folder import load_study
from scar.studies.common import compose_config

QUICK = [
    "subsets.factors=[1,2]",
    "subsets.max_parts=2",
    "budgets.fractions=[0.1]",
    "probe=linear",
    "probe.max_epochs=1",
]
QUICK += ["foundation.estimators=[paper]", "budgets.driver=paper", "trainer.threads=1", "logger=csv", "encoder=tfidf"]


def write_table(path: Path, first: int, size: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{['cat', 'dog', 'emu'][k % 3]} number {k},{k % 3}" for k in range(first, first + size)]
    path.write_text("\n".join(["text,label", *lines]) + "\n")
    return path


def config_of(root, output, *overrides):
    paths = [f"paths.output_dir={output}", f"paths.store_dir={output / 'store'}", f"paths.data_dir={output / 'data'}"]
    return compose_config(["dataset=table", f"dataset.root={root}", *QUICK, *paths, *overrides])


def run(config, output, **settings):
    name = job_identity(config, fresh=True).name
    folder = output / "s" / "jobs" / name
    shown = {"seed": config.seed, "dataset": {"root": config.dataset.root}, **settings}
    run_job(config, folder, settings=OmegaConf.create(shown), overrides=[f"dataset.root={config.dataset.root}"])
    return folder


@pytest.mark.parametrize("differs", ["root", "data_dir", "weights", "content"])
def test_other_data_are_another_job_and_the_same_data_elsewhere_are_not(tmp_path, differs, monkeypatch):
    one, two = write_table(tmp_path / "one.csv", 0), write_table(tmp_path / "two" / "one.csv", 1)
    config = config_of(one, tmp_path)
    before = job_identity(config)
    if differs == "root":
        other = config_of(two, tmp_path)
    elif differs == "data_dir":
        for name, table in (("here", one), ("there", two)):
            write_table(tmp_path / name / "table" / "any.csv", 0 if table is one else 1)
        before = job_identity(config_of("null", tmp_path, f"paths.data_dir={tmp_path / 'here'}"))
        other = config_of("null", tmp_path, f"paths.data_dir={tmp_path / 'there'}")
    elif differs == "weights":
        monkeypatch.setattr(type(config.encoder), "weights", lambda self: [two])
        other = config_of(one, tmp_path)
    else:
        write_table(one, 2)
        other = config
    after = job_identity(other, fresh=True)
    assert after.settings == before.settings
    assert after.name != before.name
    copy = tmp_path / "copy" / "one.csv"
    copy.parent.mkdir()
    copy.write_bytes(one.read_bytes())
    there, here = job_identity(config_of(copy, tmp_path)), job_identity(config_of(one, tmp_path), fresh=True)
    assert (there.name, there.place != here.place) == (here.name, True)


def test_missing_data_have_a_name_by_their_place(tmp_path):
    names = {job_identity(config_of(tmp_path / f"{name}.csv", tmp_path)).name for name in "ab"}
    assert len({name.partition("-at-")[2] for name in names}) == 2


def test_three_files_are_three_groups_of_the_report(tmp_path):
    for number, name in enumerate(("a", "b", "c")):
        run(config_of(write_table(tmp_path / f"{name}.csv", number), tmp_path), tmp_path)
    study = load_study(tmp_path / "s")

    assert {group["dataset"] for group in study.groups()} == set("abc")
    assert len(study.jobs) == 3


def test_a_table_is_called_as_its_file_is_unless_it_has_a_name():
    names = {"a.csv": "a", "x/reviews.jsonl.gz": "reviews", "photos": "photos", "v1.2.parquet": "v1.2"}
    assert {root: TableSource(root=root).name for root in names} == names
    assert TableSource(root="folder", file="b.tsv").name == "b"
    assert TableSource(root="a.csv", name="mine").name == "mine"
    assert TableSource().name == "table"


def test_grown_data_put_the_earlier_job_away_and_other_places_stay(tmp_path):
    grown, other = write_table(tmp_path / "grown.csv", 0), write_table(tmp_path / "b" / "grown.csv", 5)
    before, elsewhere = run(config_of(grown, tmp_path), tmp_path), run(config_of(other, tmp_path), tmp_path)
    rows = read_frame(before / "rows.parquet")
    write_table(grown, 0, 120)
    after = run(config_of(grown, tmp_path), tmp_path)
    assert not before.exists()
    assert after.exists()
    assert elsewhere.exists()
    (kept,) = (tmp_path / "s" / "versions").glob(f"*/jobs/{before.name}")
    assert read_frame(kept / "rows.parquet").equals(rows)
    assert JobRecord(kept).read()["status"] == "done"
    assert len(load_rows(tmp_path / "s").job.unique()) == 2


def test_a_folder_of_another_job_is_never_overwritten(tmp_path):
    config = config_of(write_table(tmp_path / "a.csv", 0), tmp_path)
    folder = tmp_path / "s" / "jobs" / "mine"
    settings = OmegaConf.create({})
    run_job(config, folder, settings=settings, overrides=["seed=0"])
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(ConfigError, match=r"belongs to another job \(seed=0\)"):
        run_job(replace(config, seed=1), folder, settings=settings, overrides=["seed=1"])
    with pytest.raises(ConfigError, match="belongs to another job"):
        run_job(config_of(write_table(tmp_path / "b.csv", 1), tmp_path), folder, settings=settings, overrides=[])
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_data_that_change_after_the_folder_was_named_are_refused(tmp_path):
    config = config_of(write_table(tmp_path / "a.csv", 0), tmp_path)
    folder = tmp_path / "s" / "jobs" / job_identity(config).name
    write_table(tmp_path / "a.csv", 1)
    with pytest.raises(ConfigError, match="changed since this command began; repeat it"):
        run_job(config, folder, settings=OmegaConf.create({}), overrides=[])


def test_a_study_that_was_run_in_part_after_its_data_changed_shows_both_versions(tmp_path):
    table = write_table(tmp_path / "a.csv", 0)
    for seed in (0, 1):
        run(config_of(table, tmp_path, f"seed={seed}"), tmp_path)
    write_table(table, 0, 120)
    run(config_of(table, tmp_path, "seed=1"), tmp_path)
    study = load_study(tmp_path / "s")
    assert study.axes[-1] == "data"
    assert len({group["data"] for group in study.groups()}) == 2


def test_an_identity_owns_what_it_wrote_and_what_nobody_wrote():
    own = JobIdentity(settings="s", content="c", place="p")
    assert own.owns({})
    assert own.owns({"settings": "s", "content": "older", "place": "p"})
    assert own.owns({"settings": "s", "content": "c", "place": "elsewhere"})
    assert not own.owns({"settings": "s", "content": "x", "place": "y"})
    assert not own.owns({"settings": "t", "content": "c", "place": "p"})

"""A study as one run of Weights & Biases, and back: offline files alone, and a double of the public interface."""

import json
import shutil
import time
from types import SimpleNamespace

import pandas as pd
import pytest
from synthetic import write_study

from scar.commands.report import ReportConfig, ReportPaths, write
from scar.config.runtime import LoggerConfig
from scar.job.loggers import JobLogger
from scar.job.rows import read_frame
from scar.reporting.figures.job_figures import job_figures
from scar.reporting.formats._wandb_files import offline_runs, read_run
from scar.reporting.formats.from_wandb import rebuild_study
from scar.reporting.formats.wandb_study import log_study
from scar.reporting.study_folder import load_study

FILES = ("config.yaml", "rows.parquet", "predictions.npz")


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """A study whose jobs have left offline runs, as `scar` leaves them."""
    folder = tmp_path_factory.mktemp("outputs")
    study = load_study(write_study(folder / "quick", seeds=1, strategies=("scar", "random")))
    for number, job in enumerate(study.jobs):
        logger = JobLogger(
            LoggerConfig(figures=number == 0), job.folder, job=job.folder.name, study="quick", name=job.folder.name,
            tags=[], settings=job.config, draw=job_figures,
        )  # fmt: skip
        with logger as log:
            frame = read_frame(job.folder / "rows.parquet")
            about = {"job": job.folder.name, "overrides": job.status["overrides"], "versions": job.status["versions"]}
            log.log(frame, job.plans, files=[job.folder / name for name in FILES], about=about)
    return folder


def report(output, **settings):
    settings = {"study": "quick", "resamples": 100, **settings}
    return write(ReportConfig(paths=ReportPaths(output_dir=str(output)), **settings))


def ended(path):
    """Return a run once its end is written; the service of wandb writes in its own time."""
    for _ in range(100):
        run = read_run(path)
        if run.exit_code is not None:
            return run
        time.sleep(0.1)
    raise TimeoutError(f"{path} never got the record of its end")


@pytest.fixture(scope="module")
def paths(output):
    return report(output, logger=LoggerConfig(figures=False))


def test_the_report_is_one_run_with_its_tables_figures_and_files(output, paths):
    (path,) = output.glob("quick/wandb/offline-run-*/run-*.wandb")
    run = ended(path)
    assert (run.id, run.group, run.exit_code) == ("quick-report", "quick", 0)
    (artifact,) = [a for a in run.artifacts if a.kind == "report"]
    assert set(artifact.files) == set(paths)
    assert artifact.files["report.html"].read_bytes() == paths["report.html"].read_bytes()
    logged = {key.rpartition(".")[0] for key in run.history[0]}
    images = {f"figures/{path.stem}" for path in paths.values() if path.suffix == ".png"}
    assert len(images) > 3
    assert images | {"tables/table2a", "tables/arms"} <= logged


def test_without_a_run_no_figure_is_drawn_for_one(output, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    written = report(output, name="none", studies=["quick"], study=None, details=0, logger=LoggerConfig(figures=False))
    assert not [name for name in written if name.endswith(".png")]


def test_the_same_report_is_not_logged_twice_and_a_changed_one_takes_its_place(output, paths):
    config = LoggerConfig(figures=False)
    assert not log_study(paths, config, name="quick")
    assert not log_study(paths, LoggerConfig(wandb="disabled"), name="quick")
    record = paths["report.html"].with_name("report.json")
    before = record.read_text()
    record.write_text(json.dumps({**json.loads(before), "digest": "changed"}))
    few = {name: path for name, path in paths.items() if name in ("report.html", "arms.csv")}
    assert log_study(few, config, name="quick")
    assert not log_study(few, config, name="quick")
    record.write_text(before)
    (path,) = output.glob("quick/wandb/offline-run-*/run-*.wandb")
    assert ended(path).config["digest"] == "changed"


def test_figures_of_a_job_are_in_its_run(output):
    drawn = sorted(output.glob("quick/jobs/*/wandb/offline-run-*/files/media/images/figures/*.png"))
    assert {path.name.partition("_")[0] for path in drawn} == {"measures", "figure2", "plan"}
    assert len({path.parents[5] for path in drawn}) == 1


def test_a_report_is_rebuilt_from_the_runs_alone(output, paths, tmp_path):
    for run in offline_runs(output / "quick" / "jobs"):  # the folders of the runs, somewhere else
        shutil.copytree(run.parent, tmp_path / "runs" / run.parent.name)
    rebuilt = report(tmp_path, study="again", from_wandb=str(tmp_path / "runs"), formats=[])
    same = ("table2a.csv", "table2b.csv", "arms.csv", "differences.csv")
    assert {name: rebuilt[name].read_text() for name in same} == {name: paths[name].read_text() for name in same}
    assert len(list((tmp_path / "again").glob("jobs/*/plan-*.csv"))) == 2
    rebuild_study(str(tmp_path / "runs"), tmp_path / "again")  # what was rebuilt may be rebuilt


def test_jobs_that_were_run_are_never_overwritten_and_a_folder_without_runs_is_named(output, tmp_path):
    with pytest.raises(ValueError, match="holds jobs that were run there; rebuild into another folder"):
        rebuild_study(str(output), output / "quick")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no run of a finished job"):
        rebuild_study(str(tmp_path / "empty"), tmp_path / "again")
    with pytest.raises(ValueError, match="neither a folder with offline runs nor entity/project/group"):
        rebuild_study("quick", tmp_path / "again")


def test_a_run_whose_files_are_gone_is_named(output, tmp_path):
    run = offline_runs(output / "quick" / "jobs")[0]
    moved = shutil.copytree(run.parent, tmp_path / run.parent.name)
    shutil.rmtree(moved / "artifacts")
    aside = run.parent / "artifacts"
    aside.rename(run.parent / "aside")
    try:
        with pytest.raises(FileNotFoundError, match=r"config\.yaml is not at"):
            rebuild_study(str(moved.parent), tmp_path / "again")
    finally:
        (run.parent / "aside").rename(aside)


def test_no_file_outside_the_folder_of_a_run_is_read(output, tmp_path):
    run = offline_runs(output / "quick" / "jobs")[0]
    moved = shutil.copytree(run.parent, tmp_path / "runs" / run.parent.name)
    for file in (moved / "artifacts" / "staging").iterdir():
        file.unlink()
        file.symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_text("s")
    with pytest.raises(ValueError, match="leaves the folder"):
        rebuild_study(str(moved.parent), tmp_path / "again")
    shutil.rmtree(moved / "artifacts")  # the paths that the run notes are those of files that are there
    with pytest.raises(FileNotFoundError, match="only files in the folder of a run are read"):
        rebuild_study(str(moved.parent), tmp_path / "again")


def test_a_damaged_run_is_named(output, tmp_path):
    run = offline_runs(output / "quick" / "jobs")[0]
    moved = shutil.copytree(run.parent, tmp_path / "runs" / run.parent.name)
    files = {file.name: file for file in (moved / "artifacts" / "staging").iterdir()}
    whole = (run.parents[2] / "rows.parquet").read_bytes()
    victim = next(file for file in files.values() if file.read_bytes() == whole)
    victim.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ValueError, match=r"is damaged: .* has another checksum"):
        rebuild_study(str(moved.parent), tmp_path / "again")
    victim.write_bytes(whole)
    log = bytearray((moved / run.name).read_bytes())
    log[200] ^= 4
    (moved / run.name).write_bytes(log)
    with pytest.raises(ValueError, match="is damaged: the record at byte"):
        rebuild_study(str(moved.parent), tmp_path / "again")


class PublicInterface:
    """Answers as `wandb.Api` does, from offline runs; the second run of a job is the newer one."""

    def __init__(self, folder):
        self.folder, self.asked = folder, None

    def runs(self, project, filters):
        self.asked = (project, filters)
        found = [read_run(path) for path in offline_runs(self.folder)]
        return [self._run(run, state) for run in found for state in ("finished", "crashed")]

    def _run(self, run, state):
        artifacts = [
            SimpleNamespace(type=a.kind, metadata=a.metadata, download=lambda root, a=a: self._copy(a, root))
            for a in run.artifacts
        ]
        return SimpleNamespace(id=run.id, state=state, created_at="2026", logged_artifacts=lambda: artifacts)

    @staticmethod
    def _copy(artifact, root):
        for name, file in artifact.files.items():
            shutil.copyfile(file, f"{root}/{name}")


def test_uploaded_runs_are_asked_for_by_entity_project_and_group(output, tmp_path):
    api = PublicInterface(output / "quick" / "jobs")
    folders = rebuild_study("me/scar/quick", tmp_path / "again", api=api)
    assert api.asked == ("me/scar", {"group": "quick"})
    assert [folder.name for folder in folders] == sorted(p.name for p in (output / "quick" / "jobs").iterdir())
    rebuilt, given = load_study(tmp_path / "again"), load_study(output / "quick")
    pd.testing.assert_frame_equal(rebuilt.rows, given.rows)
    assert [job.status["overrides"] for job in rebuilt.jobs] == [job.status["overrides"] for job in given.jobs]

"""Runs of Weights & Biases, read back from the files that an offline run leaves; no account is needed."""

import os
import shutil
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import wandb
from PIL import Image

from scar.common import progress
from scar.config.runtime import LoggerConfig
from scar.job._wandb_run import check_connection, wandb_mode
from scar.job.loggers import EPOCHS, JobLogger, as_table, bank_summary, scar_table
from scar.job.rows import Rows
from scar.reporting.formats._wandb_files import offline_runs, read_run

CURVE = np.array([[0.5, 0.3, 0.2], [0.7, 0.5, np.nan], [0.9, np.nan, np.nan]], np.float32)


def ended(folder: Path):
    """Return the runs below a folder once their ends are written; the service of wandb writes in its own time."""
    for _ in range(100):
        runs = [read_run(path) for path in offline_runs(folder)]
        if runs and all(run.exit_code is not None for run in runs):
            return runs
        time.sleep(0.1)
    raise TimeoutError(f"no run below {folder} got the record of its end")


def frame() -> pd.DataFrame:
    rows = Rows(study="s", job="j", dataset="digits", encoder="pixels", seed=0, completion="scar")
    for estimator in ("reference", "heldout"):
        rows.add("scale", 0.4, stage="dataset", subject="total", estimator=estimator)
    rows.add_classes("coverage", [0.25, np.nan], ("one", "two"), stage="measures", subject="primary", factor=1)
    rows.add_classes("coverage", [0.1, 0.1], ("one", "two"), stage="measures", subject="primary", factor=2)
    rows.add_classes("authenticity", [0.75, 0.5], ("one", "two"), stage="measures", subject="primary", factor=1)
    about = {"stage": "foundation", "subject": "primary", "estimator": "heldout"}
    rows.add("foundation_size", 900.0, low=700.0, high=1200.0, **about)
    rows.add("accuracy", 0.9, stage="evaluation", subject="primary")
    rows.add("accuracy", 0.95, stage="evaluation", subject="scar", fraction=0.1)
    return rows.frame()


def logger(folder: Path, **settings) -> JobLogger:
    return JobLogger(
        LoggerConfig(**{"figures": False, **settings}),
        folder,
        job="0123456789abcdef",
        study="my study",
        name="digits/pixels/scar/seed0",
        tags=["digits", "pixels"],
        settings={
            "seed": 0,
            "probe": {"solver": "adam", "monitor": "validation_loss"},
            "budgets": {"driver": "heldout"},
        },
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("job")
    plan, rows = folder / "plan-scar-10pct.csv", folder / "rows.parquet"
    plan.write_text("id,class_name,reason,cost\n7,three,scar: 1 of this class,1\n")
    frame().to_parquet(rows)
    with logger(folder, tags=("mine",)) as log:
        assert log.needs_banks
        log.log_bank("primary", CURVE)
        log.log(frame(), [plan], files=[rows], about={"overrides": ["seed=0"]}, summary={"objective": 0.95})
    (found,) = ended(folder)
    return found


def test_an_offline_run_holds_configuration_names_and_its_end(run):
    assert run.id == "my-study-0123456789abcdef"
    assert run.group == "my study"
    assert run.name == "digits/pixels/scar/seed0"
    assert set(run.tags) == {"digits", "pixels", "mine"}
    assert run.config["probe"]["solver"] == "adam"
    assert run.exit_code == 0


def test_scores_of_all_arms_and_the_objective_are_in_the_summary(run):
    assert run.summary["primary/accuracy"] == pytest.approx(0.9)
    assert run.summary["plan@0.1/accuracy"] == pytest.approx(0.95)
    assert not [name for name in run.summary if "scar" in name.split("/")[0].split("@")]
    assert run.summary["measures/scale"] == pytest.approx(0.4)
    found = {name: run.summary[f"foundation/primary/{name}"] for name in ("size", "low", "high")}
    assert found == {"size": 900.0, "low": 700.0, "high": 1200.0}
    assert run.summary["objective"] == pytest.approx(0.95)


def test_the_bank_is_logged_by_epoch_as_its_probes_in_work_and_their_mean(run):
    steps = [step for step in run.history if "epoch" in step]
    assert [step["epoch"] for step in steps] == [1, 2, 3]
    assert [step["bank/primary/probes_in_work"] for step in steps] == [3, 2, 1]
    assert [step["bank/primary/validation_loss"] for step in steps] == pytest.approx([0.7, 0.4, 0.2])


def test_results_and_plans_are_artifacts_in_the_folder_of_the_run_wherever_that_lies(run, tmp_path):
    kinds = {a.kind: a for a in run.artifacts}
    metadata = kinds["results"].metadata
    assert (metadata["job"], metadata["overrides"]) == ("0123456789abcdef", ["seed=0"])
    assert set(metadata["files"]) == {"rows.parquet", "plan-scar-10pct.csv"}
    moved = shutil.copytree(run.path.parent, tmp_path / run.path.parent.name)
    (again,) = [a for a in read_run(moved / run.path.name).artifacts if a.kind == "results"]
    assert again.files["rows.parquet"].is_relative_to(moved)
    pd.testing.assert_frame_equal(pd.read_parquet(again.files["rows.parquet"]), frame(), check_dtype=False)
    assert "three" in kinds["plan"].files["plan-scar-10pct.csv"].read_text()


def test_tables_are_in_the_run(run):
    assert {a.name.rpartition("-")[2] for a in run.artifacts if a.kind == "run_table"} == {"results", "scar"}


def test_the_scar_table_has_the_sets_first_then_the_classes_at_full_size():
    table = scar_table(frame())
    assert table.class_name.tolist() == ["(set)", "(set)", "one", "two"]
    assert table.coverage.tolist() == [None, None, 0.25, None]
    assert table.authenticity.tolist() == [None, None, 0.75, 0.5]


def test_long_curves_are_thinned_and_empty_ones_are_nothing():
    long = np.full((2, 5000), np.nan, np.float32)
    long[0, :4000] = 1.0
    summary = bank_summary(long)
    assert len(summary) == EPOCHS
    assert min(summary) == 1
    assert max(summary) == 4000
    assert bank_summary(long[1:]) == {}


def test_a_failed_job_finishes_its_run_and_repeating_it_replaces_the_run(tmp_path):
    with pytest.raises(RuntimeError, match="no luck"), logger(tmp_path):
        raise RuntimeError("no luck")
    (crashed,) = ended(tmp_path)
    assert (crashed.exit_code, crashed.summary["error"]) == (1, "RuntimeError: no luck")
    with logger(tmp_path) as log:
        log.log(frame(), [])
    assert [run.exit_code for run in ended(tmp_path)] == [0]


def test_live_epochs_are_logged_by_bank_at_most_once_a_second(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("scar.job.loggers.time.monotonic", lambda: now[0])
    with logger(tmp_path, live=True) as log, log.watching():
        for bank in ("probes", "arms"):
            with progress.stage(bank), progress.probe_bar(3) as tell:
                for epoch in range(5):
                    tell(0, 3, 1.0 / (1 + epoch))
                    now[0] += 0.4
        log.log(frame(), [])
    (run,) = ended(tmp_path)
    for bank in ("probes", "arms"):
        steps = [step for step in run.history if f"live/{bank}/epoch" in step]
        assert [step[f"live/{bank}/epoch"] for step in steps] == [1, 4]
        assert [step[f"live/{bank}/validation_loss"] for step in steps] == [1.0, 0.25]
        assert {step[f"live/{bank}/probes_in_work"] for step in steps} == {3}
    with logger(tmp_path / "off") as log, log.watching(), progress.probe_bar(3) as tell:
        assert tell is None


def test_two_jobs_of_one_process_are_two_runs(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        with logger(tmp_path / name) as log:
            log.log(frame(), [])
    assert len(ended(tmp_path)) == 2


def test_a_run_is_written_by_a_service_of_this_process_not_by_one_that_it_inherits(monkeypatch, tmp_path):
    wandb.teardown()
    monkeypatch.setenv("WANDB_SERVICE", f"3-{os.getppid()}-unix-{tmp_path / 'gone'}")
    for name in ("one", "two"):
        with logger(tmp_path / name):
            service = os.environ["WANDB_SERVICE"]
        assert service.split("-")[1] == str(os.getpid())
        assert [run.exit_code for run in ended(tmp_path / name)] == [0]
    wandb.teardown()


def test_an_offline_run_looks_for_no_server(tmp_path):
    code = (
        "import pathlib, sys\n"
        "sys.addaudithook(lambda event, given: event == 'socket.getaddrinfo' and print('LOOKED FOR', given[0]))\n"
        "from scar.job._wandb_run import open_run\n"
        "about = {'project': 'p', 'run_id': 'r', 'name': 'n', 'group': 'g', 'kind': 'job'}\n"
        "run = open_run(pathlib.Path.cwd(), mode='offline', **about)\n"
        "run.log({'accuracy': 1.0})\n"
        "run.finish()\n"
    )
    unset = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    environment = {**unset, "PYTHONPATH": str(Path(__file__).parents[2])}
    run = [sys.executable, "-c", code]
    ended = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert list(tmp_path.glob("wandb/offline-run-*-r/run-r.wandb"))
    assert "LOOKED FOR" not in ended.stdout


def test_csv_is_always_written_and_disabled_means_no_run(tmp_path):
    with logger(tmp_path, wandb="disabled") as log:
        assert not log.needs_banks
        log.log(frame(), [])
    assert len(pd.read_csv(tmp_path / "rows.csv")) == len(frame())
    assert not (tmp_path / "wandb").exists()


def test_a_sweep_agent_names_the_run_and_online_runs_resume(monkeypatch, tmp_path):
    import wandb

    given = {}
    monkeypatch.setattr(wandb, "init", lambda **settings: given.update(settings))
    with logger(tmp_path, wandb="online"):
        pass
    assert given["id"] == "my-study-0123456789abcdef"
    assert given["resume"] == "allow"
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    with logger(tmp_path, wandb="online"):
        pass
    assert given["id"] is None


@pytest.fixture
def no_mode(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "")
    monkeypatch.delenv("WANDB_DISABLED", raising=False)


@pytest.mark.parametrize(
    ("configured", "variable", "mode"),
    [
        ("offline", "", "offline"),
        ("online", "disabled", "disabled"),
        ("online", "offline", "offline"),
        ("offline", "online", "online"),
        ("disabled", "online", "disabled"),
        ("online", "dryrun", "offline"),
        ("online", "nonsense", "online"),
    ],
)
def test_the_variable_of_wandb_is_honoured(monkeypatch, no_mode, configured, variable, mode):
    monkeypatch.setenv("WANDB_MODE", variable)
    assert wandb_mode(configured) == mode
    monkeypatch.setenv("WANDB_DISABLED", "true")
    assert wandb_mode(configured) == "disabled"


def test_without_a_network_one_try_says_so_and_all_runs_are_offline(monkeypatch, no_mode, tmp_path, capsys):
    import wandb

    tries, init = [], wandb.init

    def unreachable(**settings):
        tries.append(settings["mode"])
        if settings["mode"] == "online":
            raise wandb.errors.CommError("no route")
        return init(**settings)

    monkeypatch.setattr(wandb, "init", unreachable)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        with logger(tmp_path / name, wandb="online") as log:
            log.log(frame(), [], summary={"objective": 1.0})
    assert tries == ["online", "offline", "offline"]
    assert capsys.readouterr().err.count("cannot be reached") == 1
    assert [run.summary["objective"] for run in ended(tmp_path)] == [1.0, 1.0]


def test_a_server_that_does_not_answer_is_noticed_before_the_first_job(monkeypatch, no_mode):
    monkeypatch.setattr("scar.job._wandb_run.getproxies", dict)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    check_connection("offline")
    assert wandb_mode("online") == "online"
    check_connection("online")
    assert wandb_mode("online") == "offline"


class Broken:
    """A run of which everything fails."""

    offline, dir = False, "/nowhere"

    def __getattr__(self, name):
        raise OSError(30, "Read-only file system")


def test_a_logger_that_fails_costs_no_result(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("scar.job.loggers.open_run", lambda *a, **k: Broken())
    with logger(tmp_path, wandb="online") as log:
        log.log_bank("primary", CURVE)
        log.log(frame(), [])
    assert len(pd.read_csv(tmp_path / "rows.csv")) == len(frame())
    said = capsys.readouterr().err.replace("\n", " ")
    assert said.count("results are not affected") == 3
    monkeypatch.undo()
    monkeypatch.setattr("wandb.init", lambda **settings: Broken().init)
    with logger(tmp_path) as log:
        assert log.run is None
        log.log(frame(), [])


def test_a_table_of_wandb_is_the_one_that_it_makes_row_by_row() -> None:
    values = [1.5, None, 2.0, 3, "x"]
    frame = pd.DataFrame({"a": values, "b": list("vwxyz"), "c": [True, None, False, None, True]}, dtype=object)
    for part in (frame.iloc[:3], frame.iloc[:0], pd.concat([frame.iloc[:3]] * 50)):
        made, expected = as_table(part), wandb.Table(dataframe=part)
        assert made.data == expected.data
        assert made.columns == expected.columns
        assert made._column_types.to_json() == expected._column_types.to_json()


@pytest.mark.parametrize(
    ("figures", "offline", "drawn"), [(None, True, 0), (None, False, 1), (True, True, 1), (False, False, 0)]
)
def test_figures_of_a_job_are_drawn_where_its_run_is_online_or_where_they_are_asked_for(
    tmp_path, figures, offline, drawn
):
    picture = BytesIO()
    Image.new("RGB", (2, 2)).save(picture, "png")
    log = logger(tmp_path, figures=figures)
    log.draw = lambda frame, **about: {"plan": picture.getvalue()}
    log.run = SimpleNamespace(offline=offline)
    assert len(log._figures(frame())) == drawn

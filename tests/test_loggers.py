"""Runs of Weights & Biases, read back from the files that an offline run leaves; no account is needed."""

import json
import struct
import time
from pathlib import Path

import pandas as pd
import pytest

from scar.loggers import JobLogger, LoggerConfig
from scar.results import Rows

HEADER = 7
BLOCK = 32_768


def chunks(content: bytes):
    """Yield the records of a LevelDB log: blocks of 32 KiB; each record has a checksum, a length and a type."""
    position, whole = HEADER, b""
    while position + HEADER <= len(content):
        if BLOCK - position % BLOCK < HEADER:
            position += BLOCK - position % BLOCK
            continue
        length, kind = struct.unpack_from("<HB", content, position + 4)
        whole += content[position + HEADER : position + HEADER + length]
        position += HEADER + length
        if kind in (1, 4):  # a full record, or the last part of one
            yield whole
            whole = b""


def records(folder: Path):
    """Return the records of the run once its end is written; the service of wandb writes in its own time."""
    from wandb.proto import wandb_internal_pb2

    (path,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    for _ in range(100):
        found = []
        for data in chunks(path.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            found.append(record)
        if any(record.HasField("exit") for record in found):
            return found
        time.sleep(0.1)
    raise TimeoutError(f"{path} never got the record of its end")


def frame() -> pd.DataFrame:
    rows = Rows(study="s", job="j", dataset="digits", encoder="pixels", seed=0, completion="scar")
    rows.add("accuracy", 0.9, stage="evaluation", subject="primary")
    rows.add("accuracy", 0.95, stage="evaluation", subject="scar", fraction=0.1)
    return rows.frame()


def logger(folder: Path, **settings) -> JobLogger:
    return JobLogger(
        LoggerConfig(**settings),
        folder,
        job="0123456789abcdef",
        study="my study",
        name="digits/pixels/scar/seed0",
        tags=["digits", "pixels"],
        settings={"seed": 0, "probe": {"solver": "adam"}},
    )


def test_an_offline_run_holds_config_table_plan_and_its_end(tmp_path):
    plan = tmp_path / "plan-scar-10pct.csv"
    plan.write_text("id,class_name,reason,cost\n7,three,scar: 1 of this class,1\n")
    with logger(tmp_path, tags=("mine",)) as log:
        log.log(frame(), [plan])
    found = records(tmp_path)
    run = next(r.run for r in found if r.HasField("run"))
    assert run.run_id == "my-study-0123456789abcdef"
    assert run.run_group == "my study"
    assert run.display_name == "digits/pixels/scar/seed0"
    assert set(run.tags) == {"digits", "pixels", "mine"}
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert config["probe"] == {"solver": "adam"}
    summary = {
        i.key or "/".join(i.nested_key): i.value_json for r in found if r.HasField("summary") for i in r.summary.update
    }
    assert json.loads(summary["primary/accuracy"]) == pytest.approx(0.9)
    assert any("results" in key for key in summary) or any(r.HasField("history") for r in found)
    assert next(r.exit.exit_code for r in found if r.HasField("exit")) == 0


def test_a_failed_job_finishes_its_run_with_an_exit_code(tmp_path):
    with pytest.raises(RuntimeError, match="no luck"), logger(tmp_path):
        raise RuntimeError("no luck")
    assert next(r.exit.exit_code for r in records(tmp_path) if r.HasField("exit")) == 1


def test_two_jobs_of_one_process_are_two_runs(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        with logger(tmp_path / name) as log:
            log.log(frame(), [])
    assert len(list(tmp_path.glob("*/wandb/offline-run-*"))) == 2


def test_csv_is_always_written_and_disabled_means_no_run(tmp_path):
    with logger(tmp_path, wandb="disabled") as log:
        log.log(frame(), [])
    assert len(pd.read_csv(tmp_path / "rows.csv")) == 2
    assert not (tmp_path / "wandb").exists()

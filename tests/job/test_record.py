"""Records of jobs: every file has a checksum, and what is damaged is named and counts as not done."""

import random

import numpy as np
import pytest

from scar.common.files import CorruptArtefactError, describe_files, write_json
from scar.evaluation.scores import Predictions
from scar.job.data_versions import Version
from scar.job.record import JobRecord
from scar.job.rows import PREDICTIONS, Rows, load_predictions, read_frame, save_predictions, write_rows

KEYS = ["foundation/ab", "rows/cd"]


def flip(path, bit):
    content = bytearray(path.read_bytes())
    content[bit // 8 % len(content)] ^= 1 << bit % 8
    path.write_bytes(content)


@pytest.fixture
def job(tmp_path):
    """A finished job of planted rows."""
    folder = tmp_path / "job"
    folder.mkdir()
    rows = Rows(study="s", job="job", dataset="digits", encoder="pixels", seed=0, completion="scar")
    rows.add_classes("richness", [0.998, 0.5], ("one", "two"), stage="measures", subject="primary", factor=1)
    write_rows(rows, folder / "rows.parquet")
    predicted = np.arange(40) % 3
    each = Predictions(raw=predicted, deployment=predicted, uniform=predicted, converged=True)
    save_predictions(folder / PREDICTIONS, predicted, {"primary": each})
    (folder / "config.yaml").write_text("seed: 0\n")
    (folder / "plan-scar-10pct.csv").write_text("id,class_name\n1,one\n")
    with JobRecord(folder).running({"job": "job"}) as result:
        result |= {
            "keys": KEYS,
            "scores": {"primary/accuracy": 0.5},
            "files": describe_files(folder, folder.glob("[!s.]*")),
        }
    return folder


def test_a_flipped_bit_anywhere_makes_the_job_not_done_and_is_named(job, capsys):
    assert JobRecord(job).is_done(KEYS)
    draw = random.Random(0)
    for path in sorted(each for each in job.iterdir() if each.name != ".lock"):
        whole = path.read_bytes()
        for _ in range(40):
            flip(path, draw.randrange(8 * len(whole)))
            done, said = JobRecord(job).is_done(KEYS), capsys.readouterr().err
            if path.name == "status.json" and done:  # white space, or the name of the checksum itself
                assert JobRecord(job).read()["scores"] == {"primary/accuracy": 0.5}
            else:
                assert not done
                assert path.name in said.replace("\n", "")
                assert JobRecord(job).faults()
            path.write_bytes(whole)
    assert JobRecord(job).is_done(KEYS)


def test_a_record_of_other_keys_is_not_called_damaged(job, capsys):
    flip(job / "rows.parquet", 800)
    assert not JobRecord(job).is_done(["other/key"])
    assert not capsys.readouterr().err


def test_pages_of_rows_have_checksums(job):
    frame = read_frame(job / "rows.parquet")
    assert frame.value.tolist() == [0.998, 0.5]
    content = (job / "rows.parquet").read_bytes()
    place = content.index(np.float64(0.998).tobytes())
    flip(job / "rows.parquet", 8 * place + 3)
    with pytest.raises(CorruptArtefactError, match=r"rows\.parquet cannot be read.*run its job again"):
        read_frame(job / "rows.parquet")


def test_damaged_predictions_are_named(job):
    for content in (b"", (job / PREDICTIONS).read_bytes()[:-30], b"PK" * 40):
        (job / PREDICTIONS).write_bytes(content)
        with pytest.raises(CorruptArtefactError, match=PREDICTIONS):
            load_predictions(job)


def test_a_version_is_what_its_name_says(tmp_path):
    names = np.array(["a", "b"])
    version = Version(
        ids=names, contents=names, labels=np.array([0, 1]), splits=np.array(["train", "test"]), class_names=("x", "y")
    )
    path = tmp_path / f"{version.digest()}.npz"
    version.save(path)
    assert Version.load(path).digest() == path.stem
    path.rename(tmp_path / "other.npz")
    with pytest.raises(CorruptArtefactError, match="holds another version"):
        Version.load(tmp_path / "other.npz")


def test_the_report_leaves_a_damaged_job_out_and_names_it(job, capsys):
    from scar.reporting.study_job import read_job

    assert len(read_job(job)[1]["values"][0]) == 2
    flip(job / "rows.parquet", 900)
    found, frame = read_job(job)
    assert (found.done, len(frame)) == (False, 0)
    assert "rows.parquet has another checksum" in found.status["error"]
    assert "run its sweep again" in capsys.readouterr().err.replace("\n", " ")
    write_json(job / "status.json", {"status": "done"})
    (job / "config.yaml").write_text("a: [")
    assert read_job(job)[0].status["status"] == "damaged"

"""After a flip of one bit anywhere in what a study leaves, the next command is right, or it says so."""

import random
import re
import shutil
from collections import Counter
from contextlib import redirect_stderr
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

import scar.config.job_identity as job_identity
import scar.data.fingerprint as fingerprint
from faults.conftest import TINY
from scar.common import console
from scar.common.files import CorruptArtefactError, read_json
from scar.config.runtime import LoggerConfig, PathsConfig
from scar.job.data_versions import load_versions
from scar.job.run_job import run_job
from scar.reporting.formats.from_wandb import rebuild_study
from scar.reporting.study_folder import load_study
from scar.reporting.write import _reusable, write_report
from scar.store.code import Code
from scar.studies.common import compose_config

pytestmark = pytest.mark.slow
SAID = re.compile(
    r"quarantined|damaged|left out|cannot be read|another checksum|another version|no run of a finished job"
)
PER_PART, PARTS = 66, 8


def flip(path: Path, draw: random.Random) -> str:
    content = bytearray(path.read_bytes())
    bit = draw.randrange(8 * len(content))
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    return f"{path.name}, bit {bit}"


def kind(path: Path) -> str:
    """Return what kind of file it is: its name without numbers and digests, below its kind of place."""
    place = next((part for part in path.parts if part in ("store", "wandb", "datasets", "jobs")), "report")
    name = re.sub(r"[0-9a-f]{8,}|\d+", "#", path.name)
    stage = path.parts[path.parts.index("store") + 1] if place == "store" else ""
    return f"{place}/{stage}/{name if place != 'wandb' else path.suffix or name}"


def configured(root: Path, wandb: str = "disabled"):
    lines = [each for each in TINY if each not in ("-m", "report=false", "logger=csv", "study=s")]
    config = compose_config([*lines, "study=s"])
    paths = PathsConfig(output_dir=str(root), store_dir=str(root / "store"))
    return replace(config, paths=paths, logger=LoggerConfig(wandb=wandb, figures=False))


def run(root: Path, wandb: str = "disabled") -> Path:
    """Run the job, as a process that has just begun."""
    fingerprint._seen.clear()
    job_identity._contents.clear()
    config = configured(root, wandb)
    folder = root / "s" / "jobs" / job_identity.job_identity(config).name
    run_job(config, folder, settings=OmegaConf.create({"seed": 0}), overrides=["seed=0"])
    return folder


def results(study: Path) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Return what a report is made of: rows and decisions."""
    read = load_study(study)
    (group,) = read.groups()
    outcomes = read.outcomes(group)
    return read.rows, {arm: seeds[0] for arm, seeds in outcomes.predictions.items()} | {"labels": outcomes.labels}


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """A study with its store, its run of W&B and its report; the rows that it should always have."""
    root = tmp_path_factory.mktemp("calm")
    run(root, "offline")
    write_report(root / "s", formats=["png"], resamples=100)
    return root, results(root / "s")


def same(found, expected) -> bool:
    rows, decided = (found[0].drop(columns="job"), found[1])
    return rows.equals(expected[0].drop(columns="job")) and all(
        np.array_equal(decided[name], expected[1][name]) for name in expected[1]
    )


def next_command(root: Path, victim: Path, calm: Path, expected) -> None:
    """Do what comes next; raises what a command would end with."""
    place = kind(victim.relative_to(root)).split("/")[0]
    digest = read_json(calm / "s" / "report.json")["digest"]
    if place == "wandb":
        rebuild_study(str(root / "s" / "jobs"), root / "again")
        assert same(results(root / "again"), expected)
        return
    if place == "store":  # a store is read where results are missing
        shutil.rmtree(root / "s" / "jobs")
    if place == "report":  # it is written again, or whole
        files = _reusable(root / "s", digest) or {}
        assert all(path.read_bytes() == (calm / "s" / name).read_bytes() for name, path in files.items())
        return
    folder = run(root)
    assert same(results(root / "s"), expected)
    if place == "datasets":
        (job,) = load_study(root / "s").jobs
        assert load_versions(folder.parent.parent, [job.status["version"]])


@pytest.mark.parametrize("part", range(PARTS))
def test_a_flipped_bit_changes_no_result_in_silence(calm, tmp_path, part):
    root, expected = calm
    draw, kinds = random.Random(part), {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.stat().st_size and path.suffix not in (".lock", ".log"):
            kinds.setdefault(kind(path.relative_to(root)), []).append(path.relative_to(root))
    assert len(kinds) > 30
    order, outcomes, silent = sorted(kinds), Counter(), []
    for number in range(PER_PART):
        copy = tmp_path / "copy"
        shutil.copytree(root, copy)
        victim = copy / draw.choice(kinds[order[(part + number * PARTS) % len(order)]])
        where, said = flip(victim, draw), StringIO()
        console.errors.cache_clear()
        try:
            with redirect_stderr(said):
                next_command(copy, victim, root, expected)
            outcomes["right, and said" if SAID.search(said.getvalue()) else "right"] += 1
        except (CorruptArtefactError, ValueError, FileNotFoundError) as error:
            if SAID.search(str(error).replace("\n", " ")) or SAID.search(said.getvalue()):
                outcomes["said"] += 1
            else:
                silent.append(f"{where}: {error!r}")
        except AssertionError as error:
            silent.append(f"{where}: {error}")
        shutil.rmtree(copy)
    console.errors.cache_clear()
    print(dict(outcomes))
    assert not silent
    assert sum(outcomes.values()) == PER_PART


def test_a_flipped_bit_in_what_is_remembered_of_the_sources_changes_no_key(tmp_path):
    memo = tmp_path / "code.json"
    expected = Code(memo=memo).version([run_job])
    whole, draw = memo.read_bytes(), random.Random(0)
    for _ in range(12):
        memo.write_bytes(whole)
        flip(memo, draw)
        assert Code(memo=memo).version([run_job]) == expected

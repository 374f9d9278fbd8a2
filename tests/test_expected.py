"""The numbers to expect: each experiment's file names its commit, its README repeats it, and a part is measured again.

The parts use the store of the experiments' own commands, ``outputs/store`` or the one that SCAR_STORE names: what is
there, such as embeddings, is not computed again. Every part takes less than a minute from stored embeddings; embedding
for `quickstart` and `pairs` takes two to four minutes more, once.
"""

import re
import subprocess

import numpy as np
import pandas as pd
import pytest
from expected_parts import PARTS

from experiments.common import mean_interval
from experiments.expected import (
    ROOT,
    commit_of,
    expected_path,
    main,
    mismatches,
    of_one_seed,
    read_expected,
    write_expected,
)
from scar.data.fetch import FetchError
from scar.data.paths import data_folder
from scar.studies.common import compose_config


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_every_experiment_with_numbers_is_measured_again():
    assert set(ROOT.glob("*/expected*.csv")) == {expected_path(name) for name in PARTS}


@pytest.mark.parametrize("name", PARTS)
def test_the_numbers_name_a_commit_of_this_history(name):
    commit = commit_of(name)
    if git("rev-parse", "--is-shallow-repository").stdout.strip() == "false":  # elsewhere the history is not here
        assert git("merge-base", "--is-ancestor", commit, "HEAD").returncode == 0, commit


@pytest.mark.parametrize("name", PARTS)
def test_the_readme_repeats_the_numbers(name):
    text = (expected_path(name).parent / "README.md").read_text(encoding="utf-8")
    claims = PARTS[name].claims(read_expected(name))
    assert len(claims) >= 6
    assert [claim for claim in claims if claim not in text] == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", PARTS)
def test_a_part_measured_again_is_as_expected(name, tmp_path, monkeypatch):
    part = PARTS[name]
    with monkeypatch.context() as offline:
        offline.setenv("SCAR_OFFLINE", "1")
        try:
            compose_config(part.data).dataset.files(data_folder())
        except FetchError:
            pytest.skip(f"not in the cache: scar-admin fetch {part.data[0].partition('=')[2]}")
    found = part.measure(tmp_path)
    assert mismatches(found, read_expected(name), keys=part.keys, tolerances=part.tolerances) == []


EXPECTED = pd.DataFrame({"arm": ["a", "b"], "value": [0.5, 0.7], "low": [0.4, np.nan], "high": [0.6, np.nan]})


def test_numbers_beyond_the_tolerance_are_told():
    def told(value, tolerance, arm="a"):
        found = pd.DataFrame({"arm": [arm], "value": [value]})
        return mismatches(found, EXPECTED, keys=["arm"], tolerances={"value": tolerance})

    assert told(0.52, 0.03) == []
    assert told(0.54, 0.03) == ["arm=a: value is 0.54, expected 0.5 within 0.03"]
    assert told(0.54, lambda row: row["high"] - row["value"]) == []
    assert len(told(np.nan, 0.03)) == 1
    assert told(0.5, 0.03, arm="c") == ["arm=c: not among the expected rows"]
    with pytest.raises(ValueError, match="0 rows"):
        mismatches(EXPECTED.iloc[:0], EXPECTED, keys=["arm"], tolerances={"value": 1.0})


@pytest.mark.parametrize("seed", range(20))
def test_no_seed_lies_further_from_the_mean_than_students_interval_says(seed):
    values = np.random.default_rng(seed).normal(size=6)
    values[0] += 20 * (seed % 2)  # one far off comes next to the bound
    _, low, high = mean_interval(values)
    farthest = np.abs(values - values.mean()).max()
    most = of_one_seed(6)({"low": low, "high": high})
    assert farthest <= most
    assert most < 1.05 * farthest or not seed % 2


def test_numbers_are_written_with_the_commit_and_read_again(tmp_path, monkeypatch):
    (tmp_path / "some").mkdir()
    monkeypatch.setattr("experiments.expected.ROOT", tmp_path)
    monkeypatch.setattr("experiments.expected._git", lambda *command: "" if command[0] == "status" else "a" * 40)
    table = pd.DataFrame({"class": ["C#", "F"], "value": [1 / 3, 2.0]})
    table.to_csv(tmp_path / "table.csv", index=False)
    main(["some", str(tmp_path / "table.csv")])
    assert commit_of("some") == "a" * 40
    assert re.match(r"# commit a{40}\nclass,value\nC#,0\.333333\n", expected_path("some").read_text())
    assert read_expected("some")["class"].tolist() == ["C#", "F"]
    main(["some/part", str(tmp_path / "table.csv")])
    assert expected_path("some/part") == tmp_path / "some" / "expected_part.csv"
    assert read_expected("some/part")["value"].tolist() == [0.333333, 2.0]
    expected_path("some").write_text("class,value\n")
    with pytest.raises(ValueError, match="the first line is 'class,value'"):
        read_expected("some")
    with pytest.raises(ValueError, match="there is no folder"):
        write_expected("none", table)


def test_numbers_of_code_without_a_commit_are_refused(tmp_path, monkeypatch):
    (tmp_path / "some").mkdir()
    monkeypatch.setattr("experiments.expected.ROOT", tmp_path)
    monkeypatch.setattr("experiments.expected._git", lambda *command: " M scar/run.py")
    with pytest.raises(ValueError, match=r"changed since the last commit: M scar/run\.py"):
        write_expected("some", EXPECTED)

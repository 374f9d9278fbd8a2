"""Whatever becomes a path is checked before anything is written."""

import os
import subprocess
import sys

import pytest
from hydra import compose, initialize_config_module

from scar.commands._arguments import refuse_empty_groups
from scar.commands.report import ReportConfig
from scar.common.named import LONGEST, check_name, check_part
from scar.config.build import build, study_folder
from scar.config.nodes import ConfigError
from scar.sweep.overrides import swept_values

BAD = ["../esc", "a/b", "..", ".", "", ".hidden", "x" * 300, "ü" * 60, None, "a\nb"]


@pytest.mark.parametrize("name", BAD, ids=repr)
def test_a_name_that_is_no_folder_is_refused_everywhere(name):
    with pytest.raises(ValueError, match=r"n(=| has)"):
        check_name("n", name)
    for key in ("study", "name") if name is not None else ("name",):  # without a name the study is the default
        with pytest.raises(ValueError, match=key):
            ReportConfig(**{key: name})
    with pytest.raises(ValueError, match="studies"):
        ReportConfig(studies=["good", name])


def test_a_good_name_is_taken():
    check_name("study", "My-study_2.1")
    check_part("dataset.name", "reviews of 2024 (clean)")
    check_name("study", "x" * LONGEST)


@pytest.mark.parametrize("group", ["dataset", "encoder", "regime", "completion"])
def test_a_name_in_rows_cannot_leave_the_folder_of_its_files(group):
    with initialize_config_module("scar.conf", version_base="1.3"):
        composed = compose("config", ["dataset=digits", "encoder=pixels", f"{group}.name=../../out"])
    with pytest.raises(ConfigError, match=rf"{group}\.name='\.\./\.\./out'"):
        build(composed)


@pytest.mark.parametrize("study", ["../esc", "store", "'x' * 9"])
def test_the_folder_of_a_study_does_not_resolve_before_its_name_is_good(study):
    with initialize_config_module("scar.conf", version_base="1.3"):
        composed = compose("config", ["dataset=digits", "encoder=pixels"])
    composed.study = study
    with pytest.raises(ConfigError, match="study="):
        study_folder(composed)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["study=a,../b", "seed=1"], ["a", "../b"]),
        (["study=a,b", "study='c/d',e"], ["c/d", "e"]),
        (["study=range(2)"], [0, 1]),
        (["study=a"], []),
        (["study=interval(0,1)"], []),
        (["study=glob(*)"], []),
        (["++study=a,../b"], ["a", "../b"]),
        (["study=a,b", "study=c"], []),
        (["seed=1,2"], ["p", "q"]),
    ],
)
def test_what_a_sweep_gives_a_key(arguments, expected):
    assert swept_values("study", {"study": "p,q"} if arguments == ["seed=1,2"] else {}, arguments) == expected


def scar(folder, *arguments, module="run"):
    command = [sys.executable, "-m", f"scar.commands.{module}", *arguments]
    settings = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "study=../esc", "seed=0,1"],
        ["-m", "study=good,../esc"],
        ["-m", "study=store", "seed=0,1"],
        ["-m", f"study={'x' * 300}", "seed=0,1"],
        ["study=../esc"],
        ["-m", "study=good,../esc", "hydra/launcher=basic"],
        ["encoder=null"],
    ],
    ids=" ".join,
)
def test_a_command_with_a_bad_name_writes_nothing(tmp_path, arguments):
    (tmp_path / "here").mkdir()
    result = scar(tmp_path / "here", "dataset=digits", "encoder=pixels", *arguments)
    assert result.returncode in (1, 2)
    assert result.stderr.startswith("error encoder=null" if "encoder=null" in arguments else "error study")
    assert "Traceback" not in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"here"}
    assert {path.name for path in (tmp_path / "here").iterdir()} <= {"outputs"}
    outputs = tmp_path / "here" / "outputs"
    assert not [path for path in outputs.rglob("*") if path.is_file() or path.name not in ("outputs", "good")]


@pytest.mark.slow
def test_a_report_with_a_bad_name_writes_nothing(tmp_path):
    result = scar(tmp_path, "table=1", "name=../../out", module="report")
    assert result.returncode == 1
    assert "name='../../out'" in result.stderr.replace("\n", "")
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    "argument", ["encoder=null", "dataset=digits,null", "+probe=null", "probe=choice(linear, null)"]
)
def test_an_empty_group_is_refused_in_a_sentence(argument, capsys):
    with pytest.raises(SystemExit) as end:
        refuse_empty_groups(["seed=1", "modality=null", argument])
    assert end.value.code == 2
    assert "leave it out for the default" in capsys.readouterr().err.replace("\n", " ")
    refuse_empty_groups(
        [
            "modality=null",
            "seeds=null",
            "hparams_search=null",
            "reduction=null",
            "paths.data_dir=null",
            "encoder=nullable",
        ]
    )

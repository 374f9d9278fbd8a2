import json
import subprocess
import sys

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from synthetic import write_study

from scar.commands.report import ReportConfig, build, write


def run(*overrides, cwd):
    command = [sys.executable, "-m", "scar.commands.report", *overrides]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)


def test_the_command_writes_a_report_and_leaves_nothing_else(tmp_path):
    write_study(tmp_path / "outputs" / "quick", seeds=1)
    done = run("study=quick", "resamples=100", "formats=[png]", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("report: outputs/quick/report.html")
    assert [p.name for p in tmp_path.iterdir()] == ["outputs"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["study=absent"], "no job under outputs/absent/jobs"),
        (["level=2"], "level=2.0 must lie between 0 and 1"),
        (["resamples=many"], "resamples"),
        (["studdy=x"], "studdy"),
        (["formats=[gif]"], "'gif' is not one of png, pdf, svg"),
    ],
)
def test_a_bad_option_names_itself(tmp_path, overrides, message):
    done = run(*overrides, cwd=tmp_path)
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_studies_are_joined_under_a_name(tmp_path):
    for name, dataset in (("a", "digits"), ("b", "cifar10")):
        write_study(tmp_path / name, seeds=1, groups=[(dataset, "pixels", "image", "natural")])
    composed = OmegaConf.create({"studies": ["a", "b"], "name": "ab", "resamples": 100, "formats": []})
    composed.paths = {"output_dir": str(tmp_path)}
    paths = write(build(composed))
    assert paths["report.html"] == tmp_path / "ab" / "report.html"


def test_the_yaml_and_the_dataclass_have_the_same_defaults():
    with initialize_config_module("scar.conf", version_base="1.3"):
        assert build(compose("report")) == ReportConfig()


def test_the_logger_of_a_report_is_chosen_as_that_of_a_job():
    with initialize_config_module("scar.conf", version_base="1.3"):
        assert build(compose("report", overrides=["logger=wandb", "logger.project=mine"])).logger.project == "mine"


def test_scripts_get_the_path_or_json_and_nothing_else(tmp_path):
    write_study(tmp_path / "outputs" / "quick", seeds=1, strategies=("scar",))
    options = ("study=quick", "resamples=100", "formats=[]")
    quiet = run(*options, "output=quiet", cwd=tmp_path)
    assert quiet.stdout == "outputs/quick/report.html\n", quiet.stderr
    events = [json.loads(line) for line in run(*options, "output=json", cwd=tmp_path).stdout.splitlines()]
    assert events == [{"event": "report", "path": "outputs/quick/report.html"}]
    assert "output='loud' is unknown" in run(*options, "output=loud", cwd=tmp_path).stderr

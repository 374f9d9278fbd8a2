"""Where weights are sought: a cache laid out as the hub's client lays it out, and a hub that does not answer."""

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scar.data.fingerprint import fingerprint
from scar.encoders._weights import MODEL, PROCESSOR, TOKENIZER, WEIGHTS, missing_kinds, pretrained_files
from scar.encoders.transformers_text import TransformersText

huggingface_hub = pytest.importorskip("huggingface_hub")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NEEDS = (MODEL, WEIGHTS, TOKENIZER)
FILES = {"config.json": "{}", "model.safetensors": "weights", "tokenizer.json": "{}", "README.md": "words"}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a hub that cannot be reached."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: SimpleNamespace(model_info=unreachable))
    return tmp_path / "cache"


def unreachable(*args: Any, **options: Any) -> None:
    assert options["timeout"] <= 10
    raise ConnectionError("Name or service not known")


def put(folder: Path, files: dict[str, str] = FILES) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


def snapshot(cache: Path, files: dict[str, str] = FILES) -> Path:
    repository = cache / "models--someone--something"
    put(repository / "refs", {"main": COMMIT})
    return put(repository / "snapshots" / COMMIT, files)


@pytest.mark.parametrize("revision", ["main", COMMIT])
def test_a_snapshot_in_the_cache_is_found_by_branch_and_by_commit(cache: Path, revision: str) -> None:
    folder = snapshot(cache)
    files = pretrained_files("someone/something", revision, None, NEEDS)
    assert files == [folder / "config.json", folder / "model.safetensors", folder / "tokenizer.json"]


def test_a_folder_has_the_fingerprint_of_the_snapshot_that_it_is_a_copy_of(cache: Path, tmp_path: Path) -> None:
    snapshot(cache)
    copy = put(tmp_path / "copy")
    encoder = TransformersText(name="x", model="someone/something")
    local = TransformersText(name="x", model="someone/something", folder=str(copy))
    assert fingerprint(encoder.weights()) == fingerprint(local.weights())
    put(copy, {"model.safetensors": "others"})
    assert fingerprint(encoder.weights()) != fingerprint(local.weights())


def test_without_a_network_the_message_says_what_was_sought_where_and_how_to_get_it(cache: Path) -> None:
    start = time.monotonic()
    with pytest.raises(FileNotFoundError) as raised:
        TransformersText(name="x", model="someone/something", revision=COMMIT).weights()
    assert time.monotonic() - start < 5
    for part in ("someone/something", COMMIT, str(cache), "Name or service not known", "model*.safetensors",
                 "tokenizer.json", "scar-admin fetch", "encoder.folder=PATH", "HF_HOME"):  # fmt: skip
        assert part in str(raised.value)


def test_a_snapshot_that_lacks_something_is_fetched_again(cache: Path) -> None:
    snapshot(cache, {"config.json": "{}", "model.safetensors": "weights"})
    with pytest.raises(FileNotFoundError, match="could not be fetched"):
        pretrained_files("someone/something", "main", None, NEEDS)
    assert pretrained_files("someone/something", "main", None, (MODEL, WEIGHTS))


def test_of_a_folder_what_is_missing_is_named(tmp_path: Path) -> None:
    folder = put(tmp_path / "model", {"config.json": "{}"})
    with pytest.raises(
        FileNotFoundError, match=r"does not hold model\*\.safetensors or pytorch_model\*\.bin, tokenizer"
    ):
        pretrained_files("someone/something", "main", str(folder), NEEDS)
    with pytest.raises(
        FileNotFoundError, match=r"encoder\.folder=.*nowhere is not a folder; it should hold config\.json"
    ):
        pretrained_files("someone/something", "main", str(tmp_path / "nowhere"), NEEDS)
    with pytest.raises(FileNotFoundError, match="point it at a copy of someone/something"):
        pretrained_files("someone/something", "main", str(folder), (MODEL, PROCESSOR))


def test_a_shard_that_the_index_names_must_be_there(tmp_path: Path) -> None:
    index = {"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}
    shards = {"model.safetensors.index.json": json.dumps(index), "model-1-of-2.safetensors": ""}
    folder = put(tmp_path, {"config.json": "{}", **shards})
    assert missing_kinds(folder, (MODEL, WEIGHTS)) == "model-2-of-2.safetensors"
    put(folder, {"model-2-of-2.safetensors": ""})
    assert len(pretrained_files("x", "main", str(folder), (MODEL, WEIGHTS))) == 4


def test_pickled_weights_are_taken_only_where_there_are_no_others(tmp_path: Path) -> None:
    folder = put(tmp_path, {"config.json": "{}", "pytorch_model.bin": ""})
    assert folder / "pytorch_model.bin" in pretrained_files("x", "main", str(folder), (MODEL, WEIGHTS))
    put(folder, {"model.safetensors": ""})
    assert folder / "pytorch_model.bin" not in pretrained_files("x", "main", str(folder), (MODEL, WEIGHTS))


def test_what_cannot_be_an_id_at_the_hub_is_refused(cache: Path) -> None:
    with pytest.raises(ValueError, match=r"encoder\.model='a/b/c' is not the id of a model at the hub"):
        pretrained_files("a/b/c", "main", None, NEEDS)


def test_only_what_is_needed_is_fetched(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [*FILES, "pytorch_model.bin", "tf_model.h5", "onnx/model.onnx", "vocab.txt"]
    info = SimpleNamespace(siblings=[SimpleNamespace(rfilename=name) for name in names])
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: SimpleNamespace(model_info=lambda *a, **k: info))
    real, asked = huggingface_hub.snapshot_download, []

    def download(model: str, **options: Any) -> str:
        if options.get("local_files_only"):
            return real(model, **options)
        asked.extend(options["allow_patterns"])
        return str(snapshot(cache))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert len(pretrained_files("someone/something", "main", None, NEEDS)) == 3
    assert {"config.json", "model.safetensors", "tokenizer.json", "vocab.txt"} <= set(asked)
    assert not {"pytorch_model.bin", "tf_model.h5", "onnx/model.onnx", "README.md"} & set(asked)

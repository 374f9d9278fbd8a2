"""Repositories are written here as the hub has them: Parquet with the features in its metadata, and a README that names it."""

import io
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scar.data.fetch import FetchError
from scar.data.image_decoding import UnreadableMedia
from scar.data.sources._hub_files import Snapshot
from scar.data.sources.hub import HubSource
from scar.data.unreadable import drop_unreadable

pytest.importorskip("datasets")

REVISION = "eb185aade064a813bc0b7f42de02595523103ca4"
TOPICS = ["World", "Sports", "Business", "Sci/Tech"]
AG_NEWS: dict[str, Any] = {"name": "ag_news", "repo": "fancyzhx/ag_news", "revision": REVISION}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    import datasets

    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def part(split: str, size: int) -> Any:
    import datasets

    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=TOPICS)})
    rows = {"text": [f"{split} {i}" for i in range(size)], "label": [i % 4 for i in range(size)]}
    return datasets.Dataset.from_dict(rows, features=features)


def write_ag_news(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    for split, size in (("train", 40), ("test", 12)):
        part(split, size).to_parquet(str(folder / "data" / f"{split}-00000-of-00001.parquet"))
    (folder / "README.md").write_text(
        "---\nlicense:\n- unknown\ndataset_info:\n  features:\n  - name: text\n    dtype: string\n"
        "  - name: label\n    dtype:\n      class_label:\n        names:\n"
        + "".join(f"          '{i}': {name}\n" for i, name in enumerate(TOPICS))
        + "  splits:\n  - name: train\n    num_examples: 40\n  - name: test\n    num_examples: 12\n"
        "configs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n"
        "  - split: test\n    path: data/test-*\n---\n# AG's News\n"
    )


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and a hub at an address where nobody listens."""
    import huggingface_hub.constants as constants

    folder = tmp_path / "hub-cache"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return folder


def check_ag_news(samples: Any) -> None:
    assert samples.class_names == tuple(TOPICS)
    assert samples.payloads["text"][41] == "test 1"
    assert samples.ids[[0, 39, 40, 51]].tolist() == ["train-0", "train-39", "test-0", "test-11"]
    assert samples.labels[:5].tolist() == [0, 1, 2, 3, 0]
    assert (samples.splits == "test").sum() == 12


def test_a_folder_a_saved_dataset_and_a_snapshot_are_read_alike(tmp_path: Path, cache: Path) -> None:
    import datasets

    write_ag_news(tmp_path / "copy")
    check_ag_news(HubSource(**AG_NEWS, root=str(tmp_path / "copy")).load(tmp_path / "data"))
    saved = tmp_path / "saved"
    datasets.DatasetDict({"train": part("train", 40), "test": part("test", 12)}).save_to_disk(str(saved))
    check_ag_news(HubSource(**AG_NEWS, root=str(saved)).load(tmp_path / "data"))
    # As the hub's client lays it out: names are links into a folder of blobs.
    repo = cache / "datasets--fancyzhx--ag_news"
    write_ag_news(repo / "made")
    for path in [p for p in (repo / "made").rglob("*") if p.is_file()]:
        link = repo / "snapshots" / REVISION / path.relative_to(repo / "made")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    source = HubSource(**AG_NEWS)
    check_ag_news(source.load(tmp_path / "data"))
    names = [path.relative_to(repo / "snapshots" / REVISION).as_posix() for path in source.files(tmp_path / "data")]
    assert names == ["README.md", "data/test-00000-of-00001.parquet", "data/train-00000-of-00001.parquet"]


def test_a_value_that_is_not_utf_8_is_named_by_its_row(tmp_path: Path) -> None:
    import datasets

    rows = {"text": [f"text {i}" for i in range(40)], "label": ["one" if i % 2 else "two" for i in range(40)]}
    parts = {"train": datasets.Dataset.from_dict(rows), "test": datasets.Dataset.from_dict(rows)}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "texts"))
    shutil.copytree(tmp_path / "texts", tmp_path / "labels")
    for copy, old, new in (("texts", b"text 39", b"te\x80t 39"), ("labels", b"onetwo", b"o\x80etwo")):
        path = next((tmp_path / copy / "train").glob("*.arrow"))
        path.write_bytes(path.read_bytes().replace(old, new))
    samples = HubSource(name="t", repo="some/texts", revision=REVISION, root=str(tmp_path / "texts")).load(tmp_path)
    with pytest.raises(UnreadableMedia, match=r"split 'train', row 39, column 'text': .*utf-8"):
        samples.payloads["text"][39]
    with pytest.raises(ValueError, match=r"split 'train', row 1, column 'label': the value cannot be read: .*utf-8"):
        HubSource(name="t", repo="some/texts", revision=REVISION, root=str(tmp_path / "labels")).load(tmp_path)


def test_dbpedia_takes_the_content_and_not_the_title(tmp_path: Path) -> None:
    import datasets

    names = ["Company", "EducationalInstitution"]
    features = datasets.Features(
        {
            "label": datasets.ClassLabel(names=names),
            "title": datasets.Value("string"),
            "content": datasets.Value("string"),
        }
    )
    folder = tmp_path / "dbpedia" / "dbpedia_14"
    folder.mkdir(parents=True)
    for split, size in (("train", 10), ("test", 4)):
        rows = {
            "label": [i % 2 for i in range(size)],
            "title": ["no"] * size,
            "content": [f" {split} {i}" for i in range(size)],
        }
        datasets.Dataset.from_dict(rows, features=features).to_parquet(str(folder / f"{split}-00000-of-00001.parquet"))
    (tmp_path / "dbpedia" / "README.md").write_text(
        "---\nconfigs:\n- config_name: dbpedia_14\n  data_files:\n  - split: train\n    path: dbpedia_14/train-*\n"
        "  - split: test\n    path: dbpedia_14/test-*\n  default: true\n---\n"
    )
    fields = {"repo": "fancyzhx/dbpedia_14", "revision": "9abd46cf7fc8b4c64290f26993c540b92aa145ac"}
    samples = HubSource(name="dbpedia", text="content", **fields).load(tmp_path)  # type: ignore[arg-type]
    assert samples.payloads["text"][11] == " test 1"
    assert samples.class_names == tuple(names)


def pictures(size: int = 12) -> Any:
    import datasets

    images = []
    for i in range(size):
        buffer = io.BytesIO()
        Image.new("RGB", (6, 5), (20 * i, 0, 0)).save(buffer, "PNG")
        images.append({"bytes": buffer.getvalue(), "path": None})
    images[3]["bytes"] = images[3]["bytes"][:50]
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "captions": datasets.List(datasets.Value("string")),
            "label": datasets.Value("string"),
        }
    )
    rows = {"image": images, "captions": [[f"a {i}", f"b {i}"] for i in range(size)], "label": ["x", "y"] * (size // 2)}
    return datasets.Dataset.from_dict(rows, features=features)


def test_images_and_captions_are_lazy_pairs_and_a_broken_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "pairs").mkdir()
    pictures().to_parquet(str(tmp_path / "pairs" / "train-00000-of-00001.parquet"))
    source = HubSource(name="pairs", image="image", text=None, captions=("captions",), test_split=None)
    assert source.modalities == ("image", "text")
    samples = source.load(tmp_path)
    assert samples.class_names == ("x", "y")
    assert samples.payloads["text"][5] == ("a 5", "b 5")
    assert samples.payloads["image"][5].getpixel((0, 0)) == (100, 0, 0)
    assert (samples.splits == "test").sum() == 2
    with pytest.raises(UnreadableMedia, match=r"split 'train', row 3, column 'image'"):
        samples.payloads["image"][3]
    kept, dropped = drop_unreadable(samples, name="pairs", max_share=0.1)
    assert [each.id for each in dropped] == ["train-3"]
    assert len(kept) == 11


def test_a_path_of_an_image_outside_the_folder_is_refused(tmp_path: Path) -> None:
    import datasets

    Image.new("L", (4, 4)).save(tmp_path / "secret.png")
    (tmp_path / "mine").mkdir()
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    images = [{"bytes": None, "path": str(tmp_path / "secret.png")}] * 10
    rows = datasets.Dataset.from_dict({"image": images, "label": [0, 1] * 5}, features=features)
    rows.to_parquet(str(tmp_path / "mine" / "train.parquet"), storage_options=None)
    table = rows.data.table
    import pyarrow.parquet as pq

    pq.write_table(table, tmp_path / "mine" / "train.parquet")
    samples = HubSource(name="mine", image="image", text=None, test_split=None).load(tmp_path)
    with pytest.raises(UnreadableMedia, match=r"leaves the folder of the dataset"):
        samples.payloads["image"][0]


def test_a_text_that_is_missing_is_named_where_it_is_read(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "mine").mkdir()
    texts = ["a", None, *map(str, range(8))]
    pq.write_table(pa.table({"text": texts, "label": [0, 1] * 5}), tmp_path / "mine" / "train.parquet")
    samples = HubSource(name="mine", test_split=None).load(tmp_path)
    assert samples.class_names == ("0", "1")
    with pytest.raises(UnreadableMedia, match=r"split 'train', row 1, column 'text': expected a text, found None"):
        samples.payloads["text"][1]


def test_without_the_hub_the_message_says_which_id_where_it_was_sought_and_how_to_fetch_it(
    tmp_path: Path, cache: Path
) -> None:
    started = time.perf_counter()
    with pytest.raises(FetchError) as caught:
        HubSource(**AG_NEWS).files(tmp_path / "data")
    assert time.perf_counter() - started < 8
    message = str(caught.value)
    assert f"fancyzhx/ag_news at revision {REVISION}" in message
    assert str(tmp_path / "data" / "ag_news") in message
    assert str(cache) in message
    assert f"hf download fancyzhx/ag_news --repo-type dataset --revision {REVISION}" in message
    assert "dataset.root" in message


def test_a_hub_that_does_not_answer_does_not_hold_the_run(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants as constants

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr("scar.data.sources._hub_files._SECONDS", 1)
        started = time.perf_counter()
        with pytest.raises(FetchError, match=r"(?s)timed out.*hf download"):
            HubSource(**AG_NEWS).files(tmp_path)
        assert time.perf_counter() - started < 8


def test_nothing_is_asked_where_downloads_are_forbidden(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCAR_OFFLINE", "1")
    monkeypatch.setattr(Snapshot, "fetch", lambda *_: pytest.fail("the hub was asked"))
    with pytest.raises(FetchError, match=r"SCAR_OFFLINE is set"):
        HubSource(**AG_NEWS).files(tmp_path)


def test_a_gated_repository_is_explained(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError

    def refuse(*_: Any, **__: Any) -> None:
        raise GatedRepoError("403", response=httpx.Response(403, request=httpx.Request("GET", "http://x")))  # type: ignore[arg-type]

    monkeypatch.setattr(HfApi, "dataset_info", refuse)
    with pytest.raises(FetchError, match=r"ILSVRC/imagenet-1k is gated; accept its terms at .*HF_TOKEN"):
        HubSource(repo="ILSVRC/imagenet-1k", revision=REVISION).files(tmp_path)


def test_an_interrupted_download_and_a_script_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    (folder / "train-00000-of-00003.parquet").write_bytes(b"")
    (folder / "train-00002-of-00003.parquet").write_bytes(b"")
    with pytest.raises(FetchError, match=r"of the 3 shards train-…, 1 are missing, the first is 00001"):
        HubSource(root=str(folder)).files(tmp_path)
    (tmp_path / "script").mkdir()
    (tmp_path / "script" / "script.py").write_text("raise SystemExit('run')")
    with pytest.raises(ValueError, match=r"holds a loading script and no data; scripts are not run"):
        HubSource(root=str(tmp_path / "script")).files(tmp_path)
    with pytest.raises(ValueError, match=r"scripts are not run"):
        HubSource(root=str(tmp_path / "script")).load(tmp_path)
    (tmp_path / "none").mkdir()
    with pytest.raises(FetchError, match=r"holds no data files"):
        HubSource(root=str(tmp_path / "none")).files(tmp_path)


def test_a_damaged_file_an_unknown_split_and_an_unknown_column_are_named(tmp_path: Path) -> None:
    write_ag_news(tmp_path / "copy")
    source = HubSource(root=str(tmp_path / "copy"), test_split="validation")
    with pytest.raises(ValueError, match=r"has no split 'validation' but 'train', 'test'; set dataset\.train_split"):
        source.load(tmp_path / "data")
    with pytest.raises(ValueError, match=r"has no column 'body'; it has 'text', 'label'"):
        HubSource(root=str(tmp_path / "copy"), text="body").load(tmp_path / "data")
    path = tmp_path / "copy" / "data" / "test-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"copy cannot be read"):
        HubSource(root=str(tmp_path / "copy")).load(tmp_path / "other")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"repo": "a/b"}, r"dataset\.revision=None must be a commit of a/b, 40 hexadecimal digits; see https://"),
        ({"repo": "a/b", "revision": "main"}, r"dataset\.revision='main' must be a commit"),
        ({"test_split": "train"}, r"dataset\.test_split=train is the training part"),
        ({"audio": "sound"}, r"use dataset=table"),
    ],
)
def test_bad_settings_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HubSource(**fields)


def test_neither_an_id_nor_a_folder_is_an_error_that_names_both(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"dataset\.repo and dataset\.root are both null"):
        HubSource().files(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"dataset\.root=.*nowhere is not a folder"):
        HubSource(root=str(tmp_path / "nowhere")).files(tmp_path)


def test_a_sub_sample_reads_only_its_own_rows(tmp_path: Path) -> None:
    write_ag_news(tmp_path / "copy")
    samples = HubSource(root=str(tmp_path / "copy"), train_size=8, test_size=4).load(tmp_path / "data")
    assert len(samples) == 12
    assert np.bincount(samples.labels[samples.splits == "train"]).tolist() == [2] * 4  # type: ignore[index]
    assert [samples.payloads["text"][i] for i in range(12)] == [name.replace("-", " ") for name in samples.ids]

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scar.data.fetch import FetchError
from scar.data.image_decoding import UnreadableMedia
from scar.data.media import AudioFile, VideoFile
from scar.data.sources.table import TableSource
from scar.data.unreadable import drop_unreadable

Row = dict[str, Any]


def write_csv(path: Path, rows: list[Row], *, delimiter: str = ",") -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def write_jsonl(path: Path, rows: list[Row]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_parquet(path: Path, rows: list[Row]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(rows), path)


WRITERS: dict[str, Callable[[Path, list[Row]], None]] = {
    "data.csv": write_csv,
    "data.tsv": lambda path, rows: write_csv(path, rows, delimiter="\t"),
    "data.jsonl": write_jsonl,
    "data.parquet": write_parquet,
}


def reviews(size: int = 40) -> list[Row]:
    """Texts with commas, quotes and line breaks; five groups; labels that are not in the order of the letters."""
    return [
        {
            "review": f'he said "{i}",\nand left',
            "stars": ("good", "bad")[i % 2],
            "writer": f"w{i % 5}",
            "key": f"r{i:02d}",
            "part": ("train", "train", "test", "val")[i % 4],
        }
        for i in range(size)
    ]


COLUMNS: Row = {"text": "review", "label": "stars", "id": "key"}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_samples(tmp_path: Path, name: str) -> None:
    rows = reviews()
    WRITERS[name](tmp_path / name, rows)
    given = {"quoting": True, "split": "part", "test_values": ("test", "val"), "groups": ("writer",)}
    samples = TableSource(root=str(tmp_path), **COLUMNS, **given).load(tmp_path)
    assert list(samples.payloads["text"]) == [row["review"] for row in rows]
    assert samples.class_names == ("bad", "good")
    assert samples.labels is not None
    assert samples.labels[:4].tolist() == [1, 0, 1, 0]
    assert samples.ids[7] == "r07"
    assert samples.splits[:4].tolist() == ["train", "train", "test", "test"]
    assert samples.groups["writer"][6] == "w1"


def test_the_table_itself_may_be_named_and_be_gzipped(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", reviews())
    write_csv(tmp_path / "b.csv", reviews(30))
    assert len(TableSource(root=str(tmp_path / "b.csv"), **COLUMNS).load(tmp_path)) == 30
    with pytest.raises(FileNotFoundError, match=r"holds a\.csv, b\.csv; name the one that is meant by dataset\.file"):
        TableSource(root=str(tmp_path), **COLUMNS).files(tmp_path)
    packed = tmp_path / "c.csv.gz"
    packed.write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    assert len(TableSource(root=str(tmp_path), file="c.csv.gz", **COLUMNS).load(tmp_path)) == 40
    packed.write_bytes(packed.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"c\.csv\.gz is not a whole gzip file"):
        TableSource(root=str(tmp_path), file="c.csv.gz", **COLUMNS).load(tmp_path)


def test_a_test_table_is_the_test_part_and_its_rows_are_named_as_such(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", reviews())
    write_csv(tmp_path / "test.csv", reviews(10))
    fields = {"text": "review", "label": "stars", "file": "train.csv", "test_file": "test.csv"}
    samples = TableSource(root=str(tmp_path), **fields).load(tmp_path)  # type: ignore[arg-type]
    assert samples.ids[[0, 39, 40, 49]].tolist() == ["train-0", "train-39", "test-0", "test-9"]
    assert (samples.splits == "test").tolist() == [False] * 40 + [True] * 10
    broken = reviews(10)
    broken[3]["stars"] = ""
    write_csv(tmp_path / "test.csv", broken)
    with pytest.raises(ValueError, match=r"test\.csv, line 9, column 'stars': the label is empty"):
        TableSource(root=str(tmp_path), **fields).load(tmp_path)  # type: ignore[arg-type]


def test_a_drawn_test_part_keeps_groups_whole(tmp_path: Path) -> None:
    write_csv(tmp_path / "data.csv", [{**row, "writer": f"w{i // 4}"} for i, row in enumerate(reviews(200))])
    source = TableSource(root=str(tmp_path), groups=("writer",), **COLUMNS)
    samples = source.load(tmp_path)
    sides = {group: set(samples.splits[samples.groups["writer"] == group]) for group in set(samples.groups["writer"])}
    assert all(len(side) == 1 for side in sides.values())
    assert (samples.splits == "test").sum() == 40
    alone = TableSource(root=str(tmp_path), **COLUMNS).load(tmp_path)
    assert (alone.splits == "test").sum() == 40
    assert (alone.splits != samples.splits).any()


@pytest.mark.parametrize(
    ("labels", "names", "expected", "classes"),
    [
        (["10", "2", "10"], (), [1, 0, 1], ("2", "10")),
        (["10", "2", "x"], (), [0, 1, 2], ("10", "2", "x")),
        (["1", "0", "1"], ("no", "yes"), [1, 0, 1], ("no", "yes")),
        (["yes", "no", "yes"], ("no", "yes"), [1, 0, 1], ("no", "yes")),
        (["1", "0", "1"], ("1", "0"), [0, 1, 0], ("1", "0")),
        (["007", "7", "8"], (), [0, 1, 2], ("007", "7", "8")),
    ],
)
def test_numbers_are_ordered_as_numbers_and_names_can_be_given(
    tmp_path: Path, labels: list[str], names: tuple[str, ...], expected: list[int], classes: tuple[str, ...]
) -> None:
    write_csv(tmp_path / "data.csv", [{"text": f"t{i}", "label": label} for i, label in enumerate(labels * 5)])
    samples = TableSource(root=str(tmp_path), class_names=names).load(tmp_path)
    assert samples.labels is not None
    assert samples.labels[:3].tolist() == expected
    assert samples.class_names == classes


MALFORMED = [
    ("data.csv", "text,label\na,0\nb,1,2\n", r"data\.csv, line 3: 3 fields, but the header names 2 columns"),
    ("data.csv", 'text,label\na,0\n"b,1\nc,0\n', r"data\.csv, line 4: .*quote open"),
    ("data.csv", 'text,label\na,0\n"b"x,1\n', r"data\.csv, line 3: .*quote"),
    ("data.csv", "text,label\na,0\n ,1\n", r"data\.csv, line 3, column 'text': it is empty"),
    ("data.csv", "text,label\na,0\nb,\n", r"data\.csv, line 3, column 'label': the label is empty"),
    ("data.csv", "text,class\na,0\n", r"data\.csv, line 1: the column 'label' is missing; there are 'text', 'class'"),
    ("data.csv", "text,label,text\na,0,b\n", r"data\.csv, line 1: the column 'text' stands there more than once"),
    ("data.csv", "text,label\n", r"data\.csv holds no rows"),
    (
        "data.csv",
        "",
        r"data\.csv, line 1: there is no column at all, where 'text' is to be; point dataset\.root at a table with",
    ),
    ("data.csv", b"text,label\na,0\nb\xe9,1\n", r"data\.csv, line 3: byte 2 is not UTF-8"),
    ("data.jsonl", '{"text": "a", "label": 0}\n{"text": "b"\n', r"data\.jsonl, line 2 is not JSON"),
    (
        "data.jsonl",
        '{"text": "a", "label": 0}\n\n{"text": "b"}\n',
        r"data\.jsonl, line 3: the column 'label' is missing",
    ),
    ("data.jsonl", '{"text": "a", "label": 0}\n["b", 1]\n', r"data\.jsonl, line 2 is a list"),
    ("data.jsonl", '{"text": 1.5, "label": 0}\n', r"data\.jsonl, line 1, column 'text': expected a text, found 1\.5"),
    ("data.jsonl", '{"text": "a", "label": null}\n', r"data\.jsonl, line 1, column 'label': the label is missing"),
    ("data.jsonl", '{"text": "a", "label": [1, 2]}\n', r"line 1, column 'label': the label is \[1, 2\], a list"),
    ("data.jsonl", '{"text": "a", "label": 0.5}\n', r"line 1, column 'label': the label is 0\.5, a float"),
    ("data.parquet", b"PAR1 and then nothing of use", r"data\.parquet is not a whole Parquet file"),
]


@pytest.mark.parametrize(("name", "content", "message"), MALFORMED)
def test_a_malformed_row_is_named_with_its_file_line_and_column(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message):
        TableSource(root=str(tmp_path)).load(tmp_path)


def test_a_spoilt_name_in_a_parquet_file_is_a_damaged_file(tmp_path: Path) -> None:
    pd.DataFrame({"text": ["one", "two"], "label": ["a", "b"]}).to_parquet(tmp_path / "t.parquet")
    content = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(content.replace(b"label", b"\x80abel"))
    with pytest.raises(ValueError, match=r"t\.parquet is not a whole Parquet file: .*utf-8"):
        TableSource(name="t", root=str(tmp_path / "t.parquet"), text="text", label="label").load(tmp_path)


@pytest.mark.parametrize("column", ["text", "label"])
def test_a_value_of_parquet_that_is_not_utf_8_is_named_by_its_row(tmp_path: Path, column: str) -> None:
    pd.DataFrame({"text": ["one", "two"], "label": ["six", "ten"]}).to_parquet(tmp_path / "t.parquet", compression=None)
    content = (tmp_path / "t.parquet").read_bytes()
    word = {"text": b"two", "label": b"ten"}[column]
    (tmp_path / "t.parquet").write_bytes(content.replace(word, word[:1] + b"\x80" + word[2:]))
    with pytest.raises(ValueError, match=rf"t\.parquet, row 2, column '{column}': the value cannot be read: .*utf-8"):
        TableSource(name="t", root=str(tmp_path / "t.parquet"), text="text", label="label").load(tmp_path)


def test_a_row_of_parquet_is_named_by_its_number(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data.parquet", [{"text": "a", "label": 0}, {"text": None, "label": 1}])
    with pytest.raises(ValueError, match=r"data\.parquet, row 2, column 'text': expected a text, found nothing"):
        TableSource(root=str(tmp_path)).load(tmp_path)


@pytest.mark.parametrize(
    ("change", "fields", "message"),
    [
        ({"key": "r03"}, {"id": "key"}, r"line 21: the id 'r03' is that of .*line 9 already"),
        (
            {"part": "dev"},
            {"split": "part", "test_values": ("test", "val")},
            r"line 21, column 'part': the split 'dev'",
        ),
        ({"stars": "so-so"}, {"class_names": ("bad", "good")}, r"line 21, column 'stars': the label 'so-so' is none"),
    ],
)
def test_a_row_that_contradicts_the_others_is_named(tmp_path: Path, change: Row, fields: Row, message: str) -> None:
    rows = reviews()
    rows[9] |= change
    write_csv(tmp_path / "data.csv", rows)
    with pytest.raises(ValueError, match=message):
        TableSource(root=str(tmp_path), text="review", label="stars", **fields).load(tmp_path)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A table of images with captions, and the images."""
    (tmp_path / "img").mkdir()
    rows = []
    for i in range(20):
        Image.new("RGB", (6, 5), (10 * i, 0, 0)).save(tmp_path / "img" / f"{i}.png")
        rows.append({"path": f"img/{i}.png", "one": f"a {i}", "two": f"b {i}", "label": i % 2})
    write_csv(tmp_path / "data.csv", rows)
    return tmp_path


def test_images_with_captions_are_pairs_that_need_no_label(pictures: Path) -> None:
    source = TableSource(root=str(pictures), image="path", text=None, captions=("one", "two"), label=None)
    assert source.modalities == ("image", "text")
    samples = source.load(pictures / "cache")
    assert samples.labels is None
    assert samples.class_names == ()
    assert samples.payloads["text"][3] == ("a 3", "b 3")
    assert samples.payloads["image"][3].getpixel((0, 0)) == (30, 0, 0)
    assert (samples.splits == "test").sum() == 4
    assert len(source.files(pictures / "cache")) == 2


def test_a_column_of_lists_holds_the_captions(tmp_path: Path) -> None:
    rows = [{"captions": [f"a {i}", f"b {i}"], "label": i % 2} for i in range(10)]
    write_jsonl(tmp_path / "data.jsonl", rows)
    source = TableSource(root=str(tmp_path), text=None, captions=("captions",))
    assert source.load(tmp_path).payloads["text"][4] == ("a 4", "b 4")
    write_jsonl(tmp_path / "data.jsonl", [*rows, {"captions": ["a", " "], "label": 0}])
    with pytest.raises(ValueError, match=r"line 11, column 'captions': expected a list of captions, none empty"):
        source.load(tmp_path)


def test_the_content_of_the_images_is_part_of_the_fingerprint(pictures: Path) -> None:
    source = TableSource(root=str(pictures), image="path", text=None)
    before = source.files(pictures / "cache")[1].read_text()
    Image.new("RGB", (6, 5), (1, 2, 3)).save(pictures / "img" / "3.png")
    assert source.files(pictures / "cache")[1].read_text() != before


@pytest.mark.parametrize("path", ["../secret.png", "/etc/passwd", "img/link.png"])
def test_a_path_outside_the_folder_is_refused_with_its_line(pictures: Path, path: str) -> None:
    outside = pictures.parent / "secret.png"
    Image.new("L", (4, 4)).save(outside)
    (pictures / "img" / "link.png").symlink_to(outside)
    rows = [{"path": "img/0.png", "label": 0}, {"path": path, "label": 1}]
    write_csv(pictures / "data.csv", rows)
    with pytest.raises(ValueError, match=r"data\.csv, line 3, column 'path': path .* leaves the folder"):
        TableSource(root=str(pictures), image="path", text=None).files(pictures / "cache")


def test_missing_and_broken_images_end_the_run_or_are_skipped(pictures: Path) -> None:
    (pictures / "img" / "4.png").unlink()
    broken = pictures / "img" / "6.png"
    broken.write_bytes(broken.read_bytes()[:40])
    fields: Row = {"root": str(pictures), "image": "path", "text": None}
    with pytest.raises(FileNotFoundError, match=r"data\.csv, line 6, column 'path': .*4\.png is not a file"):
        TableSource(**fields).load(pictures / "cache")
    source = TableSource(**fields, on_error="skip", max_unreadable=0.2)
    assert "missing  img/4.png" in source.files(pictures / "cache")[1].read_text()
    kept, dropped = drop_unreadable(source.load(pictures / "cache"), name="table", max_share=0.2)
    assert [each.id for each in dropped] == ["4", "6"]
    assert len(kept) == 18


def test_sounds_and_videos_are_handles(tmp_path: Path) -> None:
    import soundfile

    for i in range(10):
        soundfile.write(tmp_path / f"{i}.wav", np.full(80, i / 20), 8000)
        (tmp_path / f"{i}.mp4").write_bytes(b"")
    write_csv(tmp_path / "d.csv", [{"s": f"{i}.wav", "v": f"{i}.mp4", "text": f"t {i}"} for i in range(10)])
    source = TableSource(root=str(tmp_path), audio="s", video="v", label=None)
    assert source.modalities == ("audio", "video", "text")
    samples = source.load(tmp_path / "cache")
    sound, video = samples.payloads["audio"][4], samples.payloads["video"][4]
    assert isinstance(sound, AudioFile)
    np.testing.assert_allclose(sound.read(8000), 0.2, atol=1e-3)
    assert isinstance(video, VideoFile)
    with pytest.raises(UnreadableMedia, match=r"4\.mp4"):
        video.frames(2)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text": None}, "name no column"),
        ({"captions": ("a",)}, r"are both texts; set dataset\.text=null"),
        ({"label": None}, r"dataset\.label is null, which only pairs"),
        ({"test_fraction": 0}, r"dataset\.test_fraction=0 must lie"),
        ({"split": "s", "file": "a.csv", "test_file": "b.csv"}, "both name a test part"),
        ({"test_file": "b.csv"}, r"dataset\.test_file=b\.csv needs dataset\.file"),
        ({"test_values": ("train",)}, "both hold 'train'"),
    ],
)
def test_contradictory_settings_are_refused(fields: Row, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TableSource(**fields)


def test_a_missing_table_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"dataset=mine: .*mine is not there; point dataset\.root at the table"):
        TableSource(name="mine").files(tmp_path)
    with pytest.raises(FetchError, match=r"a\.csv is not there; check dataset\.root and dataset\.file"):
        TableSource(root=str(tmp_path), file="a.csv").files(tmp_path)
    with pytest.raises(ValueError, match="leaves the folder"):
        TableSource(root=str(tmp_path), file="../a.csv").files(tmp_path)
    (tmp_path / "a.xlsx").write_bytes(b"")
    with pytest.raises(ValueError, match=r"the suffix tells no format; tables are \.csv, \.tsv"):
        TableSource(root=str(tmp_path), file="a.xlsx").load(tmp_path)


def test_the_limit_of_the_csv_module_is_lifted_and_put_back(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    write_csv(tmp_path / "data.csv", [{"text": "x" * 200_000 + str(i), "label": i % 2} for i in range(10)])
    assert len(TableSource(root=str(tmp_path)).load(tmp_path).payloads["text"][0]) == 200_001
    assert csv.field_size_limit() == before

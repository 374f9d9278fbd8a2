"""Tables in the encodings, delimiters and habits of the world: read rightly, or refused with the way out."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scar.data.samples import Samples
from scar.data.sources.pairs_manifest import PairsManifest
from scar.data.sources.table import TableSource

ROWS = [(f"café number {i}", ("hot", "cold")[i % 2]) for i in range(20)]


def lines(delimiter: str = ",", *, header: str | None = "text{}label", end: str = "\n") -> str:
    body = [f"{text}{delimiter}{label}" for text, label in ROWS]
    return end.join([*([header.format(delimiter)] if header else []), *body, ""])


def load(path: Path, **fields: Any) -> Samples:
    return TableSource(root=str(path), **fields).load(path.parent)


def check(samples: Samples) -> None:
    assert list(samples.payloads["text"]) == [text for text, _ in ROWS]
    assert samples.class_names == ("cold", "hot")


@pytest.mark.parametrize(
    ("name", "content", "note"),
    [
        ("a.csv", lines().encode("utf-8-sig"), ""),
        ("A.CSV", lines().encode(), ""),
        ("a.csv", lines().encode("utf-16"), "a.csv: the encoding utf-16 was found out by its byte order mark"),
        ("a.csv.gz", gzip.compress(lines().encode("utf-32")), "the encoding utf-32 was found out"),
        ("a.csv", lines(";").encode(), "a.csv: the delimiter ';' was found out; dataset.delimiter sets it"),
        ("a.csv", lines("\t").encode(), r"the delimiter '\t' was found out"),
        ("a.tsv", lines(",").encode(), "the delimiter ',' was found out"),
        ("a.csv", lines(end="\r").encode(), ""),
        ("a.csv", lines(end="\r\n").encode(), ""),
        ("a.csv", lines(header=" text {} label").encode(), ""),
        ("a.json", json.dumps([{"text": text, "label": label} for text, label in ROWS]).encode(), ""),
    ],
)
def test_what_can_be_told_is_told_and_said(tmp_path: Path, name: str, content: bytes, note: str) -> None:
    (tmp_path / name).write_bytes(content)
    folder = tmp_path if name != "a.json" else tmp_path / name
    samples = load(folder)
    check(samples)
    assert [note in each for each in samples.notes] == ([True] if note else [])


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (lines().encode("cp1252"), {"encoding": "cp1252"}),
        (lines().encode("utf-16-le"), {"encoding": "utf-16-le"}),
        (lines("^").encode(), {"delimiter": "^"}),
        (lines(header=None).encode(), {"header": ("text", "label")}),
    ],
)
def test_what_cannot_be_told_can_be_set(tmp_path: Path, content: bytes, fields: dict[str, Any]) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    check(load(tmp_path, **fields))
    with pytest.raises(ValueError, match=f"dataset\\.{next(iter(fields))}|the column 'text' is missing"):
        load(tmp_path)


def test_quotes_in_a_tsv_are_text_unless_asked_for(tmp_path: Path) -> None:
    rows = [f'"open {i}\t{i % 2}' if i % 2 else f'close {i}"\t{i % 2}' for i in range(40)]
    (tmp_path / "a.tsv").write_text("\n".join(["text\tlabel", *rows, '"both"\t1']) + "\n")
    samples = load(tmp_path)
    assert len(samples) == 41
    assert samples.payloads["text"][1] == '"open 1'
    assert samples.notes == (
        "a.tsv: quotes around fields of 1 rows are part of the text; dataset.quoting=true takes them off",
    )
    (tmp_path / "a.tsv").write_text("text\tlabel\n" + '"a\tb"\t0\n' * 5)
    with pytest.raises(ValueError, match=r"line 2: 3 fields, but the header names 2 columns; .*dataset\.quoting=true"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", rb'{"text": "a\ud800", "label": 0}', r"line 1, column 'text': a surrogate stands alone"),
        ("a.jsonl", rb'{"text": "a\u0000b", "label": 0}', r"line 1, column 'text': it holds a NUL character"),
        ("a.jsonl", rb'[{"text": "a", "label": 0}]', r"an array of objects is read from a file that ends in \.json"),
        ("a.csv", b"text,label\na\0b,0\n", r"line 2 holds a NUL character; if it is UTF-16, set dataset\.encoding"),
        ("a.csv", b"Text,label\na,0\n", r"the column 'text' is missing.*did you mean 'Text'"),
        ("a.csv", b"x,y\na,0\n", r"if the first line is no header, name the columns by dataset\.header="),
        ("a.csv", lines().encode("cp1252"), r"line 2: byte 4 is not UTF-8 .*set dataset\.encoding="),
        ("a.csv.gz", gzip.compress(b"text,label\n" + b"a" * (65 << 20)), r"line 2 is longer than 64 MiB"),
    ],
)
def test_what_cannot_be_read_says_the_way_out(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load(tmp_path)


@pytest.mark.parametrize(
    ("fields", "message"), [({"delimiter": ";;"}, "one character"), ({"encoding": "x"}, "unknown")]
)
def test_a_dialect_that_there_is_not_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TableSource(**fields)


def pictures(folder: Path, count: int, name: str = "{}.png") -> None:
    for number in range(count):
        path = folder / name.format(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (number, 0, 0)).save(path)


def test_captions_in_long_format_never_divide_an_image(tmp_path: Path) -> None:
    pictures(tmp_path, 30)
    rows = "".join(f"{i}.png,caption {j} of {i}\n" for i in range(30) for j in range(5))
    (tmp_path / "a.csv").write_text("image,text\n" + rows)
    samples = load(tmp_path, image="image", label=None)
    names = np.repeat(np.arange(30), 5)
    assert not set(names[samples.splits == "test"]) & set(names[samples.splits == "train"])
    assert 20 <= (samples.splits == "test").sum() <= 40
    assert samples.notes == ("150 rows are about 30 items, which the test part keeps whole",)


@pytest.mark.parametrize("written", ['["a dog", "it\'s big"]', "['a dog', \"it's big\"]"])
def test_a_list_in_a_caption_column_is_several_captions(tmp_path: Path, written: str) -> None:
    pictures(tmp_path, 6)
    quoted = written.replace('"', '""')
    (tmp_path / "a.csv").write_text(
        "image,captions\n" + "".join(f'{i}.png,"{quoted}"\n' for i in range(5)) + "5.png,[x]\n"
    )
    samples = load(tmp_path, image="image", text=None, captions=("captions",), label=None)
    assert samples.payloads["text"][0] == ("a dog", "it's big")
    assert samples.payloads["text"][5] == ("[x]",)


@pytest.mark.parametrize("written", ["a b\\{}.png", "a%20b/{}.png", "{root}/a b/{}.png", "./a b/{}.png"])
def test_paths_are_understood_as_they_are_written(tmp_path: Path, written: str) -> None:
    root = tmp_path / "d"
    pictures(root, 6, "a b/{}.png")
    paths = [written.format(i, root=root) for i in range(6)]
    (root / "a.csv").write_text("image,label\n" + "".join(f"{p},{i % 2}\n" for i, p in enumerate(paths)))
    source = TableSource(root=str(root), image="image", text=None)
    assert [image.getpixel((0, 0))[0] for image in source.load(tmp_path).payloads["image"]] == list(range(6))
    assert str(root) not in source.files(tmp_path)[1].read_text()
    (root / "m.csv").write_text("id,kept,refined,image\n" + "".join(f"{i},yes,text,{p}\n" for i, p in enumerate(paths)))
    pairs = PairsManifest(root=str(root / "m.csv")).load(tmp_path)
    assert pairs.payloads["image"][5].getpixel((0, 0)) == (5, 0, 0)


@pytest.mark.parametrize("path", ["/etc/passwd", "../x.png", "a\0b.png"])
def test_paths_that_leave_the_folder_are_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"image": path, "label": 0}) + "\n")
    with pytest.raises(ValueError, match=r"line 1, column 'image': (path .* (leaves|cannot)|it holds a NUL)"):
        load(tmp_path, image="image", text=None)


@pytest.mark.parametrize("column", ["id", "group"])
@pytest.mark.parametrize("value", [None, 1.5, True, "", "a\x1b", "b" * 2000])
def test_ids_and_groups_are_names_in_every_row(tmp_path: Path, column: str, value: Any) -> None:
    rows = [{"text": "a", "label": i % 2, "id": f"i{i}", "group": f"g{i}"} for i in range(8)]
    rows[3][column] = value
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(ValueError, match=rf"line 4, column '{column}': "):
        load(tmp_path, id="id", groups=("group",))


def test_an_unlabelled_row_keeps_the_others_aligned(tmp_path: Path) -> None:
    rows = [f"text {i},{'' if i % 5 == 0 else i % 2},{('train', 'test')[i % 3 == 0]}" for i in range(30)]
    (tmp_path / "a.csv").write_text("\n".join(["text,label,part", *rows]) + "\n")
    with pytest.raises(ValueError, match=r"line 2, column 'label': the label is empty \(6 such rows\)"):
        load(tmp_path, split="part")
    samples = load(tmp_path, split="part", labels={"on_unlabelled": "skip"})
    assert len(samples) == 24
    assert all(int(samples.payloads["text"][row].split()[1]) % 2 == samples.labels[row] for row in range(24))
    assert all((int(each) % 3 == 0) == (part == "test") for each, part in zip(samples.ids, samples.splits, strict=True))

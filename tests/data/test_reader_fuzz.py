"""Whatever a file holds, a reader gives samples or an error of ours that names it: no traceback, no hang."""

import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from scar.data.media import MediaFile
from scar.data.samples import POOL, UNLABELLED, Samples
from scar.data.source import Source
from scar.data.sources.corrected import Corrected
from scar.data.sources.digits import Digits
from scar.data.sources.embeddings_file import EmbeddingsFile
from scar.data.sources.hub import HubSource
from scar.data.sources.image_folder import ImageFolder
from scar.data.sources.pairs_manifest import PairsManifest
from scar.data.sources.table import TableSource
from scar.data.sources.webdataset import WebDatasetSource
from tests.data.media_files import write_animation, write_tone, write_video

OURS = (ValueError, FileNotFoundError, ImportError)
"""UnicodeError is a ValueError, but one that no message of ours stands behind."""

names = st.one_of(
    st.sampled_from(
        ["cat", "Cat ", "", "NA", "-1", "007", "1.0", "=x", "\x00", "\ud800", "a\u0301", "../x", "$$", "\\g<0>"]
    ),
    st.text(max_size=12),
)
cells = st.one_of(names, st.none(), st.booleans(), st.integers(), st.floats(), st.lists(names, max_size=2))


def outcome(source: Source, folder: Path) -> Samples | None:
    """Load, read every payload, and return the samples; None where the reader refused with a message."""
    samples = refused(lambda: source.load(folder))
    if samples is None:
        return None
    if samples.labels is not None:
        assert set(np.unique(samples.labels[samples.splits != POOL])) <= set(range(len(samples.class_names)))
        assert (samples.labels[samples.splits == POOL] == UNLABELLED).all()
    assert len(set(samples.ids.tolist())) == len(samples)
    json.dumps([samples.ids.tolist(), list(samples.class_names)]).encode()
    for payload in samples.payloads.values():
        for row in range(min(len(samples), 5)):
            item = refused(lambda payload=payload, row=row: payload[row])  # type: ignore[misc]
            if isinstance(item, MediaFile):
                refused(item.check)
    return samples


def refused(read: Callable[[], Any]) -> Any:
    """Return what was read, or None where it was refused by a message of ours; other errors pass."""
    try:
        return read()
    except OURS as error:
        if isinstance(error, UnicodeError) or not str(error).strip():
            raise AssertionError(f"no message of ours: {error!r}") from error
        return None


def spoilt(content: bytes, draw: Any) -> bytes:
    """Cut, change or repeat a piece of a file."""
    at = draw(st.integers(0, max(len(content) - 1, 0)))
    piece = draw(st.binary(max_size=8))
    kind = draw(st.sampled_from(["keep", "cut", "put", "over", "twice"]))
    return {
        "keep": content,
        "cut": content[:at],
        "put": content[:at] + piece + content[at:],
        "over": content[:at] + piece + content[at + len(piece) :],
        "twice": content + content[at:],
    }[kind]


def file_name(text: str) -> str:
    """Return a name that a file can have."""
    return "".join(c for c in text if c not in "/\0" and not "\ud800" <= c <= "\udfff")[:40].strip(".") or "x"


def table(folder: Path, draw: Any) -> Source:
    rows = draw(st.lists(st.fixed_dictionaries({"text": cells, "label": cells, "id": cells}), max_size=3))
    rows += [{"text": f"text {i}", "label": "ab"[i % 2], "id": f"i{i}"} for i in range(draw(st.sampled_from([0, 12])))]
    suffix = draw(st.sampled_from(["csv", "tsv", "jsonl", "json"]))
    if suffix in ("jsonl", "json"):
        lines = [json.dumps(row) for row in rows]
        text = "\n".join(lines) if suffix == "jsonl" else f"[{','.join(lines)}]"
    else:
        mark = draw(st.sampled_from([",", ";", "\t"]))
        text = mark.join(["text", "label", "id"]) + "\n"
        text += "\n".join(mark.join(str(row[each]) for each in ("text", "label", "id")) for row in rows)
    encoding = draw(st.sampled_from(["utf-8", "utf-16", "latin-1"]))
    (folder / f"a.{suffix}").write_bytes(spoilt(text.encode(encoding, "replace"), draw))
    rules = {"merge_case": draw(st.booleans()), "on_unlabelled": draw(st.sampled_from(["raise", "skip", "pool"]))}
    rules |= {"separator": draw(st.sampled_from([None, None, ";"]))} if rules["on_unlabelled"] != "pool" else {}
    return TableSource(root=str(folder / f"a.{suffix}"), id=draw(st.sampled_from([None, "id"])), labels=rules)  # type: ignore[arg-type]


def parquet(folder: Path, draw: Any) -> Source:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kind = st.sampled_from([st.text(max_size=5), st.integers(-9, 9), st.floats(), st.booleans(), st.none()])
    size = draw(st.integers(0, 8))
    columns = {name: draw(st.lists(draw(kind), min_size=size, max_size=size)) for name in ("text", "label", "id")}
    if draw(st.booleans()):
        columns = {"text": [f"t{i}" for i in range(12)], "id": [*map(str, range(12))]}
        columns["label"] = [draw(st.integers(0, 1)) if i > 8 else i % 2 for i in range(12)]
    pq.write_table(pa.table(columns), folder / "a.parquet")
    (folder / "a.parquet").write_bytes(spoilt((folder / "a.parquet").read_bytes(), draw))
    return TableSource(root=str(folder), id=draw(st.sampled_from([None, "id"])))


def image_bytes(draw: Any) -> bytes:
    buffer = io.BytesIO()
    mode = draw(st.sampled_from(["RGB", "L", "RGBA", "P", "I;16"]))
    Image.new(mode, (draw(st.integers(1, 5)), 3)).save(buffer, "PNG")
    return spoilt(buffer.getvalue(), draw)


def image_folder(folder: Path, draw: Any) -> Source:
    for place in draw(
        st.lists(st.sampled_from(["a", "b", "train/a", "train/b", "Test/a", "test/c", "val/a", "."]), max_size=5)
    ):
        for name in draw(st.lists(names, max_size=3)):
            path = folder / "d" / place / f"{file_name(name)}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_dir():
                path.write_bytes(image_bytes(draw))
    for number in range(draw(st.sampled_from([0, 10]))):
        path = folder / "d" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image_bytes(draw) if number == 9 else b"not looked at before it is decoded")
    choice = st.sampled_from(["raise", "skip", "keep"])
    return ImageFolder(root=str(folder / "d"), labels={"on_test_only": draw(choice), "on_empty": draw(choice)})  # type: ignore[arg-type]


def shards(folder: Path, draw: Any) -> Source:
    with tarfile.open(folder / "a.tar", "w") as tar:
        for number in range(draw(st.sampled_from([0, 10]))):
            for suffix, content in (("png", b"x"), ("cls", b"01"[number % 2 : number % 2 + 1])):
                about = tarfile.TarInfo(f"good{number}.{suffix}")
                about.size = len(content)
                tar.addfile(about, io.BytesIO(content))
        for number in range(draw(st.integers(0, 2))):
            name = draw(st.one_of(st.just(str(number)), names.map(file_name)))
            for suffix in draw(st.lists(st.sampled_from(["png", "PNG", "cls", "x.png", "txt", "json"]), max_size=3)):
                label = str(draw(cells)).encode("utf-8", "replace")
                content = image_bytes(draw) if suffix.lower().endswith("png") else label
                about = tarfile.TarInfo(f"{name}.{suffix}")
                about.size = len(content)
                tar.addfile(about, io.BytesIO(content))
    (folder / "a.tar").write_bytes(spoilt((folder / "a.tar").read_bytes(), draw))
    return WebDatasetSource(root=str(folder))


def embeddings(folder: Path, draw: Any) -> Source:
    size = draw(st.sampled_from([0, 1, 3, 12]))
    matrix = draw(st.lists(st.lists(st.floats(width=32), min_size=2, max_size=2), min_size=size, max_size=size))
    labels = draw(
        st.one_of(
            st.lists(st.integers(-2, 3), min_size=size, max_size=size).map(np.array),
            st.lists(st.text(max_size=3), min_size=size, max_size=size).map(lambda each: np.array(each, np.str_)),
            st.lists(st.floats(), min_size=size, max_size=size).map(np.array),
            st.lists(st.binary(max_size=3), min_size=size, max_size=size).map(lambda each: np.array(each, "S3")),
        )
    )
    if draw(st.booleans()):
        matrix, labels = [[float(i), 1.0] for i in range(12)], np.arange(12) % 2
    for name, values in (("embeddings", np.array(matrix, np.float32)), ("labels", labels)):
        np.save(folder / f"{name}.npy", values, allow_pickle=False)
        (folder / f"{name}.npy").write_bytes(spoilt((folder / f"{name}.npy").read_bytes(), draw))
    return EmbeddingsFile(root=str(folder))


def manifest(folder: Path, draw: Any) -> Source:
    rows = draw(st.lists(st.tuples(names, st.sampled_from(["yes", "no", "", "x"]), names, names), max_size=2))
    rows += [(f"i{i}", "yes", f"caption {i}", "0.png") for i in range(draw(st.sampled_from([0, 10])))]
    Image.new("RGB", (3, 3)).save(folder / "0.png")
    lines = ["id,kept,refined,image", *(",".join([*row[:3], draw(st.sampled_from(["0.png", row[3]]))]) for row in rows)]
    (folder / "m.csv").write_bytes(spoilt("\n".join(lines).encode("utf-8", "replace"), draw))
    return PairsManifest(root=str(folder / "m.csv"))


def corrections(folder: Path, draw: Any) -> Source:
    known = st.sampled_from(["train-0000", "0", "1", "5"])
    rows = draw(
        st.lists(
            st.tuples(st.one_of(known, names), st.one_of(known, names), st.sampled_from(["yes", "", "?"])), max_size=5
        )
    )
    text = "\n".join(["id,class_name,drop", *(",".join(row) for row in rows)])
    (folder / "c.csv").write_bytes(spoilt(text.encode("utf-8", "replace"), draw))
    return Corrected(source=Digits(train_size=50, test_size=20), corrections=str(folder / "c.csv"))


def media(folder: Path, draw: Any) -> Source:
    kind = draw(st.sampled_from(["wav", "flac", "ogg", "mp4", "gif"]))
    path = folder / f"0.{kind}"
    if kind == "mp4":
        write_video(path, frames=3, size=(16, 16))
    elif kind == "gif":
        write_animation(path, frames=3)
    else:
        write_tone(path, seconds=0.05)
    path.write_bytes(spoilt(path.read_bytes(), draw))
    names = [
        draw(st.one_of(st.just(path.name), st.just("."), st.just("../0.wav"))) if i == 0 else path.name
        for i in range(8)
    ]
    (folder / "t.csv").write_text("\n".join(["file,label", *(f"{name},{'ab'[i % 2]}" for i, name in enumerate(names))]))
    column = {"video": "file"} if kind in ("mp4", "gif") else {"audio": "file"}
    return TableSource(root=str(folder / "t.csv"), text=None, **column)  # type: ignore[arg-type]


def hub(folder: Path, draw: Any) -> Source:
    rows = draw(st.lists(st.fixed_dictionaries({"text": cells, "label": cells}), max_size=2))
    rows += [{"text": f"text {i}", "label": "ab"[i % 2]} for i in range(draw(st.sampled_from([0, 10])))]
    (folder / "hub").mkdir()
    text = "\n".join(json.dumps(row) for row in rows)
    (folder / "hub" / "train.jsonl").write_bytes(spoilt(text.encode("utf-8", "replace"), draw))
    return HubSource(root=str(folder / "hub"), test_split=None)


READERS: dict[str, Callable[[Path, Any], Source]] = {
    each.__name__: each for each in (table, parquet, image_folder, shards, embeddings, manifest, corrections, media)
}


def fuzz(reader: Callable[[Path, Any], Source], count: int) -> int:
    """Run a reader on `count` inputs; returns how many of them it took."""
    taken = 0

    @settings(
        max_examples=count, deadline=10_000, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.data())
    def run(data: Any) -> None:
        nonlocal taken
        folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        try:
            taken += outcome(reader(folder, data.draw), folder) is not None
        finally:
            shutil.rmtree(folder)

    run()
    return taken


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", READERS)
def test_a_reader_gives_samples_or_an_error_of_ours(name: str) -> None:
    fuzz(READERS[name], 15)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*READERS, "hub"])
def test_a_reader_withstands_thousands_of_inputs(name: str) -> None:
    assert fuzz({**READERS, "hub": hub}[name], 200 if name == "hub" else 2000) > 0

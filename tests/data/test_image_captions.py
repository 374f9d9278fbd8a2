"""Flickr30k and COCO Captions, written in their true formats with photographs of one colour each."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_files import write_image

from scar.data.samples import Samples
from scar.data.source import Source
from scar.data.sources.coco_captions import CocoCaptions
from scar.data.sources.flickr30k import Flickr30k

COLOURS = [(60 + 15 * i, 10, 200) for i in range(12)]
FLICKR_TABLE = "flickr_annotations_30k.csv"


def _flickr(root: Path, count: int = 10) -> Path:
    folder = root / "flickr30k"
    with _made(folder / FLICKR_TABLE).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["raw", "sentids", "split", "filename", "img_id"])
        for i in range(count):
            name = f"{1000 + i}.jpg"
            write_image(folder / "flickr30k-images" / name, COLOURS[i])
            captions = [f'Scene {i}, "view" {k}: a,b' for k in range(5)]
            part = ["train", "train", "train", "val", "test"][i % 5]
            writer.writerow([json.dumps(captions), json.dumps(list(range(5))), part, name, i])
    write_image(folder / "flickr30k-images" / "not_in_the_table.jpg")
    return folder


def _coco(root: Path) -> Path:
    """Three training images with 5, 6 and 5 captions, two of validation; annotations are not in the images' order."""
    folder = root / "coco_captions"
    for part, numbers in (("train2014", (9, 25, 30)), ("val2014", (42, 73))):
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number in numbers:
            name = f"COCO_{part}_{number:012d}.jpg"
            write_image(folder / part / name, (number, 2 * number, 10))
            images.append({"license": 3, "file_name": name, "height": 30, "width": 40, "id": number})
            count = 6 if number == 25 else 5
            annotations += [
                {"image_id": number, "id": 100 * number + k, "caption": f"{number} seen {k}\n"} for k in range(count)
            ]
        annotations.sort(key=lambda each: each["id"] % 100)
        content = {"info": {}, "images": images, "licenses": [], "annotations": annotations}
        _made(folder / "annotations" / f"captions_{part}.json").write_text(json.dumps(content))
    return folder


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _colours(samples: Samples) -> np.ndarray:
    return np.array([np.asarray(image)[5, 5] for image in samples.payloads["image"]], int)


def test_flickr_pairs_photographs_with_all_their_captions(tmp_path: Path) -> None:
    _flickr(tmp_path)
    samples = Flickr30k().load(tmp_path)
    assert samples.ids.tolist() == [str(1000 + i) for i in range(10)]
    np.testing.assert_allclose(_colours(samples), COLOURS[:10], atol=3)
    assert samples.payloads["text"][3] == tuple(f'Scene 3, "view" {k}: a,b' for k in range(5))
    assert samples.labels is None
    assert samples.class_names == ()
    assert samples.notes == ("10 pairs with 50 captions, 5 each",)
    assert Flickr30k().modalities == tuple(samples.payloads)


def test_the_published_split_of_flickr_is_a_random_fifth_of_the_dataset_seed(tmp_path: Path) -> None:
    _flickr(tmp_path)
    first, again, other = (Flickr30k(seed=seed).load(tmp_path).splits for seed in (0, 0, 2))
    assert (first == "test").sum() == 2
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert round(0.2 * 31014) == 31014 - 24811


def test_the_split_of_karpathy_is_that_of_the_table(tmp_path: Path) -> None:
    _flickr(tmp_path)
    samples = Flickr30k(split="karpathy").load(tmp_path)
    assert samples.ids[samples.splits == "test"].tolist() == ["1004", "1009"]
    with pytest.raises(ValueError, match=r"dataset\.split='restval' is unknown"):
        Flickr30k(split="restval")


def test_a_sub_sample_stays_aligned(tmp_path: Path) -> None:
    _flickr(tmp_path)
    samples = Flickr30k(train_size=4, test_size=1).load(tmp_path)
    assert len(samples) == 5
    numbers = samples.ids.astype(int) - 1000
    np.testing.assert_allclose(_colours(samples), np.array(COLOURS)[numbers], atol=3)
    assert [text[0].split(",")[0] for text in samples.payloads["text"]] == [f"Scene {i}" for i in numbers]


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: _edit(f / FLICKR_TABLE, '"[""Scene 1', '"[Scene 1'), r"30k\.csv, line 3, column 'raw', character 2"),
        (lambda f: _edit(f / FLICKR_TABLE, "filename", "file"), r"30k\.csv, line 1: the column 'filename' is missing"),
        (lambda f: _edit(f / FLICKR_TABLE, "1004.jpg,4", "1004.jpg,4,extra"), r"30k\.csv, line 6: 6 fields"),
        (lambda f: _edit(f / FLICKR_TABLE, "1004.jpg", "1003.jpg"), "ids stand for several pairs each: 1003"),
        (lambda f: _edit(f / FLICKR_TABLE, "1004.jpg", "../1004.jpg"), r"path '\.\./1004\.jpg' leaves the folder"),
        (lambda f: _edit(f / FLICKR_TABLE, "1004.jpg", "/etc/passwd"), "path '/etc/passwd' leaves the folder"),
        (lambda f: (f / "flickr30k-images" / "1007.jpg").unlink(), r"1 of 10 files .* are not in .*\(1007\.jpg\)"),
    ],
)
def test_damage_to_flickr_is_named(tmp_path: Path, damage: Callable[[Path], Any], message: str) -> None:
    damage(_flickr(tmp_path))
    with pytest.raises(ValueError, match=message):
        Flickr30k().load(tmp_path)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = _flickr(tmp_path)
    inner = folder / "flickr30k-images" / "1002.jpg"
    inner.rename(tmp_path / "outside.jpg")
    inner.symlink_to(tmp_path / "outside.jpg")
    with pytest.raises(ValueError, match=r"path '1002\.jpg' leaves the folder"):
        Flickr30k().load(tmp_path)


def test_with_skip_missing_files_are_left_to_the_check_of_every_sample(tmp_path: Path) -> None:
    from scar.data.unreadable import drop_unreadable

    (_flickr(tmp_path) / "flickr30k-images" / "1007.jpg").unlink()
    samples = Flickr30k(on_error="skip", max_unreadable=0.2).load(tmp_path)
    kept, dropped = drop_unreadable(samples, name="flickr30k", max_share=0.2)
    assert len(kept) == 9
    assert [(each.id, each.modality) for each in dropped] == [("1007", "image")]


def test_coco_keeps_every_caption_and_its_split(tmp_path: Path) -> None:
    _coco(tmp_path)
    samples = CocoCaptions().load(tmp_path)
    assert samples.ids.tolist()[:2] == ["COCO_train2014_000000000009", "COCO_train2014_000000000025"]
    assert samples.splits.tolist() == ["train"] * 3 + ["test"] * 2
    assert [len(captions) for captions in samples.payloads["text"]] == [5, 6, 5, 5, 5]
    assert samples.payloads["text"][4] == tuple(f"73 seen {k}\n" for k in range(5))
    np.testing.assert_allclose(_colours(samples)[:, :2], [[n, 2 * n] for n in (9, 25, 30, 42, 73)], atol=3)
    assert samples.notes == ("5 pairs with 26 captions, 5 to 6 each",)
    assert samples.labels is None


TRAIN = "annotations/captions_train2014.json"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: _edit(f / TRAIN, '"images": [', '"images": [,'), r"train2014\.json, line 1, column \d+: Expecting"),
        (lambda f: _edit(f / TRAIN, '"caption"', '"text"'), r"annotations\[0\] has no 'caption'; it has 'image_id'"),
        (lambda f: _edit(f / TRAIN, '"caption": "9 seen 0\\n"', '"caption": 7'), r"\[0\]: 'caption' is a int, not str"),
        (lambda f: _edit(f / TRAIN, '"id": 25}', '"id": 26}'), r"1 captions of .* name no image \(25\)"),
        (
            lambda f: _edit(f / TRAIN, '"id": 25}', '"id": 9}'),
            r"images\[1\]: the image id 9 stands there a second time",
        ),
        (lambda f: (f / "train2014" / "COCO_train2014_000000000025.jpg").unlink(), r"1 of 3 files .*000000000025"),
        (lambda f: _edit(f / TRAIN, "COCO_train2014_000000000009", "../val2014/x"), "leaves the folder"),
    ],
)
def test_damage_to_coco_is_named(tmp_path: Path, damage: Callable[[Path], Any], message: str) -> None:
    damage(_coco(tmp_path))
    with pytest.raises(ValueError, match=message):
        CocoCaptions().load(tmp_path)


def test_images_without_captions_are_listed(tmp_path: Path) -> None:
    path = _coco(tmp_path) / TRAIN
    content = json.loads(path.read_text())
    content["annotations"] = [each for each in content["annotations"] if each["image_id"] != 30]
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"1 images of .* have no caption \(30\)"):
        CocoCaptions().load(tmp_path)


@pytest.mark.parametrize(("source", "write"), [(Flickr30k(), _flickr), (CocoCaptions(), _coco)])
def test_the_files_follow_annotations_and_images(tmp_path: Path, source: Source, write: Callable[[Path], Path]) -> None:
    from scar.data.fingerprint import fingerprint

    with pytest.raises(FileNotFoundError, match=rf"{source.name}: .* not found in .*dataset\.root"):
        source.files(tmp_path)
    folder = write(tmp_path)
    before = fingerprint(source.files(tmp_path))
    assert fingerprint(source.files(tmp_path)) == before
    image = next(folder.rglob("*9.jpg"))
    write_image(image, (0, 255, 0))
    changed = fingerprint(source.files(tmp_path))
    assert changed != before
    annotations = next(path for path in (*folder.rglob("*.json"), *folder.rglob("*.csv")))
    annotations.write_text(annotations.read_text() + "\n")
    assert fingerprint(source.files(tmp_path)) != changed


def test_a_copy_elsewhere_is_named_by_root(tmp_path: Path) -> None:
    folder = _coco(tmp_path)
    (folder / "images").mkdir()
    for part in ("train2014", "val2014"):
        (folder / part).rename(folder / "images" / part)
        (folder / "annotations" / f"captions_{part}.json").rename(folder / f"captions_{part}.json")
    assert len(CocoCaptions(root=str(folder)).load(tmp_path / "elsewhere")) == 5

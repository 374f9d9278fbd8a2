"""Classes without a sample, and those of the test part alone: refused with the way out, left out, or kept as known."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scar.data.samples import TEST, TRAIN
from scar.data.sources.embeddings_file import EmbeddingsFile
from scar.data.sources.image_folder import ImageFolder
from scar.data.sources.table import TableSource


def picture(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4, 3), value, np.uint8)).save(path)


def folder(root: Path, *, parts: bool) -> Path:
    for i in range(20):
        part = ("train/" if i % 4 else "test/") if parts else ""
        picture(root / f"{part}{'ac'[i // 2 % 2]}" / f"{i}.png", i)
    (root / ("train/b" if parts else "b")).mkdir()
    return root


def test_an_empty_class_folder_is_a_class_if_asked(tmp_path: Path) -> None:
    root = folder(tmp_path, parts=False)
    with pytest.raises(ValueError, match=r"/b holds no images; .*on_empty=keep.*skip"):
        ImageFolder(root=str(root)).load(tmp_path)
    kept = ImageFolder(root=str(root), labels={"on_empty": "keep"}).load(tmp_path)
    left = ImageFolder(root=str(root), labels={"on_empty": "skip"}).load(tmp_path)
    assert kept.class_names == ("a", "b", "c")
    assert kept.absent == ("b",)
    assert "1 classes have no training sample and are kept: b" in kept.notes
    assert left.class_names == ("a", "c")
    assert left.absent == ()
    names = [np.array(each.class_names)[each.labels].tolist() for each in (kept, left)]
    assert names[0] == names[1]
    assert kept.ids.tolist() == left.ids.tolist()


def test_an_empty_folder_of_a_part_may_be_filled_in_the_other(tmp_path: Path) -> None:
    root = folder(tmp_path, parts=True)
    picture(root / "test" / "b" / "x.png", 77)
    with pytest.raises(ValueError, match=r"train/b holds no images"):
        ImageFolder(root=str(root)).load(tmp_path)
    kept = ImageFolder(root=str(root), labels={"on_empty": "keep", "on_test_only": "keep"}).load(tmp_path)
    assert kept.class_names == ("a", "b", "c")
    assert kept.absent == ("b",)
    assert kept.labels[kept.ids.tolist().index("test/b/x.png")] == 1
    assert kept.splits[kept.ids.tolist().index("test/b/x.png")] == TEST


def table(root: Path, **about: Any) -> TableSource:
    rows = [f"t{i},{'ac'[i % 2]},{'test' if i % 4 == 0 else 'train'}" for i in range(20)] + ["new,z,test"]
    (root / "t.csv").write_text("\n".join(["text,label,part", *rows]))
    return TableSource(root=str(root / "t.csv"), split="part", **about)


def test_a_class_of_the_test_part_alone_is_refused_left_out_or_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the class 'z', which no training sample has .*on_test_only=skip .*keep"):
        table(tmp_path).load(tmp_path)
    left = table(tmp_path, labels={"on_test_only": "skip"}).load(tmp_path)
    kept = table(tmp_path, labels={"on_test_only": "keep"}).load(tmp_path)
    assert (len(left), left.class_names) == (20, ("a", "c"))
    assert (len(kept), kept.class_names, kept.absent) == (21, ("a", "c", "z"), ("z",))
    assert (kept.splits[kept.labels == 2] == TEST).all()


def test_a_name_without_rows_is_refused_left_out_or_kept(tmp_path: Path) -> None:
    np.save(tmp_path / "embeddings.npy", np.eye(24, dtype=np.float32))
    np.save(tmp_path / "labels.npy", np.arange(24) % 2 * 2)
    about = {"root": str(tmp_path), "class_names": ("a", "b", "c")}
    with pytest.raises(ValueError, match=r"the class 'b' has no sample \(1 such classes\); .*on_empty=keep"):
        EmbeddingsFile(**about).load(tmp_path)
    kept = EmbeddingsFile(**about, labels={"on_empty": "keep"}).load(tmp_path)
    left = EmbeddingsFile(**about, labels={"on_empty": "skip"}).load(tmp_path)
    assert kept.labels.max() == 2
    assert left.labels.max() == 1
    assert left.class_names == ("a", "c")
    assert {TRAIN, TEST} == set(kept.splits)


def test_several_labels_keep_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="on_empty=keep is of rows of one class each, and rows carry several"):
        table(tmp_path, labels={"on_empty": "keep", "separator": ";"})

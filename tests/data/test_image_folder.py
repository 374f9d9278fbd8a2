from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scar.data.fetch import FetchError
from scar.data.image_decoding import UnreadableMedia
from scar.data.sources.image_folder import ImageFolder
from scar.data.unreadable import drop_unreadable


def write_images(folder: Path, sizes: dict[str, int], *, suffix: str = "jpg") -> None:
    for number, (name, count) in enumerate(sizes.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            pixels = np.full((8, 6, 3), (40 * number, 9 * i % 256, i % 256), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i:03d}.{suffix}")


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    """A small ImageNet in its own layout and with its own names."""
    root = tmp_path / "imagenet"
    write_images(root / "train", {"n01440764": 6, "n01443537": 4, "n02012849": 3, "n03126707": 3}, suffix="JPEG")
    write_images(root / "val", {"n01440764": 2, "n01443537": 2, "n02012849": 1, "n03126707": 1}, suffix="JPEG")
    (root / "LOC_synset_mapping.txt").write_text(
        "n01440764 tench, Tinca tinca\nn01443537 goldfish\nn02012849 crane\nn03126707 crane\nn09999999 other\n"
    )
    return tmp_path


def imagenet_source(**fields: object) -> ImageFolder:
    names = ("LOC_synset_mapping.txt", "synset_words.txt")
    return ImageFolder(name="imagenet", test_folder="val", names_files=names, **fields)  # type: ignore[arg-type]


def test_imagenet_is_read_with_its_official_split_and_synset_names(imagenet: Path) -> None:
    samples = imagenet_source().load(imagenet)
    assert samples.class_names == ("tench, Tinca tinca", "goldfish", "crane (n02012849)", "crane (n03126707)")
    assert np.bincount(samples.labels[samples.splits == "train"]).tolist() == [6, 4, 3, 3]  # type: ignore[index]
    assert np.bincount(samples.labels[samples.splits == "test"]).tolist() == [2, 2, 1, 1]  # type: ignore[index]
    assert samples.ids[0] == "train/n01440764/000.JPEG"
    assert samples.ids[-1] == "val/n03126707/000.JPEG"
    image = samples.payloads["image"][7]
    assert image.size == (6, 8)
    assert abs(int(np.asarray(image)[0, 0, 0]) - 40) < 6  # the second class


def test_without_a_file_of_names_classes_are_called_by_their_folders(imagenet: Path) -> None:
    (imagenet / "imagenet" / "LOC_synset_mapping.txt").unlink()
    assert imagenet_source().load(imagenet).class_names[0] == "n01440764"


def test_one_level_of_folders_gets_a_class_aware_test_part(tmp_path: Path) -> None:
    write_images(tmp_path / "mine", {"cats": 20, "dogs": 10}, suffix="png")
    samples = ImageFolder(root=str(tmp_path / "mine")).load(tmp_path)
    assert samples.class_names == ("cats", "dogs")
    assert np.bincount(samples.labels[samples.splits == "test"]).tolist() == [4, 2]  # type: ignore[index]
    assert np.asarray(samples.payloads["image"][3])[0, 0].tolist() == [0, 27, 3]


def test_a_part_is_found_under_any_usual_name_and_two_of_them_have_to_be_named(tmp_path: Path) -> None:
    write_images(tmp_path / "train", {"a": 3, "b": 3})
    with pytest.raises(FileNotFoundError, match=r"train/ and none of test, testing, val"):
        ImageFolder(root=str(tmp_path)).load(tmp_path)
    write_images(tmp_path / "validation", {"a": 1, "b": 2})
    assert (ImageFolder(root=str(tmp_path)).load(tmp_path).splits == "test").sum() == 3
    write_images(tmp_path / "test", {"a": 1, "b": 1})
    with pytest.raises(FileNotFoundError, match=r"several of them: test, validation; .*dataset\.test_folder"):
        ImageFolder(root=str(tmp_path)).load(tmp_path)
    samples = ImageFolder(root=str(tmp_path), test_folder="test").load(tmp_path)
    assert (samples.splits == "test").sum() == 2


def test_the_fingerprinted_listing_knows_content_and_class_of_every_image(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write_images(folder, {"a": 3, "b": 3}, suffix="png")
    source = ImageFolder(root=str(folder))
    first = source.files(tmp_path / "cache")[0].read_text()
    assert first == source.files(tmp_path / "cache")[0].read_text()
    assert len(first.splitlines()) == 6
    # The last image of a becomes the first of b: contents and their order stay, the classes do not.
    (folder / "a" / "002.png").rename(folder / "b" / "!.png")
    moved = source.files(tmp_path / "cache")[0].read_text()
    assert [line.split()[0] for line in moved.splitlines()] == [line.split()[0] for line in first.splitlines()]
    assert moved != first
    (folder / "b" / "!.png").write_bytes((folder / "b" / "000.png").read_bytes())
    assert source.files(tmp_path / "cache")[0].read_text() != moved


def test_an_unchanged_image_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(tmp_path / "mine", {"a": 3, "b": 3})
    source = ImageFolder(root=str(tmp_path / "mine"))
    before = source.files(tmp_path / "cache")
    read: list[Path] = []
    monkeypatch.setattr("scar.data.sources._listing.checksum", lambda path: read.append(path) or "0" * 64)  # type: ignore[func-returns-value]
    assert source.files(tmp_path / "cache") == before
    assert not read
    (tmp_path / "mine" / "a" / "001.jpg").write_bytes(b"other")
    assert source.files(tmp_path / "cache") != before
    assert [path.name for path in read] == ["001.jpg"]


def test_broken_and_huge_images_are_raised_or_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mine"
    write_images(folder, {"a": 10, "b": 10})
    whole = (folder / "a" / "003.jpg").read_bytes()
    (folder / "a" / "003.jpg").write_bytes(whole[: len(whole) // 2])
    Image.new("L", (100, 100)).save(folder / "b" / "004.jpg")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5000)
    samples = ImageFolder(root=str(folder)).load(tmp_path)
    rows = {name: row for row, name in enumerate(samples.ids.tolist())}
    with pytest.raises(UnreadableMedia, match=r"a/003\.jpg"):
        samples.payloads["image"][rows["a/003.jpg"]]
    with pytest.raises(UnreadableMedia, match=r"b/004\.jpg.*decompression bomb"):
        samples.payloads["image"][rows["b/004.jpg"]]
    kept, dropped = drop_unreadable(samples, name="mine", max_share=0.2)
    assert {each.id for each in dropped} == {"a/003.jpg", "b/004.jpg"}
    assert len(kept) == 18


def test_links_that_leave_the_folder_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write_images(folder, {"a": 3, "b": 3})
    write_images(tmp_path / "outside", {"c": 3})
    link = folder / "a" / "link.jpg"
    link.symlink_to(tmp_path / "outside" / "c" / "000.jpg")
    with pytest.raises(ValueError, match=r"'a/link\.jpg' leaves the folder"):
        ImageFolder(root=str(folder)).load(tmp_path)
    link.unlink()
    (folder / "c").symlink_to(tmp_path / "outside" / "c")
    with pytest.raises(ValueError, match=r"'c' leaves the folder"):
        ImageFolder(root=str(folder)).files(tmp_path)


def test_other_files_are_counted_in_a_note_and_hidden_ones_passed_over(tmp_path: Path) -> None:
    write_images(tmp_path / "mine", {"a": 4, "b": 4})
    (tmp_path / "mine" / "a" / "notes.txt").write_text("x")
    (tmp_path / "mine" / "a" / ".DS_Store").write_text("x")
    (tmp_path / "mine" / ".thumbnails").mkdir()
    samples = ImageFolder(root=str(tmp_path / "mine")).load(tmp_path)
    assert len(samples) == 8
    assert samples.notes == ("1 files that are not images left out",)


def test_what_is_wrong_with_a_folder_is_said(imagenet: Path, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"dataset=image_folder: .*nowhere is not a folder; point dataset\.root"):
        ImageFolder(root=str(tmp_path / "nowhere")).files(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FetchError, match=r"holds no class folders"):
        ImageFolder(root=str(tmp_path / "empty")).files(tmp_path)
    root = imagenet / "imagenet"
    write_images(root / "val", {"n00000000": 1})
    with pytest.raises(ValueError, match=r"the class 'n00000000', which no training sample has"):
        imagenet_source().load(imagenet)
    (root / "val" / "n00000000" / "000.jpg").unlink()
    with pytest.raises(ValueError, match=r"n00000000 holds no images"):
        imagenet_source().load(imagenet)
    (root / "val" / "n00000000").rmdir()
    (root / "LOC_synset_mapping.txt").write_text("n01440764 tench\n\nn01443537\n")
    with pytest.raises(ValueError, match=r"LOC_synset_mapping\.txt, line 3: expected a class folder"):
        imagenet_source().load(imagenet)
    (root / "LOC_synset_mapping.txt").write_text("n01440764 tench\n")
    with pytest.raises(ValueError, match=r"has no name for the class 'n01443537' \(3 such classes\)"):
        imagenet_source().load(imagenet)


def test_flat_validation_images_are_explained(tmp_path: Path) -> None:
    write_images(tmp_path / "train", {"a": 3, "b": 3})
    write_images(tmp_path, {"val": 3})
    with pytest.raises(ValueError, match=r"val holds no class folders; sort its images into one folder per class"):
        ImageFolder(root=str(tmp_path)).load(tmp_path)

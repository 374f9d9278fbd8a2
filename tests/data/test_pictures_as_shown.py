"""Pictures, videos and sounds are what a viewer or player makes of them; what cannot be known is refused."""

import io
import os
import struct
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from scar.data.duplicates import content_hashes
from scar.data.image_decoding import UnreadableMedia
from scar.data.media import AudioFile, ImageFiles, VideoFile
from scar.data.samples import Samples
from scar.data.sources._encoded import EncodedImages
from scar.data.sources.image_folder import ImageFolder
from scar.data.undecoded import undecoded
from scar.data.unreadable import drop_unreadable
from tests.data.media_files import write_video

SOUND = pytest.importorskip("soundfile")


def two_colours(path: Path, orientation: int | None = None) -> Path:
    """A picture, red on the left and blue on the right, 40 × 20, with an orientation tag."""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, :20, 0] = pixels[:, 20:, 2] = 255
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif)
    return path


def as_samples(payload: Sequence[Any]) -> Samples:
    size = len(payload)
    rows = np.array([str(i) for i in range(size)])
    return Samples(rows, {"image": payload}, None, (), np.full(size, "train"), {})


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_an_image_stands_upright_and_its_turn_is_part_of_the_key(tmp_path: Path, suffix: str) -> None:
    lying, turned = two_colours(tmp_path / f"a.{suffix}"), two_colours(tmp_path / f"b.{suffix}", orientation=6)
    contents = [lying.read_bytes(), turned.read_bytes()]
    for images in (ImageFiles([lying, turned]), EncodedImages(2, lambda row: (contents[row], str(row)))):
        assert [image.size for image in images] == [(40, 20), (20, 40)]
        red, _, blue = images[1].getpixel((10, 5))
        assert red > 200 > 50 > blue  # turned clockwise, the left side is above
    hashes = content_hashes(undecoded(as_samples(ImageFiles([lying, turned]))))["image"]
    inside = content_hashes(undecoded(as_samples(EncodedImages(2, lambda row: (contents[row], str(row))))))["image"]
    plain = content_hashes(as_samples([lying, turned]))["image"]
    assert (hashes[0] == plain[0]).all()  # as ever
    assert (hashes[1] != plain[1]).any()
    assert (inside[1] != content_hashes(as_samples([np.frombuffer(contents[1], np.uint8)]))["image"][0]).any()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_broken_orientation_leaves_an_image_as_it_is(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 20))
    image.save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert ImageFiles([tmp_path / "a.jpg"])[0].size == (40, 20)


def write_deep_png(path: Path, values: np.ndarray) -> Path:
    """A PNG of 16-bit colours [H, W, 3], which PIL cannot write."""
    height, width, _ = values.shape
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    )
    return path


def test_deep_images_are_refused_until_a_window_says_what_is_black_and_white(tmp_path: Path) -> None:
    ramp = np.array([[0, 1000, 2000, 4000]], np.uint16)
    for suffix in ("png", "tif"):
        Image.fromarray(ramp).save(tmp_path / f"grey.{suffix}")
        with pytest.raises(UnreadableMedia, match=r"more than 8 bits; say by dataset\.depth=\[low, high\]"):
            ImageFiles([tmp_path / f"grey.{suffix}"])[0]
        image = ImageFiles([tmp_path / f"grey.{suffix}"], (0.0, 2000.0))[0]
        assert np.asarray(image)[0, :, 0].tolist() == [0, 128, 255, 255]
    Image.fromarray(np.array([[0.25, 0.5]], np.float32)).save(tmp_path / "f.tif")
    assert np.asarray(ImageFiles([tmp_path / "f.tif"], (0.0, 1.0))[0])[0, :, 1].tolist() == [64, 128]
    path = write_deep_png(tmp_path / "colour.png", np.full((4, 4, 3), 0x1234))
    with pytest.raises(UnreadableMedia, match=r"mode RGB;16B have more than 8 bits"):
        ImageFiles([path])[0]
    assert ImageFiles([path], (0.0, 65535.0))[0].getpixel((0, 0)) == (0x12,) * 3
    with pytest.raises(UnreadableMedia, match=r"16-bit colours are read in their full range alone"):
        ImageFiles([path], (0.0, 2000.0))[0]
    windows: list[Any] = [(0.0, 65535.0), (0.0, 255.0)]
    keys = [content_hashes(undecoded(as_samples(ImageFiles([path], window))))["image"] for window in windows]
    assert (keys[0] != keys[1]).any()


@pytest.mark.parametrize("depth", [(1.0,), (5.0, 5.0), (0.0, float("nan"))])
def test_a_window_is_two_values(depth: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"dataset\.depth=.* must be two values"):
        ImageFolder(depth=depth)


def test_a_video_is_turned_as_its_display_matrix_says(tmp_path: Path) -> None:
    import av

    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:, :32] = 255
    for name, turn in (("plain.mp4", 0), ("turned.mp4", -90)):  # clockwise, as phones write portraits
        with av.open(str(tmp_path / name), "w") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            if turn:
                stream.set_display_rotation(turn)
            for _ in range(3):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
    plain, turned = VideoFile(tmp_path / "plain.mp4"), VideoFile(tmp_path / "turned.mp4")
    assert plain.frames(2).shape == (2, 48, 64, 3)
    frames = turned.frames(2)
    assert frames.shape == (2, 64, 48, 3)
    assert frames[0, 5, 24].min() > 200
    assert frames[0, 60, 24].max() < 50
    assert (plain.manner, turned.manner) == ("", "turned 270")


@pytest.mark.parametrize("suffix", ["wav", "aiff", "au", "flac", "w64", "rf64", "ogg", "mp3"])
def test_a_sound_that_is_cut_short_is_unreadable(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    SOUND.write(path, np.random.default_rng(0).normal(0, 0.1, 16000), 16000, format=suffix.upper())
    assert 15000 < len(AudioFile(path).read(16000)) < 17500
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(UnreadableMedia, match=rf"a\.{suffix}: "):
        AudioFile(path).read(16000)


def test_a_sound_of_unknown_length_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    SOUND.write(path, np.zeros(1000), 16000)
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = content[4:8] = b"\xff\xff\xff\xff"  # written to a pipe
    path.write_bytes(content)
    assert len(AudioFile(path).read(16000)) == 1000


def test_a_video_is_read_once_more_only_if_it_is_turned(tmp_path: Path) -> None:
    assert VideoFile(write_video(tmp_path / "a.mp4")).manner == ""
    assert VideoFile(tmp_path / "missing.mp4").manner == ""


def put(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (number, number % 7, 9)).save(folder / name)
    return folder


def many(*folders: str, count: int = 3) -> list[str]:
    return [f"{folder}/{number}.png" for folder in folders for number in range(count)]


def load(folder: Path, **fields: Any) -> Samples:
    return ImageFolder(root=str(folder), **fields).load(folder.parent)


def test_hidden_pictures_are_passed_over_and_counted(tmp_path: Path) -> None:
    root = put(tmp_path / "d", *many("cat", "dog"))
    (root / "cat" / "._0.png").write_bytes(b"\0\5\x16\7")
    samples = load(root)
    assert len(samples) == 6
    assert samples.notes == ("1 hidden files passed over",)


@pytest.mark.parametrize(("train", "test"), [("Train", "Test"), ("training", "validation"), ("TRAIN", "Val")])
def test_parts_are_known_in_any_case(tmp_path: Path, train: str, test: str) -> None:
    samples = load(put(tmp_path / "d", *many(f"{train}/cat", f"{train}/dog", f"{test}/cat", f"{test}/dog")))
    assert samples.class_names == ("cat", "dog")
    assert (samples.splits == "test").sum() == 6


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (("train/a", "Train/a", "test/a"), r"Train and train, which all mean the training part"),
        (("val/a", "val/b", "test/a"), r"holds test, val, which look like parts, but no train"),
        (("cat/train", "cat/test", "dog/train", "dog/test"), r"cat holds test, train, .*put the images at test/cat/"),
        (("images/train/a", "images/val/a"), r"point dataset\.root at .*images"),
        (("images/a", "images/b"), r"the single class folder 'images', which holds a, b; .*point dataset\.root at"),
    ],
)
def test_a_layout_that_can_be_read_in_two_ways_is_asked_about(
    tmp_path: Path, folders: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        load(put(tmp_path / "d", *many(*folders)))


def test_a_class_may_be_called_as_a_part(tmp_path: Path) -> None:
    assert load(put(tmp_path / "d", *many("test", "control"))).class_names == ("control", "test")


def test_pictures_that_are_not_used_are_named(tmp_path: Path) -> None:
    root = put(
        tmp_path / "d", *many("train/a", "train/b", "test/a", "test/b", "val/a", "val/b"), "train/loose.png", "x.png"
    )
    assert load(root, test_folder="test").notes == (
        "6 images in val/ left out: the parts are train/ and test/",
        "2 images that lie in no class folder left out",
    )


def test_folders_follow_the_rules_of_labels(tmp_path: Path) -> None:
    root = put(tmp_path / "d", *many("Cat", "cat", "caf\u00e9", "cafe\u0301", "unlabelled", "2", "10"))
    kept = load(root)
    assert kept.class_names == ("10", "2", "Cat", "caf\u00e9", "cat", "unlabelled")  # as letters
    assert any("'Cat' (3 rows) and 'cat' (3 rows)" in note for note in kept.notes)
    rules = {"merge_case": True, "missing": ["unlabelled"], "on_unlabelled": "skip"}
    merged = load(root, labels=rules)
    assert merged.class_names == ("10", "2", "Cat", "caf\u00e9")
    assert len(merged) == 18


def test_classes_of_the_test_part_alone_may_be_left_out(tmp_path: Path) -> None:
    root = put(tmp_path / "d", *many("train/a", "train/c", "test/a", "test/b", "test/c"))
    with pytest.raises(ValueError, match=r"the class 'b', which no training sample has .*on_test_only=skip"):
        load(root)
    samples = load(root, labels={"on_test_only": "skip"})
    assert samples.class_names == ("a", "c")
    assert samples.labels.tolist() == [0, 0, 0, 1, 1, 1] * 2
    assert samples.notes == ("3 test rows of classes without training rows left out: b",)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("d.zip",), r"d\.zip is an archive; unpack it"),
        (("d/a.zip",), r"holds no class folders; unpack a\.zip there"),
        (("d/metadata.csv", "d/0.png"), r"read metadata\.csv by dataset=table dataset\.root="),
    ],
)
def test_what_is_no_folder_of_classes_is_told_what_to_do(tmp_path: Path, files: tuple[str, ...], message: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    root = tmp_path / ("d.zip" if files == ("d.zip",) else "d")
    with pytest.raises(FileNotFoundError, match=message):
        load(root)


def test_foreign_pictures_are_named_and_new_suffixes_read(tmp_path: Path) -> None:
    root = put(tmp_path / "d", *many("a", "b"))
    (root / "a" / "x.cr2").write_bytes(b"x")
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "JPEG")
    (root / "a" / "y.JFIF").write_bytes(buffer.getvalue())
    samples = load(root)
    assert len(samples) == 7
    assert samples.notes == ("1 files that are not images left out (1 raw; convert them to PNG)",)


HALVES = np.repeat(np.array([[[250, 20, 20], [20, 20, 250]]], np.uint8), 16, axis=1).repeat(32, axis=0)


@pytest.mark.skipif(not features.check("avif"), reason="Pillow was built without AVIF")
def test_avif_pictures_are_read(tmp_path: Path) -> None:
    root = put(tmp_path / "d", *many("a", "b"))
    Image.fromarray(HALVES).save(root / "a" / "z.avif", quality=90)
    samples = load(root)
    assert len(samples) == 7
    seen = np.asarray(samples.payloads["image"][samples.ids.tolist().index("a/z.avif")], np.int64)
    assert np.abs(seen - HALVES).mean() < 12


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1", b"msf1"])
def test_heic_pictures_are_named_with_the_way_out_where_nothing_reads_them(
    tmp_path: Path, brand: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    root = put(tmp_path / "d", *many("a", "b"))
    (root / "a" / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic")
    samples = load(root)
    images, place = samples.payloads["image"], samples.ids.tolist().index("a/IMG_1.HEIC")
    said = r"IMG_1\.HEIC: a HEIC image, .*pip install 'scar-data\[heic\]', or convert it to PNG or JPEG"
    with pytest.raises(UnreadableMedia, match=said):
        images[place]
    skipped = ImageFolder(root=str(root), on_error="skip", max_unreadable=0.5).load(tmp_path)
    kept, lost = drop_unreadable(skipped, name="d", max_share=0.5)
    assert len(kept) == 6
    assert lost[0].reason.startswith(str(root / "a" / "IMG_1.HEIC"))


def test_heic_pictures_are_read_upright_where_the_library_is_there(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    root = put(tmp_path / "d", *many("a", "b"))
    exif = Image.Exif()
    exif[0x0112] = 6
    heif.from_pillow(Image.fromarray(HALVES)).save(root / "a" / "z.heic", quality=95, exif=exif.tobytes())
    heif.from_pillow(Image.fromarray(HALVES)).save(root / "a" / "y.heic", quality=95)
    samples = load(root)
    images = [np.asarray(samples.payloads["image"][samples.ids.tolist().index(f"a/{n}.heic")], np.int64) for n in "yz"]
    assert np.abs(images[0] - HALVES).mean() < 12
    assert np.abs(images[1] - np.rot90(HALVES, -1)).mean() < 12


@pytest.mark.skipif(os.name != "posix", reason="names are bytes there")
def test_a_name_that_is_not_utf8_and_a_pipe_are_refused(tmp_path: Path) -> None:
    root = put(tmp_path / "d", *many("a", "b"))
    os.mkfifo(root / "a" / "9.png")
    with pytest.raises(ValueError, match=r"9\.png is a pipe, a socket or a device"):
        load(root)
    with pytest.raises(UnreadableMedia, match="no plain file"):
        ImageFiles([root / "a" / "9.png"])[0]
    (root / "a" / "9.png").unlink()
    os.mkdir(os.fsencode(root) + b"/caf\xe9")  # noqa: PTH102
    with pytest.raises(ValueError, match=r"caf\\xe9.* is not UTF-8; rename it"):
        load(root)


def test_a_payload_that_was_replaced_at_equal_size_and_time_is_hashed_again(tmp_path: Path) -> None:
    root = put(tmp_path / "d", *many("a", "b"))
    source, path = ImageFolder(root=str(root)), root / "a" / "0.png"
    before, status = source.files(tmp_path)[0].read_text(), path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    assert source.files(tmp_path)[0].read_text() != before

import contextlib
from pathlib import Path

import numpy as np
import pytest
from media_files import write_animation, write_image, write_noise, write_tone, write_video
from PIL import Image

from scar.data.image_decoding import UnreadableMedia
from scar.data.media import AnimatedImage, AudioFile, ImageFiles, VideoFile, middles


@pytest.mark.parametrize("name", ["a.m3u8", "a.mp4", "a.mkv"])
@pytest.mark.parametrize(
    "content",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{inner}\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\ninner.mp4\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile inner.mp4\n",
        "ffconcat version 1.0\nfile '{inner}'\n",
    ],
)
def test_a_list_of_files_under_the_name_of_a_video_opens_none_of_them(tmp_path, name, content):
    inner = write_video(tmp_path / "inner.mp4")
    video = VideoFile(tmp_path / name)
    video.path.write_text(content.format(inner=inner))
    for read in (video.check, lambda: video.frames(2)):
        with pytest.raises(UnreadableMedia, match=rf"{name}: "):
            read()
    assert video.manner == ""
    assert VideoFile(inner).frames(2).shape[0] == 2


def test_segments_of_equal_length_are_shown_by_their_middles() -> None:
    assert middles(20, 4).tolist() == [2, 7, 12, 17]
    assert middles(8, 8).tolist() == list(range(8))
    assert middles(1, 3).tolist() == [0, 0, 0]
    assert middles(3, 6).tolist() == [0, 0, 1, 1, 2, 2]
    with pytest.raises(ValueError, match="0 frames of 5"):
        middles(5, 0)


def test_images_are_read_one_by_one_as_rgb(tmp_path: Path) -> None:
    missing = tmp_path / "missing.png"
    images = ImageFiles([write_image(tmp_path / "a.png", (10, 20, 30)), missing])
    assert len(images) == 2
    assert images[0].mode == "RGB"
    assert images[0].getpixel((0, 0)) == (10, 20, 30)
    assert len(images[:1]) == 1
    with pytest.raises(UnreadableMedia, match=r"missing\.png: no such file"):
        images[1]


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.png", (0, 0, 0, 0))
    half = write_image(tmp_path / "b.png", (0, 0, 0, 128))
    indexed = tmp_path / "c.gif"
    Image.open(path).convert("P").save(indexed, transparency=Image.open(path).convert("P").getpixel((0, 0)))
    images = ImageFiles([path, half, indexed])
    assert images[0].getpixel((0, 0)) == (255, 255, 255)
    assert images[1].getpixel((0, 0)) == (127, 127, 127)
    assert images[2].getpixel((0, 0)) == (255, 255, 255)


def test_grey_and_cmyk_images_become_rgb_but_deep_ones_are_refused(tmp_path: Path) -> None:
    Image.new("L", (4, 4), 77).save(tmp_path / "grey.png")
    Image.new("CMYK", (4, 4), (0, 0, 0, 0)).save(tmp_path / "print.jpg")
    Image.new("I;16", (4, 4), 7000).save(tmp_path / "deep.png")
    images = ImageFiles([tmp_path / name for name in ("grey.png", "print.jpg", "deep.png")])
    assert images[0].getpixel((0, 0)) == (77, 77, 77)
    assert images[1].getpixel((0, 0)) == (255, 255, 255)
    with pytest.raises(
        UnreadableMedia, match=r"deep\.png: pixels of mode I;16 have more than 8 bits; say by dataset\.depth"
    ):
        images[2]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_a_truncated_image_is_refused(tmp_path: Path, suffix: str) -> None:
    path = write_noise(tmp_path / f"a.{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableMedia, match=rf"a\.{suffix}"):
        ImageFiles([path])[0]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_an_animation_that_is_cut_anywhere_is_read_or_refused(tmp_path: Path, suffix: str) -> None:
    frames = [Image.fromarray(np.full((6, 6, 3), 40 * k, np.uint8)) for k in range(4)]
    whole = tmp_path / f"whole{suffix}"
    frames[0].save(whole, save_all=True, append_images=frames[1:])
    content = whole.read_bytes()
    for end in range(len(content)):
        (cut := tmp_path / f"cut{suffix}").write_bytes(content[:end])
        with contextlib.suppress(UnreadableMedia):
            AnimatedImage(cut).check()


def test_a_file_that_is_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("<html>not found</html>")
    with pytest.raises(UnreadableMedia, match=r"a\.jpg: cannot identify image file"):
        ImageFiles([tmp_path / "a.jpg"])[0]


@pytest.mark.parametrize("limit", [1100, 500], ids=["a warning of PIL", "an error of PIL"])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_decompression_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    picture = write_image(tmp_path / "a.png", size=(40, 30))
    animation = write_animation(tmp_path / "b.webp")
    video = write_video(tmp_path / "c.mp4", frames=3)
    assert ImageFiles([picture])[0].size == (40, 30)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(UnreadableMedia, match=r"a\.png.*decompression bomb"):
        ImageFiles([picture])[0]
    with pytest.raises(UnreadableMedia, match=r"c\.mp4.*decompression bomb"):
        VideoFile(video).frames(1)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UnreadableMedia, match=r"b\.webp.*decompression bomb"):
        AnimatedImage(animation).frames(1)


def test_an_animation_shows_its_frames_on_white(tmp_path: Path) -> None:
    handle = AnimatedImage(write_animation(tmp_path / "a.webp", frames=6, step=40))
    frames = handle.frames(3)
    assert frames.shape == (3, 16, 16, 3)
    assert frames.dtype == np.uint8
    assert frames[:, 0, 0, 0].tolist() == [40, 120, 200]
    assert (frames[:, :, 8:] == 255).all()
    assert handle.frames(12)[:, 0, 0, 0].tolist() == [0, 0, 40, 40, 80, 80, 120, 120, 160, 160, 200, 200]
    handle.check()


def test_a_still_picture_is_an_animation_of_one_frame(tmp_path: Path) -> None:
    frames = AnimatedImage(write_image(tmp_path / "a.png", (1, 2, 3))).frames(4)
    assert frames.shape == (4, 30, 40, 3)
    assert (frames == np.array([1, 2, 3], np.uint8)).all()


def test_a_video_shows_the_middles_of_equal_segments(tmp_path: Path) -> None:
    handle = VideoFile(write_video(tmp_path / "a.mp4", frames=20, step=10))
    frames = handle.frames(4)
    assert frames.shape == (4, 48, 64, 3)
    np.testing.assert_allclose(frames.mean(axis=(1, 2, 3)), [40, 90, 140, 190], atol=4)
    np.testing.assert_array_equal(frames, handle.frames(4))
    np.testing.assert_allclose(handle.frames(40)[:4].mean(axis=(1, 2, 3)), [20, 20, 30, 30], atol=4)
    handle.check()


def test_a_video_without_a_frame_count_is_counted_by_decoding(tmp_path: Path) -> None:
    frames = VideoFile(write_video(tmp_path / "a.mkv", frames=20, step=10)).frames(2)
    np.testing.assert_allclose(frames.mean(axis=(1, 2, 3)), [70, 170], atol=4)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.9])
def test_an_unreadable_video_is_refused(tmp_path: Path, share: float) -> None:
    path = write_video(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    for use in (lambda: VideoFile(path).frames(8), VideoFile(path).check):
        with pytest.raises(UnreadableMedia, match=r"a\.mp4: "):
            use()


def test_a_video_that_is_cut_anywhere_is_read_or_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.mp4"
    _write_noisy_video(whole)
    content = whole.read_bytes()
    for end in [*range(0, min(len(content), 1500), 7), *range(len(content) - 1500, len(content), 7)]:
        (cut := tmp_path / "cut.mp4").write_bytes(content[: max(end, 0)])
        with contextlib.suppress(UnreadableMedia):
            VideoFile(cut).check()


def test_a_video_whose_title_is_no_utf_8_is_read(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", frames=5)
    content = video.read_bytes()
    assert b"Lavf" in content
    video.write_bytes(content.replace(b"Lavf", b"\xe4\xf6\xfcf"))  # Latin-1
    VideoFile(video).check()
    assert len(VideoFile(video).frames(2)) == 2


def test_a_video_whose_index_stands_first_is_refused_when_most_of_it_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    _write_noisy_video(path)
    whole = path.read_bytes()
    assert VideoFile(path).frames(4).shape[0] == 4
    path.write_bytes(whole[: len(whole) * 3 // 10])
    for use in (lambda: VideoFile(path).frames(1), VideoFile(path).check):
        with pytest.raises(UnreadableMedia, match=r"a\.mp4: "):
            use()


def _write_noisy_video(path: Path) -> None:
    import av

    rng = np.random.default_rng(0)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(20):
            noise = rng.integers(0, 256, (48, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        container.mux(stream.encode())


def test_a_sound_file_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMedia, match=r"a\.wav: it has no video stream"):
        VideoFile(write_tone(tmp_path / "a.wav")).frames(1)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a_sound_is_mono_at_the_rate_asked_for(tmp_path: Path, suffix: str) -> None:
    path = write_tone(tmp_path / f"a.{suffix}", hertz=440, seconds=1, rate=8000, channels=2)
    wave = AudioFile(path).read(16000)
    assert wave.dtype == np.float32
    assert wave.ndim == 1
    assert len(wave) == pytest.approx(16000, abs=2400 if suffix == "mp3" else 1)
    spectrum = np.abs(np.fft.rfft(wave))
    assert spectrum.argmax() * 16000 / len(wave) == pytest.approx(440, abs=2)
    assert np.sqrt(np.mean(wave[4000:12000] ** 2)) == pytest.approx(0.25 / np.sqrt(2), rel=0.05)


def test_a_part_of_a_sound_is_read(tmp_path: Path) -> None:
    import soundfile

    ramp = np.arange(8000, dtype=np.float32) / 8000
    soundfile.write(tmp_path / "a.wav", ramp, 8000, subtype="FLOAT")
    part = AudioFile(tmp_path / "a.wav", start=0.25, duration=0.5).read(8000)
    np.testing.assert_array_equal(part, ramp[2000:6000])
    np.testing.assert_array_equal(AudioFile(tmp_path / "a.wav", start=0.75).read(8000), ramp[6000:])
    with pytest.raises(UnreadableMedia, match=r"a\.wav: the sound has no samples from 2 s on"):
        AudioFile(tmp_path / "a.wav", start=2).read(8000)


def test_a_sound_without_samples_or_with_nan_is_refused(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "empty.wav", np.zeros(0, np.float32), 8000)
    soundfile.write(tmp_path / "nan.wav", np.array([0, np.nan], np.float32), 8000, subtype="FLOAT")
    (tmp_path / "text.wav").write_text("no sound")
    for name, reason in (
        ("empty", "the sound has no samples"),
        ("nan", "NaN"),
        ("text", "Format not recognised"),
        ("gone", "no such file"),
    ):
        with pytest.raises(UnreadableMedia, match=rf"{name}\.wav: .*{reason}"):
            AudioFile(tmp_path / f"{name}.wav").read(16000)

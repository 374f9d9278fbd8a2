import numpy as np
import pytest
from PIL import Image
from tiny_models import Sound, videos

from scar.encoders._payloads import middle, read_audio, repeat_to, sample_frames, to_rgb
from scar.encoders._pretrained import unit_length


def test_every_image_becomes_rgb() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    colour = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    np.testing.assert_array_equal(np.asarray(to_rgb(grey)), np.stack([grey] * 3, axis=2))
    np.testing.assert_array_equal(np.asarray(to_rgb(colour)), colour)
    np.testing.assert_array_equal(np.asarray(to_rgb(Image.fromarray(grey))), np.stack([grey] * 3, axis=2))
    with pytest.raises(ValueError, match="an image must be"):
        to_rgb(np.zeros((2, 2)))


def test_a_sound_is_cut_to_its_middle_or_repeated() -> None:
    wave = np.arange(7, dtype=np.float32)
    assert middle(wave, 3).tolist() == [2, 3, 4]
    assert middle(wave, 9).tolist() == wave.tolist()
    assert repeat_to(wave[:3], 7).tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_what_is_no_video_and_no_sound_is_refused() -> None:
    assert sample_frames(videos(2), 5)[1].shape == (5, 40, 48, 3)
    with pytest.raises(ValueError, match=r"a video must be a handle with frames\(count\), got ndarray"):
        sample_frames([np.zeros(3)], 2)
    with pytest.raises(ValueError, match=r"a sound must be a handle with read\(rate\), got str"):
        read_audio(["x.wav"], 16000)
    with pytest.raises(ValueError, match="has no samples"):
        read_audio([Sound(np.zeros(0, np.float32))], 16000)


def test_a_row_of_zeros_has_no_direction() -> None:
    rows = unit_length(np.array([[3, 4], [0, 0]], np.float32))
    np.testing.assert_allclose(rows[0], [0.6, 0.8], rtol=1e-6)
    assert np.isnan(rows[1]).all()

import numpy as np
import pytest
from PIL import Image

from scar.encoders.pixels import Pixels


def test_pixels_are_flattened_and_scaled() -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    embeddings = Pixels().open()(list(images))
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(embeddings, images.reshape(2, 12) / 255)
    np.testing.assert_array_equal(Pixels().open()([Image.fromarray(image) for image in images]), embeddings)
    assert Pixels().weights() == []


def test_images_of_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="encoder=pixels needs images of one size"):
        Pixels().open()([np.zeros((2, 2), np.uint8), np.zeros((3, 2), np.uint8)])


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"encoder\.batch_size=0 must be at least 1"):
        Pixels(batch_size=0)

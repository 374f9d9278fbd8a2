import numpy as np
import pytest
from PIL import Image

from scar.encoders._images import resize_batch, to_array


@pytest.mark.parametrize("resolution", [48, 112, 160])
def test_resizing_equals_that_of_pil(photographs: list[Image.Image], resolution: int) -> None:
    square = photographs[1]
    expected = square.resize((resolution, resolution), Image.Resampling.BICUBIC)
    difference = resize_batch([square], resolution)[0].permute(1, 2, 0).numpy() - np.asarray(expected, np.float32)
    assert np.abs(difference).max() <= 1.5  # PIL rounds after each of its two passes
    assert np.abs(difference).mean() < 0.4


def test_the_longer_side_is_cropped_around_the_centre() -> None:
    stripes = np.repeat(np.array([10, 200, 90], np.uint8), 20)[None].repeat(20, axis=0)
    batch = resize_batch([stripes, stripes.T], 20).numpy()
    assert batch.shape == (2, 3, 20, 20)
    np.testing.assert_array_equal(batch, 200)


def test_an_image_does_not_depend_on_its_batch(photographs: list[Image.Image]) -> None:
    together = resize_batch([*photographs, photographs[0].convert("L")], 64).numpy()
    for row, image in enumerate([*photographs, photographs[0].convert("L")]):
        np.testing.assert_allclose(resize_batch([image], 64)[0].numpy(), together[row], atol=1e-3)


def test_grey_becomes_three_equal_channels_and_pixels_stay_in_range() -> None:
    checks = np.indices((28, 28)).sum(axis=0).astype(np.uint8) % 2 * 255
    batch = resize_batch([checks], 112).numpy()
    np.testing.assert_array_equal(batch[:, 0], batch[:, 2])
    assert batch.min() >= 0
    assert batch.max() <= 255


@pytest.mark.parametrize("mode", ["1", "P", "RGBA", "CMYK", "LA"])
def test_every_mode_of_pil_is_read(photographs: list[Image.Image], mode: str) -> None:
    source = photographs[0].convert("L").convert(mode) if mode == "LA" else photographs[0].convert(mode)
    np.testing.assert_array_equal(to_array(source), np.asarray(source.convert("RGB")))


@pytest.mark.parametrize(
    "bad",
    [np.zeros((4, 4), np.float32), np.zeros((4, 4, 4), np.uint8), np.zeros(4, np.uint8), np.zeros((0, 4), np.uint8)],
    ids=["float", "four channels", "flat", "empty"],
)
def test_what_is_no_image_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="an image must be a PIL image or a uint8 array"):
        to_array(bad)

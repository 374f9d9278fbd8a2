"""Pictures of one colour, plain or striped, and their captions; a captioner that learns them in seconds."""

import numpy as np

from scar.reduction.captioner_config import CaptionerConfig

COLOURS = {"red": (220, 30, 30), "green": (30, 170, 40), "blue": (30, 40, 220), "yellow": (230, 210, 30)}


def colours(count, *, seed=0):
    """Return images [N, 16, 16, 3], captions [N] and the colour named in each."""
    random = np.random.default_rng(seed)
    images, captions, names = [], [], []
    for _ in range(count):
        name, striped = str(random.choice(list(COLOURS))), bool(random.integers(2))
        image = np.full((16, 16, 3), COLOURS[name], float)
        if striped:
            image[::2] = 128
        images.append(np.clip(image + random.normal(0, 8, image.shape), 0, 255).astype(np.uint8))
        captions.append(f"a picture of {name} stripes" if striped else f"a plain {name} picture")
        names.append(name)
    return np.stack(images), captions, names


def tiny(**changes):
    """Return the configuration of a captioner with 4 tokens per image and 8 codes."""
    settings = {
        "image_size": 16, "patch_size": 8, "width": 32, "encoder_layers": 1, "decoder_layers": 1, "heads": 2,
        "dropout": 0.0, "max_tokens": 10, "codebook_size": 8, "learning_rate": 5e-3, "clean_learning_rate": 1e-3,
        "epochs": 3, "clean_epochs": 2, "batch_size": 24, "restart_dead": 1, "decay": 0.95,
    }  # fmt: skip
    return CaptionerConfig(**settings | changes)

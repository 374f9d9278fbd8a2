"""Images that a dataset holds as arrays, its last file being the test part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Ints
from scar.data.checks import validate_samples
from scar.data.samples import TEST, TRAIN, Samples
from scar.data.source import Source
from scar.data.stratify import keep_sizes


def image_samples(files: Sequence[tuple[NDArray[np.uint8], Ints]], class_names: tuple[str, ...]) -> Samples:
    """Make samples whose ids are ``train-00000`` … and ``test-00000`` …, in the order of the files.

    Args:
        files: images [n, H, W] or [n, H, W, 3] and labels [n] of each; the last is the test part.
        class_names: [K].
    """
    sizes = [sum(len(labels) for _, labels in files[:-1]), len(files[-1][1])]
    images: Any = np.concatenate([images for images, _ in files])
    return Samples(
        ids=np.array(
            [f"{part}-{place:05d}" for part, size in zip((TRAIN, TEST), sizes, strict=True) for place in range(size)]
        ),
        payloads={"image": images},
        labels=np.concatenate([labels for _, labels in files]),
        class_names=class_names,
        splits=np.repeat([TRAIN, TEST], sizes),
        groups={},
    )


def sub_sample(source: Source, samples: Samples) -> Samples:
    """Return the samples that a source asks for, all of them or class-aware parts, checked."""
    labels: Any = samples.labels
    rows = keep_sizes(
        labels, samples.splits, train_size=source.train_size, test_size=source.test_size, seed=source.seed
    )
    return validate_samples(samples if len(rows) == len(samples) else samples.take(rows), name=source.name)

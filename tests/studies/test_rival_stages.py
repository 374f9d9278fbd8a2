"""Rivals of the paper's choice of pairs: what both filters leave."""

from types import SimpleNamespace

import numpy as np
import pytest

from scar.reduction.rival_settings import RivalSettings
from scar.studies.reduction.rival_stages import RivalStages


def stages(images: np.ndarray, frozen: np.ndarray, groups: str) -> RivalStages:
    """Stages that have everything which the filters read: a tenth of 10 pairs is left out by score, and two are kept."""
    found = object.__new__(RivalStages)
    found.reduction = SimpleNamespace(share=0.2, rivals=RivalSettings(groups=groups, filtered=0.1))
    found.pairs = SimpleNamespace(train=np.arange(len(images)), images=images)
    found.ranked = {"similarity": np.linspace(1, 0, len(images))}
    found.frozen_images = frozen
    return found


def test_copies_that_are_moved_are_found_by_embeddings_and_not_by_thumbnails():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (10, 16, 16, 3)).astype(np.uint8)
    images[3] = np.roll(images[0], 1, axis=1)
    images[4] = np.roll(images[0], -1, axis=1)
    frozen = np.eye(10, dtype=np.float32)
    frozen[[3, 4]] = frozen[0] + 0.1 * rng.normal(size=(2, 10)).astype(np.float32)
    assert stages(images, frozen, "thumbnails").clean().tolist() == [True] * 9 + [False]
    kept = stages(images, frozen, "embeddings").clean()
    assert kept[[0, 3, 4]].sum() == 1
    assert kept[[1, 2, 5, 6, 7, 8]].all()
    assert not kept[9]


@pytest.mark.parametrize(("name", "value"), [("groups", "captions"), ("representative", "first")])
def test_a_choice_that_is_unknown_is_refused(name, value):
    with pytest.raises(ValueError, match=rf"reduction\.rivals\.{name}='{value}' is unknown; use one of"):
        RivalSettings(**{name: value})

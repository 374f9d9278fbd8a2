"""One pair model on the test part: retrieval both ways, zero-shot classes, and a linear probe on its image embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scar.config import Config
from scar.reduction.evaluate import PairResult, probe_predictions, retrieve_both_ways, zero_shot

if TYPE_CHECKING:
    from scar.reduction.pair_model import PairModel
    from scar.studies.reduction.material import Material


def judge(model: PairModel, material: Material, config: Config, *, seed: int) -> PairResult:
    """Return what a pair model achieves.

    The linear probe sees the image embeddings and classes of the whole training part, whatever the model was trained on.

    Args:
        model: trained.
        material: pairs; without labels there are no classes to judge by.
        config: of the study, for the probe.
        seed: of the probe.
    """
    images = model.embed_images(material.images[material.test])
    texts, owners = material.test_captions()
    named = probed = None
    if material.labels is not None:
        truth, seen = material.labels[material.test], model.embed_images(material.images[material.train])
        named = zero_shot(model, images, material.class_names) == truth
        (predicted,) = probe_predictions(
            np.concatenate([seen, images]),
            np.concatenate([material.labels[material.train], truth]),
            [np.arange(len(seen))],
            np.arange(len(seen), len(seen) + len(images)),
            num_classes=len(material.class_names),
            seeds=[seed],
            probe=config.probe,
            trainer=config.trainer,
        )
        probed = predicted == truth
    return PairResult(
        **retrieve_both_ways(images, model.embed_texts(texts), owners),
        zero_shot=named,
        linear_probe=probed,
        spent=model.spent,
        final_loss=model.history[-1],
    )

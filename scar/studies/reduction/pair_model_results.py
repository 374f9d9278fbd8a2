"""One pair model on the test part: retrieval both ways, zero-shot classes, and a linear probe on its image embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scar.config.schema import Config
from scar.studies.reduction.judge import PairResult, probe_predictions, retrieve_both_ways, zero_shot

if TYPE_CHECKING:
    from scar.reduction.pair_model import PairModel
    from scar.studies.reduction.pair_arrays import PairArrays


def judge(model: PairModel, pairs: PairArrays, config: Config, *, seed: int) -> PairResult:
    """Return what a pair model achieves.

    The linear probe sees the image embeddings and classes of the whole training part, whatever the model was trained on.

    Args:
        model: trained.
        pairs: of the study; without labels there are no classes to judge by.
        config: of the study, for the probe.
        seed: of the probe.
    """
    images = model.embed_images(pairs.images[pairs.test])
    texts, owners = pairs.test_captions()
    named = probed = None
    if pairs.labels is not None:
        truth, seen = pairs.labels[pairs.test], model.embed_images(pairs.images[pairs.train])
        named = zero_shot(model, images, pairs.class_names) == truth
        (predicted,) = probe_predictions(
            np.concatenate([seen, images]),
            np.concatenate([pairs.labels[pairs.train], truth]),
            [np.arange(len(seen))],
            np.arange(len(seen), len(seen) + len(images)),
            num_classes=len(pairs.class_names),
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

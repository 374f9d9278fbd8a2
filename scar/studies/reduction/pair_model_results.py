"""One pair model on the test part: retrieval both ways, zero-shot classes, and a linear probe on its image embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Ints
from scar.config.schema import Config
from scar.pairs.retrieval import Ranks
from scar.studies.reduction.judge import DIRECTIONS, PairResult, probe_predictions, retrieve_both_ways, zero_shot

if TYPE_CHECKING:
    from scar.reduction.pair_model import PairModel
    from scar.reduction.pair_model_config import PairModelConfig
    from scar.studies.reduction.pair_arrays import PairArrays

_DEPTH = 10
"""Of the recall by which a checkpoint is chosen."""


def look(model: PairModel, pairs: PairArrays, inputs: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return what a pair model achieves as it is: ranks on the test part, and the recall on the validation part.

    Args:
        model: in training.
        pairs: of the study; without labels there are no classes to judge by.
        inputs: [N, ...] what the model reads of the images of all pairs.
    """
    texts, held = pairs.captions_of(pairs.test)
    images = model.embed_images(inputs[pairs.test])
    ranks = retrieve_both_ways(images, model.embed_texts(texts), held)
    found = {f"{name}_{part}": getattr(each, part) for name, each in ranks.items() for part in ("above", "ties")}
    if pairs.labels is not None:
        found["zero_shot"] = zero_shot(model, images, pairs.class_names) == pairs.labels[pairs.test]
    recall = np.nan
    if len(pairs.validation):
        texts, held = pairs.captions_of(pairs.validation)
        seen = retrieve_both_ways(model.embed_images(inputs[pairs.validation]), model.embed_texts(texts), held)
        recall = float(np.mean([each.found(_DEPTH).mean() for each in seen.values()]))
    return found | {"validation": np.array(recall)}


def train_plain(
    config: PairModelConfig,
    pairs: PairArrays,
    inputs: NDArray[Any],
    rows: Ints,
    texts: Sequence[str],
    *,
    seed: int,
    folder: Path,
) -> PairModel:
    """Train a pair model on some of the training pairs, which is looked at by `look` at every checkpoint.

    Args:
        config: size and training.
        pairs: of the study; the tokenizer is made of all original training captions, the same for every set.
        inputs: [N, ...] what the model reads of the images of all pairs.
        rows: [m] positions among the training pairs; one that comes twice counts twice.
        texts: [n] captions of all training pairs.
        seed: of the initial weights and the order.
        folder: of the checkpoints.
    """
    from scar.reduction.pair_training import train_pair_model
    from scar.reduction.tokens import make_tokenizer

    return train_pair_model(
        config,
        inputs[pairs.train[rows]],
        [texts[row] for row in rows],
        seed=seed,
        folder=folder,
        tokenizer=make_tokenizer([pairs.texts[row] for row in pairs.train], vocabulary=config.vocabulary),
        look=lambda model: look(model, pairs, inputs),
    )


def judge(model: PairModel, pairs: PairArrays, inputs: NDArray[Any], config: Config, *, seed: int) -> PairResult:
    """Return what a pair model achieved by `look` while it was trained, and what a linear probe on its images does.

    The linear probe sees the image embeddings and classes of the whole training part, whatever the model was trained on.

    Args:
        model: trained.
        pairs: of the study; without labels there are no classes to judge by.
        inputs: [N, ...] what the model reads of the images of all pairs.
        config: of the study, for the probe.
        seed: of the probe.
    """
    probed = None
    if pairs.labels is not None:
        seen, shown = (model.embed_images(inputs[rows]) for rows in (pairs.train, pairs.test))
        truth = pairs.labels[pairs.test]
        (predicted,) = probe_predictions(
            np.concatenate([seen, shown]),
            np.concatenate([pairs.labels[pairs.train], truth]),
            [np.arange(len(seen))],
            np.arange(len(seen), len(seen) + len(shown)),
            num_classes=len(pairs.class_names),
            seeds=[seed],
            probe=config.probe,
            trainer=config.trainer,
        )
        probed = predicted == truth
    steps = sorted(model.seen)
    every = [model.seen[step] for step in steps]
    ranks = {d: tuple(Ranks(above=each[f"{d}_above"], ties=each[f"{d}_ties"]) for each in every) for d in DIRECTIONS}
    return PairResult(
        steps=np.array(steps, np.int64),
        validation=np.array([float(each["validation"]) for each in every]),
        **ranks,
        held=pairs.captions_of(pairs.test)[1],
        units=pairs.units[pairs.test],
        zero_shot=None if pairs.labels is None else np.stack([each["zero_shot"] for each in every]),
        linear_probe=probed,
        spent=model.spent,
        final_loss=model.history[-1],
    )

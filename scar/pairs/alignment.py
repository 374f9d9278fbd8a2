"""What a user of pairs wants to know before training: do the two modalities agree, and do the splits share items?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from scar.common.files import read_json, write_json
from scar.common.randomness import generator
from scar.common.types import Floats32, Ints
from scar.common.vectors import chunks, unit_rows
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.encoders.encoder import Encoder
from scar.pairs.retrieval import Retrieval, linear_map, retrieve
from scar.pairs.supervision import Supervision

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SAME = 1 - 1e-4
"""Cosine from which two embeddings count as those of the same content."""


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """Agreement of the two modalities.

    Attributes:
        agreement: part (``"train"``, ``"test"``) → measure (``"nmi"``, ``"ari"``) of the two clusterings.
        joint: whether one model embeds both modalities into one space.
        retrieval: ``"image_to_text"`` … → on the test part; in the joint space, or through a linear map that was
            fitted on the training part where there is none.
        pair_scores: ``"paired"`` and ``"unpaired"`` → quantile → cosine on the test part; empty without a joint space.
        repeated: modality → share of the test items whose embedding is that of a training item; ``"pair"``: of both.
    """

    agreement: dict[str, dict[str, float]]
    joint: bool
    retrieval: dict[str, Retrieval]
    pair_scores: dict[str, dict[float, float]]
    repeated: dict[str, float]

    def save(self, path: Path) -> None:
        """Write one JSON file."""
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Alignment:
        """Read what `save` wrote."""
        about = read_json(path)
        found = {
            direction: Retrieval(**each | {"recall": {int(k): v for k, v in each["recall"].items()}})
            for direction, each in about["retrieval"].items()
        }
        scores = {kind: {float(q): v for q, v in each.items()} for kind, each in about["pair_scores"].items()}
        return cls(**about | {"retrieval": found, "pair_scores": scores})


def has_joint_space(encoder: Encoder, towers: Mapping[str, EmbeddingSet]) -> bool:
    """Tell whether the towers are those of one model, of one dimension, rather than independent encoders."""
    parts = list(encoder.towers().values())
    same_space = len({tower.dimension for tower in towers.values()}) == 1
    return len(parts) > 1 and all(type(part) is type(encoder) for part in parts) and same_space


def align(
    towers: Mapping[str, EmbeddingSet], supervision: Supervision, *, train: Ints, test: Ints, joint: bool, seed: int = 0
) -> Alignment:
    """Compare the two modalities of the pairs.

    Args:
        towers: embeddings of the two modalities, aligned.
        supervision: their clusters.
        train: rows of the source's training part.
        test: rows of its test part.
        joint: whether the towers share one space.
        seed: of the pairs on which a map is chosen, and of those that are no pairs.
    """
    first, second = supervision.modalities
    retrieval = {}
    for query, target in ((first, second), (second, first)):
        queries, query_owner = _unit(towers[query], test)
        targets, target_owner = _unit(towers[target], test)
        if not joint:
            queries = _mapped(towers[query], towers[target], train, queries, seed)
        retrieval[f"{query}_to_{target}"] = retrieve(queries, query_owner, targets, target_owner)
    return Alignment(
        agreement={part: _agreement(supervision, rows) for part, rows in (("train", train), ("test", test))},
        joint=joint,
        retrieval=retrieval,
        pair_scores=_pair_scores(towers[first], towers[second], test, seed) if joint else {},
        repeated=dict(zip((first, second, "pair"), _repeated(towers[first], towers[second], train, test), strict=True)),
    )


def _agreement(supervision: Supervision, rows: Ints) -> dict[str, float]:
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    first, second = (supervision.clusters[modality].labels[rows] for modality in supervision.modalities)
    return {"nmi": float(normalized_mutual_info_score(first, second)), "ari": float(adjusted_rand_score(first, second))}


def _unit(tower: EmbeddingSet, items: Ints) -> tuple[Floats32, Ints]:
    rows, owners = tower.captions(items)
    return unit_rows(rows, copy=False), owners


def _mapped(query: EmbeddingSet, target: EmbeddingSet, train: Ints, queries: Floats32, seed: int) -> Floats32:
    """Map queries into the space of the targets by a ridge regression on the training pairs."""
    inputs, outputs = (unit_rows(tower.take(train), copy=False) for tower in (query, target))
    weights, mean_x, mean_y = linear_map(inputs, outputs, generator(seed, "linear map"))
    return unit_rows(np.asarray((queries - mean_x) @ weights + mean_y, np.float32), copy=False)


def _pair_scores(first: EmbeddingSet, second: EmbeddingSet, test: Ints, seed: int) -> dict[str, dict[float, float]]:
    """Return quantiles of the cosine of pairs, and of as many items that are no pair."""
    a, b = (unit_rows(tower.take(test), copy=False) for tower in (first, second))
    order = generator(seed, "unpaired").permutation(len(test))
    scores = {"paired": np.einsum("nd,nd->n", a, b), "unpaired": np.einsum("nd,nd->n", a[order], b[np.roll(order, 1)])}
    return {kind: {q: float(np.quantile(each, q)) for q in QUANTILES} for kind, each in scores.items()}


def _repeated(first: EmbeddingSet, second: EmbeddingSet, train: Ints, test: Ints) -> tuple[float, float, float]:
    """Return the share of test items that a training item repeats: in the first modality, the second, and both."""
    known = [unit_rows(tower.take(train), copy=False) for tower in (first, second)]
    found = np.zeros((3, len(test)), bool)
    for part in chunks(len(test), 1024):
        rows = [unit_rows(tower.take(test[part]), copy=False) for tower in (first, second)]
        for others in chunks(len(train)):
            same = [r @ k[others].T >= SAME for r, k in zip(rows, known, strict=True)]
            for index, each in enumerate((*same, same[0] & same[1])):
                found[index, part] |= each.any(axis=1)
    shares = found.mean(axis=1)
    return float(shares[0]), float(shares[1]), float(shares[2])

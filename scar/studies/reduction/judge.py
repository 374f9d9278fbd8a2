"""How good a set of image-text pairs is: what a pair model learns from it, what SCAR says, and what is known of the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scar.api import characterize
from scar.common.randomness import derive_seed, generator
from scar.common.types import Bools, Floats32, Ints
from scar.common.vectors import unit_rows
from scar.evaluation.scores import Scores
from scar.pairs.retrieval import DEPTHS, Ranks, rank_relevant
from scar.probes.probe_set import ProbeTask
from scar.probes.settings import ProbeConfig, TrainerConfig

if TYPE_CHECKING:
    from scar.foundation.settings import FoundationConfig
    from scar.reduction.pair_model import PairModel


PROMPTS = ("{}", "a {}", "one {}", "a picture of a {}", "an image with a {}")
"""Captions of a class, whose mean embedding stands for it."""
DIRECTIONS = ("tr", "ir")
"""Image to text and text to image, named as the paper does."""
RECALLS = ("tr_at_1", "tr_at_10", "ir_at_1", "ir_at_10")
"""Whose mean is ``"recall"``."""
_VALIDATION = 0.1
_LEAST = 8
"""Samples that a class needs to be characterized: fewer cannot be divided into parts."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PairResult:
    """What one pair model achieves on the test part, by item, at each of C checkpoints of its training.

    A budget is a share of the steps. The model of a budget is the one of its checkpoints that does best on the validation
    part; it is chosen without the test part.

    Attributes:
        steps: [C] that had been taken.
        validation: [C] mean of recall at 10 both ways on the validation part; NaN where there is none.
        tr: C ranks of the captions, one query per image [n].
        ir: C ranks of the images, one query per distinct caption [q]; each image that has it is a partner.
        held: [n, q] which image has which caption.
        units: [n] images of one number show the same thing.
        zero_shot: [C, n] whether an image is nearest to the prompts of its class; None without labels.
        linear_probe: [n] whether a linear probe on the image embeddings, after the last step, names its class; None
            without labels.
        spent: seconds of training, ``"wall"`` and ``"cpu"``.
        final_loss: mean contrastive loss of the last epoch.
    """

    steps: Ints
    validation: NDArray[np.float64]
    tr: tuple[Ranks, ...]
    ir: tuple[Ranks, ...]
    held: Bools
    units: Ints
    zero_shot: NDArray[np.bool_] | None
    linear_probe: NDArray[np.bool_] | None
    spent: Mapping[str, float]
    final_loss: float

    def chosen(self, budget: float = 1.0) -> int:
        """Return the checkpoint that stands for a budget: the best on the validation part, the last without one.

        Raises:
            ValueError: no checkpoint lies within it.
        """
        within = int((self.steps <= budget * self.steps[-1] + 0.5).sum())
        if not within:
            raise ValueError(f"budget={budget} of {self.steps[-1]} steps ends before the first checkpoint")
        seen = self.validation[:within]
        return within - 1 if np.isnan(seen).all() else int(np.nanargmax(seen))

    def items(self, metric: str, budget: float = 1.0) -> NDArray[np.float64] | None:
        """Return the score of every item at a budget, whose mean is the metric.

        Args:
            metric: ``"tr_at_1"`` …, ``"zero_shot"``, ``"linear_probe"``, or ``"recall"``, the mean of those of `RECALLS`
                with the captions of an image, and the images of a unit, taken together: one score per unit.
            budget: share of the steps; the linear probe has the last one alone.
        """
        return self.items_at(metric, self.chosen(budget))

    def items_at(self, metric: str, checkpoint: int) -> NDArray[np.float64] | None:
        """Return the score of every item at a checkpoint."""
        if metric == "recall":
            tr, ir = self.tr[checkpoint], self.ir[checkpoint]
            by_image = self.held @ (ir.found(1) + ir.found(10)) / self.held.sum(axis=1)
            each = (tr.found(1) + tr.found(10) + by_image) / 4
            _, unit = np.unique(self.units, return_inverse=True)
            return np.asarray(np.bincount(unit, each) / np.bincount(unit))
        direction, _, depth = metric.partition("_at_")
        if direction in DIRECTIONS:
            ranks: Ranks = getattr(self, direction)[checkpoint]
            return ranks.found(int(depth))
        found: NDArray[np.bool_] | None = getattr(self, metric)
        if found is None:
            return None
        return (found if metric == "linear_probe" else found[checkpoint]).astype(np.float64)

    def values(self, budget: float = 1.0) -> dict[str, float]:
        """Return every metric that it has at a budget."""
        at = self.chosen(budget)
        names = ["recall", *(f"{d}_at_{depth}" for d in DIRECTIONS for depth in DEPTHS), "zero_shot", "linear_probe"]
        items = {name: self.items_at(name, at) for name in names}
        found = {name: float(each.mean()) for name, each in items.items() if each is not None}
        found |= {f"{d}_median_rank": float(np.median(getattr(self, d)[at].ranks())) for d in DIRECTIONS}
        found |= {f"{clock}_seconds": seconds for clock, seconds in self.spent.items()}
        return found | {"final_loss": self.final_loss, "chosen_step": float(self.steps[at])}

    def save(self, path: Path) -> None:
        """Write one npz file, without pickling."""
        arrays = {
            f"{d}_{part}": np.stack([getattr(each, part) for each in getattr(self, d)])
            for d in DIRECTIONS
            for part in ("above", "ties")
        }
        arrays |= {
            name: getattr(self, name) for name in ("zero_shot", "linear_probe") if getattr(self, name) is not None
        }
        costs = np.array([self.spent["wall"], self.spent["cpu"], self.final_loss])
        with path.open("wb") as file:
            np.savez_compressed(
                file, allow_pickle=False, costs=costs, steps=self.steps, validation=self.validation, held=self.held,
                units=self.units, **arrays,
            )  # fmt: skip

    @classmethod
    def load(cls, path: Path) -> PairResult:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as archive:
            found = dict(archive)
        wall, cpu, loss = found["costs"].tolist()
        tr, ir = (
            tuple(
                Ranks(above=above, ties=ties)
                for above, ties in zip(found[f"{d}_above"], found[f"{d}_ties"], strict=True)
            )
            for d in DIRECTIONS
        )
        named, probed = (found.get(name) for name in ("zero_shot", "linear_probe"))
        spent = {"wall": wall, "cpu": cpu}
        return cls(
            steps=found["steps"], validation=found["validation"], tr=tr, ir=ir, held=found["held"], units=found["units"],
            zero_shot=named, linear_probe=probed, spent=spent, final_loss=loss,
        )  # fmt: skip


def retrieve_both_ways(images: Floats32, captions: Floats32, held: Bools) -> dict[str, Ranks]:
    """Rank the captions for every image (``"tr"``) and the images for every caption (``"ir"``).

    Args:
        images: [n, E] rows of length 1.
        captions: [q, E] rows of length 1.
        held: [n, q] which image has which caption; both may have several partners, of which the best counts.
    """
    return {"tr": rank_relevant(images, captions, held), "ir": rank_relevant(captions, images, held.T)}


def zero_shot(model: PairModel, images: Floats32, class_names: Sequence[str]) -> Ints:
    """Return [n] the class whose prompts lie nearest to each image embedding [n, E]."""
    texts = [prompt.format(name) for name in class_names for prompt in PROMPTS]
    means = model.embed_texts(texts).reshape(len(class_names), len(PROMPTS), -1).mean(axis=1)
    return np.asarray((images @ unit_rows(means).T).argmax(axis=1), dtype=np.int64)


def probe_predictions(
    features: Floats32,
    labels: Ints,
    training_sets: Sequence[Ints],
    test: Ints,
    *,
    num_classes: int,
    seeds: Sequence[int],
    probe: ProbeConfig,
    trainer: TrainerConfig | None = None,
) -> Ints:
    """Train one linear probe per training set, all of them in one bank; a tenth of each set stops or chooses.

    Args:
        features: [N, D].
        labels: [N].
        training_sets: rows of each.
        test: [n] rows to predict.
        num_classes: K.
        seeds: of the probes, one per set.
        probe: how they are trained.
        trainer: on what.

    Returns:
        [P, n] predicted classes.
    """
    from scar.probes.train import train_probes

    tasks = []
    for rows, seed in zip(training_sets, seeds, strict=True):
        order = generator(seed, "pair probe validation").permutation(np.sort(rows))
        held = max(1, round(_VALIDATION * len(order)))
        tasks.append(
            ProbeTask(
                train=np.sort(order[held:]), validation=np.sort(order[:held]), seed=derive_seed(seed, "pair probe")
            )
        )
    probes = train_probes(features, labels, tasks, num_classes=num_classes, config=probe, trainer=trainer)
    shown = features[test]
    return np.stack([probes.predict(index, shown) for index in range(len(tasks))])


def scar_of(
    features: Floats32,
    labels: Ints,
    test_features: Floats32,
    test_labels: Ints,
    *,
    seed: int,
    probe: ProbeConfig,
    foundation: FoundationConfig,
) -> dict[str, float]:
    """Characterize a set of samples: scale, coverage, authenticity, richness, and the size that would be enough.

    Scale and richness are those of the set (§4.3) with the held-out Foundation Data Size; coverage and authenticity the
    means over classes of §3.2 on all samples. Classes with fewer than 8 samples are left out.

    Args:
        features: [n, D].
        labels: [n].
        test_features: [m, D].
        test_labels: [m].
        seed: of every draw.
        probe: how probes are trained.
        foundation: the estimators; the held-out one drives.
    """
    kept = np.flatnonzero(np.bincount(labels, minlength=int(test_labels.max()) + 1) >= _LEAST)
    rows, shown = np.flatnonzero(np.isin(labels, kept)), np.flatnonzero(np.isin(test_labels, kept))
    answer = characterize(
        features[rows],
        labels[rows],
        test=(test_features[shown], test_labels[shown]),
        class_names=[str(each) for each in kept],
        random_state=seed,
        probe=probe,
        foundation=foundation,
    )
    assert isinstance(answer.test_scores, Scores)  # every image is of one class here
    size = answer.estimates["heldout"].foundation_size
    whole = answer.measures.query("factor == 1")
    found = {name: float(whole[name].mean()) for name in ("coverage", "authenticity")}
    need = float(size) / float(answer.counts.sum())
    found |= {"scale": float(np.minimum(1.0, 1 / max(need, 1e-12))), "richness": float(np.minimum(1.0, need))}
    return found | {"foundation_size": float(size), "accuracy": answer.test_scores.accuracy, "classes": len(kept)}


def planted_truth(
    rows: Ints, mismatched: NDArray[np.bool_] | None, duplicate_of: NDArray[np.str_] | None, ids: NDArray[np.str_]
) -> dict[str, float]:
    """Say what a choice of pairs did to the planted faults; nothing where none are known.

    Args:
        rows: that are kept.
        mismatched: [N] whether the caption belongs to another scene; None if unknown.
        duplicate_of: [N] id of the sample that each repeats, empty for none; None if unknown.
        ids: [N].

    Returns:
        ``mismatches_kept`` and ``duplicates_kept``, shares of the planted ones; ``mismatched``, share of the kept that
        are; ``redundant``, share of the kept that repeat another that is kept.
    """
    found: dict[str, float] = {}
    if mismatched is not None and mismatched.any():
        found["mismatches_kept"] = float(mismatched[rows].sum() / mismatched.sum())
        found["mismatched"] = float(mismatched[rows].mean())
    if duplicate_of is not None and (duplicate_of != "").any():
        again = duplicate_of != ""
        family = np.where(again, duplicate_of, ids)[rows]
        found["duplicates_kept"] = float(again[rows].sum() / again.sum())
        found["redundant"] = float(1 - len(np.unique(family)) / len(rows))
    return found


def purity(clusters: Ints, labels: Ints) -> float:
    """Return the share of the samples [N] that have the most common label of their cluster."""
    table = np.zeros((int(clusters.max()) + 1, int(labels.max()) + 1), np.int64)
    np.add.at(table, (clusters, labels), 1)
    return float(table.max(axis=1).sum() / len(labels))

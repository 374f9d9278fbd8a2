"""The four answers for embeddings that are already there, in a notebook or a script.

import scar
answer = scar.characterize(embeddings, labels, pool_embeddings=pool)
answer.measures, answer.foundation, answer.plan(budget=500)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scar.answers import Characterization
from scar.data.checks import encode_labels, validate_embeddings, validate_labels
from scar.evaluation import score
from scar.foundation.config import FoundationConfig
from scar.foundation.estimates import estimate
from scar.probes.config import ProbeConfig, TrainerConfig
from scar.randomness import derive_seed, generator
from scar.splits import cut, require_samples
from scar.subsets import SubsetsConfig, draw_subsets

if TYPE_CHECKING:
    from scar.probes import ProbeSet

Ints = NDArray[np.int64]
TEST_SHARE = 0.2
# Of the samples that are cut for testing where no test set is given.


def characterize(
    embeddings: Any,
    labels: Any,
    *,
    groups: Any = None,
    class_names: Sequence[str] | None = None,
    pool_embeddings: Any = None,
    pool_labels: Any = None,
    test: tuple[Any, Any] | None = None,
    random_state: int = 0,
    subsets: SubsetsConfig | None = None,
    probe: ProbeConfig | None = None,
    foundation: FoundationConfig | None = None,
    driver: str = "heldout",
) -> Characterization:
    """Characterize a dataset from its embeddings: how good is it, is it enough, what should be added?

    All data given are taken as what there is now (the primary set); the optional pool is what could be added (the
    reserve). Validation, held-out and, unless it is given, test parts are cut inside.

    Args:
        embeddings: [N, D] array, tensor or frame of finite numbers.
        labels: [N] class of each sample: integers in 0..K-1, or names.
        groups: [N] group of each sample (speaker, document …); groups are never divided between the parts.
        class_names: [K] names; taken from the labels where those are names.
        pool_embeddings: [M, D] samples that could be added.
        pool_labels: [M] their classes; without them a plan gives counts, not samples, and at most M of them.
        test: embeddings and labels of a test set.
        random_state: seed of every draw.
        subsets: the down-sampling plan; `SubsetsConfig` with factors 1, 2, 4, 8 and at most 3 parts by default.
        probe: the probes; `ProbeConfig()` by default.
        foundation: the estimators; `FoundationConfig()` by default.
        driver: estimator whose needs a plan answers.

    Raises:
        ValueError: for NaN or infinite embeddings, labels that do not fit, a single class, a class with one sample,
            different lengths; the message names the argument and the value.
    """
    features = validate_embeddings(embeddings)
    steps, names = encode_labels(labels, class_names)
    validate_labels(steps, num_classes=len(names), length=len(features), class_names=names)
    foundation = foundation or FoundationConfig()
    if driver not in foundation.estimators:
        raise ValueError(f"driver={driver!r} must be one of foundation.estimators={list(foundation.estimators)}")
    group_names = None if groups is None else np.asarray(groups).astype(np.str_)
    if group_names is not None and len(group_names) != len(features):
        raise ValueError(f"groups has length {len(group_names)}, but there are {len(features)} embeddings")
    train, test_rows, features, steps, group_names = _with_test(
        features, steps, names, group_names, test, generator(random_state, "test")
    )

    heldout, rest = cut(train, steps, group_names, 0.1 * len(train), generator(random_state, "split", 0))
    validation, rows = cut(rest, steps, group_names, 0.1 * len(train), generator(random_state, "split", 1))
    parts = {"test": test_rows, "heldout": heldout, "validation": validation, "training": rows}
    require_samples(parts, given=len(features))
    pool_features, pool = _pool(pool_embeddings, pool_labels, features.shape[1], names)
    bank = _Bank(features, steps, validation, len(names), probe or ProbeConfig())
    plan = draw_subsets(
        rows,
        steps,
        subsets or SubsetsConfig(name="quick", factors=(1, 2, 4, 8), max_parts=3),
        seed=random_state,
    )
    probes = bank.train([(s.rows, derive_seed(random_state, "probe", s.factor, s.part)) for s in plan])

    from scar.observe import observe

    observations = observe(
        probes,
        plan,
        features,
        steps,
        num_classes=len(names),
        heldout=heldout,
        decision=foundation.decision,
        bins=foundation.bins,
        min_count=foundation.min_count,
    )
    return Characterization(
        class_names=names,
        counts=np.bincount(steps[rows], minlength=len(names)),
        observations=observations,
        estimates=estimate(observations, foundation),
        test_scores=score(probes.predict(0, features[test_rows]), steps[test_rows]),
        probe=probes.select([0]),
        driver=driver,
        pool=pool,
        pool_size=None if pool_features is None else len(pool_features),
        random_state=random_state,
        pool_features=pool_features,
        training_features=features[rows],
        training_labels=steps[rows],
    )


@dataclass(frozen=True, eq=False)
class _Bank:
    """What all probes of one call share."""

    features: NDArray[np.float32]
    labels: Ints
    validation: Ints
    num_classes: int
    probe: ProbeConfig

    def train(self, tasks: Sequence[tuple[Ints, int]]) -> ProbeSet:
        from scar.probes import ProbeTask, train_probes

        return train_probes(
            self.features,
            self.labels,
            [ProbeTask(train=rows, validation=self.validation, seed=seed) for rows, seed in tasks],
            num_classes=self.num_classes,
            config=self.probe,
            trainer=TrainerConfig(),
        )


def _with_test(
    features: NDArray[np.float32],
    steps: Ints,
    names: tuple[str, ...],
    groups: NDArray[np.str_] | None,
    test: tuple[Any, Any] | None,
    rng: np.random.Generator,
) -> tuple[Ints, Ints, NDArray[np.float32], Ints, NDArray[np.str_] | None]:
    """Append the given test set, or cut one; returns train rows, test rows, and the arrays that they index."""
    if test is None:
        test_rows, train = cut(np.arange(len(features)), steps, groups, TEST_SHARE * len(features), rng)
        return train, test_rows, features, steps, groups
    extra, answers = validate_embeddings(test[0], name="test"), encode_labels(test[1], names)[0]
    if extra.shape[1] != features.shape[1]:
        raise ValueError(f"test embeddings have {extra.shape[1]} dimensions, the others {features.shape[1]}")
    if len(answers) != len(extra):
        raise ValueError(f"test has {len(extra)} embeddings but {len(answers)} labels")
    train = np.arange(len(features))
    if groups is not None:
        groups = np.concatenate([groups, np.full(len(extra), "test")])
    return (
        train,
        np.arange(len(train), len(train) + len(extra)),
        np.concatenate([features, extra]),
        np.concatenate([steps, answers]),
        groups,
    )


def _pool(
    embeddings: Any, labels: Any, dimension: int, names: tuple[str, ...]
) -> tuple[NDArray[np.float32] | None, Ints | None]:
    """Check the pool and return its embeddings and classes, each None where it is not given."""
    if embeddings is None:
        if labels is not None:
            raise ValueError("pool_labels are given without pool_embeddings; give both, or neither")
        return None, None
    pool = validate_embeddings(embeddings, name="pool_embeddings")
    if pool.shape[1] != dimension:
        raise ValueError(f"pool_embeddings have {pool.shape[1]} dimensions, embeddings have {dimension}")
    if labels is None:
        return pool, None
    steps = encode_labels(labels, names)[0]
    if len(steps) != len(pool):
        raise ValueError(f"pool_labels has length {len(steps)}, but pool_embeddings has {len(pool)}")
    return pool, steps

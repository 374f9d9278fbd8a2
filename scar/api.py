"""The four answers for embeddings that are already there, in a notebook or a script.

import scar
answer = scar.characterize(embeddings, labels, pool_embeddings=pool)
answer.measures, answer.foundation, answer.plan(budget=500)
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.answers.characterization import Characterization
from scar.common.randomness import generator
from scar.common.types import Ints
from scar.completion.budgets import BudgetsConfig
from scar.completion.forecast_settings import ForecastConfig
from scar.completion.planner import Planner
from scar.completion.rounds import NextRound, PastRound
from scar.data.arrays import as_column, as_groups
from scar.data.checks import encode_labels, first_few, require_spread, validate_embeddings, validate_labels
from scar.data.label_sets import carries_several, check_label_sets, encode_label_sets, one_label_each
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.evaluation.deployment import check_deployment, is_declared
from scar.foundation.estimates import ONE_CLASS
from scar.foundation.settings import FoundationConfig
from scar.job.algorithm import characterize_set, prepare_forecasts
from scar.job.flow import Flow
from scar.job.stages import probing
from scar.probes.settings import ProbeConfig, TrainerConfig
from scar.sampling.splits import Split, cut, require_samples
from scar.sampling.step_functions import Steps
from scar.sampling.subsets import SubsetsConfig

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
    deployment: str | Mapping[str, float] = "natural",
    forecast: ForecastConfig | None = None,
) -> Characterization:
    """Characterize a dataset from its embeddings: how good is it, is it enough, what should be added?

    All data given are taken as what there is now (the primary set); the optional pool is what could be added (the
    reserve). Validation, held-out and, unless it is given, test parts are cut inside.

    Args:
        embeddings: [N, D] array, tensor or frame of finite numbers.
        labels: [N] class of each sample: integers in 0..K-1, or names. Those of pool and test are matched by value;
            integers are indices there only where they are here. Of samples that carry any number of labels: [N, K] zeros
            and ones, or N lists of names; each label is then a decision of its own.
        groups: [N] group of each sample (speaker, document …); groups are never divided between the parts.
        class_names: [K] names; taken from the labels where those are names, or from the columns of a frame. A class that
            only pool and test have, or that is only named here, is known and empty: it counts as the most needy.
        pool_embeddings: [M, D] samples that could be added.
        pool_labels: [M] their classes; without them a plan gives counts, not samples, and at most M of them.
        test: embeddings and labels of a test set.
        random_state: seed of every draw.
        subsets: the down-sampling plan; `SubsetsConfig` with factors 1, 2, 4, 8 and at most 3 parts by default.
        probe: the probes; `ProbeConfig()` by default.
        foundation: the estimators; `FoundationConfig()` by default.
        driver: estimator whose needs a plan answers.
        deployment: class mix where a classifier will be used, which decisions are matched to: ``"natural"``, ``"uniform"``
            or the share of each class by name; with several labels the share of the samples that carry each.
        forecast: how plans are forecast, once that is asked for; ``ForecastConfig(seeds="all")`` by default.

    Raises:
        ValueError: for NaN or infinite embeddings, labels that do not fit, a single class, a class with one sample,
            different lengths; the message names the argument and the value.
    """
    if isinstance(random_state, bool) or not isinstance(random_state, int | np.integer) or random_state < 0:
        raise ValueError(f"random_state={random_state!r} must be a whole number of at least 0")
    random_state = int(random_state)
    features = validate_embeddings(embeddings)
    require_spread(features, "embeddings")
    kind = _Kind.of(labels)
    steps, names = kind.encode(labels, class_names)
    if class_names is None and not kind.several and not kind.indices:
        names, steps = kind.widen(names, steps, {"test labels": _labels_of(test), "pool_labels": pool_labels})
    kind.check(steps, names, length=len(features))
    foundation = foundation or FoundationConfig()
    check_deployment(deployment, several=kind.several)
    if kind.several and driver in ONE_CLASS:
        raise ValueError(
            f"driver={driver!r} is of samples of one class each, and these carry several labels; use heldout"
        )
    if driver not in foundation.estimators:
        raise ValueError(f"driver={driver!r} must be one of foundation.estimators={list(foundation.estimators)}")
    group_names = None if groups is None else as_groups(groups, len(features))
    train, test_rows, features, steps, group_names = _with_test(
        features, steps, names, group_names, _test_set(test, names, kind), generator(random_state, "test")
    )

    heldout, rest = cut(train, steps, group_names, 0.1 * len(train), generator(random_state, "split", 0))
    validation, rows = cut(rest, steps, group_names, 0.1 * len(train), generator(random_state, "split", 1))
    cuts = {"heldout": heldout, "validation": validation}
    require_samples({"test": test_rows, **cuts, "training": rows}, given=len(features))
    pool_features, pool = _pool(pool_embeddings, pool_labels, features.shape[1], names, kind)
    data = (
        EmbeddingSet(np.arange(len(features)).astype(np.str_), (features,)),
        Steps(steps, names),
        Split(primary=rows, reserve=rows[:0], labels=steps, test=test_rows, **cuts),
    )
    flow, probe, trainer = Flow(), probe or ProbeConfig(), TrainerConfig()
    handles = flow.given("embeddings", data[0]), flow.given("steps", data[1]), flow.given("split", data[2])
    seen = characterize_set(
        flow,
        handles,
        subject="primary",
        subsets=subsets or SubsetsConfig(name="quick", factors=(1, 2, 4, 8), max_parts=3),
        probe=probe,
        foundation=foundation,
        seed=random_state,
        trainer=trainer,
    )
    whole = seen.probes.value.select([0])
    mix = probing.deployment_mix(data[2], data[1], deployment=deployment)
    predictions = probing.predict(whole, rows, mix, data)
    forecaster = prepare_forecasts(
        flow,
        handles,
        flow.given("deployment", mix),
        seen.penalty,
        forecast=forecast or ForecastConfig(seeds="all"),
        probe=probe,
        heldout=True,
        declared=is_declared(deployment),
        seed=random_state,
        trainer=trainer,
        several=kind.several,
    )
    return Characterization(
        class_names=names,
        counts=data[2].class_sizes("primary", len(names)),
        samples=len(rows),
        mix=mix,
        declared=is_declared(deployment),
        observations=seen.measures.value,
        estimates=seen.foundation.value,
        test_scores=probing.compare(predictions, mix, data[2], declared=is_declared(deployment)),
        probe=whole,
        driver=driver,
        pool=pool,
        pool_size=None if pool_features is None else len(pool_features),
        random_state=random_state,
        forecasts=lambda: forecaster.value,
        pool_features=pool_features,
        training_features=features[rows],
        training_labels=steps[rows],
        test_labels=steps[test_rows],
    )


def next_round(
    embeddings: Any,
    labels: Any,
    target: float,
    *,
    score: str = "matched_balanced_accuracy",
    planner: Planner | str | None = "tempered",
    horizon: int = 3,
    penalty: float | None = None,
    confidence: float = 0.9,
    budgets: BudgetsConfig | None = None,
    past: Sequence[PastRound] = (),
    **given: Any,
) -> NextRound:
    """Characterize a dataset and decide how much to buy now: `characterize`, then `Characterization.next_round`.

    Args:
        embeddings: [N, D] of what there is now.
        labels: [N].
        target: share that the score has to reach on the test part.
        score: one of `scar.completion.forecast_settings.SCORES`.
        planner: divides every budget over the classes.
        horizon: rounds that are left, this one included.
        penalty: what missing the target costs; None asks for `confidence` instead.
        confidence: probability to have reached the target by the last round, where there is no penalty.
        budgets: unit, prices, minimum and maximum per class.
        past: rounds that are over, ``step.after(measured)`` of each.
        given: what else `characterize` takes, e.g. ``pool_embeddings``, ``test``.
    """
    settings: dict[str, Any] = {"score": score, "planner": planner, "horizon": horizon, "penalty": penalty}
    settings |= {"confidence": confidence, "budgets": budgets, "past": past}
    return characterize(embeddings, labels, **given).next_round(target, **settings)


@dataclass(frozen=True)
class _Kind:
    """Whether a sample carries any number of labels, and whether integers are indices."""

    several: bool
    indices: bool

    @classmethod
    def of(cls, labels: Any) -> _Kind:
        if carries_several(labels):
            return cls(several=True, indices=True)
        return cls(several=False, indices=as_column(labels, "labels").dtype.kind in "iu")

    def encode(
        self, labels: Any, names: Sequence[str] | None, name: str = "labels", *, given: bool = True
    ) -> tuple[Ints, tuple[str, ...]]:
        """Return labels as classes or as zeros and ones, and their names."""
        indices = given or self.indices  # integers elsewhere mean what they mean in the training set
        if self.several:
            return encode_label_sets(labels, names, name=name, indices=indices)
        return encode_labels(labels, names, name=name, indices=indices)

    def widen(self, names: tuple[str, ...], steps: Ints, others: Mapping[str, Any]) -> tuple[tuple[str, ...], Ints]:
        """Return the names of all labels, in the order of letters, and the training labels [N] by them.

        A name that differs from one of the training labels in case only is none of its own: it is refused later.
        """
        known = {name.casefold() for name in names}
        more: set[str] = set()
        for name, labels in others.items():
            if labels is not None and as_column(labels, name).dtype.kind not in "iu":
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # `encode` says it once more
                    found = encode_labels(labels, name=name, indices=False)[1]
                more |= {each for each in found if each.casefold() not in known}
        if not more:
            return names, steps
        wide = tuple(sorted({*names, *more}))
        return wide, np.array([wide.index(name) for name in names], np.int64)[steps]

    def check(self, steps: Ints, names: tuple[str, ...], *, length: int) -> None:
        """Refuse labels that tell nothing."""
        if not self.several:
            counts = np.bincount(steps, minlength=len(names))
            empty = [name for name, count in zip(names, counts, strict=True) if not count]
            validate_labels(steps, num_classes=len(names), length=length, class_names=names, may_be_empty=empty)
            if empty:
                warnings.warn(
                    f"labels: {len(empty)} classes have no sample, and are known: {first_few(empty)}", stacklevel=3
                )
            return
        check_label_sets(steps, names, length=length)
        if said := one_label_each(steps):
            warnings.warn(f"labels: {said}", stacklevel=3)


def _with_test(
    features: NDArray[np.float32],
    steps: Ints,
    names: tuple[str, ...],
    groups: NDArray[np.str_] | None,
    test: tuple[NDArray[np.float32], Ints] | None,
    rng: np.random.Generator,
) -> tuple[Ints, Ints, NDArray[np.float32], Ints, NDArray[np.str_] | None]:
    """Append the given test set, or cut one; returns train rows, test rows, and the arrays that they index."""
    if test is None:
        test_rows, train = cut(np.arange(len(features)), steps, groups, TEST_SHARE * len(features), rng)
        return train, test_rows, features, steps, groups
    extra, answers = test
    if extra.shape[1] != features.shape[1]:
        raise ValueError(f"test embeddings have {extra.shape[1]} dimensions, the others {features.shape[1]}")
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


def _test_set(test: Any, names: tuple[str, ...], kind: _Kind) -> tuple[NDArray[np.float32], Ints] | None:
    """Check a test set and return its embeddings and classes."""
    if test is None:
        return None
    if not isinstance(test, tuple | list) or len(test) != 2:
        raise ValueError(f"test must be a pair (embeddings, labels), got {_kind(test)}")
    extra = validate_embeddings(test[0], name="test embeddings")
    answers = kind.encode(test[1], names, "test labels", given=False)[0]
    if len(answers) != len(extra):
        raise ValueError(f"test has {len(extra)} embeddings but {len(answers)} labels")
    return extra, answers


def _labels_of(test: Any) -> Any:
    """Return the labels of a test set; None where it is none, which `_test_set` refuses."""
    return test[1] if isinstance(test, tuple | list) and len(test) == 2 else None


def _kind(value: Any) -> str:
    shape = getattr(value, "shape", None)
    many = f" of {len(value)}" if isinstance(value, tuple | list) else f" of shape {tuple(shape)}" if shape else ""
    return f"a {type(value).__name__}{many}"


def _pool(
    embeddings: Any, labels: Any, dimension: int, names: tuple[str, ...], kind: _Kind
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
    steps = kind.encode(labels, names, "pool_labels", given=False)[0]
    if len(steps) != len(pool):
        raise ValueError(f"pool_labels has length {len(steps)}, but pool_embeddings has {len(pool)}")
    return pool, steps

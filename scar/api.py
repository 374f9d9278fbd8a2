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

from scar.completion.allocation import Allocation
from scar.completion.planners import ScarPlanner
from scar.completion.problem import CompletionProblem, Planner, take_first
from scar.data.checks import encode_labels, validate_embeddings, validate_labels
from scar.evaluation import Scores, score
from scar.foundation.config import FoundationConfig
from scar.foundation.estimates import Estimate, estimate
from scar.measures.observations import Observations
from scar.probes.config import ProbeConfig, TrainerConfig
from scar.randomness import derive_seed, generator
from scar.splits import cut
from scar.subsets import SubsetsConfig, draw_subsets

if TYPE_CHECKING:
    import pandas as pd

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
        pool_labels: [M] their classes; without them a plan gives counts, not samples.
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
        pool=_pool(pool_embeddings, pool_labels, features.shape[1], names),
        random_state=random_state,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Characterization:
    """The answers of `characterize`.

    Attributes:
        class_names: [K] names.
        counts: [K] samples of each class that the probes were trained on.
        observations: what the probes showed.
        estimates: by estimator.
        test_scores: of the probe trained on everything.
        probe: that probe, to `predict` with.
        driver: estimator whose needs `plan` answers.
        pool: classes of the pool, or None where there is none.
        random_state: seed.
    """

    class_names: tuple[str, ...]
    counts: Ints
    observations: Observations
    estimates: dict[str, Estimate]
    test_scores: Scores
    probe: ProbeSet
    driver: str
    pool: Ints | None
    random_state: int

    @property
    def measures(self) -> pd.DataFrame:
        """Measures per factor, part and class (§3.2)."""
        import pandas as pd

        seen = self.observations
        parts = []
        for p in range(len(seen.factors)):
            columns = {m: getattr(seen, m)[p] for m in ("scale", "coverage", "authenticity", "richness")}
            about = {"factor": seen.factors[p], "part": seen.parts[p], "class_name": self.class_names}
            parts.append(pd.DataFrame({**about, "samples": seen.class_sizes[p], **columns}))
        return pd.concat(parts, ignore_index=True)

    @property
    def foundation(self) -> pd.DataFrame:
        """Foundation Data Size of the set per estimator, with interval and flags."""
        import pandas as pd

        records = [
            {
                "estimator": name,
                "foundation_size": each.foundation_size,
                "low": each.interval[0],
                "high": each.interval[1],
                "flags": "; ".join(each.flags),
            }
            for name, each in self.estimates.items()
        ]
        return pd.DataFrame.from_records(records, index="estimator")

    @property
    def needs(self) -> pd.DataFrame:
        """What each class has and how many samples of it would be enough, by the driver."""
        import pandas as pd

        each = self.estimates[self.driver]
        share = self.counts / self.counts.sum()
        return pd.DataFrame(
            {
                "have": self.counts,
                "enough": each.class_needs(self.counts),
                "low": each.step_intervals[:, 0] * share,
                "high": each.step_intervals[:, 1] * share,
                "flags": ["; ".join(flags) for flags in each.step_flags],
            },
            index=pd.Index(self.class_names, name="class_name"),
        )

    def plan(self, budget: int | None = None, planner: Planner | None = None) -> Plan:
        """Divide a budget over the classes.

        Args:
            budget: samples to add; None adds what the needs ask for, as far as the pool goes.
            planner: the strategy; `ScarPlanner()` by default.
        """
        if budget is not None and budget < 0:
            raise ValueError(f"budget={budget} must be at least 0, or None")
        reserve = (
            np.full(len(self.counts), np.iinfo(np.int32).max)  # nothing bounds what may be collected
            if self.pool is None
            else np.bincount(self.pool, minlength=len(self.counts))
        )
        needs = self.estimates[self.driver].class_needs(self.counts)
        problem = CompletionProblem(counts=self.counts, reserve=reserve, needs=needs, class_names=self.class_names)
        gap = np.nan_to_num(np.maximum(np.ceil(needs) - self.counts, 0), nan=0, posinf=0)
        wanted = int(np.minimum(gap, reserve).sum()) if budget is None else min(budget, int(reserve.sum()))
        size = 0 if self.pool is None else len(self.pool)
        order = generator(self.random_state, "selection").permutation(size)
        classes = np.empty(0, np.int64) if self.pool is None else self.pool[order]
        allocation = (planner or ScarPlanner()).allocate(problem, wanted, classes)
        rows = None if self.pool is None else np.sort(take_first(order, classes, allocation.counts))
        return Plan(class_names=self.class_names, allocation=allocation, rows=rows)

    def __repr__(self) -> str:
        lines = [
            f"{self.counts.sum()} samples, {len(self.class_names)} classes; test accuracy {self.test_scores.accuracy:.3f}"
        ]
        for name, each in self.estimates.items():
            low, high = each.interval
            flags = f"  ({'; '.join(each.flags)})" if each.flags else ""
            lines.append(
                f"  Foundation Data Size, {name:<15}{each.foundation_size:>12,.0f}  [{low:,.0f}, {high:,.0f}]{flags}"
            )
        needs = self.needs
        missing = (needs.enough - needs.have).clip(lower=0).sort_values(ascending=False)
        top = [f"{name} +{count:,.0f}" for name, count in missing.head(5).items() if count >= 1]
        lines.append(f"  most needed by {self.driver}: {', '.join(top) or 'nothing, every need is met'}")
        return "\n".join(lines)


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """What to add: counts per class and, where the pool has labels, rows of the pool.

    Attributes:
        class_names: [K] names.
        allocation: counts [K] and flags.
        rows: positions in the pool, or None where the pool has no labels.
    """

    class_names: tuple[str, ...]
    allocation: Allocation
    rows: Ints | None

    @property
    def counts(self) -> pd.Series[int]:
        """Samples to add, by class name."""
        import pandas as pd

        return pd.Series(self.allocation.counts, index=pd.Index(self.class_names, name="class_name"), name="add")

    def __repr__(self) -> str:
        added = [f"{name} +{count}" for name, count in self.counts.items() if count]
        flags = f" ({'; '.join(self.allocation.flags)})" if self.allocation.flags else ""
        return f"add {int(self.allocation.counts.sum())}: {', '.join(added) or 'nothing'}{flags}"


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


def _pool(embeddings: Any, labels: Any, dimension: int, names: tuple[str, ...]) -> Ints | None:
    """Check the pool and return its classes."""
    if embeddings is None:
        return None
    pool = validate_embeddings(embeddings, name="pool_embeddings")
    if pool.shape[1] != dimension:
        raise ValueError(f"pool_embeddings have {pool.shape[1]} dimensions, embeddings have {dimension}")
    if labels is None:
        return None
    steps = encode_labels(labels, names)[0]
    if len(steps) != len(pool):
        raise ValueError(f"pool_labels has length {len(steps)}, but pool_embeddings has {len(pool)}")
    return steps
